"""A version beside what is in service, on a page: intervals drawn in text, which every place renders, and a table of all figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from promotion.render.comparing import shown

if TYPE_CHECKING:
    from promotion.beside import Beside
    from promotion.comparison import Line, Measure

_DRAWN = ("f1", "precision", "recall", "accuracy", "macro_f1", "false_alarm_rate", "roc_auc", "pr_auc")
_WIDTH = 40
"""Characters from the least to the largest end of an interval."""


def groups(found: Iterable[Beside]) -> Iterator[tuple[str, list[Beside]]]:
    """The evaluations of each model and environment."""
    for (model, environment), several in groupby(found, key=lambda one: (one.change.model, one.change.environment)):
        yield f"{model} {environment}", list(several)


def drawing(one: Beside) -> str:
    """The main figures of both versions, each interval as a line with the figure on it; empty where none is known."""
    blocks = []
    for line in (found for name in _DRAWN for found in one.lines if found.figure == name):
        parts = [part for part in (line.first, line.second) if part is not None and math.isfinite(part.point)]
        if parts:
            low, high = min(map(_low, parts)), max(map(_high, parts))
            blocks.append("\n".join(_drawn(one, line, low, high)))
    return "\n\n".join(blocks)


def columns(one: Beside) -> tuple[str, ...]:
    """The heads of the table."""
    mine = f"version {one.change.after}"
    if one.version is None:
        return ("figure", mine)
    return ("figure", f"version {one.version} in {one.environment}", mine, "difference", "")


def rows(one: Beside) -> list[Sequence[str]]:
    """A line for each figure, with its interval."""
    if one.version is None:
        return [(line.figure, shown(line.second)) for line in one.lines]
    return [(line.figure, shown(line.first), shown(line.second), shown(line.apart, sign="+"), line.told) for line in one.lines]


def _drawn(one: Beside, line: Line, low: float, high: float) -> Iterator[str]:
    yield line.figure
    other = f"{one.version} in {one.environment}" if one.version is not None else ""
    wide = max(len(other), len(str(one.change.after)))
    if line.first is not None:
        yield f"  {other:<{wide}}  {_bar(line.first, low, high)}  {shown(line.first)}"
    if line.second is not None:
        yield f"  {one.change.after!s:<{wide}}  {_bar(line.second, low, high)}  {shown(line.second)}"
    if line.apart is not None:
        yield f"  {'':<{wide}}  {'difference':>{_WIDTH}}  {shown(line.apart, sign='+')} {line.told}".rstrip()


def _bar(measure: Measure, low: float, high: float) -> str:
    """The interval between its ends, on a scale from ``low`` to ``high``."""
    if not math.isfinite(measure.point):
        return " " * _WIDTH

    def place(value: float) -> int:
        return round((value - low) / (high - low) * (_WIDTH - 1)) if high > low else _WIDTH // 2

    first, last = place(_low(measure)), place(_high(measure))
    cells = [" "] * _WIDTH
    cells[first : last + 1] = "─" * (last - first + 1)
    cells[first], cells[last] = "├", "┤"
    cells[place(measure.point)] = "●"
    return "".join(cells)


def _low(measure: Measure) -> float:
    return measure.point if measure.interval is None or not math.isfinite(measure.interval.low) else measure.interval.low


def _high(measure: Measure) -> float:
    return measure.point if measure.interval is None or not math.isfinite(measure.interval.high) else measure.interval.high
