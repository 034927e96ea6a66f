"""Begin with a registry that is in use: write the files from what it shows, and journal what is in service as adopted.

The order keeps every step repeatable: all that can be refused is refused first, then the journal is written, then the files. A second
run after a kill in between finds its own entry, and writes the files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from promotion import starting
from promotion.adopt import Adopted, claim, memory, record
from promotion.config.declarations import DEFAULT_ENVIRONMENTS
from promotion.config.load import Source, load, load_desired, load_policies
from promotion.config.values import check_model_name
from promotion.config.wording import nearest
from promotion.digests import compute
from promotion.domain import AppliedModel, Bound, Desired, Environment, Observed, ObservedModel
from promotion.errors import Conflict, PromotionError, UsageError
from promotion.inservice import By, InService, in_service, in_use
from promotion.journal import check_free, open_intent
from promotion.plan import plan
from promotion.record import Stamp
from promotion.remembered import JOURNAL_TAG, check_memory
from promotion.repository import create, policy_files, present_files

if TYPE_CHECKING:
    from promotion.git import Commit
    from promotion.journal import State
    from promotion.survey import Workspace


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may choose: the models (shell patterns; all without one), the way of binding, other names of aliases."""

    models: tuple[str, ...] = ()
    by: By | None = None
    aliases: Mapping[str, str] | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A model that was not declared, and why."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Started:
    """What ``init`` did, or would do.

    ``files`` are written, by name. ``declared`` are bindings of clear models, of which ``adopted`` are new to the journal; ``unclear``
    stand commented out; ``left_out`` do not stand in the file; ``idle`` are in no environment. ``entry`` is the journal's commit.
    """

    registry: str
    file: str
    files: Mapping[str, bytes]
    environments: tuple[Environment, ...]
    declared: tuple[InService, ...]
    adopted: tuple[Adopted, ...]
    unclear: tuple[InService, ...]
    left_out: tuple[LeftOut, ...]
    idle: tuple[str, ...]
    entry: str | None = None
    signed: bool = False
    first_commit: str | None = None
    dry_run: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that are there, what they declare, and the one that is to be written."""

    declarations: tuple[Source, ...]
    policies: tuple[Source, ...]
    desired: Desired | None
    missing: str


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The models of the registry, each where it belongs."""

    environments: tuple[Environment, ...]
    clear: tuple[InService, ...]
    unclear: tuple[InService, ...]
    left_out: tuple[LeftOut, ...]
    idle: tuple[str, ...]


def start(workspace: Workspace, options: Options) -> Started:
    """Write a declaration of what the registry shows, rules to begin with, and the journal's entry.

    Raises UsageError (nothing was changed) when the declaration is there already, no model matches, or a file would be overwritten;
    Conflict while a reconcile is under way; JournalError when the journal does not verify or was cut; Unavailable when the registry or
    the remote does not answer.
    """
    files = _files(workspace)
    state = workspace.journal.read()
    _check_lock(workspace, state)
    observed, skipped = _observe(workspace, options, files)
    own = {name: model for name, model in observed.models.items() if _foreign(state, model) is None}
    check_memory(workspace.journal, state, replace(observed, models=own))
    found = _sort(observed, state, options, files, skipped)
    digests, found = _digests(workspace, state, found)
    written = _written(workspace, files, found)
    adopted = _adopted(state, found, digests)
    result = Started(
        observed.registry, files.missing, written, found.environments, found.clear, adopted, found.unclear, found.left_out, found.idle
    )
    if options.dry_run:
        return replace(result, dry_run=True)
    return _apply(workspace, state, observed, result)


def _files(workspace: Workspace) -> _Files:
    layout = workspace.layout
    present = present_files(workspace.git, layout)
    missing = [name for name in layout.files if name not in {source.name for source in present}]
    if not missing:
        raise UsageError(
            f"{layout.files[0]} is there already: nothing was changed",
            hint="init never writes over a file; name another with --file, or move this one away",
        )
    if len(missing) > 1:
        raise UsageError(f"{' and '.join(missing)} are not there, and init writes one file", hint="name one of them with --file")
    return _Files(present, policy_files(workspace.git, layout), load_desired(present) if present else None, missing[0])


def _check_lock(workspace: Workspace, state: State) -> None:
    check_free(state, workspace.now())
    if open_intent(state, workspace.now()).entry is not None:
        raise Conflict("a reconcile was left unfinished", hint="promotion reconcile completes it")


def _observe(workspace: Workspace, options: Options, files: _Files) -> tuple[Observed, list[LeftOut]]:
    """The models that are asked for and can be declared."""
    names = workspace.registry.names()
    workspace.report(f"the registry has {len(names):,} models")
    for pattern in options.models:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"no registered model matches {pattern!r}", hint=nearest(pattern, names) or "the registry has no models")
    wanted = [name for name in names if not options.models or any(fnmatchcase(name, pattern) for pattern in options.models)]
    declared = set(files.desired.models) if files.desired else set()
    skipped: list[LeftOut] = []
    for name in wanted:
        if name in declared:
            skipped.append(LeftOut(name, "another file declares it"))
        elif (reason := check_model_name(name)) is not None:
            skipped.append(LeftOut(name, reason))
    leave = {one.model for one in skipped}
    return workspace.registry.observe([name for name in wanted if name not in leave]), skipped


def _sort(observed: Observed, state: State, options: Options, files: _Files, skipped: list[LeftOut]) -> _Sorted:
    foreign = {name: reason for name, model in observed.models.items() if (reason := _foreign(state, model)) is not None}
    models = [model for name, model in observed.models.items() if name not in foreign]
    environments = _environments(models, options, files)
    applied = state.applied_of([model.name for model in models]) if models else {}
    clear, unclear, idle = [], [], []
    left_out = [*skipped, *(LeftOut(name, reason) for name, reason in foreign.items())]
    for model in models:
        shown = in_service(environments, model)
        if not shown.bindings and not shown.unclear:
            idle.append(model.name)
        elif shown.unclear:
            unclear.append(shown)
        elif model.name in applied and not _remembered(shown, observed, applied[model.name]):
            hint = "the journal has it already, and remembers otherwise: declare it by hand, then look at promotion drift"
            left_out.append(LeftOut(model.name, hint))
        else:
            clear.append(shown)
    return _Sorted(environments, tuple(clear), tuple(unclear), tuple(sorted(left_out, key=lambda one: one.model)), tuple(idle))


def _foreign(state: State, model: ObservedModel) -> str | None:
    """Why a model belongs to another repository; None where it does not."""
    tag = model.tags.get(JOURNAL_TAG)
    if not tag or tag.partition("/")[0] == state.root:
        return None
    return f"it belongs to another repository's journal ({tag[:12]}); if that is gone, delete the model's tag {JOURNAL_TAG}"


def _environments(models: Sequence[ObservedModel], options: Options, files: _Files) -> tuple[Environment, ...]:
    """Those of the files that are there, else the usual two in the ways that the models use."""
    aliases = options.aliases or {}
    if files.desired is not None:
        if aliases or options.by is not None:
            raise UsageError("--by and --alias are for a first file: the environments are those of the files that are there")
        return files.desired.environments
    if unknown := sorted(set(aliases) - {one.name for one in DEFAULT_ENVIRONMENTS}):
        raise UsageError(f"there is no environment {unknown[0]!r}", hint=nearest(unknown[0], [one.name for one in DEFAULT_ENVIRONMENTS]))
    usual = tuple(replace(one, alias=aliases.get(one.name, one.alias)) for one in DEFAULT_ENVIRONMENTS)
    return in_use(usual, models, options.by)


def _remembered(shown: InService, observed: Observed, known: AppliedModel) -> bool:
    """Whether the journal remembers exactly what is shown."""
    bound = {name: binding.bound.version for name, binding in known.bindings.items() if binding.bound is not None}
    same = all(
        binding.bound is None or binding.identity in {None, observed.models[shown.name].versions[binding.bound.version].identity}
        for name, binding in known.bindings.items()
        if bound.get(name) == shown.bindings.get(name)
    )
    return bound == dict(shown.bindings) and same


def _digests(workspace: Workspace, state: State, found: _Sorted) -> tuple[dict[tuple[str, int], str], _Sorted]:
    """The digest of every version that is new to the journal; a model whose bytes cannot be read is not clear."""
    known = state.applied_of([one.name for one in found.clear]) if found.clear else {}
    new = [one for one in found.clear if one.name not in known]
    computed = compute(workspace.registry, ((one.name, version) for one in new for version in one.bindings.values()), workspace.report)
    failed: dict[str, list[str]] = {}
    for (name, version), digest in computed.items():
        if isinstance(digest, PromotionError):
            failed.setdefault(name, []).append(f"the bytes of version {version} cannot be read: {digest.message}")
    clear = tuple(one for one in found.clear if one.name not in failed)
    unclear = [*found.unclear, *(replace(one, unclear=tuple(failed[one.name])) for one in found.clear if one.name in failed)]
    digests = {ref: digest for ref, digest in computed.items() if isinstance(digest, str)}
    return digests, replace(found, clear=clear, unclear=tuple(sorted(unclear, key=lambda one: one.name)))


def _adopted(state: State, found: _Sorted, digests: Mapping[tuple[str, int], str]) -> tuple[Adopted, ...]:
    known = state.applied_of([one.name for one in found.clear]) if found.clear else {}
    return tuple(
        Adopted(one.name, environment, None, Bound(version, digests[one.name, version]))
        for one in found.clear
        if one.name not in known
        for environment, version in one.bindings.items()
    )


def _written(workspace: Workspace, files: _Files, found: _Sorted) -> dict[str, bytes]:
    """Every file to write; raises UsageError when one is there, InvalidFiles when they would not be valid with those that are."""
    folder = workspace.layout.policies
    own = None if files.desired is not None or found.environments == DEFAULT_ENVIRONMENTS else found.environments
    content = starting.declaration(own, (*found.clear, *found.unclear), found.idle)
    order = [one.name for one in found.environments]
    ruled = {rule.environment for rule in load_policies(files.policies).rules} if files.policies else set()
    added = {f"{folder}/{name}": text for name, text in starting.rules(order, [one for one in order if one not in ruled]).items()}
    if not (workspace.git.root / folder / "README.md").exists():
        added[f"{folder}/README.md"] = starting.readme(folder)
    for name in (files.missing, *added):
        if os.path.lexists(workspace.git.root / name):
            raise UsageError(f"{name} is there already: nothing was changed", hint="init never writes over a file: move this one away")
    new = Source(files.missing, content)
    policies = [Source(name, text) for name, text in added.items() if name.endswith(".yaml")]
    desired, _ = load((*files.declarations, new), (*files.policies, *policies))
    assert set(desired.models) >= {one.name for one in found.clear}
    return {files.missing: content, **added}


def _apply(workspace: Workspace, state: State, observed: Observed, result: Started) -> Started:
    notes: tuple[str, ...] = ()
    if result.adopted:
        commit, first = _commit(workspace, state)
        stamp = Stamp(commit.sha, workspace.now(), workspace.by)
        order = [one.name for one in result.environments]
        changed = memory({}, result.adopted, observed, order, stamp)
        _check_empty(result, observed, changed)
        state = record(workspace, state, commit, "Adopt what is in service", result.adopted, changed, stamp)
        notes = claim(workspace, state, changed)
        result = replace(result, entry=state.head, signed=state.signed, first_commit=first, notes=notes)
    create(workspace.git, result.files)
    return result


def _check_empty(result: Started, observed: Observed, changed: Mapping[str, AppliedModel]) -> None:
    """What is about to be declared and journaled plans nothing: a guard against a fault of our own."""
    desired = load_desired([Source(result.file, result.files[result.file])])
    desired = replace(desired, environments=result.environments, bindings=tuple(one for one in desired.bindings if one.model in changed))
    made = plan(desired, observed, changed)
    assert not made.changes, made.changes
    assert not made.operations, made.operations
    assert not made.problems, made.problems


def _commit(workspace: Workspace, state: State) -> tuple[Commit, str | None]:
    """The commit that the entry is about: main's newest at the remote, since what is not on main vouches for nobody; else HEAD.

    In a repository without commits, an empty one is made, and given back as well.
    """
    git = workspace.git
    if state.main is not None:
        return git.commit(state.main), None
    if git.has_commits():
        return git.commit("HEAD"), None
    made = git.first_commit("Start\n", workspace.now())
    return git.commit(made), made
