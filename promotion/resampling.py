"""Resamples that every evaluation of a dataset shares: a Poisson bootstrap whose weights are a function of the row's key alone.

The unit is what the key names: a group of rows that go together where the dataset declares one, else the row. In each resample a unit
weighs 0, 1, 2, … as Poisson with mean 1 says (Chamandy et al. 2012, "Estimating uncertainty for massive data streams"). The weight
comes from a counter-based generator, SplitMix64 (Steele et al. 2014) of seed, resample and key: rows may come in any order, on any
machine, in any shards, sums add up to the same, and two models on the same rows are paired. Each hash gives four weights; a weight's
chances are those of Poisson to 2 ** -16.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 1000
SEED = 20120904
"""One for all: another one would give other resamples, which are paired with nothing."""
_LANES = 4
_BLOCK = 128
"""Units that are weighed at once: 1,000 weights of each stay in the processor's cache."""
_PAIRS = 2048
"""Of a unit and a cell that are added at once."""
_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
Array = np.ndarray[Any, Any]


def _mix(value: Array) -> Array:
    """SplitMix64's finaliser, in place; (…,) uint64."""
    for shift, factor in _ROUNDS:
        value ^= value >> np.uint64(shift)
        value *= np.uint64(factor)
    value ^= value >> np.uint64(31)
    return value


def _thresholds() -> tuple[int, ...]:
    """From which of 2 ** 16 equally likely draws on the weight is at least 1, at least 2, and so on."""
    reached = [round(65536 * math.fsum(math.exp(-1) / math.factorial(weight) for weight in range(most + 1))) for most in range(12)]
    return tuple(dict.fromkeys(draw for draw in reached if draw < 65536))


_THRESHOLDS = _thresholds()
_COUNTERS = _mix(np.arange(1, RESAMPLES // _LANES + 1, dtype=np.uint64) * np.uint64(_GOLDEN))


def _started(keys: Array) -> Array:
    return _mix(keys.astype(np.int64).view(np.uint64) + np.uint64(SEED))


def weights(keys: Array) -> Array:
    """(n,) whole numbers → (n, 1000) uint8: what each unit weighs in each resample."""
    return np.concatenate([found.astype(np.uint8) for found in _weighed(_started(keys))] or [np.zeros((0, RESAMPLES), dtype=np.uint8)])


def _weighed(started: Array) -> Iterator[Array]:
    """Weights of the next units, at most _BLOCK of them, as float32; each overwrites the one before.

    Hashes, comparisons and weights share one piece of memory, one after the other: so all of it stays in the processor's cache.
    """
    memory = np.empty((2, _BLOCK, len(_COUNTERS)), dtype=np.uint64)
    hashes, spare = memory
    more = spare.reshape(-1).view(np.bool_)[: _BLOCK * RESAMPLES].reshape(_BLOCK, RESAMPLES)
    floats = memory.reshape(-1).view(np.float32).reshape(_BLOCK, RESAMPLES)
    found = np.empty((_BLOCK, RESAMPLES), dtype=np.uint8)
    # Shifts and exclusive ors may change places: the first round's are done once for each unit and each counter, not for each pair.
    (first, factor), (second, last) = _ROUNDS
    units, counters = (one ^ (one >> np.uint64(first)) for one in (started, _COUNTERS))
    for start in range(0, len(started), _BLOCK):
        some = units[start : start + _BLOCK, None]
        count = len(some)
        value, other = hashes[:count], spare[:count]
        np.bitwise_xor(some, counters, out=value)
        np.multiply(value, np.uint64(factor), out=value)
        np.right_shift(value, np.uint64(second), out=other)
        np.bitwise_xor(value, other, out=value)
        np.multiply(value, np.uint64(last), out=value)
        np.right_shift(value, np.uint64(31), out=other)
        np.bitwise_xor(value, other, out=value)
        drawn = value.astype("<u8", copy=False).view("<u2")
        np.greater_equal(drawn, _THRESHOLDS[0], out=found[:count].view(np.bool_))
        for least in _THRESHOLDS[1:]:
            np.greater_equal(drawn, least, out=more[:count])
            np.add(found[:count], more[:count].view(np.uint8), out=found[:count])
        np.copyto(floats[:count], found[:count])
        yield floats[:count]


@dataclass(frozen=True, slots=True)
class Totals:
    """What the resamples add up to: ``counts`` (C, 1000) int64, ``sums`` (S, 1000) float64."""

    counts: Array
    sums: Array


def totals(keys: Array, counts: Array, sums: Array | None = None, cells: Sequence[tuple[Array, Array]] = ()) -> Totals:
    """(n,) keys of rows, and what is added up of each row in each resample.

    ``counts`` (n, C) are whole numbers below 2 ** 20, as float32, which come out exactly; ``sums`` (n, S) float64 come out to rounding.
    Each of ``cells`` says in which cell every row falls, (n,), and to what the rows in each cell are added, (cells, 1000) float64:
    quicker than as many columns of which one is 1.
    """
    units, places = _units(keys, cells)
    whole = _by_unit(counts, places, len(units))
    real = _by_unit(np.zeros((len(keys), 0)) if sums is None else sums, places, len(units))
    fallen = [_Cells.of(places, *one) for one in cells]
    found, added = np.zeros((whole.shape[1], RESAMPLES)), np.zeros((real.shape[1], RESAMPLES))
    for start, weighed in zip(range(0, len(units), _BLOCK), _weighed(_started(units)), strict=True):
        some = slice(start, start + _BLOCK)
        found += whole[some].T @ weighed
        if real.shape[1]:
            added += real[some].T @ weighed.astype(np.float64)
        for one in fallen:
            one.add(start, weighed)
    return Totals(np.rint(found).astype(np.int64), added)


def _units(keys: Array, cells: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Each unit once, and the place of every row's unit among them."""
    if bool((keys[1:] > keys[:-1]).all()):
        units, places = keys, np.arange(len(keys))  # as rows stand in their dataset: nothing to sort
    else:
        units, places = np.unique(keys, return_inverse=True)
    if cells and len(units) == len(keys):
        # They may come in any order: in that of their cells, few cells at once are added to.
        order = np.argsort(cells[0][0], kind="stable")
        units, places = keys[order], np.empty_like(places)
        places[order] = np.arange(len(keys))
    return units, places


def _by_unit(amounts: Array, places: Array, units: int) -> Array:
    """(units, C) the sum of each unit's rows: rows that go together are weighed once."""
    order = np.argsort(places, kind="stable")
    if units == len(places):
        return amounts[order]
    starts = np.searchsorted(places[order], np.arange(units))
    summed: Array = np.add.reduceat(amounts[order], starts, axis=0)
    return summed


@dataclass
class _Cells:
    """Rows of units that fall into cells: pairs of unit and cell in the units' order, each once with how many rows it has."""

    units: Array
    cells: Array
    rows: Array
    found: Array

    @classmethod
    def of(cls, places: Array, cells: Array, found: Array) -> _Cells:
        pairs, rows = np.unique(places * len(found) + cells, return_counts=True)
        return cls(pairs // len(found), pairs % len(found), rows.astype(np.float32), found)

    def add(self, start: int, weighed: Array) -> None:
        """Add what the units from ``start`` on weigh, (n, 1000), to the cells into which they fall."""
        first, last = np.searchsorted(self.units, (start, start + len(weighed)))
        for begin in range(first, last, _PAIRS):
            some = slice(begin, min(begin + _PAIRS, last))
            order = np.argsort(self.cells[some], kind="stable")
            cells, rows = self.cells[some][order], self.rows[some][order]
            taken = weighed[self.units[some][order] - start]
            if (rows != 1).any():
                taken *= rows[:, None]
            starts = np.flatnonzero(np.diff(cells, prepend=-1))
            self.found[cells[starts]] += np.add.reduceat(taken, starts, axis=0)
