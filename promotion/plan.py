"""Pure: desired, observed and applied state → the changes and the registry writes that bring them together.

The order of writes keeps rule 1 (never zero, never two): a version bears one stage, so a stage is filled before its old
version is taken elsewhere, and filling archives the old version in the same transaction. Production wins a cycle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from promotion.changes import Change, ChangeKind, DeleteAlias, Operation, Plan, SetAlias, SetStage, Shown
from promotion.domain import AppliedBinding, AppliedModel, Declared, Desired, Environment, Limits, Observed, ObservedModel, Problem
from promotion.impossible import impossible

ARCHIVED = "Archived"
SHARE_COUNTS_ABOVE = 10


def plan(desired: Desired, observed: Observed, applied: Mapping[str, AppliedModel], *, policies: str = "") -> Plan:
    """Compare what is declared with what the registry shows and what the journal says was applied.

    A declaration that the registry cannot fulfil is a problem of its model alone: the other models are planned. ``policies`` is the
    digest of the rules that will judge: a plan that was agreed under other rules is another plan.
    """
    changes: list[Change] = []
    operations: list[Operation] = []
    problems: list[Problem] = []
    unmanaged: list[str] = []
    declared = _by_model(desired.bindings)
    for name, bindings in sorted(declared.items()):
        model = observed.models.get(name) or ObservedModel(name, {}, {})
        if found := impossible(desired.environments, bindings, model, applied.get(name), exists=name in observed.models):
            problems += found
            continue
        changes += _changes(desired.environments, bindings, model, applied.get(name))
        operations += writes(desired.environments, {binding.environment: binding.version for binding in bindings}, model)
        unmanaged += _unmanaged(desired.environments, bindings, model)
    basis = _basis(desired, observed, applied, declared, policies)
    return Plan(
        target=observed.registry,
        changes=tuple(changes),
        operations=tuple(operations),
        unmanaged=tuple(unmanaged),
        digest=_digest(basis, changes, operations),
        problems=tuple(problems),
        basis=basis,
    )


def shown(environment: Environment, model: ObservedModel) -> Shown:
    """How one environment of a model shows in the registry; a way of binding that is not configured shows nothing."""
    stage = model.in_stage(environment.stage) if environment.stage else ()
    return Shown(stage, model.aliases.get(environment.alias) if environment.alias else None)


def expected(environments: Iterable[Environment], bindings: Mapping[str, int | None], name: str) -> Shown:
    """How environment ``name`` shows once ``bindings`` (environment → version) are applied.

    The same version in two environments bears the stage of the higher one, and both aliases.
    """
    home = _homes(environments, bindings)
    environment = next(one for one in environments if one.name == name)
    version = bindings.get(name)
    stage = (version,) if version is not None and environment.stage and home[version] == environment.stage else ()
    return Shown(stage, version if environment.alias else None)


def writes(environments: Iterable[Environment], bindings: Mapping[str, int | None], model: ObservedModel) -> list[Operation]:
    """The registry writes that make one model show ``bindings``, in the order that keeps rule 1; none where nothing differs."""
    managed = [one for one in environments if one.name in bindings]
    home = _homes(managed, bindings)
    archive: list[Operation] = []
    fill: dict[str, SetStage] = {}
    for environment in managed:
        if environment.stage is None:
            continue
        version = bindings[environment.name]
        bearers = model.in_stage(environment.stage)
        if version is not None and home[version] == environment.stage and version not in bearers:
            fill[environment.stage] = SetStage(model.name, version, environment.stage, archive_existing=True)
        else:
            strays = [other for other in bearers if home.get(other) is None]
            archive += [SetStage(model.name, other, ARCHIVED, archive_existing=False) for other in strays]
    return [*_ordered(fill, model), *archive, *_aliases(managed, bindings, model)]


def excess(plan: Plan, desired: Desired, limits: Limits) -> str | None:
    """Why a plan is too large to be applied at once, or None. Emptying production (the last environment) counts double."""
    last = desired.environments[-1].name
    emptied = {change.model for change in plan.changes if change.after is None and change.environment == last}
    size = len(plan.changes) + len(emptied)
    if size > limits.max_changes:
        return f"{size} changes, where at most {limits.max_changes} are allowed at once"
    managed = len(desired.models)
    if managed > SHARE_COUNTS_ABOVE and limits.max_share < 1:  # all of them may change: emptied ones that count double as well
        touched = {change.model for change in plan.changes}
        if len(touched) + len(emptied) > managed * limits.max_share:
            double = f" ({len(emptied)} of them emptied, which counts double)" if emptied else ""
            return f"{len(touched)} of {managed} managed models change{double}, where at most {limits.max_share:.0%} are allowed at once"
    return None


def _by_model(bindings: Iterable[Declared]) -> dict[str, list[Declared]]:
    found: dict[str, list[Declared]] = {}
    for binding in bindings:
        found.setdefault(binding.model, []).append(binding)
    return found


def _homes(environments: Iterable[Environment], bindings: Mapping[str, int | None]) -> dict[int, str | None]:
    """Version → the one stage that it bears: that of the highest environment that declares it."""
    home: dict[int, str | None] = {}
    for environment in environments:
        version = bindings.get(environment.name)
        if version is not None and (environment.stage is not None or version not in home):
            home[version] = environment.stage
    return home


def _ordered(fill: dict[str, SetStage], model: ObservedModel) -> list[SetStage]:
    """Fill a stage before its old version is taken elsewhere; of a cycle, the higher stage first (it must not be empty)."""
    pending = list(fill.values())
    done: list[SetStage] = []
    while pending:
        free = [one for one in pending if not _takes_from(one, pending, model)]
        chosen = free[0] if free else pending[-1]
        pending.remove(chosen)
        done.append(chosen)
    return done


def _takes_from(write: SetStage, pending: Iterable[SetStage], model: ObservedModel) -> bool:
    """Whether a write takes its version out of a stage that another pending write is yet to fill."""
    source = model.versions[write.version].stage
    return any(other.stage == source for other in pending if other is not write)


def _aliases(managed: Iterable[Environment], bindings: Mapping[str, int | None], model: ObservedModel) -> list[Operation]:
    found: list[Operation] = []
    for environment in managed:
        version = bindings[environment.name]
        if environment.alias is None or model.aliases.get(environment.alias) == version:
            continue
        if version is None:
            found.append(DeleteAlias(model.name, environment.alias))
        else:
            found.append(SetAlias(model.name, environment.alias, version))
    return found


def _changes(
    environments: tuple[Environment, ...], bindings: list[Declared], model: ObservedModel, applied: AppliedModel | None
) -> list[Change]:
    """One change for each binding that git moved, or that the registry lost although git did not."""
    memory = applied.bindings if applied else {}
    wanted = {binding.environment: binding.version for binding in bindings}
    recorded = {name: _version(memory.get(name)) for name in wanted}
    order = {environment.name: index for index, environment in enumerate(environments)}
    found = []
    for binding in sorted(bindings, key=lambda one: order[one.environment]):
        environment = environments[order[binding.environment]]
        now = shown(environment, model)
        kind = _kind(binding, memory.get(binding.environment), model)
        if kind is None:
            drifted = now not in {expected(environments, recorded, environment.name), expected(environments, wanted, environment.name)}
            if not drifted:
                continue
            kind = ChangeKind.HEAL
        if kind is ChangeKind.RETIRE and environment.name not in memory and now == Shown((), None):
            continue
        found.append(
            Change(
                kind=kind,
                model=binding.model,
                environment=binding.environment,
                before=recorded[binding.environment],
                after=binding.version,
                shown=now,
                digest=binding.digest,
                place=binding.place,
            )
        )
    return found


def _kind(binding: Declared, memory: AppliedBinding | None, model: ObservedModel) -> ChangeKind | None:
    """Why git's declaration differs from what was applied last, or None where it does not.

    A version that was deleted and created again under the same number is another one: it is promoted, hence judged.
    """
    if binding.version is None:
        return None if memory is not None and memory.bound is None else ChangeKind.RETIRE
    if memory is None:
        return ChangeKind.PROMOTE
    if memory.bound is not None and memory.bound.version == binding.version:
        same = memory.identity is None or memory.identity == model.versions[binding.version].identity
        pinned = binding.digest in {None, memory.bound.digest}
        return None if same and pinned else ChangeKind.PROMOTE
    if memory.previous is not None and memory.previous.version == binding.version:
        return ChangeKind.ROLLBACK
    return ChangeKind.PROMOTE


def _version(memory: AppliedBinding | None) -> int | None:
    return memory.bound.version if memory is not None and memory.bound is not None else None


def _unmanaged(environments: tuple[Environment, ...], bindings: list[Declared], model: ObservedModel) -> list[str]:
    managed = {binding.environment for binding in bindings}
    found = []
    for environment in environments:
        now = shown(environment, model)
        if environment.name not in managed and now != Shown((), None):
            found.append(f"{model.name} {environment.name} shows {now} and is not declared")
    return found


def _basis(
    desired: Desired, observed: Observed, applied: Mapping[str, AppliedModel], declared: Mapping[str, list[Declared]], policies: str
) -> dict[str, str]:
    """What the plan was made from, a line each: what is declared (not where), what the registry shows of it, what was applied."""
    found = {"registry": observed.registry, "policies": policies}
    found |= {f"environment {one.name}": f"stage {one.stage}, alias {one.alias}" for one in desired.environments}
    for name, bindings in declared.items():
        for binding in bindings:
            pin = f"@sha256:{binding.digest}" if binding.digest else ""
            found[f"file: {name} {binding.environment}"] = "none" if binding.version is None else f"{binding.version}{pin}"
        if (model := observed.models.get(name)) is not None:
            found |= _basis_of(desired.environments, bindings, model)
        if (memory := applied.get(name)) is not None:
            for environment, last in memory.bindings.items():
                found[f"journal: {name} {environment}"] = f"{last.bound.version}@sha256:{last.bound.digest}" if last.bound else "none"
    return found


def _basis_of(environments: tuple[Environment, ...], bindings: list[Declared], model: ObservedModel) -> dict[str, str]:
    found = {f"registry: {model.name} {one.name}": str(shown(one, model)) for one in environments}
    for binding in bindings:
        if binding.version is not None and (version := model.versions.get(binding.version)) is not None:
            identity = version.identity
            found[f"registry: {model.name}/{version.version}"] = f"created {identity.created}, run {identity.run_id}, {identity.source}"
    return found


def _digest(basis: Mapping[str, str], changes: list[Change], operations: list[Operation]) -> str:
    """Sha256 over what the plan was made from, and what follows from it."""
    document = {
        "basis": basis,
        "changes": [[c.kind, c.model, c.environment, c.before, c.after] for c in changes],
        "operations": [str(operation) for operation in operations],
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
