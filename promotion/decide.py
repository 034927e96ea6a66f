"""Pure: plan, policies and facts → Decision. Two sets of rules judge, every verdict is returned, the worst one wins.

The rules of HEAD and those of the last applied commit both count, so that a change cannot lower its own bar. A rule that
stands in both and sees the same evidence is judged once, and its verdict's ``policy`` is ``both``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

from promotion.changes import Change, ChangeKind, Plan
from promotion.gates import GATES, UNWAIVABLE
from promotion.gates.interface import Facts, Measured, Ruling, Unknown
from promotion.verdicts import Decision, Judged, Status, Verdict

if TYPE_CHECKING:
    from pydantic import BaseModel

    from promotion.domain import Place
    from promotion.policies import Policies, Rule
    from promotion.verdicts import Waiver

HEAD = "HEAD"
APPLIED = "applied"
BOTH = "both"

# What brings back something that was judged before needs no more than these: the rest only ages, and must not stand
# between a broken service and the version that worked.
_BRINGING_BACK = frozenset({ChangeKind.ROLLBACK, ChangeKind.HEAL})
# Rules about the way into an environment: of what is there already, nothing follows from them.
_ABOUT_THE_WAY = frozenset({"approval", "compare", "freeze", "separate", "signature", "staging_first"})
_NEEDED_TO_BRING_BACK = frozenset({"digest", "formats", "hold", "quarantine"})


@dataclass(frozen=True, slots=True)
class _Check:
    """One rule that applies, or a built-in one; ``place`` None is built in. ``policy`` is the set that asks."""

    gate: str
    parameters: BaseModel
    enforce: bool
    place: Place | None
    policy: str

    def same(self, other: _Check) -> bool:
        return (self.gate, self.enforce) == (other.gate, other.enforce) and self.parameters == other.parameters


_Known = dict[tuple[object, ...], list[_Check]]


def decide(plan: Plan, policies_head: Policies, policies_applied: Policies | None, facts: Mapping[tuple[str, str], Facts]) -> Decision:
    """Judge every change of the plan; ``facts`` are by (model, environment).

    ``policies_applied`` is None only where nothing was ever applied. A change without facts is ERRORED by every rule.
    """
    known: _Known = {}
    judged = (
        _judge(change, policies_head, policies_applied, facts.get((change.model, change.environment)), known) for change in plan.changes
    )
    return Decision(plan, tuple(judged))


def applicable(decision: Decision) -> tuple[Change, ...]:
    """The changes that may be applied, in the plan's order.

    One blocked promotion blocks all promotions of its model, since they were meant together; what brings the model back,
    heals or retires it and passes by itself goes on, and so do all other models.
    """
    blocked = {one.change.model for one in decision.judged if one.change.kind is ChangeKind.PROMOTE and one.status.blocks}
    return tuple(
        one.change
        for one in decision.judged
        if not one.status.blocks and not (one.change.kind is ChangeKind.PROMOTE and one.change.model in blocked)
    )


def _judge(change: Change, head: Policies, applied: Policies | None, facts: Facts | None, known: _Known) -> Judged:
    if change.after is None:
        return Judged(change, (_retire(change),))
    if facts is None:
        return _unjudged(change, head, applied, "no facts were collected for this change")
    if facts.change != change:
        reason = f"the facts are those of another change: {facts.change.kind} to {facts.change.after}"
        return _unjudged(change, head, applied, reason)
    as_applied = _as_applied(facts)
    verdicts = [
        _verdict(check, change, as_applied if check.policy == APPLIED else facts) for check in _checks(change, head, applied, facts, known)
    ]
    seen = [facts.evidence] if applied is None else [facts.evidence, facts.evidence_applied]
    evidence = {one.digest for mapping in seen for one in mapping.values() if isinstance(one, Measured)}
    computed = None if isinstance(facts.artifact, Unknown) else facts.artifact.digest
    return Judged(change, tuple(verdicts), computed, tuple(sorted(evidence)))


def _unjudged(change: Change, head: Policies, applied: Policies | None, reason: str) -> Judged:
    """No rule is asked: one that needs few facts, such as the time alone, would pass on made-up ones."""
    ruling = Ruling(Status.ERRORED, "the facts of this change", reason, "run the gate again; if it stays so, report it as a fault")
    mine = head.rules_for(change.environment, change.model)
    theirs = None if applied is None else applied.rules_for(change.environment, change.model)
    checks = _side_by_side(mine, theirs, change, mergeable=True, touched=False)
    return Judged(change, tuple(_told(check, change, ruling) for check in checks))


def _checks(change: Change, head: Policies, applied: Policies | None, facts: Facts, known: _Known) -> list[_Check]:
    """Everything that judges this change, each once: built-in checks first, then the files' order."""
    mine = head.rules_for(change.environment, change.model)
    theirs = None if applied is None else applied.rules_for(change.environment, change.model)
    # The applied set sees other evidence where its evaluations are not HEAD's: then nothing may be merged.
    mergeable = facts.evidence == facts.evidence_applied and facts.references == facts.references_applied
    # The same rules judge most models: they are laid side by side once.
    key = (_ids(mine), _ids(theirs), mergeable, facts.touched is None, change.kind is ChangeKind.VERIFY)
    if key not in known:
        known[key] = _side_by_side(mine, theirs, change, mergeable=mergeable, touched=facts.touched is not None)
    return known[key]


def _ids(rules: Sequence[Rule] | None) -> tuple[int, ...] | None:
    return None if rules is None else tuple(map(id, rules))


def _side_by_side(mine: Sequence[Rule], theirs: Sequence[Rule] | None, change: Change, *, mergeable: bool, touched: bool) -> list[_Check]:
    """The checks of both sets; where they may be merged, what stands in both is one."""
    merged = list(_of(mine, HEAD, change))
    if touched:
        merged.insert(0, _built_in("separate", HEAD))
    for check in () if theirs is None else tuple(_of(theirs, APPLIED, change)):
        twin = next((index for index, one in enumerate(merged) if mergeable and one.policy != APPLIED and one.same(check)), None)
        if twin is None:
            merged.append(check)
        else:
            one = merged[twin]
            merged[twin] = _Check(one.gate, one.parameters, one.enforce, one.place, BOTH)
    return merged


def _of(rules: Sequence[Rule], label: str, change: Change) -> Iterator[_Check]:
    """The checks of one set of rules: the built-in ones, and what the policies say for this model and environment."""
    yield _built_in("digest", label)
    yield _built_in("hold", label)
    yield _built_in("quarantine", label)
    if not any(rule.gate == "formats" for rule in rules):
        yield _built_in("formats", label)
    yield _built_in("policy", label, rules=sum(rule.enforce for rule in rules))
    for rule in rules:
        if change.kind is ChangeKind.VERIFY and rule.gate in _ABOUT_THE_WAY:
            continue
        yield _Check(rule.gate, rule.parameters, rule.enforce, rule.place, label)


def _built_in(gate: str, label: str, **parameters: int) -> _Check:
    return _Check(gate, GATES[gate].parameters(**parameters), enforce=True, place=None, policy=label)


def _as_applied(facts: Facts) -> Facts:
    return replace(facts, evidence=facts.evidence_applied, references=facts.references_applied)


def _verdict(check: _Check, change: Change, facts: Facts) -> Verdict:
    ruling = _rule(check, facts)
    if not ruling.status.blocks or not _may_block(check, change):
        return _told(check, change, ruling)
    waiver, reason = _waiver(check, ruling, facts)
    hint = "; ".join(part for part in (reason, ruling.hint) if part) or None
    return _told(check, change, replace(ruling, hint=hint), waiver)


def _told(check: _Check, change: Change, ruling: Ruling, waiver: Waiver | None = None) -> Verdict:
    """What a gate said, as a warning where it may not block or a waiver opens it."""
    opened = ruling.status.blocks and (waiver is not None or not _may_block(check, change))
    return Verdict(
        gate=check.gate,
        status=Status.WARNED if opened else ruling.status,
        model=change.model,
        environment=change.environment,
        version=change.after,
        expected=ruling.expected,
        got=ruling.got,
        hint=ruling.hint,
        place=check.place,
        policy=check.policy,
        waiver=waiver,
    )


def _waiver(check: _Check, ruling: Ruling, facts: Facts) -> tuple[Waiver | None, str | None]:
    """The exception that opens what a gate refuses, or None with why one that seems to does not.

    What could not be measured is never excused: nobody knows what that would let in.
    """
    mine = [one for one in facts.waivers if one.gate == check.gate]
    if not mine:
        new = next((one for one in facts.waivers_new if one.gate == check.gate), None)
        return None, f"the waiver at {new.place} came with this change, and does not count for it" if new else None
    if check.gate in UNWAIVABLE or not ruling.waivable or ruling.status is Status.ERRORED:
        what = "what could not be checked" if ruling.status is Status.ERRORED else f"this by {check.gate}"
        return None, f"the waiver at {mine[0].place} does not count: {what} cannot be waived"
    reasons = []
    for one in mine:
        if facts.now.astimezone(UTC).date() > one.expires:
            reasons.append(f"the waiver at {one.place} expired on {one.expires}")
        elif one.digest is not None and (isinstance(facts.artifact, Unknown) or facts.artifact.digest != one.digest):
            reasons.append(f"the waiver at {one.place} is for other bytes")
        else:
            return one, None
    return None, "; ".join(reasons)


def _may_block(check: _Check, change: Change) -> bool:
    if change.kind in _BRINGING_BACK:
        return check.gate in _NEEDED_TO_BRING_BACK
    known = GATES.get(check.gate)
    return check.enforce or (known is not None and known.mandatory)


def _rule(check: _Check, facts: Facts) -> Ruling:
    """Ask the gate; one that is unknown or breaks is ERRORED: what cannot be judged is not passed."""
    gate = GATES.get(check.gate)
    if gate is None:
        return Ruling(Status.ERRORED, "a known gate", f"there is no gate {check.gate!r}", f"known gates: {', '.join(GATES)}")
    try:
        return gate.judge(check.parameters, facts)
    except Exception as error:  # noqa: BLE001 - a fault in one gate must block its change, not stop the others
        return Ruling(Status.ERRORED, "a verdict", f"the gate broke: {type(error).__name__}: {error}", "report this as a fault of the gate")


def _retire(change: Change) -> Verdict:
    got = f"version {change.before} leaves, nothing follows" if change.before is not None else "nothing is bound afterwards"
    return Verdict("retire", Status.PASSED, change.model, change.environment, None, "an explicit none in git", got, place=change.place)
