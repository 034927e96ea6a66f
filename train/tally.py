"""What is kept of an evaluation: counts that add up, in memory that does not grow with the rows.

A block of rows becomes a Tally, and tallies of disjoint rows add up exactly, in any order: everything is a whole number. Its unit
of input is a block as ``evaluation.outcomes`` yields it.

Areas and rates at a recall come from a histogram of log-odds in 65,536 bins: width 2 ** -10 from -32 to 32, so that scores near 0
and 1 stay apart. Rows of one bin count as ties: an AUC is off by at most half the share of (attack, benign) pairs in one bin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from train.errors import TrainError
from train.intervals import LEAST_GROUPS, RESAMPLES, Interval, figures_of, interval, resampled
from train.metrics import CALIBRATION_BINS, UNIT, calibration, calibration_error, check, decided, fixed, ranked

BINS = 1 << 16
_WIDTH = 2.0**-10
WHOLE = "model"
"""The part that is the model itself; the others are its experts, each forced alone."""
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tally:
    """P parts (the model first, then its experts) and V values of each row (the router's weights) over rows seen so far.

    ``confusion``: (P, 2, 2), [truth, predicted]; ``histogram``: (P, 2, 65536); ``calibration``: (P, 3, 15); ``replicates``:
    (1000, P, 2, 2), a confusion for each resample of groups; ``classes``: name → (2 + P + V,): support, attacks among them, rows told
    rightly by each part, sums of the values. ``groups``: the least group numbers, at most LEAST_GROUPS of them.
    """

    parts: tuple[str, ...]
    values: tuple[str, ...]
    confusion: Array
    histogram: Array
    calibration: Array
    replicates: Array
    classes: Mapping[str, Array] = field(default_factory=dict)
    groups: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """How many rows were seen."""
        return int(self.confusion[0].sum())

    def __add__(self, other: Tally) -> Tally:
        """The tally of both sets of rows. Raises ValueError when they are not of models with the same parts."""
        if (self.parts, self.values) != (other.parts, other.values):
            msg = f"these tallies are not of one model: {self.parts} {self.values}, {other.parts} {other.values}"
            raise ValueError(msg)
        nothing = np.zeros(2 + len(self.parts) + len(self.values), dtype=np.int64)
        return Tally(
            self.parts,
            self.values,
            self.confusion + other.confusion,
            self.histogram + other.histogram,
            self.calibration + other.calibration,
            self.replicates + other.replicates,
            {name: self.classes.get(name, nothing) + other.classes.get(name, nothing) for name in sorted({*self.classes, *other.classes})},
            np.union1d(self.groups, other.groups)[:LEAST_GROUPS],
            self.seconds + other.seconds,
        )

    def figures(self, part: str = WHOLE) -> dict[str, float]:
        """Every figure of a part; NaN where it is not defined."""
        place = self.parts.index(part)
        benign, attack = self.histogram[place]
        bins = np.arange(BINS)
        order = ranked(np.repeat([False, True], BINS), np.concatenate([bins, bins]), np.concatenate([benign, attack]))
        return decided(self.confusion[place]) | order | {"calibration_error": calibration_error(self.calibration[place])}

    def interval(self, figure: str, part: str = WHOLE) -> Interval:
        """A figure of the confusion matrix with its interval over groups."""
        place = self.parts.index(part)
        value = decided(self.confusion[place])[figure]
        return interval(value, figures_of(self.replicates[:, place])[figure], len(self.groups))

    def means(self) -> dict[str, float]:
        """The mean of each value over the rows."""
        total = sum(self.classes.values(), start=np.zeros(2 + len(self.parts) + len(self.values), dtype=np.int64))
        return {name: _ratio(total[2 + len(self.parts) + place] * UNIT, self.rows) for place, name in enumerate(self.values)}

    def by_class(self) -> dict[str, dict[str, Any]]:
        """Each of the dataset's own labels: support, rows told rightly (by the model, by each expert), the values' means."""
        found: dict[str, dict[str, Any]] = {}
        for name, counts in self.classes.items():
            support, right, sums = int(counts[0]), counts[2 : 2 + len(self.parts)], counts[2 + len(self.parts) :]
            found[name] = {
                "support": support,
                "attacks": int(counts[1]),
                "correct": int(right[0]),
                "recall": _ratio(right[0], support),
                "experts": {part: _ratio(value, support) for part, value in zip(self.parts[1:], right[1:], strict=True)},
                "values": {value: _ratio(total * UNIT, support) for value, total in zip(self.values, sums, strict=True)},
            }
        return found


class Pair(NamedTuple):
    """A part of one tally against a part of another; both must have seen the same rows."""

    one: Tally
    part: str
    other: Tally
    versus: str


def difference(one: Tally, part: str, other: Tally, versus: str, figure: str = "attack_f1") -> Interval:
    """A figure of one part minus that of another, paired: both must have seen the same rows. Raises ValueError when they have not."""
    return mean_difference([Pair(one, part, other, versus)], figure)


def mean_difference(pairs: Sequence[Pair], figure: str = "attack_f1") -> Interval:
    """The mean of several paired differences, one a seed. Raises ValueError when not all are of the same rows.

    All share their resamples, so the interval is of the mean itself. It tells how far the rows allow to generalise; how much training
    varies is told by the spread over seeds.
    """
    rows = [_support(tally) for pair in pairs for tally in (pair.one, pair.other)]
    if any(other != rows[0] for other in rows):
        msg = "a paired difference needs the same rows on both sides"
        raise ValueError(msg)
    values, replicates = [], []
    for one, part, other, versus in pairs:
        values.append(one.interval(figure, part).value - other.interval(figure, versus).value)
        ours = figures_of(one.replicates[:, one.parts.index(part)])[figure]
        replicates.append(ours - figures_of(other.replicates[:, other.parts.index(versus)])[figure])
    return interval(fmean(values), np.mean(replicates, axis=0), len(pairs[0].one.groups))


def _support(tally: Tally) -> dict[str, list[int]]:
    """How many rows and attacks of each class were seen."""
    return {name: counts[:2].tolist() for name, counts in tally.classes.items()}


def empty(parts: tuple[str, ...], values: tuple[str, ...]) -> Tally:
    """No rows yet."""
    count = len(parts)
    return Tally(
        parts,
        values,
        confusion=np.zeros((count, 2, 2), dtype=np.int64),
        histogram=np.zeros((count, 2, BINS), dtype=np.int64),
        calibration=np.zeros((count, 3, CALIBRATION_BINS), dtype=np.int64),
        replicates=np.zeros((RESAMPLES, count, 2, 2), dtype=np.int64),
    )


def count(block: Mapping[str, Any]) -> Tally:
    """One block of ``promotion/outcomes/v1`` as a tally. Raises TrainError for scores or values that are no probabilities."""
    attack = np.asarray(block["truth"]) == block["labels"].index(block["positive"])
    names = np.asarray(block["class"])
    parts, values = tuple(block["parts"]), tuple(block["values"])
    scores = [np.asarray(block["parts"][part]["score"], dtype=np.float64) for part in parts]
    said = [np.asarray(block["parts"][part]["predicted"]) == block["labels"].index(block["positive"]) for part in parts]
    for score in scores:
        check(score)
    amounts = [np.asarray(block["values"][value], dtype=np.float64) for value in values]
    for name, amount in zip(values, amounts, strict=True):
        if not ((amount >= 0) & (amount <= 1)).all():
            raise TrainError(f"{name} is not between 0 and 1 in every row", hint="the model is broken: train it again")
    cells = np.stack([np.eye(4, dtype=np.int64)[2 * attack + one] for one in said], axis=1)
    sides = np.stack([[np.bincount(_bins(score[attack == truth]), minlength=BINS) for truth in (False, True)] for score in scores])
    columns = [np.ones(len(attack), dtype=np.int64), attack.astype(np.int64), *((one == attack).astype(np.int64) for one in said)]
    counts = np.stack([*columns, *map(fixed, amounts)], axis=1)
    return Tally(
        parts,
        values,
        cells.sum(0).reshape(-1, 2, 2),
        sides,
        np.stack([calibration(score, attack) for score in scores]),
        resampled(np.asarray(block["group"]), cells.reshape(len(attack), 4 * len(parts))).reshape(RESAMPLES, -1, 2, 2),
        {str(name): counts[names == name].sum(0) for name in np.unique(names)},
        np.unique(block["group"])[:LEAST_GROUPS],
        float(block["seconds"]),
    )


def fold(blocks: Iterable[Mapping[str, Any]]) -> Tally:
    """The tally of all blocks. Raises TrainError when there is none."""
    total: Tally | None = None
    for block in blocks:
        one = count(block)
        total = one if total is None else total + one
    if total is None:
        raise TrainError("there are no rows to measure", hint="name a file that has some")
    return total


def _bins(scores: Array) -> Array:
    """(N,) probabilities → (N,) bins of their log-odds."""
    with np.errstate(divide="ignore"):
        odds = np.log(scores) - np.log1p(-scores)
    found: Array = np.clip(np.floor(odds / _WIDTH) + BINS // 2, 0, BINS - 1).astype(np.int64)
    return found


def _ratio(over: float, under: float) -> float:
    return float(over / under) if under else float("nan")
