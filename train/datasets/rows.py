"""From pieces of files to flows: streams, groups, labels, and all of it gathered without holding it twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from train.errors import TrainError
from train.flows import NO_CONTEXT, Flows

Array = np.ndarray[Any, Any]
BURST = 100
"""Rows of a burst at most: an interval over few huge groups would tell nothing."""
FILE = 1 << 40
"""Groups of one file are counted from its number times this."""
NEARLY_ALL = 0.9
BACKWARD = 0.05
"""Share of steps back in time that a file in order may have."""
FEW_TIMES = 20
FEW = 500
"""Rows that are too few to tell whether they stand in order."""
STRETCH = 1000
"""Rows of which it is told together; the last stretch is up to twice as long."""
REPEATS = 0.05
"""Chance that two rows share an identity from which on a stretch tells by itself: with less, order hardly shows."""


class Streams:
    """Which rows follow each other: one stream for each file, a new one after a break; none for a file that is in no order."""

    def __init__(self) -> None:
        self._next = 0

    def of(self, ordered: Array, breaks: Array) -> Array:
        """(N,) for the next rows of a file, both (N,) bool: which stand in order, and where a new stream begins."""
        found = self._next - 1 + np.cumsum(breaks.astype(np.int64))
        if len(found):
            self._next = int(found[-1]) + 1
        return np.where(ordered, found, NO_CONTEXT)


class Bursts:
    """Groups of neighbours with one label, cut after so many rows: flows come in bursts."""

    def __init__(self, file: int) -> None:
        self._last: object = None
        self._count, self._id = 0, file * FILE

    def of(self, kinds: Array) -> Array:
        """(N,) for the next rows of the file."""
        if not len(kinds):
            return np.empty(0, dtype=np.int64)
        places = np.arange(len(kinds))
        begins = np.concatenate([[str(kinds[0]) != self._last], kinds[1:] != kinds[:-1]])
        # A run that goes on from the rows before began as many rows ago as it has had.
        since = np.maximum.accumulate(np.where(begins, places, -self._count))
        found: Array = self._id + np.cumsum((places - since) % BURST == 0)
        self._last, self._id, self._count = str(kinds[-1]), int(found[-1]), int(places[-1] - since[-1]) + 1
        return found


class Clock:
    """Where the rows of one file stand in time; seconds, of any origin.

    ``back``, ``ahead``: a step in time of more than so many seconds begins a new stream. A file of whose first rows more than a
    twentieth step back is in no order; very few rows are taken as they come.
    """

    def __init__(self, *, back: float, ahead: float) -> None:
        self.ordered = True
        self._back, self._ahead = back, ahead
        self._last: float | None = None

    def breaks(self, times: Array) -> Array:
        """(N,) true where a new stream begins, for the next rows of the file; none of the times is NaN."""
        if not len(times):
            return np.zeros(0, dtype=bool)
        steps = np.diff(times, prepend=times[0] if self._last is None else self._last)
        found: Array = (steps < -self._back) | (steps > self._ahead)
        if self._last is None:
            found[0] = True
            self.ordered = len(times) < FEW_TIMES or bool((steps < 0).mean() <= BACKWARD)
        self._last = float(times[-1])
        return found


class Order:
    """Which rows of a file without times stand in capture order, stretch by stretch: parts of it may have been mixed.

    Neighbours in order share an identity (a port, say) more often than chance has it. What a stretch cannot tell, the rows of the
    file that were read first do (``whole``).
    """

    def __init__(self) -> None:
        self.whole: bool | None = None
        self._last = False

    def of(self, identities: Array) -> tuple[Array, Array]:
        """(N,) bool for the next rows: whether they stand in order, and where an order begins."""
        found, begins = np.zeros((2, len(identities)), dtype=bool)
        if self.whole is None and len(identities):
            self.whole = in_order(identities, otherwise=True)
        for part in np.array_split(np.arange(len(identities)), max(1, len(identities) // STRETCH)):
            ordered = in_order(identities[part], otherwise=bool(self.whole), repeats=REPEATS)
            found[part], begins[part[:1]] = ordered, ordered and not self._last
            self._last = ordered if len(part) else self._last
        return found, begins


def in_order(identities: Array, *, otherwise: bool, repeats: float = 0.0) -> bool:
    """Whether neighbours share an identity more often than chance has it; ``otherwise`` where it cannot be told, of few rows.

    Rows in random order give a share of sum p²; three standard errors and one point above it are needed. One identity for nearly all
    rows is order; with a chance below ``repeats``, rows that show none may stand in order all the same.
    """
    if len(identities) < FEW:
        return otherwise
    _, counts = np.unique(identities, return_counts=True)
    chance = float(((counts / len(identities)) ** 2).sum())
    same = float((identities[1:] == identities[:-1]).mean())
    if chance > NEARLY_ALL or same > chance + 3 * (chance * (1 - chance) / len(identities)) ** 0.5 + 0.01:
        return True
    return otherwise and chance < repeats


def hashed(*columns: pd.Series) -> Array:
    """(N,) int64 from 0 on: the same for rows that have the same in all of these columns."""
    total = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        total = total * np.uint64(0x9E3779B97F4A7C15) + pd.util.hash_array(column.to_numpy())
    return (total >> np.uint64(1)).astype(np.int64)


def known(path: Path, kinds: pd.Series, names: dict[str, str], what: str) -> pd.Series:
    """Labels in one spelling. Raises TrainError with the line of one that the dataset does not have: it must not pass as anything."""
    found = kinds.str.casefold().map(names)
    unknown = found.isna()
    if unknown.any():
        line = unknown.index[unknown][0]
        raise TrainError(
            f"{path}:{line}: {what} {kinds[line]!r} is none of this dataset's", hint=f"known are: {', '.join(sorted(set(names.values())))}"
        )
    return found


def gathered(waiting: list[Flows]) -> Flows:
    """All rows as one. The list is emptied: each part is let go of as it is copied, so that the rows are never there twice."""
    first, total = waiting[0], sum(map(len, waiting))
    width = max(part.kinds.dtype.itemsize for part in waiting) // 4
    values = np.empty((total, len(first.columns)))
    whole: dict[str, Any] = {
        "values": values,
        "stream": np.empty(total, dtype=np.int64),
        "kinds": np.empty(total, dtype=f"<U{max(1, width)}"),
        "attack": np.empty(total, dtype=bool),
        "group": np.empty(total, dtype=np.int64),
    }
    dropped: dict[str, int] = {}
    notes: dict[str, None] = {}
    start = 0
    while waiting:
        part = waiting.pop(0)
        for name, array in whole.items():
            array[start : start + len(part)] = getattr(part, name)
        start += len(part)
        dropped = summed(dropped, part.dropped)
        notes |= dict.fromkeys(part.notes)
    return replace(first, dropped=dropped, notes=tuple(notes), **whole)


def in_blocks(parts: Iterator[Flows], size: int) -> Iterator[Flows]:
    """The same rows in blocks of 1 to ``size``; what was dropped is told once, by the next block that there is."""
    dropped: dict[str, int] = {}
    notes: tuple[str, ...] = ()
    last: Flows | None = None
    for part in parts:
        dropped = summed(dropped, part.dropped)
        notes += part.notes
        for start in range(0, len(part), size):
            if last is not None:
                yield last
            # One block is kept back, so that the last can tell of what was dropped after it.
            last = replace(part.take(np.arange(start, min(len(part), start + size))), dropped={}, notes=())
        if last is not None:
            last = replace(last, dropped=summed(last.dropped, dropped), notes=last.notes + notes)
            dropped, notes = {}, ()
    if last is not None:
        yield last


def summed(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Counts of both by reason."""
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in {**one, **other}}


def check_some(flows: Sequence[Flows], paths: Sequence[Path]) -> None:
    """Raise TrainError when no row is left."""
    if not any(map(len, flows)):
        raise TrainError(f"{paths[0]}: no row of these files has a label", hint="are these the owners' files?")
