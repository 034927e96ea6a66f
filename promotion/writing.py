"""Send the writes of many models: those of one model one after the other, several models at once where the registry gains by it.

What holds whatever happens:

* A model's writes are sent in the order of the plan, by one thread, and the next only after the answer to the one before: the order is
  what keeps readers from finding none or two. After a failure nothing more is sent for that model in this round.
* ``check`` is called before every write; when it raises, no further write of any model begins.
* A refusal (the registry answered and said no) concerns its model alone. Any other failure leaves unknown what was written; after a few
  of them the round ends, since a registry that is down would keep every model waiting.
* Nothing is sent twice here: the caller reads back, plans again and decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from promotion.errors import Unavailable
from promotion.registry.interface import Rejected

STRIKES = 3
"""Failures of unknown effect that end a round."""
_TELL = 2.0


class Write(Protocol):
    """One write, of one model."""

    @property
    def model(self) -> str: ...  # noqa: D102 - the word of the domain


W = TypeVar("W", bound=Write)


@dataclass(frozen=True, slots=True)
class Sent(Generic[W]):
    """What one round did: every write that was sent, those that were not acknowledged, and for each model that failed, why."""

    written: tuple[W, ...]
    missing: tuple[W, ...]
    failures: Mapping[str, Unavailable]


class Pace:
    """How many models are written at once, found out while writing.

    It starts with one and compares each width with the next: both write some models, twice in turn, so that a moment in which the
    registry had other work counts against neither. The greater stays where its better turn was clearly faster than the other's.
    PostgreSQL does two to three times as many writes a second from several clients. SQLite commits one at a time, but a server with
    several workers answers the next requests meanwhile: two to four at once were 1.2 to 1.6 times as fast as one. Two is not tried:
    it was no faster than one now and then, and four was as fast or faster in the mean.
    ``most`` is the most that the registry allows.
    """

    WIDTHS = (1, 4, 8)
    FIRST = 8
    """Models that are written one by one before more at once are tried."""
    GAIN = 1.1
    """What a greater width must be faster by: less is chance."""

    def __init__(self, most: int) -> None:
        self._widths = [width for width in self.WIDTHS if width <= most]
        self._rates: dict[int, float] = {}
        self._turns = 0
        self.width = 1

    @property
    def settled(self) -> bool:
        """Whether the width stays as it is."""
        return len(self._widths) < 2

    def models(self, waiting: int) -> int:
        """How many models come next: enough to learn from, or all."""
        if self.settled:
            return waiting
        self.width = self._widths[self._turns % 2]
        return min(waiting, max(self.FIRST, 4 * self.width))

    def learn(self, writes: int, seconds: float) -> None:
        """Told of so many writes in that time, take turns with the next width, or decide between the two."""
        if self.settled or not writes:
            return
        self._rates[self.width] = max(self._rates.get(self.width, 0.0), writes / max(seconds, 1e-9))
        self._turns += 1
        if self._turns < 4:
            return
        lesser, greater, *others = self._widths
        faster = self._rates[greater] > self._rates[lesser] * self.GAIN
        self._widths = [greater, *others] if faster else [lesser]
        self.width, self._rates, self._turns = self._widths[0], {}, 0


def write(
    writes: Iterable[W], send: Callable[[W], None], pace: Pace, *, check: Callable[[], None], report: Callable[[str], None]
) -> Sent[W]:
    """Send these, each once, as many models at once as ``pace`` allows, which learns from it.

    ``send`` raises Rejected or another Unavailable when a write fails. ``check`` raises when no more may be written (the lease, the time
    allowed): that is raised here, after every write under way was answered. ``report`` is told how far a long round is.
    """
    return _Round(writes, send, pace, check, report).run()


class _Round(Generic[W]):
    """One round: what all its threads share."""

    def __init__(
        self, writes: Iterable[W], send: Callable[[W], None], pace: Pace, check: Callable[[], None], report: Callable[[str], None]
    ) -> None:
        self._sequences = _by_model(writes)
        self._send, self._pace, self._check, self._report = send, pace, check, report
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._written: list[W] = []
        self._acknowledged: set[int] = set()
        self._failures: dict[str, Unavailable] = {}
        self._strikes = 0
        self._told = time.monotonic()

    def run(self) -> Sent[W]:
        start = 0
        while start < len(self._sequences) and not self._over.is_set():
            end = start + self._pace.models(len(self._sequences) - start)
            before, began = len(self._written), time.monotonic()
            self._batch(start, end)
            self._pace.learn(len(self._written) - before, time.monotonic() - began)
            start = end
        missing = (one for sequence in self._sequences for one in sequence if id(one) not in self._acknowledged)
        return Sent(tuple(self._written), tuple(missing), self._failures)

    def _batch(self, start: int, end: int) -> None:
        """Write some models with the width of now; when this raises, nothing is under way any more."""
        batch = self._sequences[start:end]
        if self._pace.width == 1:
            for done, sequence in enumerate(batch, start + 1):
                self._sequence(sequence)
                self._tell(done)
            return
        with ThreadPoolExecutor(self._pace.width) as pool:
            try:
                for done, one in enumerate(as_completed([pool.submit(self._sequence, sequence) for sequence in batch]), start + 1):
                    one.result()
                    self._tell(done)
            except BaseException:
                # An interrupt here, or ``check`` in a thread: what is under way is waited for, nothing more begins.
                self._over.set()
                raise

    def _sequence(self, writes: Sequence[W]) -> None:
        """The writes of one model, up to its first failure."""
        for one in writes:
            if self._over.is_set():
                return
            try:
                self._check()
            except BaseException:
                self._over.set()
                raise
            with self._lock:
                self._written.append(one)
            try:
                self._send(one)
            except Unavailable as error:
                self._failed(one.model, error)
                return
            with self._lock:
                self._acknowledged.add(id(one))

    def _failed(self, model: str, error: Unavailable) -> None:
        with self._lock:
            self._failures[model] = error
            self._strikes += not isinstance(error, Rejected)
            if self._strikes >= STRIKES:
                self._over.set()

    def _tell(self, done: int) -> None:
        if time.monotonic() - self._told > _TELL:
            self._told = time.monotonic()
            self._report(f"written: {done} of {len(self._sequences)} models, {self._pace.width} at once")


def _by_model(writes: Iterable[W]) -> list[list[W]]:
    found: dict[str, list[W]] = {}
    for one in writes:
        found.setdefault(one.model, []).append(one)
    return list(found.values())
