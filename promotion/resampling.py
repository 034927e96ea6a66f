"""Resamples that every evaluation of a dataset shares: a Poisson bootstrap whose weights are a function of the row's key alone.

The unit is what the key names: a group of rows that go together where the dataset declares one, else the row. In each resample a unit
weighs 0, 1, 2, … as Poisson with mean 1 says (Chamandy et al. 2012, "Estimating uncertainty for massive data streams"). The weight
comes from a counter-based generator, SplitMix64 (Steele et al. 2014) of seed, resample and key: rows may come in any order, on any
machine, in any shards, sums add up to the same, and two models on the same rows are paired. Each hash gives four weights; a weight's
chances are those of Poisson to 2 ** -16.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

RESAMPLES = 1000
SEED = 20120904
"""One for all: another one would give other resamples, which are paired with nothing."""
_LANES = 4
_BLOCK = 128
"""Units that are weighed at once: 1,000 weights of each stay in the processor's cache."""
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
    return np.concatenate([found.copy() for found in _weighed(_started(keys))] or [np.zeros((0, RESAMPLES), dtype=np.uint8)])


def _weighed(started: Array) -> Iterator[Array]:
    """Weights of the next units, at most _BLOCK of them; each overwrites the one before, since new memory would take longer."""
    hashes, spare = (np.empty((_BLOCK, len(_COUNTERS)), dtype=np.uint64) for _ in range(2))
    found, more = np.empty((_BLOCK, RESAMPLES), dtype=np.uint8), np.empty((_BLOCK, RESAMPLES), dtype=np.bool_)
    for start in range(0, len(started), _BLOCK):
        some = started[start : start + _BLOCK, None]
        count = len(some)
        value, other = hashes[:count], spare[:count]
        np.bitwise_xor(some, _COUNTERS, out=value)
        for shift, factor in _ROUNDS:
            np.right_shift(value, np.uint64(shift), out=other)
            np.bitwise_xor(value, other, out=value)
            np.multiply(value, np.uint64(factor), out=value)
        np.right_shift(value, np.uint64(31), out=other)
        np.bitwise_xor(value, other, out=value)
        drawn = value.astype("<u8", copy=False).view("<u2")
        np.greater_equal(drawn, _THRESHOLDS[0], out=found[:count].view(np.bool_))
        for least in _THRESHOLDS[1:]:
            np.greater_equal(drawn, least, out=more[:count])
            np.add(found[:count], more[:count].view(np.uint8), out=found[:count])
        yield found[:count]


def totals(keys: Array, amounts: Array) -> Array:
    """(n,) keys and (n, C) amounts of rows → (C, 1000): the sum of the amounts in each resample.

    Whole numbers below 2 ** 20 a row, as float32, come out exactly, as int64; float64 stays float64, to rounding.
    """
    units, sums = _by_unit(keys, amounts)
    exact = amounts.dtype != np.float64
    found = np.zeros((amounts.shape[1], RESAMPLES))
    started = _started(units)
    floats = np.empty((_BLOCK, RESAMPLES), dtype=sums.dtype)
    for start, weighed in zip(range(0, len(units), _BLOCK), _weighed(started), strict=True):
        np.copyto(floats[: len(weighed)], weighed)
        found += sums[start : start + _BLOCK].T @ floats[: len(weighed)]
    return np.rint(found).astype(np.int64) if exact else found


def _by_unit(keys: Array, amounts: Array) -> tuple[Array, Array]:
    """Each unit once with the sum of its rows: rows that go together are weighed once."""
    units, first, place = np.unique(keys, return_index=True, return_inverse=True)
    if len(units) == len(keys):
        return units, amounts[first]
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(units)))
    summed: Array = np.add.reduceat(amounts[order], starts, axis=0)
    return units, summed
