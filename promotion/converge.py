"""Read, write, read back, and write again what is missing, in bounded rounds: every time-out of a write means "unknown".

The writes are planned from what is read here, under the lock. What was read before the lock was won may be out of date, and writes
in the order that fitted then could empty an environment now.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from promotion.changes import SetVersionTag
from promotion.errors import Conflict, Unavailable
from promotion.plan import plan
from promotion.registry.interface import Rejected, Unanswered
from promotion.writing import Pace, write

if TYPE_CHECKING:
    from promotion.changes import Operation, Plan
    from promotion.domain import AppliedModel, Desired, Observed
    from promotion.survey import Workspace


ROUNDS = 3
"""How often what is missing is written."""
_PAUSES = (0.3, 1.0, 1.0)
"""Seconds after a round in which writes failed, before it is read back: for a registry that was busy."""
_LATE = 1.0
"""The least of them when a write was not answered in time. One that is still under way in MLflow must not meet the next of its model: it
archives what it found in the stage when it began, and that version may be elsewhere by then."""


@dataclass(frozen=True, slots=True)
class Converged:
    """Every write that was sent, and the models that the registry refused."""

    written: tuple[Operation, ...]
    refused: Mapping[str, Unavailable]


def converge(
    workspace: Workspace,
    target: Desired,
    applied: Mapping[str, AppliedModel],
    judged: Observed,
    operations: tuple[Operation, ...],
    deadline: datetime,
    pace: Pace,
) -> Converged:
    """Bring the models of ``operations`` to ``target``; ``judged`` is the registry as it was when the decision was made.

    Raises Conflict at the deadline, Unavailable when after the last round the registry still does not show the target.
    """

    def check() -> None:
        workspace.in_time("the last write")
        if workspace.now() >= deadline:
            raise Conflict("the lease ran out before the last write", hint="run promotion reconcile again: it completes what is missing")

    written: list[Operation] = []
    failures: dict[str, Unavailable] = {}
    again: dict[str, Unavailable] = {}
    missing: Iterable[Operation] = operations
    models = tuple(dict.fromkeys(operation.model for operation in operations))
    touched = replace(target, bindings=tuple(binding for binding in target.bindings if binding.model in models))
    for left in reversed(range(ROUNDS + 1)):
        now = workspace.registry.observe(models)
        again |= _made_again(touched, judged, now)
        touched = replace(touched, bindings=tuple(binding for binding in touched.bindings if binding.model not in again))
        made = plan(touched, now, applied)
        gone = again | _gone(touched, made)
        # The plan knows stages and aliases alone: a tag that was not acknowledged is set again.
        tags = (one for one in missing if isinstance(one, SetVersionTag) and one.model not in gone)
        operations = (*made.operations, *tags)
        lacking = {operation.model for operation in operations}
        refused = {name: error for name, error in failures.items() if name in lacking and isinstance(error, Rejected)}
        if not operations or (not left and refused.keys() == lacking):
            return Converged(tuple(written), refused | gone)
        if not left:
            raise _stuck(lacking - refused.keys(), failures, operations[0])
        if written:
            workspace.report(f"reading back: {len(operations)} writes are missing, trying again")
        sent = write(operations, workspace.registry.apply, pace, check=check, report=workspace.report)
        written += sent.written
        missing, failures = sent.missing, {**failures, **sent.failures}
        if sent.failures:
            late = any(isinstance(error, Unanswered) for error in sent.failures.values())
            time.sleep(max(_PAUSES[ROUNDS - left], _LATE if late else 0.0))
    raise AssertionError  # the last round has returned or raised


def _stuck(models: set[str], failures: Mapping[str, Unavailable], missing: Operation) -> Unavailable:
    """Why the registry does not show the target after the last round."""
    return next((failures[name] for name in sorted(models) if name in failures), None) or Unavailable(
        f"somebody else keeps changing {', '.join(sorted(models))}: {missing} is still missing",
        hint="find out who (promotion drift), then run promotion reconcile again",
    )


def _made_again(touched: Desired, judged: Observed, now: Observed) -> dict[str, Unavailable]:
    """Models of which a version that is to be bound is another one, under the same number, than the one that was judged."""
    found: dict[str, Unavailable] = {}
    for one in touched.bindings:
        before, after = judged.models.get(one.model), now.models.get(one.model)
        if one.version is None or before is None or after is None or not {one.version} <= before.versions.keys() & after.versions.keys():
            continue
        if before.versions[one.version].identity != after.versions[one.version].identity:
            message = f"{one.model}/{one.version} was deleted and made again since it was judged"
            found[one.model] = Rejected(message, hint="run promotion reconcile again: it judges what is there now")
    return found


def _gone(touched: Desired, made: Plan) -> dict[str, Unavailable]:
    """Models of which the registry lost, meanwhile, what was to be bound."""
    problems = {problem.place: problem for problem in made.problems}
    return {
        one.model: Rejected(problems[one.place].message, hint=problems[one.place].hint) for one in touched.bindings if one.place in problems
    }
