"""Journal what is in service as *adopted*: found there, by nobody's judgement of ours.

An adopted binding proves neither staging nor quality, so it adds no proof of having passed; but it may be rolled back to, as UNVERIFIED.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promotion import __version__
from promotion.changes import ChangeKind
from promotion.domain import AppliedBinding, AppliedModel, Bound, Observed
from promotion.errors import PromotionError
from promotion.journal import Entry, EntryKind, RecordedChange
from promotion.record import Stamp, kept_tags
from promotion.remembered import JOURNAL_TAG
from promotion.verdicts import Status

if TYPE_CHECKING:
    from promotion.git import Commit
    from promotion.journal import State
    from promotion.survey import Workspace


@dataclass(frozen=True, slots=True)
class Adopted:
    """One binding that is taken as it was found: ``before`` is what the journal said, ``after`` what is in service (None: nothing)."""

    model: str
    environment: str
    before: Bound | None
    after: Bound | None


def memory(
    applied: Mapping[str, AppliedModel], adopted: Iterable[Adopted], observed: Observed, order: Sequence[str], stamp: Stamp
) -> dict[str, AppliedModel]:
    """The journal's memory of the models whose bindings are adopted; ``order`` are the environments in the order of promotion."""
    found: dict[str, AppliedModel] = {}
    for one in adopted:
        model = found.get(one.model) or applied.get(one.model) or AppliedModel(one.model, {}, {})
        bindings = {**model.bindings, one.environment: _binding(model.bindings.get(one.environment), one, observed, stamp)}
        names = [name for name in order if name in bindings] + sorted(set(bindings) - set(order))
        found[one.model] = AppliedModel(one.model, {name: bindings[name] for name in names}, model.passed)
    return found


def record(
    workspace: Workspace,
    state: State,
    commit: Commit,
    subject: str,
    adopted: Sequence[Adopted],
    changed: Mapping[str, AppliedModel],
    stamp: Stamp,
) -> State:
    """Append the entry that says so, and let the journal remember ``changed``. What was recorded before stays recorded.

    Raises Conflict while a reconcile is under way or was left unfinished, UsageError when the entry must be signed and cannot be.
    """
    entry = Entry(
        kind=EntryKind.ADOPTED,
        id=uuid.uuid4().hex,
        commit=commit.sha,
        author=commit.author,
        subject=subject,
        at=stamp.at,
        by=stamp.by,
        tool=__version__,
        registry=workspace.registry.address,
        plan=None,
        policies=None,
        # WARNED: nobody judged it.
        changes=tuple(
            RecordedChange(ChangeKind.ADOPT, one.model, one.environment, one.before, one.after, (), Status.WARNED) for one in adopted
        ),
        refusals=(),
        lease_until=None,
        takes_over=None,
        recorded=state.recorded,
    )
    return workspace.journal.append(state, entry, applied=changed)


def claim(workspace: Workspace, state: State, models: Iterable[str]) -> tuple[str, ...]:
    """Let the registry remember that these models belong to this journal; what it does not take is told, not raised."""
    notes = []
    for name in sorted(set(models)):
        try:
            workspace.registry.set_model_tag(name, JOURNAL_TAG, f"{state.root}/{state.head}")
        except PromotionError as error:
            notes.append(f"{name}: the registry does not remember this entry: {error.message}")
    return tuple(notes)


def _binding(old: AppliedBinding | None, one: Adopted, observed: Observed, stamp: Stamp) -> AppliedBinding:
    version = None if one.after is None else observed.models[one.model].versions[one.after.version]
    if old is not None and old.bound == one.after and version is not None and old.identity == version.identity:
        return replace(old, tags=kept_tags(version))  # what was applied stands as it was; its tags alone are new
    previous = None if old is None else old.bound or old.previous
    return AppliedBinding(
        bound=one.after,
        previous=previous,
        identity=None if version is None else version.identity,
        evidence=(),
        commit=stamp.commit,
        at=stamp.at,
        by=stamp.by,
        adopted=True,
        tags=None if version is None else kept_tags(version),
    )
