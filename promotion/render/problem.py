"""Problems and errors for a terminal: ``file:line:column: message [rule]``, the line itself, a caret, what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from promotion.errors import InvalidFiles
from promotion.render.style import bold, dim, red

if TYPE_CHECKING:
    from promotion.domain import Place, Problem
    from promotion.errors import PromotionError

WIDEST = 160


def render_problem(problem: Problem) -> str:
    """One problem with its place, its line and a caret."""
    lines = [f"{bold(f'{problem.place}:')} {problem.message} {dim(f'[{problem.rule}]')}"]
    if problem.source is not None:
        lines += _pointed(problem.source, problem.place)
    if problem.hint:
        lines.append(f"  hint: {problem.hint}")
    return "\n".join(lines)


def render_problems(problems: Iterable[Problem]) -> str:
    """Every problem, in order of place."""
    return "\n".join(render_problem(problem) for problem in problems)


def render_error(error: PromotionError) -> str:
    """An error: what happened, where, and what to do next."""
    if isinstance(error, InvalidFiles):
        return f"{render_problems(error.problems)}\n{red('error:')} {error.message}; nothing was changed"
    where = f"{error.place}: " if error.place else ""
    hint = f"\n  hint: {error.hint}" if error.hint else ""
    return f"{red('error:')} {where}{error.message}{hint}"


def _pointed(source: str, place: Place) -> list[str]:
    """The line and a caret below the column; control characters are shown as spaces, wide ones count twice."""
    start = max(0, place.column - WIDEST // 2)
    shown = "".join(char if char.isprintable() else " " for char in source[start : start + WIDEST])
    before = shown[: place.column - 1 - start]
    gap = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in before)
    return [f"    {shown}".rstrip(), f"    {' ' * gap}^"]
