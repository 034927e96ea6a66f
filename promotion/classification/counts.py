"""Confusion matrices, histograms of scores, rows of each class: counts that add up, and how shards of them are merged."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from promotion.counting import MOST_NAMES, WHOLE, Amount, Count, CountsError, Name, Strict, require

SCHEMA = "promotion/counts/v1"
BINS = 200
OF_PART = ("f1", "precision", "recall", "accuracy", "macro_f1", "roc_auc", "pr_auc", "false_alarm_rate")
"""The figures of each part of a model."""
_RESERVED = frozenset({*OF_PART, "rows", "seconds_per_row"})
_MAX_LABELS = 200


class Scores(Strict):
    """Histograms of the positive class's probability: 200 equal bins over [0, 1]."""

    positive: Annotated[list[Count], Field(min_length=BINS, max_length=BINS)]
    negative: Annotated[list[Count], Field(min_length=BINS, max_length=BINS)]


class Part(Strict):
    """What one part of a model predicted: ``confusion[true][predicted]`` in the order of ``labels``."""

    labels: Annotated[list[Name], Field(min_length=1, max_length=_MAX_LABELS)]
    confusion: Annotated[list[list[Count]], Field(min_length=1, max_length=_MAX_LABELS)]
    scores: Scores | None = None

    @model_validator(mode="after")
    def _square(self) -> Self:
        size = len(self.labels)
        require(len(set(self.labels)) == size, "labels must differ")
        require(
            len(self.confusion) == size and all(len(row) == size for row in self.confusion),
            f"confusion must be {size} × {size}, as there are labels",
        )
        return self


class OfClass(Strict):
    """One true class: how many rows it has, and how many of them were recognised."""

    support: Count
    correct: Count

    @model_validator(mode="after")
    def _within(self) -> Self:
        require(self.correct <= self.support, f"correct must not exceed support, however: {self.correct=}, {self.support=}")
        return self


class Counts(Strict):
    """One evaluation's counts, checked: every part saw every row, and the sums agree."""

    schema_: Annotated[Literal["promotion/counts/v1"], Field(alias="schema")]
    rows: Count
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    positive: Name
    parts: Annotated[dict[Name, Part], Field(min_length=1, max_length=50)]
    classes: Annotated[dict[Name, OfClass], Field(default_factory=dict, max_length=MOST_NAMES)]
    sums: Annotated[dict[Name, Amount], Field(default_factory=dict, max_length=MOST_NAMES)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        require(WHOLE in self.parts, f"parts must have {WHOLE!r}")
        for name, part in self.parts.items():
            require(self.positive in part.labels, f"{name}: labels must have the positive one, {self.positive!r}")
            total = sum(map(sum, part.confusion))
            require(total == self.rows, f"{name}: the confusion matrix has {total} rows, where rows says {self.rows}")
            self._histograms(name, part)
        support = sum(one.support for one in self.classes.values())
        require(not self.classes or support == self.rows, f"classes have {support} rows in all, where rows says {self.rows}")
        for name in self.sums:
            figure = name in _RESERVED or name.split(".")[0] == "class" or name in {f"{p}.{f}" for p in self.parts for f in OF_PART}
            require(not figure, f"the sum {name!r} bears the name of a figure")
        return self

    def _histograms(self, name: str, part: Part) -> None:
        if part.scores is None:
            return
        positives = sum(part.confusion[part.labels.index(self.positive)])
        found = (sum(part.scores.positive), sum(part.scores.negative))
        require(
            found == (positives, self.rows - positives),
            f"{name}: the histograms hold {found} rows, where the matrix has {positives} positive",
        )


def merge(one: Counts, other: Counts) -> dict[str, Any]:
    """The counts of two disjoint sets of rows as one document, to be parsed; exact but for the rounding of sums of floats.

    Raises CountsError when they are not counts of the same parts, labels and positive class.
    """
    if (one.positive, _shape(one), set(one.sums)) != (other.positive, _shape(other), set(other.sums)):
        msg = "these counts are not of one evaluation: parts, labels, sums or the positive class differ"
        raise CountsError(msg, hint="every shard must yield the same parts, labels and sums, with zeros where it saw nothing")
    return {
        "schema": SCHEMA,
        "rows": one.rows + other.rows,
        "seconds": one.seconds + other.seconds,
        "positive": one.positive,
        "parts": {name: _merge_part(part, other.parts[name]) for name, part in one.parts.items()},
        "classes": {name: _merge_class(one.classes.get(name), other.classes.get(name)) for name in sorted({*one.classes, *other.classes})},
        "sums": {name: value + other.sums[name] for name, value in one.sums.items()},
    }


def _shape(counts: Counts) -> dict[str, tuple[tuple[str, ...], bool]]:
    return {name: (tuple(part.labels), part.scores is None) for name, part in counts.parts.items()}


def _merge_part(one: Part, other: Part) -> dict[str, Any]:
    def added(left: list[int], right: list[int]) -> list[int]:
        return [a + b for a, b in zip(left, right, strict=True)]

    merged: dict[str, Any] = {"labels": one.labels, "confusion": [added(a, b) for a, b in zip(one.confusion, other.confusion, strict=True)]}
    if one.scores is not None and other.scores is not None:
        merged["scores"] = {
            "positive": added(one.scores.positive, other.scores.positive),
            "negative": added(one.scores.negative, other.scores.negative),
        }
    return merged


def _merge_class(one: OfClass | None, other: OfClass | None) -> dict[str, int]:
    present = [part for part in (one, other) if part is not None]
    return {"support": sum(part.support for part in present), "correct": sum(part.correct for part in present)}
