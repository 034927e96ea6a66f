"""Resamples that every evaluation of a dataset shares: a Poisson bootstrap whose weights are a function of the row's key alone.

The unit is what the key names: a group of rows that go together where the dataset declares one, else the row. In each resample a unit
weighs 0, 1, 2, … as Poisson with mean 1 says (Chamandy et al. 2012, "Estimating uncertainty for massive data streams"). The weight
comes from a counter-based generator, SplitMix64 (Steele et al. 2014) of seed, resample and key: rows may come in any order, on any
machine, in any shards, sums add up to the same, and two models on the same rows are paired. Each hash gives four weights; a weight's
chances are those of Poisson to 2 ** -16.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

RESAMPLES = 1000
SEED = 20120904
"""One for all: another one would give other resamples, which are paired with nothing."""
_LANES = 4
_BLOCK = 128
"""Units that are weighed at once: 1,000 weights of each stay in the processor's cache."""
_GOLDEN = 0x9E3779B97F4A7C15
Array = np.ndarray[Any, Any]


def _mix(value: Array) -> Array:
    """SplitMix64's finaliser, in place; (…,) uint64."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
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
    return _weights(_started(keys))


def _weights(started: Array) -> Array:
    drawn = _mix(started[:, None] ^ _COUNTERS).astype("<u8", copy=False).view("<u2")
    found = np.zeros(drawn.shape, dtype=np.uint8)
    for least in _THRESHOLDS:
        found += (drawn >= least).view(np.uint8)
    return found


def totals(keys: Array, amounts: Array) -> Array:
    """(n,) keys and (n, C) amounts of rows → (C, 1000): the sum of the amounts in each resample.

    Whole numbers below 2 ** 20 a row, as float32, come out exactly, as int64; float64 stays float64, to rounding.
    """
    units, sums = _by_unit(keys, amounts)
    exact = amounts.dtype != np.float64
    found = np.zeros((amounts.shape[1], RESAMPLES))
    started = _started(units)
    for start in range(0, len(units), _BLOCK):
        weighed = _weights(started[start : start + _BLOCK]).astype(sums.dtype)
        found += sums[start : start + _BLOCK].T @ weighed
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
