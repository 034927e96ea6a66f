"""approval: people other than its author have signed this very plan.

``promotion approve PLAN`` makes a signed, annotated tag whose name holds the plan's digest and whose message says what is approved:
repository, registry, model, environment, the digests before and after, policies, evidence, and until when. So it counts once and for
nothing else: another plan, other bytes or other rules need another approval, and one that was used is spent. Keys are those of
policies/allowed_signers, at the last applied commit and now. With ``reviews: true`` an approving review of the pull request's last
commit counts as well, by GitHub's word: it approves the lines that the file declares and the rules beside them; what bytes a version
number stands for it tells only where a digest is pinned. Nobody approves what they promote themselves: the author is whom the host
names (who opened the pull request, ``PROMOTION_AUTHOR``), and the signer of the commit that declared the version; an author whom
nobody knows is an error. Asked for on main: the plan that a pull request leads to is known only there.

Sample (policies/production.yaml):
    rules:
      - gate: approval
        count: 1
        signers: [bob@example.org, eve@example.org]

Passes: Ada promotes, Bob has signed the plan.
Fails: nobody signed it, Ada signed it herself, or Bob signed last week's plan.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from promotion.gates import interface
from promotion.gates.interface import Approval, Approvals, Facts, Ruling, Unknown
from promotion.verdicts import Status

Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False, min_length=1)]


class Parameters(interface.Parameters):
    """``count`` people of ``signers`` (names in policies/allowed_signers) must have approved; ``reviews``: reviews count as well."""

    signers: Names
    count: int = Field(default=1, ge=1, le=100)
    reviews: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.count > len(set(self.signers)):
            msg = f"{self.count} of {len(set(self.signers))} signers can never approve"
            raise ValueError(msg)
        return self


class ApprovalGate:
    """Asks for other people's signatures."""

    name: ClassVar[str] = "approval"
    summary: ClassVar[str] = "enough people other than the author have signed this plan"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED when approvals or the author are unknown, FAILED with why each approval that there is does not count."""
        expected = f"approved by {rule.count} of {', '.join(rule.signers)}, not by the author"
        if facts.touched is not None:
            return Ruling(Status.WARNED, expected, "asked for on main, where the plan is known", "after merging: promotion approve PLAN")
        known = facts.approvals
        if isinstance(known, Unknown):
            return Ruling(Status.ERRORED, expected, known.reason, known.hint)
        if isinstance(known.authors, Unknown):
            return Ruling(Status.ERRORED, expected, f"the author is unknown: {known.authors.reason}", known.authors.hint)
        if isinstance(facts.artifact, Unknown):
            return Ruling(Status.ERRORED, expected, f"digest unknown: {facts.artifact.reason}", facts.artifact.hint)
        people: list[frozenset[str]] = []
        told: list[str] = []
        for one in known.found:
            names = frozenset(name.casefold() for name in one.principals)
            reason = _refusal(one, known, rule, facts, facts.artifact.digest)
            if reason is not None:
                told.append(f"{one.tag}: {reason}")
            elif not any(names & other for other in people):
                people.append(names)
        got = f"approved by {', '.join(sorted(min(names) for names in people))}" if people else "nobody has approved this plan"
        if len(people) >= rule.count:
            return Ruling(Status.PASSED, expected, got)
        hint = "promotion plan --out FILE, then one of the signers: promotion approve FILE; then start this again"
        return Ruling(Status.FAILED, expected, "; ".join([got, *told]), hint)


def _refusal(one: Approval, known: Approvals, rule: Parameters, facts: Facts, digest: str) -> str | None:
    """Why an approval does not count for this change; None where it does."""
    authors = frozenset(name.casefold() for name in known.authors) if not isinstance(known.authors, Unknown) else frozenset()
    names = frozenset(name.casefold() for name in one.principals)
    if one.fault is not None or (one.review and not rule.reviews):
        return one.fault or "the rule counts signatures alone"
    memory = facts.applied.bindings.get(facts.change.environment) if facts.applied is not None else None
    before = memory.bound.digest if memory is not None and memory.bound is not None else None
    differing = [
        what
        for what, said, needed in (
            ("another repository", one.repository, known.repository),
            ("another registry", one.registry, known.registry),
            ("other rules", one.policies, known.policies),
            ("another version in service", one.before, before if not one.review else one.before),
            ("other bytes", one.after, digest if not one.review else one.after),
        )
        if said != needed
    ]
    if one.plan not in known.plans:
        return "for another plan"
    if differing:
        return f"for {' and '.join(differing)}"
    if known.used is not None:
        return f"it was used already (journal {known.used[:12]})"
    if facts.now > one.expires:
        return f"it expired at {one.expires.isoformat(timespec='minutes')}"
    if names & authors:
        return f"{one.principals[0]} promotes it, and cannot approve it"
    if not names & {name.casefold() for name in rule.signers}:
        return f"{one.principals[0]} is not among the signers"
    evidence = {measured.digest for measured in facts.evidence.values() if not isinstance(measured, Unknown)}
    return None if set(one.evidence) <= evidence else "for other evidence"
