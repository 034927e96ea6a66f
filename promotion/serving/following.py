"""What is served now, and the thread that follows the journal: it loads beside the old version, then swaps.

A request takes ``Slot.served`` once and answers with that alone, so a swap (one assignment) is never seen half done.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from promotion.domain import ModelVersionRef
from promotion.errors import PromotionError
from promotion.journal import Journal
from promotion.serving.forward import Served

SLOWEST = 30.0
"""Seconds between two looks at most, when looking or loading fails again and again."""


@dataclass(slots=True)
class Slot:
    """What is served; ``wanted`` is what the journal says (None: nothing). ``troubles``: what does not work now, by what it is about."""

    name: str
    environment: str | None
    served: Served | None = None
    wanted: ModelVersionRef | None = None
    since: datetime | None = None
    looked: float | None = None
    loading: bool = False
    swaps: int = 0
    troubles: dict[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Where it stands what is to be served."""

    def wanted(self) -> ModelVersionRef | None:
        """The version, with its digest where one is known; None for nothing. Raises PromotionError."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """One version, whatever is promoted."""

    ref: ModelVersionRef

    def wanted(self) -> ModelVersionRef | None:
        """That version."""
        return self.ref


@dataclass(slots=True)
class Applied:
    """What the journal says is applied; its newest entry is read and verified when the branch has moved, and only then."""

    journal: Journal
    name: str
    environment: str
    _tip: str | None = None
    _known: ModelVersionRef | None = None

    def wanted(self) -> ModelVersionRef | None:
        """As of now. Raises Unavailable when the remote does not answer, JournalError when the journal does not verify."""
        tip = self.journal.tip()
        if tip is None or tip != self._tip:
            state = self.journal.read()
            memory = state.applied(self.name)
            binding = memory.bindings.get(self.environment) if memory else None
            bound = binding.bound if binding else None
            self._known = ModelVersionRef(self.name, bound.version, bound.digest) if bound else None
            self._tip = state.head
        return self._known


@dataclass(slots=True)
class Follower:
    """Looks every ``poll`` seconds, give or take a fifth; ``tell`` gets a line for whoever watches the log."""

    slot: Slot
    source: Source
    load: Callable[[ModelVersionRef], Served]
    tell: Callable[[str], None]
    poll: float = 1.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _wait: float = 0.0

    def start(self) -> None:
        """Begin to follow, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; does not wait for a load that is under way."""
        self._stop.set()

    def look(self) -> None:
        """Once: read what is wanted, and load and swap when that is another version. Never raises."""
        try:
            self.slot.wanted = self.source.wanted()
        except Exception as error:  # noqa: BLE001 - whatever it is, callers keep the version that they have
            self._trouble("journal", "what is applied cannot be read", error)
            return
        if self.slot.looked is None and self.slot.wanted is None:
            self.tell(f"nothing of {self.slot.name} is applied in {self.slot.environment}: no answers until it is")
        self.slot.looked = time.monotonic()
        if "journal" in self.slot.troubles:
            self.tell("what is applied can be read again")
        self._mended("journal")
        self._follow(self.slot.wanted)

    def _follow(self, wanted: ModelVersionRef | None) -> None:
        served = self.slot.served
        if wanted is None:
            self._mended("load")
            if served is not None:
                self._swap(None)
                self.tell(f"nothing of {self.slot.name} is applied in {self.slot.environment} any more: no more answers")
            return
        if served is not None and _same(served.ref, wanted):
            self._mended("load")
            return
        self.slot.loading = True
        began = time.monotonic()
        try:
            made = self.load(wanted)
        except Exception as error:  # noqa: BLE001 - the same
            kept = f"; {_short(served.ref)} is served on" if served is not None else ""
            self._trouble("load", f"{_short(wanted)} is not served{kept}", error)
            return
        finally:
            self.slot.loading = False
        self._swap(made)
        self._mended("load")
        self.tell(
            f"serving {_short(made.ref)} (loaded in {time.monotonic() - began:.1f} s)"
            + (f", before {_short(served.ref)}" if served else "")
        )

    def _swap(self, made: Served | None) -> None:
        self.slot.served = made
        self.slot.since = datetime.now(UTC)
        self.slot.swaps += 1

    def _trouble(self, about: str, what: str, error: Exception) -> None:
        reason = error.message if isinstance(error, PromotionError) else f"{type(error).__name__}: {error}"
        line = f"{what}: {' '.join(reason.split())[:500]}"
        if self.slot.troubles.get(about) != line:
            self.tell(line)
        self.slot.troubles = {**self.slot.troubles, about: line}
        self._wait = min(SLOWEST, max(self.poll, 2 * self._wait))

    def _mended(self, about: str) -> None:
        if about in self.slot.troubles:
            self.slot.troubles = {name: line for name, line in self.slot.troubles.items() if name != about}
        if not self.slot.troubles:
            self._wait = self.poll

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            # Many servers of one repository must not ask its host in step.
            self._stop.wait(max(self._wait, self.poll) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret


def _same(one: ModelVersionRef, wanted: ModelVersionRef) -> bool:
    return (one.name, one.version) == (wanted.name, wanted.version) and wanted.digest in {None, one.digest}


def _short(ref: ModelVersionRef) -> str:
    return f"{ref.name}/{ref.version}" + (f" (sha256:{ref.digest[:12]})" if ref.digest else "")
