"""Intervals by group: a Poisson bootstrap whose unit is the group of rows, not the row (Chamandy et al. 2012; Field, Welsh 2007).

Flows come in bursts that are right or wrong together, so rows are not independent: each resample weighs whole groups. A group's
weight in a resample is a function of its number and the seed alone. So rows may come in any order and on any machine, sums over
shards are the sums over the whole, and two models on the same rows share their resamples: their difference is paired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 1000
SEED = 20170703
"""A number as good as any: the first day of CICIDS2017."""
LEAST_GROUPS = 10
"""With fewer groups there is no interval: a bootstrap of few units is too narrow to be honest."""
LEVEL = 0.95
_LANES = 4
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval; NaN bounds where the rows do not tell."""

    value: float
    low: float
    high: float

    def document(self) -> dict[str, float]:
        """As it stands in reports."""
        return {"value": self.value, "low": self.low, "high": self.high}


def weights(groups: Array) -> Array:
    """(G,) group numbers → (G, 1000) uint8 weights, Poisson with mean 1, to within 2 ** -16.

    The generator is counter-based: SplitMix64 (Steele et al. 2014) of the group and the resample's number; each hash gives four.
    """
    keys = _mix(groups.astype(np.int64).astype(np.uint64) + np.uint64(SEED))
    counter = np.arange(RESAMPLES // _LANES, dtype=np.uint64)[None, :] * np.uint64(0x9E3779B97F4A7C15)
    drawn: Array = _mix(keys[:, None] + counter).astype("<u8", copy=False).view("<u2")
    found: Array = _POISSON[drawn]
    return found


def _mix(value: Array) -> Array:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Array = value ^ (value >> np.uint64(31))
    return found


def _inverse() -> Array:
    """The Poisson weight of each of the 2 ** 16 equally likely draws."""
    reached = np.cumsum([math.exp(-1) / math.factorial(weight) for weight in range(12)])
    found: Array = np.searchsorted(reached, (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.uint8)
    return found


_POISSON = _inverse()


def resampled(groups: Array, counts: Array, *, step: int = 512) -> Array:
    """(N,) groups and (N, C) counts of rows → (1000, C) int64: the sum of the counts in each resample."""
    names, place = np.unique(groups, return_inverse=True)
    by_group = np.zeros((len(names), counts.shape[1]))
    np.add.at(by_group, place, counts)
    total = np.zeros((RESAMPLES, counts.shape[1]))
    for start in range(0, len(names), step):
        # Whole numbers below 2 ** 53: exact in float64, for which there is a fast product.
        total += weights(names[start : start + step]).T.astype(np.float64) @ by_group[start : start + step]
    return total.astype(np.int64)


def interval(value: float, replicates: Array, groups: int) -> Interval:
    """The percentile interval of a figure's (1000,) replicates; ``groups`` need only be counted up to LEAST_GROUPS.

    NaN bounds for too few groups, and where no resample differs (no mistake was made): such rows do not tell how far off a figure is.
    """
    known = replicates[np.isfinite(replicates)]
    if groups < LEAST_GROUPS or len(known) < RESAMPLES // 2 or np.ptp(known) == 0:
        return Interval(value, math.nan, math.nan)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def figures_of(confusion: Array) -> dict[str, Array]:
    """(…, 2, 2) counts, [truth, predicted], benign first → (…) of each figure that follows from them; NaN where it is 0/0.

    The formulas of ``metrics.decided``, for a thousand resamples at once.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        support, said = confusion.sum(-1), confusion.sum(-2)
        hits = np.diagonal(confusion, axis1=-2, axis2=-1)
        f1 = 2 * hits / (support + said)
        occur = ~np.isnan(f1)
        return {
            "attack_f1": f1[..., 1],
            "macro_f1": np.where(occur, f1, 0).sum(-1) / occur.sum(-1),
            "precision": hits[..., 1] / said[..., 1],
            "recall": hits[..., 1] / support[..., 1],
            "false_alarm_rate": confusion[..., 0, 1] / support[..., 0],
        }
