"""What reconcile writes into the journal: the entry, the evidence behind it, holds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from promotion import __version__
from promotion.domain import AppliedModel
from promotion.evidence import read
from promotion.journal import Entry, EntryKind, Hold, RecordedChange, RecordedVerdict, Refusal, Statement
from promotion.record import bound
from promotion.verdicts import Judged, Verdict

if TYPE_CHECKING:
    from promotion.git import Commit
    from promotion.journal import State
    from promotion.judging import Judgement
    from promotion.survey import Survey, Workspace


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be written into the journal: the entry, the evidence behind it, and new holds."""

    entry: Entry
    evidence: tuple[Statement, ...]
    holds: tuple[Hold, ...]


def entry_of(workspace: Workspace, found: Survey, commit: Commit, done: tuple[Judged, ...], refused: tuple[Judged, ...]) -> Entry:
    """The entry that says what was applied of a commit and what was refused."""
    return Entry(
        kind=EntryKind.OUTCOME,
        id=uuid.uuid4().hex,
        commit=commit.sha,
        author=commit.author,
        subject=commit.subject,
        at=workspace.now(),
        by=workspace.by,
        tool=__version__,
        registry=workspace.registry.address,
        plan=found.plan.digest,
        policies=found.declaration.policies.digest,
        changes=tuple(_recorded_change(one, found.applied) for one in done),
        refusals=tuple(_refusal(one) for one in refused),
        lease_until=None,
        takes_over=None,
        recorded=commit.sha,
    )


def intent_of(entry: Entry, until: datetime, recorded: str | None) -> Entry:
    """The entry as an intent whose lease ends at ``until``: before the first write, and without what the outcome tells anyway."""
    return replace(brief(entry), kind=EntryKind.INTENT, lease_until=until, recorded=recorded)


def brief(entry: Entry) -> Entry:
    """The entry without its verdicts, of each change the worst alone."""
    return replace(entry, changes=tuple(replace(one, verdicts=()) for one in entry.changes))


def recorded(state: State, entry: Entry) -> bool:
    """Whether the journal's last entry already says all of it."""
    return state.recorded == entry.commit and (not entry.refusals or (state.entry is not None and state.entry.refusals == entry.refusals))


def statements(judgement: Judgement) -> tuple[Statement, ...]:
    """The evidence behind a decision, to be kept in the journal, hence signed."""
    return tuple(
        Statement(read(content).key, content, judgement.replicates.get(digest)) for digest, content in judgement.statements.items()
    )


def holds_with(state: State, holds: tuple[Hold, ...]) -> dict[str, tuple[Hold, ...]]:
    """Every hold of the models that get new ones; a newer one for the same digest replaces the older."""
    new = {(hold.model, hold.environment, hold.digest) for hold in holds}
    kept = [hold for hold in state.holds() if (hold.model, hold.environment, hold.digest) not in new]
    return {name: tuple(hold for hold in (*kept, *holds) if hold.model == name) for name in {hold.model for hold in holds}}


def _recorded_change(judged: Judged, applied: Mapping[str, AppliedModel]) -> RecordedChange:
    change = judged.change
    memory = applied.get(change.model)
    last = memory.bindings.get(change.environment) if memory else None
    after = bound(judged)
    verdicts = tuple(dict.fromkeys(map(_recorded_verdict, judged.verdicts)))
    return RecordedChange(
        change.kind, change.model, change.environment, last.bound if last else None, after, judged.evidence, judged.status, verdicts
    )


def _recorded_verdict(verdict: Verdict) -> RecordedVerdict:
    waiver = verdict.waiver
    excepted = f"{waiver.owner} until {waiver.expires}: {waiver.reason}" if waiver else None
    rule = str(verdict.place) if verdict.place else None
    return RecordedVerdict(verdict.gate, verdict.status, verdict.expected, verdict.got, rule, excepted)


def _refusal(judged: Judged) -> Refusal:
    change = judged.change
    reasons = tuple(f"{v.gate} {v.status}: expected {v.expected}, got {v.got}" for v in judged.verdicts if v.status.blocks)
    return Refusal(change.model, change.environment, change.after, reasons or ("another change of this model was refused",))
