"""Observe, plan, check, apply, read back, record: make the registry match the newest commit, safe at any crash.

The journal's intent is the lock: its push has one winner. Its lease lets a successor take over, and the owner checks its
deadline before every write. Every time-out of a write means "unknown": the registry is read back, and what is still missing
is written again, in bounded rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from promotion.agreement import Agreed, check_agreed
from promotion.changes import Operation
from promotion.commits import check_clean, check_order, newest
from promotion.converge import converge
from promotion.decide import applicable
from promotion.domain import Declared, Desired
from promotion.entries import Record, entry_of, holds_with, intent_of, recorded, statements
from promotion.errors import Exit, PromotionError, Unavailable
from promotion.journal import Hold, Refusal, check_free, open_intent
from promotion.judging import Judgement, judge
from promotion.plan import excess, plan
from promotion.record import Stamp, as_applied, remember
from promotion.registry.interface import Rejected
from promotion.repository import at
from promotion.survey import Survey, Workspace, survey
from promotion.telling import tell_approvals, tell_head
from promotion.verdicts import Decision, Judged, Status
from promotion.waiting import deliver, leave
from promotion.writing import Pace

if TYPE_CHECKING:
    from promotion.git import Commit
    from promotion.journal import Entry, State


class Refused(PromotionError):
    """The plan as a whole is larger than one reconcile may apply (exit 4)."""

    exit_code = Exit.FAILED


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may choose. ``lease`` and ``margin`` in seconds: the owner stops writing ``margin`` before its lease ends."""

    remote: str | None = None
    branch: str = "main"
    agreed: Agreed | None = None
    """The plan that was agreed; any other is refused."""
    max_changes: int | None = None
    dry_run: bool = False
    break_lease: bool = False
    allow_older: bool = False
    measure: bool = True
    """Whether model code may be run here; else the evidence at hand decides."""
    waits: bool = False
    """Whether git hosting is down: the entry then waits in the registry."""
    lease: float = 300.0
    margin: float = 15.0


def exit_of(decision: Decision) -> Exit:
    """ERRORED (also for inconclusive) or FAILED, the worst wins; USAGE for a declaration that cannot be fulfilled."""
    if decision.status in {Status.ERRORED, Status.INCONCLUSIVE}:
        return Exit.ERRORED
    if decision.status is Status.FAILED:
        return Exit.FAILED
    return Exit.USAGE if decision.plan.problems else Exit.DONE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reconcile did, change by change. ``entry`` is the journal's commit, None when nothing had to be recorded."""

    commit: str
    decision: Decision
    done: tuple[Judged, ...]
    refused: tuple[Judged, ...]
    written: tuple[Operation, ...]
    entry: str | None
    signed: bool
    takes_over: str | None = None
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()
    """Models that the registry refused to write although they were let through; ``notes`` tells why."""

    @property
    def exit_code(self) -> Exit:
        """What the process ends with: whatever was applied, a refused model makes it red."""
        return Exit.ERRORED if self.unwritten else exit_of(self.decision)


def reconcile(workspace: Workspace, options: Options) -> Outcome:
    """Apply the newest commit of the main branch.

    Raises Conflict (exit 6) when this checkout is not at the newest commit, when the commit is older than or beside the last
    applied one, when another reconcile is under way or the plan is not the agreed one; Unavailable (exit 5) when the registry or
    the remote does not answer; Refused (exit 4) when the plan is too large; InvalidFiles (exit 2) for files that are wrong.
    """
    commit = newest(workspace, options.remote, options.branch)
    declaration = at(workspace.git, commit.sha, workspace.layout)
    check_clean(workspace, tuple(file for one in declaration.policies.evaluations for file in one.files), commit.sha)
    found = survey(workspace, declaration, to_write=True)
    if deliver(workspace, found):
        found = survey(workspace, declaration, to_write=True)
    check_free(found.state, workspace.now(), break_lease=options.break_lease)
    check_order(workspace, found, commit.sha, allow_older=options.allow_older)
    _check_plan(found, options)
    workspace.in_time("the gates were asked")
    judgement = judge(workspace, found, commit=commit.sha, measure=options.measure)
    return apply(workspace, options, found, judgement, commit)


def apply(
    workspace: Workspace,
    options: Options,
    found: Survey,
    judgement: Judgement,
    commit: Commit,
    *,
    holds: tuple[Hold, ...] = (),
    also: tuple[Operation, ...] = (),
) -> Outcome:
    """Apply what was decided and record it, with these new holds and these further writes of the models that change.

    Where nothing differs and nothing is new, nothing is written.
    """
    decision = judgement.decision
    allowed = set(applicable(decision))
    done = tuple(one for one in decision.judged if one.change in allowed)
    refused = tuple(one for one in decision.judged if one.change not in allowed)
    target = effective(found, refused)
    changing = {one.change.model for one in done}
    also = tuple(operation for operation in also if operation.model in changing)
    # A hold comes with the change that calls for it: where that was refused, nothing was taken out of service.
    holds = tuple(hold for hold in holds if hold.model in changing)
    operations = (*plan(target, found.observed, found.applied).operations, *also)
    outcome = Outcome(commit.sha, decision, done, refused, operations, None, found.state.signed, dry_run=options.dry_run)
    if options.dry_run:
        return outcome
    left = open_intent(found.state, workspace.now()).entry
    entry = replace(entry_of(workspace, found, commit, done, refused), takes_over=left.id if left else None)
    if not operations and not done and not holds and left is None and recorded(found.state, entry):
        return outcome
    return _write(
        workspace, options, found, target, replace(outcome, takes_over=entry.takes_over), Record(entry, statements(judgement), holds)
    )


def effective(found: Survey, refused: tuple[Judged, ...]) -> Desired:
    """What may be applied now: what is declared, but for each refused binding what was applied last.

    A refused binding that was never applied is left as it is: healing restores what was applied, never what was refused.
    """
    blocked = {(one.change.model, one.change.environment) for one in refused}
    broken = _broken(found)
    kept: list[Declared] = []
    for binding in found.desired.bindings:
        if binding.model in broken:
            continue
        last: Declared | None = binding
        if (binding.model, binding.environment) in blocked:
            last = as_applied(binding, found.applied, found.observed)
        if last is not None:
            kept.append(last)
    return replace(found.desired, bindings=tuple(kept))


def _broken(found: Survey) -> set[str]:
    """Models with a declaration that the registry cannot fulfil: they are left as they are."""
    places = {problem.place for problem in found.plan.problems}
    return {binding.model for binding in found.desired.bindings if binding.place in places}


def _write(workspace: Workspace, options: Options, found: Survey, target: Desired, outcome: Outcome, record: Record) -> Outcome:
    if options.waits:
        return leave(workspace, options, found, target, *(_allowed(workspace, outcome, record) if outcome.written else (outcome, record)))
    state = found.state
    pace = Pace(workspace.registry.writers)
    if outcome.written:
        workspace.in_time("the first write")
        outcome, record = _allowed(workspace, outcome, record)
        entry = record.entry
        until = workspace.now() + timedelta(seconds=options.lease)
        workspace.report(f"recording the intent: {len(outcome.done)} changes, {len(outcome.written)} writes")
        intent = intent_of(entry, until, state.recorded)
        state = workspace.journal.append(state, intent, evidence=record.evidence)
        deadline = until - timedelta(seconds=options.margin)
        try:
            end = converge(workspace, target, found.applied, found.observed, outcome.written, deadline, pace)
        except (PromotionError, KeyboardInterrupt):  # a job that is cancelled is interrupted
            _let_go(workspace, state, intent)
            raise
        outcome, record = _without(replace(outcome, written=end.written), record, end.refused)
    entry = replace(record.entry, writes=tuple(map(str, outcome.written)))
    stamp = Stamp(entry.commit, workspace.now(), workspace.by)
    environments = tuple(environment.name for environment in found.desired.environments)
    # As it was judged: what somebody edits meanwhile is drift.
    memory = remember(found.applied, outcome.done, found.observed, environments, stamp)
    evidence = () if outcome.written else record.evidence
    state = workspace.journal.append(
        state, replace(entry, at=stamp.at), applied=memory, evidence=evidence, holds=holds_with(state, record.holds)
    )
    notes = (*tell_head(workspace, found, state, outcome.done, pace), *tell_approvals(workspace, outcome.done))
    return replace(outcome, entry=state.head, signed=state.signed, notes=(*outcome.notes, *notes))


def _allowed(workspace: Workspace, outcome: Outcome, record: Record) -> tuple[Outcome, Record]:
    """Leave out the models that this user may not write. Raises Rejected when there is no other: before the intent, and any write."""
    failures = workspace.registry.rejections(outcome.written)
    if failures.keys() == {operation.model for operation in outcome.written}:
        first = next(iter(failures.values()))
        raise Rejected(f"{first.message}; nothing was written", hint=first.hint)
    outcome, record = _without(outcome, record, failures)
    return replace(outcome, written=tuple(one for one in outcome.written if one.model not in failures)), record


def _without(outcome: Outcome, record: Record, failures: Mapping[str, Unavailable]) -> tuple[Outcome, Record]:
    """What is applied and recorded when the registry refuses these models: the others; these stand in the journal as refused."""
    lost = (one.change for one in outcome.done if one.change.model in failures)
    refusals = (Refusal(one.model, one.environment, one.after, (failures[one.model].message,)) for one in lost)
    entry = replace(
        record.entry,
        changes=tuple(one for one in record.entry.changes if one.model not in failures),
        refusals=(*record.entry.refusals, *refusals),
    )
    notes = tuple(f"{name}: {error.message} ({error.hint})" for name, error in failures.items())
    outcome = replace(
        outcome,
        done=tuple(one for one in outcome.done if one.change.model not in failures),
        notes=(*outcome.notes, *notes),
        unwritten=(*outcome.unwritten, *failures),
    )
    return outcome, replace(record, entry=entry, holds=tuple(one for one in record.holds if one.model not in failures))


def _let_go(workspace: Workspace, state: State, intent: Entry) -> None:
    """End the lease of an intent that cannot be completed now, so that the next run need not wait for all of it.

    The usual grace is left, since a write that was not answered may still be on its way. A journal that cannot be reached keeps the lease.
    """
    now = workspace.now()
    with suppress(PromotionError):
        workspace.journal.append(state, replace(intent, at=now, lease_until=min(now, intent.lease_until or now)))


def _check_plan(found: Survey, options: Options) -> None:
    check_agreed(found.plan, options.agreed)
    limits = found.desired.limits
    if options.max_changes is not None:
        limits = replace(limits, max_changes=options.max_changes, max_share=1.0)
    reason = excess(found.plan, found.desired, limits)
    if reason is not None:
        raise Refused(reason, hint="split the change, or allow it this once with --max-changes N")
