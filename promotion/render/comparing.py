"""Two versions side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from promotion.render.table import table

if TYPE_CHECKING:
    from promotion.comparison import Compared, Measure


def text(found: Sequence[Compared]) -> str:
    """A table for each evaluation."""
    blocks = ("\n".join([head(one), table(columns(one), rows(one)), *([one.note] if one.note else [])]) for one in found)
    return "\n\n".join(blocks)


def head(one: Compared) -> str:
    """What is compared, and on what."""
    what = f"{one.first.name}/{one.first.version} and {one.second.version} by {one.evaluation}"
    return f"{what}: {one.rows} rows of {one.dataset}, evidence {one.evidence[0][:12]} and {one.evidence[1][:12]}"


def columns(one: Compared) -> tuple[str, ...]:
    """The heads of the columns."""
    first, second = one.first.version, one.second.version
    return ("figure", f"version {first}", f"version {second}", f"{second} minus {first}, {one.confidence:g} interval", "")


def rows(one: Compared) -> list[tuple[str, ...]]:
    """A line for each figure; the last column says in a word what the interval of the difference tells."""
    return [(line.figure, shown(line.first), shown(line.second), shown(line.apart, sign="+"), line.told) for line in one.lines]


def shown(measure: Measure | None, sign: str = "") -> str:
    """A figure with its interval."""
    if measure is None:
        return "none"
    if not math.isfinite(measure.point):
        return "undefined"
    ends = measure.interval
    return f"{measure.point:{sign}.4f}" + (f" ({ends.low:{sign}.4f} to {ends.high:{sign}.4f})" if ends is not None else "")
