"""An entry of the journal that waits in the registry while git hosting is down, so that users need not wait for it.

A rollback alone may do so: it takes a bad version out of service. Without the lock two of them could meet; each goes to a predecessor that
the signed journal names, and of two entries that follow the same one the second is refused when it is delivered, loudly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from promotion.converge import converge
from promotion.domain import Observed
from promotion.entries import brief, holds_with
from promotion.errors import JournalError
from promotion.journal.waiting import NOTHING, TAG, waits
from promotion.record import Stamp, remember
from promotion.writing import Pace

if TYPE_CHECKING:
    from promotion.domain import Desired
    from promotion.entries import Record
    from promotion.journal import State
    from promotion.reconcile import Options, Outcome
    from promotion.survey import Survey, Workspace


def leave(workspace: Workspace, options: Options, found: Survey, target: Desired, outcome: Outcome, record: Record) -> Outcome:
    """Leave the signed entry in the registry, then write what it says: a crash between leaves what the next run completes.

    A tag holds little, so of each change the entry tells the worst verdict alone.

    Raises as ``reconcile``; UsageError where the journal is unsigned.
    """
    stamp = Stamp(record.entry.commit, workspace.now(), workspace.by)
    environments = tuple(environment.name for environment in found.desired.environments)
    memory = remember(found.applied, outcome.done, found.observed, environments, stamp)
    holds = holds_with(found.state, record.holds)
    state, tags = workspace.journal.leave(found.state, replace(brief(record.entry), at=stamp.at), applied=memory, holds=holds)
    model = outcome.done[0].change.model
    for key, value in tags.items():
        workspace.registry.set_model_tag(model, key, value)
    if outcome.written:
        deadline = stamp.at + timedelta(seconds=options.lease - options.margin)
        end = converge(workspace, target, found.applied, found.observed, outcome.written, deadline, Pace(workspace.registry.writers))
        if end.refused:
            raise next(iter(end.refused.values()))
        outcome = replace(outcome, written=end.written)
    note = (
        f"{options.remote} does not answer: the entry waits in the registry, and the next reconcile or rollback pushes it ({model}: {TAG})"
    )
    return replace(outcome, entry=state.head, signed=True, notes=(*outcome.notes, note))


def deliver(workspace: Workspace, found: Survey) -> bool:
    """Push every entry that waits; True where there was one: look again. Raises JournalError for one that cannot be pushed."""
    waiting = [model.name for model in found.observed.models.values() if waits(model.tags)]
    if waiting:
        _taken(found.state, found.observed, workspace.journal.deliver)
    for name in waiting:
        workspace.registry.set_model_tag(name, TAG, NOTHING)
        workspace.report(f"pushed the entry that waited in the registry at {name}")
    return bool(waiting)


def with_waiting(workspace: Workspace, state: State, observed: Observed) -> State:
    """The journal as it will be once what waits is pushed. Raises JournalError for an entry that does not verify."""
    return _taken(state, observed, workspace.journal.accept)


def _taken(state: State, observed: Observed, take: Callable[[State, dict[str, str]], State]) -> State:
    """Each entry after the one that it follows, in whichever order they were left."""
    left = [dict(model.tags) for model in observed.models.values() if waits(model.tags)]
    while left:
        failure: JournalError | None = None
        for tags in left:
            try:
                state = take(state, tags)
            except JournalError as error:
                failure = error
                continue
            left.remove(tags)
            break
        else:
            assert failure is not None
            raise failure
    return state
