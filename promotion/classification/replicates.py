"""Counts of each resample of a model that tells classes: of every figure of theirs 1,000 values follow, hence an interval.

    header   {"schema": "promotion/replicates/v1", "resamples": 1000, "seed": …, "unit": "row"|"group", "positive": …,
              "labels": […], "parts": […], "classes": […], "sums": […], "areas": [parts with scores]}
    columns  rows of each label; for each part the hits, then the rows told, of each label; for each class its rows, then the rows told
             rightly; the sums; for each part with scores the areas under its two curves, to 2 ** -32, NaN where there is none

The areas are kept instead of the histograms that they follow from: those would be four hundred columns for each part. Files without
``areas`` are older: they give no intervals of areas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from promotion import packing
from promotion.counting import ABLATION, WHOLE, require
from promotion.figures import best_part
from promotion.packing import RESAMPLES, over

if TYPE_CHECKING:
    import numpy as np

    from promotion.classification.counts import Counts
    from promotion.figures import Counts as AnyCounts

    Array = np.ndarray[Any, Any]

SCHEMA = "promotion/replicates/v1"
AREAS = ("roc_auc", "pr_auc")


@dataclass(frozen=True, eq=False)
class Replicates:
    """(L, 1000) rows of each label, by part the hits and the rows told of each label, by class (2, 1000), by sum (1000,).

    ``areas`` by part (2, 1000): those under the two curves.
    """

    unit: str
    labels: tuple[str, ...]
    positive: str
    truth: Array
    hits: Mapping[str, Array]
    predicted: Mapping[str, Array]
    classes: Mapping[str, Array]
    sums: Mapping[str, Array]
    areas: Mapping[str, Array] = field(default_factory=dict)

    @cached_property
    def rows(self) -> Array:
        """(1000,) how many rows each resample has."""
        found: Array = self.truth.sum(0)
        return found

    def figure(self, name: str, counts: AnyCounts) -> Array | None:
        """(1000,) values of a figure, NaN where it is 0/0; None for one that resamples do not give."""
        if name in self.sums:
            return over(self.sums[name], self.rows)
        kind, _, last = name.rpartition(".")
        if kind.startswith("class."):
            known = self.classes.get(kind.removeprefix("class."))
            return None if known is None or last != "recall" else over(known[1], known[0])
        if kind == ABLATION:
            best = best_part(counts, last)
            mine, other = self._of_part(WHOLE, last), None if best is None else self._of_part(best, last)
            return None if mine is None or other is None else mine - other
        return self._of_part(kind or WHOLE, last)

    def units(self, name: str) -> float:
        """How many independent units stand behind a figure: those of its class, of the positive rows, or of all."""
        rows, at = self.rows, self.labels.index(self.positive)
        if name.startswith("class.") and (known := self.classes.get(name.removeprefix("class.").rpartition(".")[0])) is not None:
            rows = known[0]
        elif (last := name.rpartition(".")[2]) == "recall":
            rows = self.truth[at]
        elif last in AREAS:
            return min(packing.units(self.truth[at]), packing.units(self.rows - self.truth[at]))
        return packing.units(rows)

    def _of_part(self, part: str, figure: str) -> Array | None:
        import numpy as np

        if part not in self.hits:
            return None
        if figure in AREAS:
            return self.areas[part][AREAS.index(figure)] if part in self.areas else None
        hits, said, truth = self.hits[part], self.predicted[part], self.truth
        at = self.labels.index(self.positive)
        if figure == "macro_f1":
            by_label = over(2 * hits, truth + said)
            occurs = ~np.isnan(by_label)
            return over(np.where(occurs, by_label, 0).sum(0), occurs.sum(0))
        shares = {
            "f1": (2 * hits[at], truth[at] + said[at]),
            "precision": (hits[at], said[at]),
            "recall": (hits[at], truth[at]),
            "accuracy": (hits.sum(0), self.rows),
            "false_alarm_rate": (said[at] - hits[at], self.rows - truth[at]),
        }
        return over(*shares[figure]) if figure in shares else None

    def to_bytes(self) -> bytes:
        """The file, packed."""
        header = {
            "schema": SCHEMA,
            "resamples": RESAMPLES,
            "seed": packing.seed(),
            "unit": self.unit,
            "positive": self.positive,
            "labels": list(self.labels),
            "parts": list(self.hits),
            "classes": list(self.classes),
            "sums": list(self.sums),
            "areas": list(self.areas),
        }
        return packing.pack(header, self._columns())

    def _columns(self) -> Iterator[tuple[Array, str]]:
        yield self.truth, packing.WHOLE_NUMBERS
        for name in self.hits:
            yield self.hits[name], packing.WHOLE_NUMBERS
            yield self.predicted[name], packing.WHOLE_NUMBERS
        for pair in self.classes.values():
            yield pair, packing.WHOLE_NUMBERS
        for one in self.sums.values():
            yield one[None, :], packing.NUMBERS
        for pair in self.areas.values():
            yield pair, packing.NUMBERS


def areas(histograms: Array) -> Array:
    """(2, bins, 1000) positive and negative rows by score → (2, 1000) the areas under both curves, NaN where there is none."""
    import numpy as np

    positive, negative = histograms
    truly, falsely = positive.sum(0), negative.sum(0)
    below = negative.cumsum(0) - negative
    roc = over((positive * (2 * below + negative)).sum(0), 2 * truly * falsely)
    hits, seen = positive[::-1].cumsum(0), (positive + negative)[::-1].cumsum(0)
    curve = over((hits / np.maximum(seen, 1) * positive[::-1]).sum(0), truly)
    found: Array = np.rint(np.stack([roc, curve]) * 2.0**32) / 2.0**32
    return found


def paired(one: Replicates, other: Replicates) -> bool:
    """Whether both are of the same rows in the same resamples: the truth of every label and class is the same in each of them."""
    import numpy as np

    if (one.unit, one.positive, set(one.labels), set(one.classes)) != (other.unit, other.positive, set(other.labels), set(other.classes)):
        return False
    same = all(np.array_equal(one.truth[one.labels.index(name)], other.truth[other.labels.index(name)]) for name in one.labels)
    return same and all(np.array_equal(one.classes[name][0], other.classes[name][0]) for name in one.classes)


def parse(header: dict[str, Any], body: bytes, counts: Counts) -> Replicates:
    """What an unpacked file says, once it fits the counts; raises ValueError, KeyError or TypeError for one that does not."""
    labels, scored = counts.parts[WHOLE].labels, header.get("areas", [])
    expected = {
        "schema": SCHEMA,
        "resamples": RESAMPLES,
        "seed": packing.seed(),
        "unit": header["unit"],
        "positive": counts.positive,
        "labels": labels,
        "parts": header["parts"],
        "classes": sorted(counts.classes),
        "sums": sorted(counts.sums),
        **({"areas": scored} if "areas" in header else {}),
    }
    require(header == expected and header["unit"] in {"row", "group"}, "they are of other labels, classes, sums or resamples")
    require(sorted(header["parts"]) == sorted(counts.parts), "they are of other parts")
    known = sorted(name for name, part in counts.parts.items() if part.scores is not None)
    require(sorted(scored) == known or "areas" not in header, "they have areas of other parts")
    require(all(part.labels == labels for part in counts.parts.values()), "parts with labels of their own have no resamples")
    wide, every = len(labels), 1 + 2 * len(counts.parts)
    numbers, floats = packing.columns(body, wide * every + 2 * len(counts.classes), len(counts.sums) + 2 * len(scored))
    blocks = iter(numbers[: wide * every].reshape(-1, wide, RESAMPLES))
    truth = next(blocks)
    told = {name: (next(blocks), next(blocks)) for name in header["parts"]}
    pairs = numbers[wide * every :].reshape(-1, 2, RESAMPLES)
    made = Replicates(
        unit=header["unit"],
        labels=tuple(labels),
        positive=counts.positive,
        truth=truth,
        hits={name: pair[0] for name, pair in told.items()},
        predicted={name: pair[1] for name, pair in told.items()},
        classes=dict(zip(sorted(counts.classes), pairs, strict=True)),
        sums=dict(zip(sorted(counts.sums), floats, strict=False)),
        areas=dict(zip(scored, floats[len(counts.sums) :].reshape(-1, 2, RESAMPLES), strict=True)),
    )
    _check(made, counts)
    return made


def _check(made: Replicates, counts: Counts) -> None:
    """Raise ValueError for numbers that no resampling of these counts can give."""
    import numpy as np

    rows = made.rows
    require(bool((made.truth >= 0).all()), "a count is negative")
    for name, hits in made.hits.items():
        said = made.predicted[name]
        require(bool(((hits >= 0) & (hits <= said) & (hits <= made.truth)).all()), f"{name}: hits exceed the rows")
        require(np.array_equal(said.sum(0), rows), f"{name}: other rows than the labels have")
        matrix = np.array(counts.parts[name].confusion, dtype=np.int64)
        found, points = np.concatenate([made.truth, hits, said]), np.concatenate([matrix.sum(1), matrix.diagonal(), matrix.sum(0)])
        require(packing.fit(found, points), f"{name}: they do not lie around its counts")
    for name, (support, correct) in made.classes.items():
        require(bool(((correct >= 0) & (correct <= support)).all()), f"{name}: correct exceeds support")
        one = counts.classes[name]
        around = packing.fit(np.stack([support, correct]), np.array([one.support, one.correct]))
        require(around, f"{name}: they do not lie around its counts")
    if made.classes:
        require(np.array_equal(sum(pair[0] for pair in made.classes.values()), rows), "classes: other rows than the labels have")
    for name, column in made.sums.items():
        require(bool(np.isfinite(column).all()), f"{name}: not a number")
    if made.areas:
        _check_areas(made, counts)


def _check_areas(made: Replicates, counts: Counts) -> None:
    """An area lies in [0, 1] wherever the resample has rows of both kinds, and the middle of all near that of the counts."""
    import numpy as np

    from promotion.classification.figures import figures

    points = figures(counts)
    truly = made.truth[made.labels.index(made.positive)]
    for name, pair in made.areas.items():
        for figure, column, known in zip(AREAS, pair, ((truly > 0) & (truly < made.rows), truly > 0), strict=True):
            require(np.array_equal(~np.isnan(column), known), f"{name}: {figure} is there without rows, or not with them")
            some = column[known]
            require(bool(((some >= 0) & (some <= 1)).all()), f"{name}: {figure} does not lie between 0 and 1")
            point = points[figure if name == WHOLE else f"{name}.{figure}"]
            # Not the mean to eight standard errors, as of counts: an area is no sum, and on few rows its mean lies apart from the whole.
            require(not len(some) or some.min() - 1e-9 <= point <= some.max() + 1e-9, f"{name}: {figure} does not lie around its counts")
