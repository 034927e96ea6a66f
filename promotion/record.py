"""Pure: what the journal remembers after changes were applied, and what it would restore."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from promotion.changes import Change, ChangeKind
from promotion.domain import AppliedBinding, AppliedModel, Bound, Declared, Desired, Observed, ObservedVersion, Passed
from promotion.verdicts import Judged, Status

OWN_TAGS = "promotion."
"""What the keys of promotion's own tags begin with."""

_LONGEST_TAG = 1_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which commit was applied, when, and by whom."""

    commit: str
    at: datetime
    by: str


def remember(
    applied: Mapping[str, AppliedModel], done: Iterable[Judged], observed: Observed, environments: tuple[str, ...], stamp: Stamp
) -> dict[str, AppliedModel]:
    """The journal's memory of the models that ``done`` touched; a healed binding is remembered as it was."""
    memory: dict[str, AppliedModel] = {}
    for one in done:
        change = one.change
        if change.kind is ChangeKind.HEAL:
            continue
        model = memory.get(change.model) or applied.get(change.model) or AppliedModel(change.model, {}, {})
        bindings = {**model.bindings, change.environment: _binding(model.bindings.get(change.environment), one, observed, stamp)}
        passed = _passed(model, one, stamp) if change.kind is ChangeKind.PROMOTE else model.passed
        order = [name for name in environments if name in bindings] + sorted(set(bindings) - set(environments))
        memory[change.model] = AppliedModel(change.model, {name: bindings[name] for name in order}, passed)
    return memory


def as_applied(binding: Declared, applied: Mapping[str, AppliedModel], observed: Observed) -> Declared | None:
    """The binding as it was applied last; None when it never was, or when the registry lost that version.

    A version that was made again under the same number is another one: bringing it back by its number would serve what nobody judged.
    """
    memory = applied.get(binding.model)
    last = memory.bindings.get(binding.environment) if memory else None
    if last is None:
        return None
    if last.bound is None:
        return replace(binding, version=None, digest=None)
    model = observed.models.get(binding.model)
    version = model.versions.get(last.bound.version) if model else None
    if version is None or last.identity not in {None, version.identity}:
        return None
    return replace(binding, version=last.bound.version, digest=None)


def restored(desired: Desired, applied: Mapping[str, AppliedModel], observed: Observed) -> Desired:
    """What was applied last of everything that is declared: what drift is measured against."""
    found = (as_applied(binding, applied, observed) for binding in desired.bindings)
    return replace(desired, bindings=tuple(binding for binding in found if binding is not None))


def bound(judged: Judged) -> Bound | None:
    """What a change binds, with the digest that was computed for it; None when it empties the environment.

    Raises ValueError when a version has no computed digest: such a change must have been refused.
    """
    change = judged.change
    if change.after is None:
        return None
    if judged.digest is None:
        msg = f"{change.model}/{change.after} was let through without a computed digest"
        raise ValueError(msg)
    return Bound(change.after, judged.digest)


def _binding(old: AppliedBinding | None, judged: Judged, observed: Observed, stamp: Stamp) -> AppliedBinding:
    change = judged.change
    version = None if change.after is None else observed.models[change.model].versions[change.after]
    return AppliedBinding(
        bound=bound(judged),
        previous=_previous(old, change),
        identity=None if version is None else version.identity,
        evidence=judged.evidence,
        commit=stamp.commit,
        at=stamp.at,
        by=stamp.by,
        # Brought back without evidence that passes now: measured afterwards (rule 3).
        unverified=change.kind is ChangeKind.ROLLBACK and not (judged.evidence and judged.status is Status.PASSED),
        tags=None if version is None else kept_tags(version),
    )


def kept_tags(version: ObservedVersion) -> dict[str, str]:
    """The tags that the journal remembers of a version: all but promotion's own; of a long value, its hash."""
    tags = sorted((key, value) for key, value in version.tags.items() if not key.startswith(OWN_TAGS))
    return {key: value if len(value) <= _LONGEST_TAG else f"sha256:{hashlib.sha256(value.encode()).hexdigest()}" for key, value in tags}


def _previous(old: AppliedBinding | None, change: Change) -> Bound | None:
    """The version that a later rollback may return to without being judged anew.

    After a rollback there is none: what was rolled back from was found bad, and going there again is a promotion.
    """
    if old is None or change.kind is ChangeKind.ROLLBACK:
        return None
    return old.bound if old.bound is not None else old.previous


def _passed(model: AppliedModel, judged: Judged, stamp: Stamp) -> Mapping[str, Mapping[str, Passed]]:
    now = bound(judged)
    if now is None:
        return model.passed
    environment = judged.change.environment
    proof = Passed(now.version, stamp.at, stamp.commit, judged.evidence)
    return {**model.passed, environment: {**model.passed.get(environment, {}), now.digest: proof}}
