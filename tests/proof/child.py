"""Real runs of the command line in processes of their own, forked from a warm interpreter so that a thousand of them cost minutes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

_WARM = [
    *(
        "promotion.cli.apply",
        "promotion.cli.look",
        "promotion.cli.ending",
        "promotion.cli.judge",
        "promotion.reconcile",
        "promotion.survey",
    ),
    *("promotion.journal", "promotion.git", "promotion.registry.rest", "promotion.registry.connect", "promotion.config.load"),
    *("promotion.gates.naming", "promotion.render.text", "promotion.render.json", "promotion.render.problem", "tests.proof.child"),
]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_WARM)


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that runs ``scale`` times as fast as the machine's, and ``shift`` seconds ahead: leases of minutes end in seconds."""

    epoch: float = field(default_factory=time.time)
    scale: float = 1.0
    shift: float = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.epoch + (time.time() - self.epoch) * self.scale + self.shift, UTC)

    def ahead(self, seconds: float) -> Clock:
        return Clock(self.epoch, self.scale, self.shift + seconds)


@dataclass(frozen=True, slots=True)
class Start:
    """Where and when a run starts: its clone at this commit, at a time of ``time.monotonic`` that several runs may share."""

    clone: Path
    commit: str
    at: float


class Run:
    """One run of ``promotion ARGUMENTS``; its output goes to ``log``."""

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        *,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
        start: Start | None = None,
    ) -> None:
        self.log = log
        self._run = _CONTEXT.Process(target=_main, args=(list(arguments), str(log), clock, dict(environment or {}), start), daemon=True)

    def start(self) -> Run:
        self._run.start()
        return self

    @property
    def pid(self) -> int:
        assert self._run.pid is not None
        return self._run.pid

    def wait(self, seconds: float = 240.0) -> int:
        """The exit code; minus the signal's number for one that was killed."""
        self._run.join(seconds)
        code = self._run.exitcode
        if code is None:
            self._run.kill()
            msg = f"a run did not end within {seconds:g} s:\n{self.output}"
            raise TimeoutError(msg)
        self._run.close()
        return code

    @property
    def ended(self) -> bool:
        return not self._run.is_alive()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def _main(arguments: list[str], log: str, clock: Clock | None, environment: dict[str, str], start: Start | None) -> None:
    from promotion.cli import build, main

    os.setsid()  # as a job of its own: stopped, killed and given its share of the processor by itself
    os.environ |= environment
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(target, stream)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - the stream of the process itself
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if clock is not None:
        build.now = clock.now
    if start is not None:
        subprocess.run(["git", "reset", "-q", "--hard", start.commit], cwd=start.clone, check=True)
        time.sleep(max(0.0, start.at - time.monotonic()))
    main(arguments)
