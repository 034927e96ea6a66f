"""Pure: declared, applied and shown side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from promotion.changes import ChangeKind, Plan, Shown
from promotion.domain import AppliedBinding, AppliedModel, Declared, Desired, Observed, ObservedModel
from promotion.plan import shown


class State(StrEnum):
    """How one binding stands."""

    IN_SYNC = "in sync"
    PENDING = "pending"
    DRIFTED = "drifted"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Row:
    """One declared binding: what git says, what was applied, what the registry shows."""

    declared: Declared
    applied: AppliedBinding | None
    shown: Shown
    state: State


def rows(desired: Desired, observed: Observed, applied: Mapping[str, AppliedModel], made: Plan) -> tuple[Row, ...]:
    """One row for each declared binding, in the order of models and of promotion."""
    kinds = {(change.model, change.environment): change.kind for change in made.changes}
    broken = {problem.place for problem in made.problems}
    order = {environment.name: index for index, environment in enumerate(desired.environments)}
    found = []
    for binding in sorted(desired.bindings, key=lambda one: (one.model, order[one.environment])):
        memory = applied.get(binding.model)
        environment = desired.environments[order[binding.environment]]
        model = observed.models.get(binding.model) or ObservedModel(binding.model, {}, {})
        kind = kinds.get((binding.model, binding.environment))
        if binding.place in broken:
            state = State.IMPOSSIBLE
        elif kind is None:
            state = State.IN_SYNC
        else:
            state = State.DRIFTED if kind is ChangeKind.HEAL else State.PENDING
        last = memory.bindings.get(binding.environment) if memory else None
        found.append(Row(binding, last, shown(environment, model), state))
    return tuple(found)
