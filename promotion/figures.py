"""Counts that add up, and the figures that follow from them.

An evaluator yields counts (schema ``promotion/counts/v1``), never metrics: counts of shards merge exactly, and whoever reads
evidence can compute every figure again. They are the output of model code, hence untrusted: parsed strictly, bounded.

    {"schema": "promotion/counts/v1", "rows": 1000, "seconds": 0.8, "positive": "attack",
     "parts": {"model": {"labels": ["attack", "benign"],
                         "confusion": [[480, 20], [10, 490]],              rows: true label, columns: predicted
                         "scores": {"positive": [200 integers], "negative": [200 integers]}},
               "tabular": {…}},                                              parts of a composite model, each alone
     "classes": {"DDoS": {"support": 120, "correct": 118}},
     "sums": {"router.tabular": 421.5}}                                      a sum over rows; the figure is its mean

Histogram ``scores`` have 200 equal bins over [0, 1] of the positive class's probability, for the rows that are truly positive
and truly negative. Figures: ``f1``, ``precision``, ``recall``, ``accuracy``, ``macro_f1``, ``roc_auc``, ``pr_auc``,
``false_alarm_rate``, ``rows``, ``seconds_per_row``; ``<part>.f1`` and so on for the other parts; ``class.<NAME>.recall`` and
``class.<NAME>.support``; each sum's mean by its own name. What is not defined (0/0) is NaN, which passes no gate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from promotion.errors import Exit, PromotionError

SCHEMA = "promotion/counts/v1"
BINS = 200
WHOLE = "model"
"""The part that is the model itself: its figures bear no prefix."""

_MAX_LABELS = 200
_MAX_NAMES = 2_000
_LARGEST = 2**53
"""Beyond this a JSON number need not survive: every count stays an exact integer."""

Count = Annotated[int, Field(ge=0, le=_LARGEST)]
Name = Annotated[str, Field(pattern=re.compile(r"^[^\x00-\x1f\x7f]{1,200}\Z"))]
Amount = Annotated[float, Field(allow_inf_nan=False)]


class CountsError(PromotionError):
    """Counts that are not as they must be: whatever an evaluator yielded, nothing was measured (exit 5)."""

    exit_code = Exit.ERRORED


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Scores(_Strict):
    """Histograms of the positive class's probability: 200 equal bins over [0, 1]."""

    positive: Annotated[list[Count], Field(min_length=BINS, max_length=BINS)]
    negative: Annotated[list[Count], Field(min_length=BINS, max_length=BINS)]


class Part(_Strict):
    """What one part of a model predicted: ``confusion[true][predicted]`` in the order of ``labels``."""

    labels: Annotated[list[Name], Field(min_length=1, max_length=_MAX_LABELS)]
    confusion: Annotated[list[list[Count]], Field(min_length=1, max_length=_MAX_LABELS)]
    scores: Scores | None = None

    @model_validator(mode="after")
    def _square(self) -> Self:
        size = len(self.labels)
        _require(len(set(self.labels)) == size, "labels must differ")
        _require(
            len(self.confusion) == size and all(len(row) == size for row in self.confusion),
            f"confusion must be {size} × {size}, as there are labels",
        )
        return self


class OfClass(_Strict):
    """One true class: how many rows it has, and how many of them were recognised."""

    support: Count
    correct: Count

    @model_validator(mode="after")
    def _within(self) -> Self:
        _require(self.correct <= self.support, f"correct must not exceed support, however: {self.correct=}, {self.support=}")
        return self


class Counts(_Strict):
    """One evaluation's counts, checked: every part saw every row, and the sums agree."""

    schema_: Annotated[Literal["promotion/counts/v1"], Field(alias="schema")]
    rows: Count
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    positive: Name
    parts: Annotated[dict[Name, Part], Field(min_length=1, max_length=50)]
    classes: Annotated[dict[Name, OfClass], Field(max_length=_MAX_NAMES)] = {}
    sums: Annotated[dict[Name, Amount], Field(max_length=_MAX_NAMES)] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _require(WHOLE in self.parts, f"parts must have {WHOLE!r}")
        for name, part in self.parts.items():
            _require(self.positive in part.labels, f"{name}: labels must have the positive one, {self.positive!r}")
            total = sum(map(sum, part.confusion))
            _require(total == self.rows, f"{name}: the confusion matrix has {total} rows, where rows says {self.rows}")
            self._histograms(name, part)
        support = sum(one.support for one in self.classes.values())
        _require(not self.classes or support == self.rows, f"classes have {support} rows in all, where rows says {self.rows}")
        for name in self.sums:
            _require(name not in _RESERVED and name.split(".")[0] != "class", f"the sum {name!r} bears the name of a figure")
            _require(
                not any(name == f"{part}.{figure}" for part in self.parts for figure in _OF_PART),
                f"the sum {name!r} bears the name of a figure",
            )
        return self

    def _histograms(self, name: str, part: Part) -> None:
        if part.scores is None:
            return
        positives = sum(part.confusion[part.labels.index(self.positive)])
        found = (sum(part.scores.positive), sum(part.scores.negative))
        _require(
            found == (positives, self.rows - positives),
            f"{name}: the histograms hold {found} rows, where the matrix has {positives} positive",
        )


_OF_PART = ("f1", "precision", "recall", "accuracy", "macro_f1", "roc_auc", "pr_auc", "false_alarm_rate")
_RESERVED = frozenset({*_OF_PART, "rows", "seconds_per_row"})


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise ValueError(message)


def parse(document: object) -> Counts:
    """Check a counts document; raises CountsError with every problem and where it stands in the document."""
    try:
        return Counts.model_validate(document)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc'])) or 'counts'}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()[:5]
        ]
        raise CountsError("; ".join(problems), hint=f"an evaluator must yield {SCHEMA} documents") from error


def document(counts: Counts) -> dict[str, Any]:
    """The counts as plain JSON values, every key present."""
    return counts.model_dump(by_alias=True)


def merge(one: Counts, other: Counts) -> Counts:
    """The counts of two disjoint sets of rows as one; exact but for the rounding of sums of floats.

    Raises CountsError when they are not counts of the same parts, labels and positive class.
    """
    if (one.positive, _shape(one), set(one.sums)) != (other.positive, _shape(other), set(other.sums)):
        msg = "these counts are not of one evaluation: parts, labels, sums or the positive class differ"
        raise CountsError(msg, hint="every shard must yield the same parts, labels and sums, with zeros where it saw nothing")
    return parse(
        {
            "schema": SCHEMA,
            "rows": one.rows + other.rows,
            "seconds": one.seconds + other.seconds,
            "positive": one.positive,
            "parts": {name: _merge_part(part, other.parts[name]) for name, part in one.parts.items()},
            "classes": {
                name: _merge_class(one.classes.get(name), other.classes.get(name)) for name in sorted({*one.classes, *other.classes})
            },
            "sums": {name: value + other.sums[name] for name, value in one.sums.items()},
        }
    )


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


def figures(counts: Counts) -> Mapping[str, float]:
    """Every figure that the counts give, by name; NaN where it is not defined."""
    found: dict[str, float] = {"rows": float(counts.rows), "seconds_per_row": _ratio(counts.seconds, counts.rows)}
    for name, part in counts.parts.items():
        prefix = "" if name == WHOLE else f"{name}."
        found |= {f"{prefix}{figure}": value for figure, value in _of_part(part, counts.positive).items()}
    for name, one in counts.classes.items():
        found[f"class.{name}.recall"] = _ratio(one.correct, one.support)
        found[f"class.{name}.support"] = float(one.support)
    found |= {name: _ratio(value, counts.rows) for name, value in counts.sums.items()}
    return found


ABLATION = "ablation"
"""Before the name of a figure: the whole model's minus that of its best single part, chosen by the point."""


def best_part(counts: Counts, figure: str) -> str | None:
    """The single part of a composite model whose figure is best; None where no other part has it."""
    found = {name: _of_part(part, counts.positive).get(figure, math.nan) for name, part in counts.parts.items() if name != WHOLE}
    known = [(value, name) for name, value in found.items() if not math.isnan(value)]
    if figure == "false_alarm_rate":
        return min(known, default=(0, None))[1]
    return max(known, default=(0, None))[1]


def derived(counts: Counts) -> Mapping[str, float]:
    """Every figure, and what follows from several of them: ``ablation.<figure>`` of a composite model."""
    found = dict(figures(counts))
    for figure in _OF_PART:
        best = best_part(counts, figure)
        if best is not None and figure in found:
            found[f"{ABLATION}.{figure}"] = found[figure] - found[f"{best}.{figure}"]
    return found


def _of_part(part: Part, positive: str) -> dict[str, float]:
    size = range(len(part.labels))
    support = [sum(row) for row in part.confusion]
    predicted = [sum(part.confusion[true][column] for true in size) for column in size]
    hits = [part.confusion[index][index] for index in size]
    rows = sum(support)
    at = part.labels.index(positive)
    # Macro: over the labels that occur, as truth or as prediction; the others have nothing to be right or wrong about.
    by_label = [_ratio(2 * hits[i], support[i] + predicted[i]) for i in size if support[i] + predicted[i]]
    found = {
        "f1": _ratio(2 * hits[at], support[at] + predicted[at]),
        "precision": _ratio(hits[at], predicted[at]),
        "recall": _ratio(hits[at], support[at]),
        "accuracy": _ratio(sum(hits), rows),
        "macro_f1": _ratio(math.fsum(by_label), len(by_label)),
        "false_alarm_rate": _ratio(predicted[at] - hits[at], rows - support[at]),
    }
    if part.scores is not None:
        found |= {"roc_auc": _roc_auc(part.scores), "pr_auc": _pr_auc(part.scores)}
    return found


def _ratio(over: float, under: float) -> float:
    return over / under if under else math.nan


def _roc_auc(scores: Scores) -> float:
    """The chance that a positive row scores above a negative one; rows of one bin count as ties (one half)."""
    twice, below = 0, 0
    for positive, negative in zip(scores.positive, scores.negative, strict=True):
        twice += positive * (2 * below + negative)
        below += negative
    return _ratio(twice, 2 * sum(scores.positive) * below)


def _pr_auc(scores: Scores) -> float:
    """Average precision over the bins, from the highest score down: sum of precision × gain in recall."""
    total = sum(scores.positive)
    hits = seen = 0
    area = []
    for positive, negative in zip(reversed(scores.positive), reversed(scores.negative), strict=True):
        hits += positive
        seen += positive + negative
        if positive:
            area.append(hits / seen * (positive / total))
    return math.fsum(area) if total else math.nan
