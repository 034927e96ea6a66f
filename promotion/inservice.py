"""Pure: what a registry shows as being in service, as bindings; or why that is not clear.

A model is clear when declaring what it shows changes nothing: its stages and aliases are exactly those that the bindings would give it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from promotion.domain import Environment, ObservedModel
from promotion.plan import expected, shown


class By(StrEnum):
    """How an environment shows in the registry."""

    STAGE = "stage"
    ALIAS = "alias"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class InService:
    """One model: environment → version, of the environments that show one. ``unclear`` says why it cannot be taken as it is."""

    name: str
    bindings: Mapping[str, int]
    unclear: tuple[str, ...] = ()


def in_use(environments: Sequence[Environment], models: Iterable[ObservedModel], by: By | None) -> tuple[Environment, ...]:
    """The environments by the ways in which these models are really bound, so that adopting them changes nothing.

    ``by`` chooses the way instead. Of an environment that no model is in, both ways stay.
    """
    known = list(models)
    return tuple(_ways(environment, known, by) for environment in environments)


def in_service(environments: Sequence[Environment], model: ObservedModel) -> InService:
    """What one model shows."""
    unclear: list[str] = []
    bindings: dict[str, int] = {}
    for environment in environments:
        now = shown(environment, model)
        if now.alias is not None and now.alias not in model.versions:
            unclear.append(f"alias {environment.alias} points at version {now.alias}, which does not exist")
        if len(now.stage) > 1:
            unclear.append(f"versions {_listed(now.stage)} are {'both' if len(now.stage) == 2 else 'all'} in stage {environment.stage}")
        version = now.alias if now.alias in model.versions else max(now.stage, default=None)
        if version is not None:
            bindings[environment.name] = version
    return InService(model.name, bindings, tuple(unclear or _disagreements(environments, model, bindings)))


def _ways(environment: Environment, models: list[ObservedModel], by: By | None) -> Environment:
    if environment.stage is None or environment.alias is None:
        return environment
    staged = any(model.in_stage(environment.stage) for model in models)
    aliased = any(environment.alias in model.aliases for model in models)
    if by is By.STAGE or (by is None and staged and not aliased):
        return replace(environment, alias=None)
    if by is By.ALIAS or (by is None and aliased and not staged and not _hides_stage(environment, models)):
        return replace(environment, stage=None)
    return environment


def _hides_stage(environment: Environment, models: list[ObservedModel]) -> bool:
    """Whether every version with this alias bears another stage, which may be why it does not bear this one."""
    alias = environment.alias or ""
    stages = [model.versions[number].stage for model in models if (number := model.aliases.get(alias, 0)) in model.versions]
    return all(stage in {"Staging", "Production"} for stage in stages)


def _disagreements(environments: Sequence[Environment], model: ObservedModel, bindings: Mapping[str, int]) -> list[str]:
    """Where the registry shows something else than these bindings would give it."""
    found = []
    for environment in environments:
        now, wanted = shown(environment, model), expected(environments, bindings, environment.name)
        if now.stage != wanted.stage:
            has = f"has {_listed(now.stage)}" if now.stage else "has no version"
            alias = f"alias {environment.alias} has {now.alias}" if now.alias is not None else f"there is no alias {environment.alias}"
            found.append(f"stage {environment.stage} {has}, but {alias}")
        elif now.alias != wanted.alias:
            found.append(f"stage {environment.stage} has {_listed(now.stage)}, but there is no alias {environment.alias}")
    return found


def _listed(versions: Sequence[int]) -> str:
    *rest, last = map(str, versions)
    return f"{', '.join(rest)} and {last}" if rest else last
