"""Pin declared versions: ``use: 3`` becomes ``use: 3@sha256:…``, with the digest of the bytes that are there now.

A pin says "these bytes, whatever the registry calls them". So it is only written where nothing speaks against them: not an
earlier pin, and not the journal, which knows the digest that was applied under that number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promotion.config.edit import edits
from promotion.config.load import load_desired
from promotion.config.wording import nearest
from promotion.digests import compute
from promotion.domain import Declared, Problem
from promotion.errors import Exit, InvalidFiles, PromotionError, UsageError
from promotion.remembered import check_memory
from promotion.repository import working_files

if TYPE_CHECKING:
    from promotion.config.load import Source
    from promotion.domain import AppliedModel, ObservedModel
    from promotion.survey import Workspace


class OtherBytes(InvalidFiles):
    """Versions whose bytes are not those that were pinned or applied (exit 4): every one of them, at its place."""

    exit_code = Exit.FAILED


@dataclass(frozen=True, slots=True)
class Pinned:
    """What was pinned: the bindings as they are declared now, how many were pinned already, and the new bytes of each file."""

    bindings: tuple[Declared, ...]
    already: int
    files: Mapping[str, bytes]


def pin(workspace: Workspace, name: str | None) -> Pinned:
    """The pins of every declared version of one model, or of all; nothing is written.

    Raises UsageError for a model that is not declared or a version that does not exist, OtherBytes with every version whose bytes
    are others than an earlier pin or the journal says, Unavailable where bytes cannot be read.
    """
    sources = working_files(workspace.git, workspace.layout)
    desired = load_desired(sources)
    if name is not None and name not in desired.models:
        raise UsageError(f"{name!r} is not declared", hint=nearest(name, desired.models))
    wanted = [one for one in desired.bindings if one.version is not None and name in {None, one.model}]
    state = workspace.journal.read()
    observed = workspace.registry.observe({one.model for one in wanted})
    check_memory(workspace.journal, state, observed)
    _check_exist(wanted, observed.models, sources)
    digests = compute(workspace.registry, ((one.model, one.version) for one in wanted if one.version is not None), workspace.report)
    applied = state.applied_of({one.model for one in wanted}) if wanted else {}
    problems: list[Problem] = []
    new: list[Declared] = []
    for one in wanted:
        assert one.version is not None
        digest = digests[one.model, one.version]
        if isinstance(digest, PromotionError):
            digest.place = digest.place or one.place
            raise digest
        found = _against(one, digest, observed.models[one.model], applied.get(one.model))
        problems += found
        if not found and one.digest is None:
            new.append(Declared(one.model, one.environment, one.version, digest, one.place))
    if problems:
        raise OtherBytes([_with_line(problem, sources) for problem in problems])
    uses = {(one.model, one.environment): f"{one.version}@sha256:{one.digest}" for one in new}
    return Pinned(tuple(new), len(wanted) - len(new), edits(sources, uses) if uses else {})


def _check_exist(wanted: Iterable[Declared], models: Mapping[str, ObservedModel], sources: Iterable[Source]) -> None:
    missing = [one for one in wanted if one.model not in models or one.version not in models[one.model].versions]
    if missing:
        rule, hint = "no-such-version", "declare one that exists: promotion plan tells which"
        problems = [Problem(one.place, f"the registry has no {one.model}/{one.version}", rule, hint) for one in missing]
        raise InvalidFiles([_with_line(problem, sources) for problem in problems])


def _against(one: Declared, digest: str, model: ObservedModel, memory: AppliedModel | None) -> list[Problem]:
    """What speaks against pinning these bytes."""
    assert one.version is not None
    if one.digest is not None and one.digest != digest:
        message = f"{one.model}/{one.version} is pinned as sha256:{one.digest}, but its bytes are sha256:{digest}"
        hint = f"the artifact was replaced or the version made again; if the new bytes are meant: promotion propose {one.model} "
        return [Problem(one.place, message, "other-bytes", f"{hint}{one.environment}={one.version}, then pin it")]
    for environment, binding in sorted(memory.bindings.items()) if memory else ():
        bound = binding.bound
        if bound is None or bound.version != one.version or bound.digest == digest:
            continue
        again = binding.identity is not None and binding.identity != model.versions[one.version].identity
        how = "the version was deleted and made again since" if again else "its files were replaced since"
        message = f"{environment} applied {one.model}/{one.version} as sha256:{bound.digest}, but its bytes are sha256:{digest}"
        return [Problem(one.place, message, "other-bytes", f"{how}: find out who did it, and register what is meant as a new version")]
    return []


def _with_line(problem: Problem, sources: Iterable[Source]) -> Problem:
    source = next(one for one in sources if one.name == problem.place.file)
    line = source.content.decode("utf-8-sig").split("\n")[problem.place.line - 1].removesuffix("\r")
    return Problem(problem.place, problem.message, problem.rule, problem.hint, line)
