"""Problems and errors for a terminal: ``file:line:column: message [rule]``, the line itself, a caret, what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from promotion.errors import InvalidFiles
from promotion.render.style import bold, dim, harmless, red

if TYPE_CHECKING:
    from promotion.domain import Place, Problem
    from promotion.errors import PromotionError

WIDEST = 160
_MARGIN = "    "


def render_problem(problem: Problem) -> str:
    """One problem with its place, its line and a caret."""
    lines = [f"{bold(harmless(f'{problem.place}:'))} {harmless(problem.message)} {dim(f'[{problem.rule}]')}"]
    if problem.source:
        lines += _pointed(problem.source, problem.place)
    return "\n".join([*lines, *_hint(problem.hint)])


def render_problems(problems: Iterable[Problem]) -> str:
    """Every problem, in order of place."""
    return "\n".join(render_problem(problem) for problem in problems)


def render_error(error: PromotionError) -> str:
    """An error: what happened, where, and what to do next."""
    if isinstance(error, InvalidFiles):
        return f"{render_problems(error.problems)}\n{red('error:')} {error.message}; nothing was changed"
    where = f"{error.place}: " if error.place else ""
    return "\n".join([f"{red('error:')} {harmless(where + error.message)}", *_hint(error.hint)])


def _hint(hint: str | None) -> list[str]:
    """What to do; further lines of it are indented below the first."""
    if not hint:
        return []
    first, *rest = harmless(hint).split("\n")
    return [f"  hint: {first}", *(f"        {line}" for line in rest)]


def _pointed(source: str, place: Place) -> list[str]:
    """The line, cut around the column where it is long, and a caret below the column."""
    column = place.column - 1
    start = max(0, min(column - WIDEST // 2, len(source) - WIDEST))
    left, right = "…" if start else "", "…" if start + WIDEST < len(source) else ""
    shown = "".join(char if char.isprintable() else " " for char in source[start : start + WIDEST])
    gap = len(left) + sum(map(_width, shown[: column - start]))
    return [f"{_MARGIN}{left}{shown}{right}".rstrip(), f"{_MARGIN}{' ' * gap}^"]


def _width(char: str) -> int:
    """The columns of a terminal that a character takes: two for the wide ones, none for those that combine."""
    return 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
