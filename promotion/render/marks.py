"""Marks beside the lines of a pull request: workflow commands that GitHub and act read from a step's output."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from promotion.changes import Plan
from promotion.errors import InvalidFiles
from promotion.verdicts import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from promotion.domain import Place, Problem
    from promotion.errors import PromotionError
    from promotion.notifying.delivery import Delivery
    from promotion.verdicts import Judged


def error(found: PromotionError) -> tuple[str, ...]:
    """One mark for each problem of the files, or one for the error."""
    if isinstance(found, InvalidFiles):
        return tuple(map(_problem, found.problems))
    return (_mark("error", found.place, "promotion", found.message, found.hint),)


def view(name: str, *values: object) -> tuple[str, ...]:
    """The marks of what a command shows, by the name of its view; most have none."""
    match name, values:
        case "plan", (Plan() as made,):
            return plan(made)
        case "decision", (Decision() as judged,):
            return decision(judged)
        case "outcome", (object(decision=Decision() as judged),):
            return decision(judged)
        case "notified", (_, sent):
            return unreached(cast("Sequence[Delivery]", sent))
    return ()


def unreached(sent: Sequence[Delivery]) -> tuple[str, ...]:
    """A warning for each webhook that did not take what it was told."""
    return tuple(_mark("warning", None, "not told", f"{one.receiver}: {one.fault}", None) for one in sent if one.fault is not None)


def plan(made: Plan) -> tuple[str, ...]:
    """A mark on each declaration that the registry cannot fulfil."""
    return tuple(map(_problem, made.problems))


def decision(judged: Decision) -> tuple[str, ...]:
    """A mark on the line of each change for every verdict that blocks it, and what ``plan`` marks."""
    return (*plan(judged.plan), *_refusals(judged.judged))


def alarm(title: str, message: str) -> str:
    """An error that is on no line."""
    return _mark("error", None, title, message, None)


def warning(title: str, message: str) -> str:
    """A warning that is on no line."""
    return _mark("warning", None, title, message, None)


def _refusals(judged: Iterable[Judged]) -> Iterable[str]:
    for one in judged:
        for verdict in one.verdicts:
            if verdict.status.blocks:
                title = f"{one.change.model} {one.change.environment}: {verdict.gate} {verdict.status}"
                yield _mark("error", one.change.place, title, f"expected {verdict.expected}, got {verdict.got}", verdict.hint)


def _problem(problem: Problem) -> str:
    return _mark("error", problem.place, problem.rule, problem.message, problem.hint)


def _mark(level: str, place: Place | None, title: str, message: str, hint: str | None) -> str:
    """``::error file=…,line=…,col=…,title=…::message``; nothing in a value can end it or start another."""
    values = {"title": title}
    if place is not None:
        values = {"file": place.file, "line": str(place.line), "col": str(place.column), **values}
    named = ",".join(f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}" for name, value in values.items())
    return f"::{level} {named}::{_escaped(message if hint is None else f'{message}. {hint}')}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
