"""Every view as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promotion.changes import Change, ChangeKind, Plan
from promotion.domain import ModelVersionRef
from promotion.journal.lease import open_intent
from promotion.render import adopting, calling, changes, comparing, reports, rules
from promotion.render.problem import render_problems
from promotion.render.style import bold, dim, harmless
from promotion.verdicts import Decision

if TYPE_CHECKING:
    from promotion.calling.setup import Checked, Installed
    from promotion.comparison import Compared
    from promotion.domain import AppliedModel
    from promotion.drift import Drifted
    from promotion.evidence import Evidence
    from promotion.failed import Answered
    from promotion.gates.interface import Gate, Lineage
    from promotion.inforce import InForce
    from promotion.journal import Fault, Hold, Recorded, State
    from promotion.notifying.delivery import Delivery
    from promotion.notifying.happenings import Happening
    from promotion.orders import Done, Orders
    from promotion.pin import Pinned
    from promotion.reconcile import Outcome
    from promotion.repository import Declaration
    from promotion.restore import Restored
    from promotion.selftest import Tried
    from promotion.start import Started
    from promotion.statement import Examined
    from promotion.status import Row
    from promotion.taking import Taken
    from promotion.verdicts import Waiver
    from promotion.verify import Verified


def nothing(text: str) -> str:
    """A result that is one sentence."""
    return text


def unsaid(words: str) -> str:
    """What would have been said to GitHub, had there been a token."""
    return harmless(f"not sent, since there is no GH_TOKEN:\n\n{words}")


def valid(declaration: Declaration) -> str:
    """What was found valid."""
    desired, policies = declaration.desired, declaration.policies
    return (
        f"valid: {_plural(len(desired.bindings), 'binding')} of {_plural(len(desired.models), 'model')}, "
        f"{_plural(len(policies.rules), 'rule')}, {_plural(len(policies.evaluations), 'evaluation')}"
    )


def plan(made: Plan, *, signed: bool = True) -> str:
    """The changes a line each, the writes they need, what is not managed, and a summary."""
    blocks = ["\n".join(found) for found in (changes.lines(made.changes), changes.writes(made.operations)) if found]
    if made.problems:
        blocks.append(render_problems(made.problems))
    if made.unmanaged:
        blocks.append("\n".join(dim(f"not managed: {harmless(line)}") for line in made.unmanaged))
    if made.changes:
        blocks.append(
            f"{bold(_counted(made.changes))}, {_plural(len(made.operations), 'registry write')}; plan {made.digest[:12]} for {made.target}"
        )
    elif not made.problems:
        blocks.append(f"nothing to do: {made.target} shows what is declared, and the journal says so")
    return "\n\n".join([*blocks, *([] if signed else [reports.UNSIGNED])])


def decision(judged: Decision, *, signed: bool = True) -> str:
    """Each change with all its verdicts, and what that comes to."""
    blocks = [changes.judged(one) for one in judged.judged]
    if judged.plan.problems:
        blocks.append(render_problems(judged.plan.problems))
    blocks.append(_summary(judged))
    return "\n\n".join([*blocks, *([] if signed else [reports.UNSIGNED])])


def outcome(result: Outcome) -> str:
    """What reconcile judged and did."""
    judged = [changes.judged(one) for one in result.decision.judged]
    problems = [render_problems(result.decision.plan.problems)] if result.decision.plan.problems else []
    return "\n\n".join([*judged, *problems, harmless(reports.done(result))])


def verify(found: Sequence[Verified]) -> str:
    """Each binding with its verdicts, and what that comes to."""
    blocks = [changes.judged(one.judged) for one in found]
    stale = [f"{one.judged.change.model} {one.judged.change.environment}: {reason}" for one in found for reason in one.stale.values()]
    blocks += [f"no longer covered by evidence: {harmless(line)}" for line in stale]
    bad = sum(one.judged.status.blocks for one in found)
    return "\n\n".join([*blocks, f"{_plural(len(found), 'binding')} verified, {bad or 'none'} with a fault"])


def fetched(made: Orders, folder: Path) -> str:
    """What was fetched, and what was not."""
    lines = [f"fetched   {order}" for order in made.orders]
    if not lines and not made.left_out:
        lines = ["nothing to measure: every evaluation has its evidence"]
    lines += [f"left out  {reason}" for reason in made.left_out]
    lines += [f"measure it: promotion measure {folder}"] if made.orders else []
    return harmless("\n".join(lines))


def measured(done: Sequence[Done]) -> str:
    """What became of each order."""
    blocks = [reports.evidence([one.evidence]) for one in done if one.evidence is not None]
    blocks += [f"not measured: {one.order}: {one.failure.message}\n  hint: {one.failure.hint}" for one in done if one.failure is not None]
    return harmless("\n\n".join(blocks)) or "nothing to measure"


def rollback(result: Restored) -> str:
    """What a rollback judged and did."""
    return "\n\n".join([*(changes.judged(one) for one in result.outcome.decision.judged), harmless(reports.returned(result))])


def answered(found: Sequence[Answered]) -> str:
    """What followed for each binding that failed its check."""
    return harmless(reports.answered(found))


def started(result: Started) -> str:
    """What ``init`` found, wrote and journaled."""
    return adopting.started(result)


def pinned(result: Pinned, *, check: bool = False) -> str:
    """The pins that were written, or would be."""
    return adopting.pinned(result, check=check)


def workflows_written(done: Installed) -> str:
    """The files by which this repository calls the workflows."""
    return calling.written(done)


def workflows_checked(found: Checked) -> str:
    """Whether they are as written, and what is protected."""
    return calling.checked(found)


def taken(result: Taken) -> str:
    """What ``drift --adopt`` took as it is."""
    return adopting.taken(result)


def drift(found: Drifted) -> str:
    """What the registry shows otherwise than it was applied."""
    made = found.survey.plan
    blocks = [harmless(reports.drift(found))]
    if made.problems:
        blocks.append(render_problems(made.problems))
    return "\n\n".join([*blocks, *([] if found.survey.state.signed or found.survey.state.head is None else [reports.UNSIGNED])])


def notified(told: Sequence[Happening], sent: Sequence[Delivery], *, declared: int, dry_run: bool) -> str:
    """What webhooks were told."""
    return harmless(reports.notified(told, sent, declared=declared, dry_run=dry_run))


def status(rows: Sequence[Row], state: State, made: Plan, waivers: Sequence[Waiver], *, now: datetime) -> str:
    """Declared, applied and shown side by side, with what is held and what is waived."""
    lines = [harmless(reports.status(rows, state, waivers, lock=open_intent(state, now), today=now.astimezone(UTC).date()))]
    lines += [render_problems(made.problems)] if made.problems else []
    return "\n".join([*lines, *(f"not managed: {harmless(line)}" for line in made.unmanaged)])


def history(entries: Iterable[Recorded], *, signers: Mapping[str, str], signed: bool) -> str:
    """Entries of the journal, newest first."""
    return harmless(reports.history(entries, signers=signers, signed=signed))


def applied(models: Mapping[str, AppliedModel], *, at: datetime) -> str:
    """What was applied at a time."""
    return harmless(reports.applied(models, at=at))


def lineage(ref: ModelVersionRef, chain: Lineage) -> str:
    """The chain from a version back to its data."""
    return harmless(reports.lineage(str(ref), chain))


def verified(state: State, faults: Sequence[Fault], *, entries: int, unsigned: int = 0, compared: int | None = None) -> str:
    """What verifying the journal found."""
    return harmless(reports.verified(state, faults, entries=entries, unsigned=unsigned, compared=compared))


def holds(found: Sequence[Hold]) -> str:
    """The holds in force."""
    return harmless(reports.holds(found))


def evidence(measured: Sequence[Evidence]) -> str:
    """Figures of each evaluation, and the statement's name."""
    return harmless(reports.evidence(measured))


def compared(found: Sequence[Compared]) -> str:
    """Two versions side by side."""
    return harmless(comparing.text(found))


def examined(found: Examined) -> str:
    """One statement, and everything that was looked at."""
    return harmless(reports.examined(found))


def gates(found: Sequence[Gate[Any]]) -> str:
    """The gates, a line each."""
    return harmless(reports.gates(found))


def gate(found: Gate[Any]) -> str:
    """One gate's documentation, which stands beside it."""
    return harmless(reports.documentation(found))


def in_force(found: InForce) -> str:
    """What judges one model in one environment, and where each line comes from."""
    return harmless(rules.in_force(found))


def selftest(tried: Sequence[Tried]) -> str:
    """Whether each gate refused what it must."""
    return harmless(rules.selftest(tried))


def _counted(found: Sequence[Change]) -> str:
    """``2 to promote, 1 to heal``."""
    kinds = {kind: sum(change.kind is kind for change in found) for kind in ChangeKind}
    return ", ".join(f"{count} to {'roll back' if kind is ChangeKind.ROLLBACK else kind}" for kind, count in kinds.items() if count)


def _summary(judged: Decision) -> str:
    """How many of the changes pass, and the worst verdict."""
    if not judged.judged:
        return "nothing to judge: no binding changes"
    blocked = sum(one.status.blocks for one in judged.judged)
    told = f"{_plural(len(judged.judged), 'change')} judged, {blocked or 'none'} refused"
    told += f", {_plural(len(judged.waived), 'waiver')} used" if judged.waived else ""
    return f"{changes.COLOURS[judged.status](judged.status)}: {told}"


def _plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
