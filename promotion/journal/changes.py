"""Pure: whether the journal's memory changed as an entry says, and in no other way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from promotion.changes import ChangeKind
from promotion.journal.model import EntryKind

if TYPE_CHECKING:
    from promotion.domain import AppliedModel, Bound
    from promotion.journal.model import Entry

_REMEMBERING = frozenset({EntryKind.OUTCOME, EntryKind.ADOPTED})


def disagreements(entry: Entry, before: Mapping[str, AppliedModel], after: Mapping[str, AppliedModel]) -> Iterator[str]:
    """One sentence for each difference between the memory's change and the entry's words.

    ``before`` and ``after`` hold the models whose memory is written, as far as there is one.
    """
    said = {(change.model, change.environment): change for change in entry.changes}
    for model in sorted({*before, *after}):
        old, new = before.get(model), after.get(model)
        if old == new:
            continue
        if entry.kind not in _REMEMBERING:
            yield f"the memory of {model!r} changed, which an entry of kind {entry.kind} must not do"
            continue
        for environment in sorted(_touched(old, new)):
            change = said.get((model, environment))
            if change is None:
                yield f"{environment} of {model!r} changed, and the entry does not say so"
            elif _bound(new, environment) != change.after:
                yield f"{environment} of {model!r} is now {_told(_bound(new, environment))}, but the entry says {_told(change.after)}"
        yield from _lost(model, old, new)
    if entry.kind in _REMEMBERING:
        yield from _unfulfilled(entry, after)


def _unfulfilled(entry: Entry, after: Mapping[str, AppliedModel]) -> Iterator[str]:
    """Changes that the entry tells of and the memory does not have; healing restores what was remembered all along."""
    for change in entry.changes:
        if change.kind is ChangeKind.HEAL or change.before == change.after:
            continue
        if change.model not in after or _bound(after[change.model], change.environment) != change.after:
            where = f"{change.environment} of {change.model!r}"
            yield f"the entry says {_told(change.after)} for {where}, but the memory was not changed so"


def _touched(old: AppliedModel | None, new: AppliedModel | None) -> set[str]:
    """Environments whose binding or proofs differ."""
    names = {name for one in (old, new) if one for name in (*one.bindings, *one.passed)}
    return {name for name in names if _part(old, name) != _part(new, name)}


def _part(model: AppliedModel | None, environment: str) -> tuple[object, object]:
    if model is None:
        return None, {}
    return model.bindings.get(environment), dict(model.passed.get(environment, {}))


def _lost(model: str, old: AppliedModel | None, new: AppliedModel | None) -> Iterator[str]:
    if old is None:
        return
    for environment in sorted(set(old.bindings) - set(new.bindings if new else ())):
        yield f"{environment} of {model!r} was forgotten"
    for environment, proofs in sorted(old.passed.items()):
        kept = new.passed.get(environment, {}) if new else {}
        if set(proofs) - set(kept):
            yield f"a proof that {model!r} passed {environment} was removed"


def _bound(model: AppliedModel | None, environment: str) -> Bound | None:
    binding = model.bindings.get(environment) if model else None
    return binding.bound if binding else None


def _told(bound: Bound | None) -> str:
    return "nothing" if bound is None else f"version {bound.version} (sha256:{bound.digest[:12]}…)"
