"""Pure: intervals of figures from their values in 1,000 resamples, and of differences and ratios of figures on the same rows.

The interval is the percentile one. A resample in which the figure is 0/0 counts as the worst at either end: too few such rows tell
nothing. Where no resample differs (no mistake was seen, or two models answered alike) the resamples cannot tell how far off the figure
is; then it is widened as by the rule of three (Hanley, Lippman-Hand 1983): by −ln(tail) / units, 0.012 at 300 rows and 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Values = Sequence[float] | Array

LEAST_UNITS = 30
"""With fewer independent units (rows, or groups of them) there is no interval: resamples of so few are too narrow to be honest."""
LARGEST_CONFIDENCE = 0.99
"""Beyond this 1,000 resamples leave fewer than five values outside."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``; infinite where the resamples do not tell."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure: its value, its values in each resample (None: resamples do not give it), and the independent units behind it."""

    point: float
    values: Values | None = field(default=None, compare=False)
    units: float = math.inf

    def interval(self, confidence: float) -> Interval | None:
        """The two-sided interval; None without resamples, or with fewer units than LEAST_UNITS."""
        if self.values is None or self.units < LEAST_UNITS or not math.isfinite(self.point):
            return None
        import numpy as np

        tail = (1 - confidence) / 2
        ordered = np.sort(np.asarray(self.values, dtype=np.float64))  # NaN comes last
        if ordered[0] == ordered[-1]:
            wide = -math.log(tail) / self.units
            return Interval(self.point - wide, self.point + wide)
        lost = int(np.isnan(ordered).sum())
        if lost:
            worst, known = np.full(lost, math.inf), ordered[: len(ordered) - lost]
            return Interval(_quantile(np.concatenate([-worst, known]), tail), _quantile(np.concatenate([known, worst]), 1 - tail))
        return Interval(_quantile(ordered, tail), _quantile(ordered, 1 - tail))


def difference(one: Estimate, other: Estimate) -> Estimate:
    """One figure minus the other; both must be of the same resamples."""
    both = _both(one, other)
    return Estimate(one.point - other.point, None if both is None else both[0] - both[1], min(one.units, other.units))


def ratio(one: Estimate, other: Estimate) -> Estimate:
    """One figure over the other; both must be of the same resamples. NaN where the other is not above zero, in a resample as well."""
    both = _both(one, other)
    point = one.point / other.point if other.point > 0 else math.nan
    return Estimate(point, None if both is None else _over(*both), min(one.units, other.units))


def _both(one: Estimate, other: Estimate) -> tuple[Array, Array] | None:
    """The values of both, resample by resample; raises ValueError when they are not as many."""
    import numpy as np

    if one.values is None or other.values is None:
        return None
    here, there = np.asarray(one.values, dtype=np.float64), np.asarray(other.values, dtype=np.float64)
    if here.shape != there.shape:
        msg = f"{len(here)} resamples of one figure, {len(there)} of the other"
        raise ValueError(msg)
    return here, there


def _over(here: Array, there: Array) -> Array:
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.where(there > 0, here / there, np.nan)
    return found


def _quantile(ordered: Array, share: float) -> float:
    """Between order statistics, as numpy does by default; infinite as soon as an infinite one counts."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    low, high, rest = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)]), place - below
    if low == high or not rest:
        return low
    return low + rest * (high - low)
