"""Sums of errors, absolute and squared, of models that tell numbers: they add up over shards, and mae, rmse, r2 and bias follow.

The truth is summed about an ``origin`` near its mean, the same for all shards of an evaluation: r2 is a difference of sums, of
which little would be left for numbers that are large beside how far they spread.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from promotion.counting import MOST_NAMES, WHOLE, Amount, Count, CountsError, Name, Strict, ratio, require

SCHEMA = "promotion/regression-counts/v1"
OF_PART = ("mae", "rmse", "r2", "bias")
_RESERVED = frozenset({*OF_PART, "rows", "seconds_per_row"})
_ROUNDING = 1e-9
NO_SPREAD = 1e-12
"""Of the sum of squares about the origin: a truth that spreads less than rounding does is constant, and has no r2."""
_Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Truth(Strict):
    """Sums over all rows of truth − origin, and of its square."""

    origin: Amount
    total: Amount
    squares: _Positive


class Part(Strict):
    """Sums over all rows of one part's error (prediction − truth), of its size, and of its square."""

    error: Amount
    absolute: _Positive
    squared: _Positive


class Counts(Strict):
    """One evaluation's sums, checked for what no rows can give."""

    schema_: Annotated[Literal["promotion/regression-counts/v1"], Field(alias="schema")]
    rows: Count
    seconds: _Positive
    truth: Truth
    parts: Annotated[dict[Name, Part], Field(min_length=1, max_length=50)]
    sums: Annotated[dict[Name, Amount], Field(default_factory=dict, max_length=MOST_NAMES)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        require(WHOLE in self.parts, f"parts must have {WHOLE!r}")
        require(_within(self.truth.total**2, self.rows * self.truth.squares), "truth: its squares are too small for its total")
        for name, part in self.parts.items():
            require(_within(abs(part.error), part.absolute), f"{name}: the errors add up to more than their sizes do")
            require(_within(part.absolute**2, self.rows * part.squared), f"{name}: the squares are too small for the errors")
            require(self.rows > 0 or part.squared == 0, f"{name}: errors without rows")
        for name in self.sums:
            figure = name in _RESERVED or name in {f"{part}.{one}" for part in self.parts for one in OF_PART}
            require(not figure, f"the sum {name!r} bears the name of a figure")
        return self


def _within(one: float, other: float) -> bool:
    return one <= other * (1 + _ROUNDING)


def merge(one: Counts, other: Counts) -> dict[str, Any]:
    """The sums of two disjoint sets of rows as one document, to be parsed. Raises CountsError when they are not of one evaluation."""
    if (set(one.parts), set(one.sums), one.truth.origin) != (set(other.parts), set(other.sums), other.truth.origin):
        msg = "these sums are not of one evaluation: parts, sums or the origin differ"
        raise CountsError(msg, hint="every shard must yield the same parts and sums about the same origin")
    parts = {name: (part, other.parts[name]) for name, part in one.parts.items()}
    return {
        "schema": SCHEMA,
        "rows": one.rows + other.rows,
        "seconds": one.seconds + other.seconds,
        "truth": {
            "origin": one.truth.origin,
            "total": one.truth.total + other.truth.total,
            "squares": one.truth.squares + other.truth.squares,
        },
        "parts": {
            name: {
                "error": here.error + there.error,
                "absolute": here.absolute + there.absolute,
                "squared": here.squared + there.squared,
            }
            for name, (here, there) in parts.items()
        },
        "sums": {name: value + other.sums[name] for name, value in one.sums.items()},
    }


def figures(counts: Counts) -> dict[str, float]:
    """Every figure that the sums give by themselves, by name; NaN where one is not defined: no rows, or r2 of a constant truth."""
    found: dict[str, float] = {}
    for name, part in counts.parts.items():
        prefix = "" if name == WHOLE else f"{name}."
        found |= {f"{prefix}{figure}": value for figure, value in _of_part(part, counts).items()}
    return found


def _of_part(part: Part, counts: Counts) -> dict[str, float]:
    return {
        "mae": ratio(part.absolute, counts.rows),
        "rmse": math.sqrt(ratio(part.squared, counts.rows)),
        "bias": ratio(part.error, counts.rows),
        "r2": _r2(part, counts),
    }


def _r2(part: Part, counts: Counts) -> float:
    """The share of the truth's spread that the model tells: 1 − squared errors over squared distances from the truth's mean."""
    spread = counts.truth.squares - ratio(counts.truth.total**2, counts.rows)
    return 1 - part.squared / spread if spread > NO_SPREAD * counts.truth.squares else math.nan
