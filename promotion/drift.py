"""What the registry shows that differs from what was applied last, whatever git declares since; and healing it.

Three kinds: a *pointer* moved (a stage or an alias, or the version is gone), the *bytes* are others (another version under the same
number, or files that changed under it: found only by reading them all again), the *metadata* was edited (tags, which hold the lineage).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from promotion.changes import Change, ChangeKind, Operation, SetVersionTag, Shown
from promotion.commits import newest
from promotion.digests import compute
from promotion.domain import AppliedBinding, Declared, ObservedModel, ObservedVersion
from promotion.errors import PromotionError, Unavailable, UsageError
from promotion.journal import check_free
from promotion.judging import judge
from promotion.plan import plan, shown
from promotion.reconcile import Options, Outcome, apply
from promotion.record import kept_tags, restored
from promotion.repository import Declaration
from promotion.survey import Survey, Workspace, survey
from promotion.waiting import deliver


class DriftKind(StrEnum):
    """What differs."""

    POINTER = "pointer"
    BYTES = "bytes"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between the registry and what was applied last.

    ``version`` is what was applied (None: nothing). ``since`` is when the registry last changed what differs, None where it does not
    say; MLflow never says who. ``tag`` is the key of an edited tag. ``unknown``: it could not be looked at.
    """

    kind: DriftKind
    model: str
    environment: str
    version: int | None
    expected: str
    got: str
    since: datetime | None = None
    hint: str | None = None
    tag: str | None = None
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Drifted:
    """What was looked at, and every difference; ``survey`` is against what was applied last. ``read``: bytes were read again."""

    survey: Survey
    drifts: tuple[Drift, ...]
    read: bool = False


def find(workspace: Workspace, declaration: Declaration) -> Survey:
    """Survey against what was applied last: its plan holds healing alone."""
    # A reconcile that ends between two readings would look like drift.
    found = survey(workspace, declaration, to_write=True)
    desired = restored(declaration.desired, found.applied, found.observed)
    return replace(
        found,
        declaration=replace(declaration, desired=desired),
        plan=plan(desired, found.observed, found.applied, policies=declaration.policies.digest),
    )


def look(workspace: Workspace, declaration: Declaration, *, read: bool = False) -> Drifted:
    """Every difference of what is declared; ``read`` reads the bytes of all that is bound again, streaming. Raises as ``survey``."""
    found = find(workspace, declaration)
    names = {binding.model for binding in declaration.desired.bindings}
    memory = [
        (name, environment, binding)
        for name, model in sorted(found.applied.items())
        if name in names
        for environment, binding in model.bindings.items()
    ]
    drifts = [*_pointers(found, declaration.desired.bindings), *_recreated(found, memory), *_metadata(found, memory)]
    if read:
        drifts += _bytes(workspace, found, memory)
    return Drifted(found, tuple(sorted(drifts, key=lambda one: (one.model, one.environment, one.kind, one.tag or ""))), read)


def heal(workspace: Workspace, options: Options, declaration: Declaration) -> Outcome:
    """Restore what was applied last, pointers and tags, and record it under the last applied commit. Raises as ``reconcile``.

    Bytes cannot be restored: a version whose bytes are others is left as it is, and refused.
    """
    seen = look(workspace, declaration)
    if deliver(workspace, seen.survey):
        seen = look(workspace, declaration)
    found = seen.survey
    check_free(found.state, workspace.now(), break_lease=options.break_lease)
    recorded = found.state.recorded
    if recorded is None and not found.applied:
        raise UsageError("nothing was ever applied from this repository", hint="promotion reconcile applies what is declared")
    tags = tuple(_restoring(found, drift) for drift in seen.drifts if _restorable(found, drift))
    found = replace(found, plan=replace(found.plan, changes=(*found.plan.changes, *_edited(found, declaration, seen.drifts))))
    # What was adopted may drift before any commit was applied.
    commit = newest(workspace, options.remote, options.branch) if recorded is None else workspace.git.commit(recorded)
    judgement = judge(workspace, found, commit=commit.sha, measure=False)
    outcome = apply(workspace, options, found, judgement, commit, also=tags)
    written = {one.change.model for one in outcome.done}
    left = [one for one in look(workspace, declaration).drifts if one.tag and one.model in written] if outcome.entry and tags else []
    if left:
        raise Unavailable(f"tag {left[0].tag} of {left[0].model} is still {left[0].got}", hint="run promotion drift --heal again")
    return outcome


def _pointers(found: Survey, declared: Iterable[Declared]) -> Iterator[Drift]:
    order = {environment.name: environment for environment in found.desired.environments}
    for change in found.plan.changes:
        if change.kind is not ChangeKind.HEAL:
            continue
        model = found.observed.models.get(change.model) or ObservedModel(change.model, {}, {})
        versions = {*change.shown.stage, change.after} & set(model.versions)
        applied = found.applied[change.model].bindings[change.environment].at
        since = max((_moment(model.versions[version]) for version in versions if version is not None), default=None)
        # Aliases leave no time behind, and a stage that was last set by us was not set by somebody else.
        since = since if since is not None and since > applied else None
        expected = "none" if change.after is None else str(change.after)
        hint = "promotion drift --heal restores it; promotion drift --adopt declares it"
        yield Drift(DriftKind.POINTER, change.model, change.environment, change.after, expected, str(change.shown), since, hint)
    for binding in declared:
        memory = found.applied.get(binding.model)
        last = memory.bindings.get(binding.environment) if memory else None
        if last is None or last.bound is None:
            continue
        model = found.observed.models.get(binding.model) or ObservedModel(binding.model, {}, {})
        if last.bound.version not in model.versions:
            got = "the version was deleted" if model.versions else "the model was deleted"
            now = shown(order[binding.environment], model)
            told = got if now == Shown((), None) else f"{got}; shown is {now}"
            hint = "declare another version: a deleted one cannot be brought back"
            yield Drift(DriftKind.POINTER, binding.model, binding.environment, last.bound.version, str(last.bound.version), told, hint=hint)


def _versions(
    found: Survey, memory: Iterable[tuple[str, str, AppliedBinding]]
) -> Iterator[tuple[str, str, AppliedBinding, ObservedVersion]]:
    """What was applied and is still there under its number."""
    for name, environment, binding in memory:
        model = found.observed.models.get(name)
        version = model.versions.get(binding.bound.version) if model and binding.bound else None
        if version is not None:
            yield name, environment, binding, version


def _recreated(found: Survey, memory: Iterable[tuple[str, str, AppliedBinding]]) -> Iterator[Drift]:
    for name, environment, binding, version in _versions(found, memory):
        before = binding.identity
        if before is not None and before != version.identity:
            hint = "roll back to a version whose bytes are known, or declare this one anew, so that it is judged"
            expected = f"version {version.version} as it was made at {_time(before.created):%Y-%m-%d %H:%M:%SZ} from run {before.run_id}"
            got = f"another one under that number, made from run {version.identity.run_id}"
            made = _time(version.identity.created)
            yield Drift(DriftKind.BYTES, name, environment, version.version, expected, got, made, hint)


def _metadata(found: Survey, memory: Iterable[tuple[str, str, AppliedBinding]]) -> Iterator[Drift]:
    for name, environment, binding, version in _versions(found, memory):
        if binding.identity not in {None, version.identity}:
            continue
        now = kept_tags(version)
        for key, value in (binding.tags or {}).items():
            if now.get(key) != value:
                got = f"tag {key} is {now[key]!r}" if key in now else f"tag {key} was removed"
                hint = "promotion drift --heal restores it"
                yield Drift(DriftKind.METADATA, name, environment, version.version, f"tag {key} = {value!r}", got, None, hint, key)


def _bytes(workspace: Workspace, found: Survey, memory: Iterable[tuple[str, str, AppliedBinding]]) -> Iterator[Drift]:
    bound = list(_versions(found, memory))
    wanted = {(name, version.version) for name, _, _, version in bound}
    digests = compute(workspace.registry, wanted, workspace.report)
    for name, environment, binding, version in bound:
        digest = digests[name, version.version]
        expected = f"sha256:{binding.bound.digest}" if binding.bound else "nothing"
        if isinstance(digest, PromotionError):
            got, hint = f"cannot be read: {digest.message}", digest.hint
            yield Drift(DriftKind.BYTES, name, environment, version.version, expected, got, None, hint, unknown=True)
        elif binding.bound is not None and digest != binding.bound.digest:
            hint = "the files changed under this version: roll it back, and find out who can write the artifact store"
            yield Drift(DriftKind.BYTES, name, environment, version.version, expected, f"sha256:{digest}", None, hint)


def _edited(found: Survey, declaration: Declaration, drifts: Iterable[Drift]) -> Iterator[Change]:
    """A change for each binding whose tags alone drifted, so that it is judged and recorded as a healing."""
    planned = {(change.model, change.environment) for change in found.plan.changes}
    environments = {environment.name: environment for environment in found.desired.environments}
    edited = {(drift.model, drift.environment) for drift in drifts if drift.tag is not None} - planned
    for binding in declaration.desired.bindings:
        if (binding.model, binding.environment) in edited:
            version = _applied(found.applied[binding.model].bindings, binding.environment)
            now = shown(environments[binding.environment], found.observed.models[binding.model])
            yield Change(ChangeKind.HEAL, binding.model, binding.environment, version, version, now, None, binding.place)


def _applied(bindings: Mapping[str, AppliedBinding], environment: str) -> int | None:
    bound = bindings[environment].bound
    return bound.version if bound else None


def _restorable(found: Survey, drift: Drift) -> bool:
    return drift.tag is not None and not _value(found, drift).startswith("sha256:")


def _restoring(found: Survey, drift: Drift) -> Operation:
    assert drift.version is not None
    return SetVersionTag(drift.model, drift.version, drift.tag or "", _value(found, drift))


def _value(found: Survey, drift: Drift) -> str:
    return (found.applied[drift.model].bindings[drift.environment].tags or {})[drift.tag or ""]


def _moment(version: ObservedVersion) -> datetime:
    return _time(version.updated)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
