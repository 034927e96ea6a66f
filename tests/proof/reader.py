"""A reader in a process of its own, who asks all along: by stage and by alias, as services do."""

from __future__ import annotations

import ctypes
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.proof.registry import STAGES, Rest

OFF, STRICT, DISTURBED = 0, 1, 2
"""What the reader expects: nothing yet; always one version; one, but for what somebody else does at that instant."""
_REST = 2.0
"""How many times as long as it asks it rests, so that the server has time for the others."""
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True)
class Counts:
    """Answers read, and how many of them found no version, or two; ``other``: while somebody else wrote."""

    samples: int
    none: int
    two: int
    other_samples: int
    other_none: int
    other_two: int


class Reader:
    """Reads the model that it is told; ``log`` gets a line for every answer that found none or two."""

    def __init__(self, url: str, log: Path) -> None:
        self._model = _CONTEXT.Array(ctypes.c_char, 100)
        self._phase = _CONTEXT.Value(ctypes.c_int, OFF)
        self._counts = _CONTEXT.Array(ctypes.c_long, 6)
        self.log = log
        self._run = _CONTEXT.Process(target=_read, args=(url, str(log), self._model, self._phase, self._counts), daemon=True)

    def __enter__(self) -> Self:
        self._run.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._run.kill()
        self._run.join()

    def watch(self, model: str, phase: int) -> None:
        """From now on this model, and what is expected of it."""
        self._model.value = model.encode()
        self._phase.value = phase

    @property
    def counts(self) -> Counts:
        return Counts(*self._counts[:])


def _read(url: str, log: str, model: Any, phase: Any, counts: Any) -> None:
    rest = Rest(url)
    turn = 0
    while True:
        name, now = model.value.decode(), phase.value
        if now == OFF:
            time.sleep(0.01)
            continue
        began = time.monotonic()
        try:
            found = _ask(rest, name, turn % 4)
        except (OSError, RuntimeError):
            time.sleep(0.05)  # a server that is restarted has no readers
            continue
        turn += 1
        # Who begins or ends to disturb while an answer is on its way makes it nobody's.
        if phase.value == now and model.value.decode() == name:
            _count(counts, 0 if now == STRICT else 3, found, log, name)
        time.sleep(_REST * (time.monotonic() - began))


def _ask(rest: Rest, name: str, turn: int) -> dict[str, int]:
    """How many versions one answer gives, by what was asked for."""
    if turn == 0:
        stages = list(rest.stages(name).values())
        return {stage: stages.count(stage) for stage in STAGES.values()}
    if turn == 1:
        return {f"latest {stage}": len(rest.latest(name, stage)) for stage in STAGES.values()}
    if turn == 2:
        aliases, _ = rest.model(name)
        return {f"alias {alias}": int(alias in aliases) for alias in STAGES}
    return {f"@{alias}": int(rest.alias(name, alias) is not None) for alias in STAGES}


def _count(counts: Any, offset: int, found: dict[str, int], log: str, name: str) -> None:
    counts[offset] += len(found)
    for what, number in found.items():
        if number != 1:
            counts[offset + (1 if number == 0 else 2)] += 1
            with Path(log).open("a") as file:
                file.write(f"{time.monotonic():.4f} {'strict' if not offset else 'disturbed'} {name} {what}: {number}\n")
