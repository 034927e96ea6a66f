"""Pure: intervals of figures from their values in 1,000 resamples, and of differences and ratios of figures on the same rows.

The interval is the percentile one. A resample in which the figure is 0/0 counts as the worst at either end: too few such rows tell
nothing. Where no resample differs (no mistake was seen, or two models answered alike) the resamples cannot tell how far off the figure
is; then it is widened as by the rule of three (Hanley, Lippman-Hand 1983): by −ln(tail) / units, 0.012 at 300 rows and 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    values: Sequence[float] | None = None
    units: float = math.inf

    def interval(self, confidence: float) -> Interval | None:
        """The two-sided interval; None without resamples, or with fewer units than LEAST_UNITS."""
        if self.values is None or self.units < LEAST_UNITS or not math.isfinite(self.point):
            return None
        tail = (1 - confidence) / 2
        if all(value == self.values[0] for value in self.values):
            wide = -math.log(tail) / self.units
            return Interval(self.point - wide, self.point + wide)
        low = sorted(-math.inf if math.isnan(value) else value for value in self.values)
        high = sorted(math.inf if math.isnan(value) else value for value in self.values)
        return Interval(_quantile(low, tail), _quantile(high, 1 - tail))


def difference(one: Estimate, other: Estimate) -> Estimate:
    """One figure minus the other; both must be of the same resamples."""
    return _combined(one, other, lambda a, b: a - b)


def ratio(one: Estimate, other: Estimate) -> Estimate:
    """One figure over the other; both must be of the same resamples."""
    return _combined(one, other, lambda a, b: a / b if b else math.nan)


def _combined(one: Estimate, other: Estimate, how: Callable[[float, float], float]) -> Estimate:
    values = None
    if one.values is not None and other.values is not None:
        values = [how(a, b) for a, b in zip(one.values, other.values, strict=True)]
    return Estimate(how(one.point, other.point), values, min(one.units, other.units))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between order statistics, as numpy does by default; infinite as soon as an infinite one counts."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    low, high, rest = ordered[below], ordered[min(below + 1, len(ordered) - 1)], place - below
    if low == high or not rest:
        return low
    return low + rest * (high - low)
