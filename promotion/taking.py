"""Take what the registry shows as it is, where it drifted: the file declares it from now on, and the journal has it as adopted.

Only what is clear is taken, and only where the file says what was applied: a declaration that is pending is for reconcile to judge.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promotion.adopt import Adopted, claim, memory, record
from promotion.commits import newest
from promotion.config.edit import edits
from promotion.digests import Ref, compute
from promotion.domain import AppliedBinding, AppliedModel, Bound, Declared, Environment, ObservedModel
from promotion.errors import Conflict, Exit, PromotionError, Unavailable
from promotion.inservice import in_service
from promotion.journal import check_free, open_intent
from promotion.plan import expected, shown
from promotion.reconcile import Options
from promotion.record import Stamp, kept_tags
from promotion.repository import at, working_files, write
from promotion.survey import Survey, Workspace, survey
from promotion.waiting import deliver

if TYPE_CHECKING:
    from promotion.config.load import Source
    from promotion.git import Commit


@dataclass(frozen=True, slots=True)
class NotTaken:
    """One binding that drifted and was left as it is, and why."""

    model: str
    environment: str
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What ``drift --adopt`` did. ``diffs`` are the changes of the files, ``tags`` the models of whose versions the tags alone are new."""

    adopted: tuple[Adopted, ...]
    tags: tuple[str, ...]
    refused: tuple[NotTaken, ...]
    diffs: tuple[str, ...] = ()
    entry: str | None = None
    signed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """FAILED where something drifted and could not be taken."""
        return Exit.FAILED if self.refused else Exit.DONE


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One binding to take: the version that is shown (None: nothing), and what is declared now."""

    declared: Declared
    version: int | None
    last: AppliedBinding


def take(workspace: Workspace, options: Options) -> Taken:
    """Declare and journal what the registry shows of every declared binding that drifted. The file is written, not committed.

    Raises as ``reconcile`` does for a checkout that is not main's newest commit, and Conflict while a reconcile is under way.
    """
    commit = newest(workspace, options.remote, options.branch)
    declaration = at(workspace.git, commit.sha, workspace.layout)
    found = survey(workspace, declaration, to_write=True)
    if deliver(workspace, found):
        found = survey(workspace, declaration, to_write=True)
    check_free(found.state, workspace.now())
    if open_intent(found.state, workspace.now()).entry is not None:
        raise Conflict("a reconcile was left unfinished", hint="promotion reconcile completes it")
    wanted: list[_Wanted] = []
    refused: list[NotTaken] = []
    edited: list[_Wanted] = []
    for name in found.desired.models:
        clear, unclear = _model(found, name)
        wanted += clear
        refused += unclear
        moved = {*(one.declared.environment for one in clear), *(one.environment for one in unclear)}
        edited += [one for one in _edited(found, name) if one.declared.environment not in moved]
    digests = compute(workspace.registry, [(one.declared.model, one.version) for one in wanted if one.version], workspace.report)
    kept, other = _checked(found, wanted, digests)
    return _record(workspace, found, commit, (*kept, *(_adopted(one, one.last.bound) for one in edited)), (*refused, *other))


def _model(found: Survey, name: str) -> tuple[list[_Wanted], list[NotTaken]]:
    """What to take of one model, and what not."""
    memory_of = found.applied.get(name)
    declared = {one.environment: one for one in found.desired.of(name)}
    last = {key: one for key, one in memory_of.bindings.items() if key in declared} if memory_of else {}
    managed = tuple(one for one in found.desired.environments if one.name in declared)
    model = found.observed.models.get(name)
    if model is None:
        return [], [NotTaken(name, key, "the registry has no such model any more") for key, one in last.items() if one.bound]
    drifted = _drifted(managed, last, model)
    if not drifted:
        return [], []
    now = in_service(managed, model)
    if now.unclear:
        return [], [NotTaken(name, key, "; ".join(now.unclear)) for key in drifted]
    wanted, refused = [], []
    for key in drifted:
        reason = _pending(declared[key], last[key])
        version = now.bindings.get(key)
        if reason is None and version == _version(last[key]):
            # It is another environment, or another one under the same number, that differs.
            if version is None or last[key].identity in {None, model.versions[version].identity}:
                continue
            reason = f"version {version} was deleted and made again: declare it anew, so that it is judged"
        if reason is not None:
            refused.append(NotTaken(name, key, reason))
        else:
            wanted.append(_Wanted(declared[key], version, last[key]))
    return wanted, refused


def _drifted(managed: Sequence[Environment], last: Mapping[str, AppliedBinding], model: ObservedModel) -> list[str]:
    """The environments of one model that show something else than what was applied."""
    recorded = {key: _version(one) for key, one in last.items()}
    found = []
    for environment in managed:
        if environment.name not in last:
            continue
        binding = last[environment.name]
        version = model.versions.get(binding.bound.version) if binding.bound else None
        again = version is not None and binding.identity not in {None, version.identity}
        if again or shown(environment, model) != expected(managed, recorded, environment.name):
            found.append(environment.name)
    return found


def _pending(declared: Declared, last: AppliedBinding) -> str | None:
    if declared.version == _version(last):
        return None
    told = "none" if declared.version is None else declared.version
    return f"the file declares {told}, which was not applied yet: promotion reconcile judges it"


def _edited(found: Survey, name: str) -> list[_Wanted]:
    """The bindings whose version bears other tags than when it was applied."""
    memory_of, model = found.applied.get(name), found.observed.models.get(name)
    wanted = []
    for one in found.desired.of(name) if memory_of and model else ():
        assert memory_of is not None
        assert model is not None
        last = memory_of.bindings.get(one.environment)
        version = model.versions.get(last.bound.version) if last and last.bound else None
        if last is None or version is None or last.tags is None or last.identity not in {None, version.identity}:
            continue
        if kept_tags(version) != last.tags:
            wanted.append(_Wanted(one, version.version, last))
    return wanted


def _checked(found: Survey, wanted: Iterable[_Wanted], digests: Mapping[Ref, str | PromotionError]) -> tuple[list[Adopted], list[NotTaken]]:
    """What may be taken, with its digest; not what cannot be read, or has other bytes than the journal knows of it."""
    kept, refused = [], []
    for one in wanted:
        name, environment = one.declared.model, one.declared.environment
        if one.version is None:
            kept.append(_adopted(one, None))
            continue
        digest = digests[name, one.version]
        if isinstance(digest, PromotionError):
            refused.append(NotTaken(name, environment, f"the bytes of version {one.version} cannot be read: {digest.message}"))
        elif (reason := _other(found, name, one.version, digest)) is not None:
            refused.append(NotTaken(name, environment, reason))
        else:
            kept.append(_adopted(one, Bound(one.version, digest)))
    return kept, refused


def _other(found: Survey, name: str, version: int, digest: str) -> str | None:
    identity = found.observed.models[name].versions[version].identity
    for environment, binding in found.applied[name].bindings.items():
        bound = binding.bound
        if bound is not None and bound.version == version and bound.digest != digest and binding.identity in {None, identity}:
            return (
                f"{environment} applied version {version} as sha256:{bound.digest}, but its bytes are sha256:{digest}: they were replaced"
            )
    return None


def _adopted(one: _Wanted, after: Bound | None) -> Adopted:
    return Adopted(one.declared.model, one.declared.environment, one.last.bound, after)


def _record(workspace: Workspace, found: Survey, commit: Commit, adopted: Sequence[Adopted], refused: Sequence[NotTaken]) -> Taken:
    """Write the files, then the journal; the files go back when the journal says no."""
    moved = tuple(one for one in adopted if one.before != one.after)
    tags = tuple(dict.fromkeys(one.model for one in adopted if one.before == one.after))
    result = Taken(moved, tags, tuple(refused))
    if not adopted:
        return result
    before = working_files(workspace.git, workspace.layout)
    pinned = {(one.model, one.environment) for one in found.desired.bindings if one.digest}
    after = edits(before, {(one.model, one.environment): _use(one, pinned) for one in moved}) if moved else {}
    changed = {source.name: source for source in before if after.get(source.name, source.content) != source.content}
    stamp = Stamp(commit.sha, workspace.now(), workspace.by)
    order = [one.name for one in found.desired.environments]
    new: dict[str, AppliedModel] = memory(found.applied, adopted, found.observed, order, stamp)
    write(workspace.git, {name: after[name] for name in changed})
    try:
        state = record(workspace, found.state, commit, "Adopt what the registry shows", adopted, new, stamp)
    except Unavailable:
        raise  # it may have arrived: the file then says what the journal does
    except PromotionError:
        write(workspace.git, {name: source.content for name, source in changed.items()})
        raise
    diffs = tuple(_diff(source, after[name]) for name, source in changed.items())
    return replace(result, diffs=diffs, entry=state.head, signed=state.signed, notes=claim(workspace, state, new))


def _use(one: Adopted, pinned: set[tuple[str, str]]) -> str:
    if one.after is None:
        return "none"
    return f"{one.after.version}@sha256:{one.after.digest}" if (one.model, one.environment) in pinned else str(one.after.version)


def _diff(source: Source, after: bytes) -> str:
    old, new = (content.decode("utf-8-sig").splitlines() for content in (source.content, after))
    return "\n".join(difflib.unified_diff(old, new, f"a/{source.name}", f"b/{source.name}", n=2, lineterm=""))


def _version(binding: AppliedBinding) -> int | None:
    return binding.bound.version if binding.bound else None
