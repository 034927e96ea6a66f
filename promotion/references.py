"""Pure: which versions the rules compare a change with, by what the journal says is applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from promotion.domain import ModelVersionRef
from promotion.gates import bound, compare
from promotion.gates.interface import Unknown
from promotion.policies import matches

if TYPE_CHECKING:
    from promotion.changes import Change
    from promotion.domain import AppliedModel
    from promotion.policies import Policies

Found = ModelVersionRef | Unknown | None


def wanted(policies: Policies, applied: Mapping[str, AppliedModel], change: Change) -> Mapping[str, Found]:
    """By the environment or the pattern that a rule names: the version there, None where nothing was applied, or why it is unknown."""
    found: dict[str, Found] = {}
    for rule in policies.rules_for(change.environment, change.model):
        match rule.parameters:
            case bound.Parameters(against=str(environment)):
                found[environment] = _there(applied.get(change.model), environment)
            case compare.Parameters(baseline=None) as parameters:
                found[parameters.against] = _there(applied.get(change.model), parameters.against)
            case compare.Parameters(baseline=str(pattern)):
                found[pattern] = _baseline(applied, change.model, pattern)
            case _:
                pass
    return found


def _there(memory: AppliedModel | None, environment: str) -> ModelVersionRef | None:
    binding = memory.bindings.get(environment) if memory else None
    if memory is None or binding is None or binding.bound is None:
        return None
    return ModelVersionRef(memory.name, binding.bound.version, binding.bound.digest)


def _baseline(applied: Mapping[str, AppliedModel], model: str, pattern: str) -> ModelVersionRef | Unknown:
    """The one other model that matches, in the last of its environments that has anything."""
    found = {name: ref for name, memory in applied.items() if name != model and matches(name, (pattern,)) for ref in _last(memory)}
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        return Unknown(
            f"no other model that matches {pattern!r} is applied anywhere", "declare the baseline in an environment, staging for one"
        )
    return Unknown(f"several models match {pattern!r}: {', '.join(sorted(found))}", "let the pattern match one")


def _last(memory: AppliedModel) -> Iterator[ModelVersionRef]:
    there = [ref for environment in ("production", *sorted(memory.bindings)) if (ref := _there(memory, environment)) is not None]
    yield from there[:1]
