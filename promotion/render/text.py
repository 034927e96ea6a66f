"""Every view as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from promotion.domain import Change, Decision, Judged, ModelVersionRef, Plan, Status, Verdict
from promotion.journal.lease import open_intent
from promotion.render import reports
from promotion.render.problem import render_problems
from promotion.render.style import Paint, bold, dim, green, red, yellow

if TYPE_CHECKING:
    from promotion.domain import AppliedModel
    from promotion.evidence import Evidence
    from promotion.gates.interface import Gate, Lineage
    from promotion.journal import Fault, Hold, Recorded, State
    from promotion.reconcile import Outcome
    from promotion.repository import Declaration
    from promotion.restore import Restored
    from promotion.status import Row
    from promotion.survey import Survey

COLOURS: Mapping[Status, Paint] = {
    Status.PASSED: green,
    Status.WARNED: yellow,
    Status.INCONCLUSIVE: yellow,
    Status.FAILED: red,
    Status.ERRORED: red,
}


def nothing(text: str) -> str:
    """A result that is one sentence."""
    return text


def valid(declaration: Declaration) -> str:
    """What was found valid."""
    desired, policies = declaration.desired, declaration.policies
    return (
        f"valid: {len(desired.bindings)} bindings of {len(desired.models)} models, {len(policies.rules)} rules, "
        f"{len(policies.evaluations)} evaluations"
    )


def plan(made: Plan, *, signed: bool = True) -> str:
    """The changes, the writes that each model needs, and a summary."""
    lines = [_change(change) for change in made.changes]
    lines += [f"  writes  {operation}" for operation in made.operations]
    if made.problems:
        lines.append(render_problems(made.problems))
    lines += [dim(f"not managed: {line}") for line in made.unmanaged]
    kinds = {kind: sum(change.kind is kind for change in made.changes) for kind in dict.fromkeys(change.kind for change in made.changes)}
    counted = ", ".join(f"{count} to {kind}" for kind, count in kinds.items())
    if made.changes:
        lines.append(f"{bold(counted)}, {len(made.operations)} registry writes; plan {made.digest[:12]} for {made.target}")
    elif not made.problems:
        lines.append(f"nothing to do: {made.target} shows what is declared, and the journal says so")
    return "\n".join([*lines, *([] if signed else [reports.UNSIGNED])])


def decision(judged: Decision, *, signed: bool = True) -> str:
    """Each change with all its verdicts, and what that comes to."""
    blocks = [_judged(one) for one in judged.judged]
    if judged.plan.problems:
        blocks.append(render_problems(judged.plan.problems))
    blocks.append(_summary(judged))
    return "\n\n".join([*blocks, *([] if signed else [reports.UNSIGNED])])


def outcome(result: Outcome) -> str:
    """What reconcile judged and did."""
    judged = [_judged(one) for one in result.decision.judged]
    problems = [render_problems(result.decision.plan.problems)] if result.decision.plan.problems else []
    return "\n\n".join([*judged, *problems, reports.done(result)])


def rollback(result: Restored) -> str:
    """What a rollback judged and did."""
    return "\n\n".join([*(_judged(one) for one in result.outcome.decision.judged), reports.returned(result)])


def drift(found: Survey) -> str:
    """What the registry shows otherwise than it was applied."""
    if not found.plan.changes and not found.plan.problems:
        return f"no drift: {found.plan.target} shows what was applied last"
    return plan(found.plan, signed=found.state.signed) + "\nrestore it: promotion drift --heal, or promotion reconcile"


def status(rows: Sequence[Row], state: State, made: Plan, *, now: datetime) -> str:
    """Declared, applied and shown side by side."""
    lines = [reports.status(rows, state, lock=open_intent(state, now).entry)]
    lines += [render_problems(made.problems)] if made.problems else []
    return "\n".join([*lines, *(f"not managed: {line}" for line in made.unmanaged)])


def history(entries: Iterable[Recorded], *, signers: Mapping[str, str], signed: bool) -> str:
    """Entries of the journal, newest first."""
    return reports.history(entries, signers=signers, signed=signed)


def applied(models: Mapping[str, AppliedModel], *, at: datetime) -> str:
    """What was applied at a time."""
    return reports.applied(models, at=at)


def lineage(ref: ModelVersionRef, chain: Lineage) -> str:
    """The chain from a version back to its data."""
    return reports.lineage(str(ref), chain)


def verified(state: State, faults: Sequence[Fault], *, entries: int) -> str:
    """What verifying the journal found."""
    return reports.verified(state, faults, entries=entries)


def holds(found: Sequence[Hold]) -> str:
    """The holds in force."""
    return reports.holds(found)


def evidence(measured: Sequence[Evidence]) -> str:
    """Figures of each evaluation, and the statement's name."""
    return reports.evidence(measured)


def gates(found: Sequence[Gate[Any]]) -> str:
    """The gates, a line each."""
    return reports.gates(found)


def gate(found: Gate[Any]) -> str:
    """One gate's documentation, which stands beside it."""
    return reports.documentation(found)


def _change(change: Change) -> str:
    before = "none" if change.before is None else str(change.before)
    after = "none" if change.after is None else str(change.after)
    line = f"{change.kind:<9} {change.model}  {change.environment}  {before} → {after}"
    if change.kind.value == "heal":
        line = f"{change.kind:<9} {change.model}  {change.environment}  shows {change.shown}, applied is {after}"
    emptied = change.after is None
    return f"{(red if emptied else bold)(line)}   {dim(str(change.place))}"


def _judged(one: Judged) -> str:
    rows = [_verdict(verdict) for verdict in sorted(one.verdicts, key=lambda verdict: -verdict.status.severity)]
    return "\n".join([f"{_change(one.change)}  {COLOURS[one.status](one.status)}", *(f"  {row}" for row in rows)])


def _verdict(verdict: Verdict) -> str:
    """One line; what is not simply passed also tells where its rule stands and what to do."""
    asked = "" if verdict.policy in {"HEAD", "both"} else f" (by the rules of the {verdict.policy} commit)"
    line = f"{COLOURS[verdict.status](f'{verdict.status:<12}')} {verdict.gate:<13} expected {verdict.expected}, got {verdict.got}{asked}"
    if not verdict.status.severity:
        return line
    place = dim(f"   {verdict.place}") if verdict.place else ""
    return f"{line}{place}" + (f"\n    hint: {verdict.hint}" if verdict.hint else "")


def _summary(judged: Decision) -> str:
    if not judged.judged:
        return "nothing to judge: no binding changes"
    blocked = sum(one.status.blocks for one in judged.judged)
    counted = f"{len(judged.judged)} changes judged, {blocked} refused" if len(judged.judged) > 1 else "1 change judged"
    return f"{COLOURS[judged.status](judged.status)}: {counted}"
