"""Deciding: every rule of both sets is asked, the worst verdict wins, nothing weakens what it does not own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.changes import ChangeKind, Plan
from promotion.decide import APPLIED, BOTH, HEAD, applicable, decide
from promotion.domain import Bound, Place
from promotion.gates import GATES, UNWAIVABLE
from promotion.gates.interface import Facts, Format, Unknown
from promotion.policies import Policies, Rule
from promotion.registry.interface import Artifact
from promotion.verdicts import Barred, Decision, Status, Waiver
from tests.promotion.gates.samples import DIGEST, NAME, NOW, OTHER, applied, binding, change, facts, measured

PLAN = Plan("memory://", (), (), (), "1" * 64)
ENVIRONMENTS = ("staging", "production")


def rule(
    gate: str = "bound",
    *,
    enforce: bool = True,
    environment: str = "production",
    models: tuple[str, ...] = ("*",),
    line: int = 1,
    **parameters,
) -> Rule:
    if gate == "bound":
        parameters = {"metric": "f1", "min": 0.9, **parameters}
    return Rule(
        gate, environment, models, GATES[gate].parameters.model_validate(parameters), enforce, Place("policies/production.yaml", line, 3)
    )


def policies(*rules: Rule) -> Policies:
    return Policies(rules, (), "0" * 64)


def judge(head: Policies, before: Policies | None = None, known: Facts | None = None):
    known = known or facts()
    plan = replace(PLAN, changes=(known.change,))
    decision = decide(plan, head, before, {(known.change.model, known.change.environment): known})
    assert decision.plan == plan
    (judged,) = decision.judged
    return judged


def verdicts(judged, gate: str) -> list[tuple[Status, str]]:
    return [(one.status, one.policy) for one in judged.verdicts if one.gate == gate]


def test_a_good_version_passes_with_its_digest_and_evidence():
    judged = judge(policies(rule()))

    assert judged.status is Status.PASSED
    assert (judged.digest, judged.evidence) == (DIGEST, ("f" * 64,))
    assert [one.gate for one in judged.verdicts] == ["digest", "hold", "quarantine", "formats", "policy", "bound"]


@pytest.mark.parametrize(
    "head", [policies(), policies(rule(environment="staging")), policies(rule(models=("ft-*",))), policies(rule(enforce=False))]
)
def test_nothing_that_judges_is_an_error(head):
    judged = judge(head)
    assert judged.status is Status.ERRORED
    assert verdicts(judged, "policy") == [(Status.ERRORED, HEAD)]


def test_every_verdict_is_returned_and_the_worst_wins():
    known = facts(holds={DIGEST: "F1 fell"}, format=Format("mlflow.pytorch", "pickle", ("x: a pickle",)), lineage=Unknown("no answer"))
    judged = judge(policies(rule(min=0.99), rule("lineage"), rule("naming")), known=known)

    found = {one.gate: one.status for one in judged.verdicts}
    assert found == {
        "digest": Status.PASSED,
        "hold": Status.FAILED,
        "quarantine": Status.PASSED,
        "formats": Status.FAILED,
        "policy": Status.PASSED,
        "bound": Status.FAILED,
        "lineage": Status.ERRORED,
        "naming": Status.PASSED,
    }
    assert judged.status is Status.ERRORED


def test_a_lowered_bar_does_not_count_until_it_is_applied():
    judged = judge(policies(rule(min=0.5)), policies(rule(min=0.99)))

    assert verdicts(judged, "bound") == [(Status.PASSED, HEAD), (Status.FAILED, APPLIED)]
    assert judged.status is Status.FAILED


def test_a_deleted_policy_does_not_count_until_it_is_applied():
    judged = judge(policies(), policies(rule(min=0.99)))
    assert (Status.ERRORED, HEAD) in verdicts(judged, "policy")
    assert (Status.FAILED, APPLIED) in verdicts(judged, "bound")


def test_a_rule_of_both_sets_is_judged_once_and_says_so():
    judged = judge(policies(rule(line=4)), policies(rule(line=9)))

    assert {one.policy for one in judged.verdicts} == {BOTH}
    assert len(judged.verdicts) == 6
    assert judged.verdicts[-1].place == Place("policies/production.yaml", 4, 3)


def test_a_rule_of_both_sets_is_judged_twice_where_evidence_differs():
    known = facts(evidence_applied={"flows": replace(measured(f1=0.2), digest="a" * 64)})
    judged = judge(policies(rule()), policies(rule()), known)

    assert verdicts(judged, "bound") == [(Status.PASSED, HEAD), (Status.FAILED, APPLIED)]
    assert judged.evidence == ("a" * 64, "f" * 64)


def test_an_observing_rule_warns_at_most():
    judged = judge(policies(rule(), rule(min=0.99, enforce=False), rule(metric="nobody", enforce=False)))
    assert verdicts(judged, "bound") == [(Status.PASSED, HEAD), (Status.WARNED, HEAD), (Status.WARNED, HEAD)]
    assert judged.status is Status.WARNED


def test_formats_cannot_be_left_out_nor_only_observed():
    pickle = facts(format=Format("mlflow.sklearn", "pickle", ("model.pkl: a pickle",)))
    assert judge(policies(rule()), known=pickle).status is Status.FAILED
    assert judge(policies(rule(), rule("formats", enforce=False)), known=pickle).status is Status.FAILED


def test_a_rule_narrows_formats():
    assert judge(policies(rule("formats", allow=["xgboost"]))).status is Status.FAILED
    assert verdicts(judge(policies(rule("formats"))), "formats") == [(Status.PASSED, HEAD)]


def test_an_unknown_gate_and_one_that_breaks_are_errors():
    broken = replace(rule("naming"), parameters=GATES["lineage"].parameters())
    unknown = replace(rule("lineage"), gate="lineag")
    judged = judge(policies(rule(), broken, unknown))

    assert [one.status for one in judged.verdicts[-2:]] == [Status.ERRORED, Status.ERRORED]
    assert "AttributeError" in judged.verdicts[-2].got
    assert "lineag" in judged.verdicts[-1].got


def test_a_change_without_facts_is_an_error():
    one = change()
    plan = Plan("memory://", (one,), (), (), "1" * 64)
    (judged,) = decide(plan, policies(rule()), None, {}).judged
    assert judged.status is Status.ERRORED
    assert judged.digest is None


def test_facts_of_another_change_do_not_count():
    known = facts()
    other = change(after=9)
    plan = Plan("memory://", (other,), (), (), "1" * 64)
    (judged,) = decide(plan, policies(rule()), None, {(NAME, "production"): known}).judged
    assert judged.status is Status.ERRORED
    assert "another change" in judged.verdicts[0].got


def test_emptying_an_environment_needs_no_gate():
    judged = judge(policies(), policies(), facts(change=change(kind=ChangeKind.RETIRE, after=None)))
    assert [(one.gate, one.status) for one in judged.verdicts] == [("retire", Status.PASSED)]


BRINGING_BACK = [
    (ChangeKind.ROLLBACK, applied(bindings={"production": binding(Bound(5, OTHER), previous=Bound(4, DIGEST))}, passed={})),
    (ChangeKind.HEAL, applied(bindings={"production": binding(Bound(4, DIGEST))}, passed={})),
]


@pytest.mark.parametrize(("kind", "memory"), BRINGING_BACK)
def test_bringing_back_is_not_stopped_by_what_only_ages(kind, memory):
    known = facts(change=change(kind=kind), applied=memory, evidence={"flows": Unknown("stale")}, lineage=Unknown("shallow"))
    judged = judge(policies(rule(), rule("staging_first"), rule("lineage")), policies(), known)

    assert judged.status is Status.WARNED
    assert verdicts(judged, "staging_first") == [(Status.WARNED, HEAD)]
    assert verdicts(judged, "policy") == [(Status.PASSED, HEAD), (Status.WARNED, APPLIED)]


@pytest.mark.parametrize(("kind", "memory"), BRINGING_BACK)
@pytest.mark.parametrize(
    "spoilt",
    [
        {"artifact": Artifact(OTHER, ())},
        {"artifact": Unknown("no answer")},
        {"format": Format("mlflow.pytorch", "pt2", ("x: a pickle",))},
        {"holds": {DIGEST: "F1 fell"}},
        {"barred": (Barred(NAME, 4, None, "leaks", "ada", Place("policies/quarantine.yaml", 3, 5)),)},
        {"applied": None},
    ],
)
def test_bringing_back_needs_the_same_safe_bytes_and_no_hold(kind, memory, spoilt):
    known = facts(**{"change": change(kind=kind), "applied": memory, **spoilt})
    assert judge(policies(rule()), policies(rule()), known).status.blocks


def test_one_blocked_promotion_blocks_those_of_its_model_alone():
    changes = (
        change(environment="staging", after=5, before=4),
        change(environment="production", after=4),
        change(environment="canary", kind=ChangeKind.RETIRE, after=None),
        change(environment="shadow", kind=ChangeKind.HEAL, after=2),
        change(model="ft-transformer-unsw", environment="staging", after=4),
    )
    shadow = applied(bindings={"shadow": binding(Bound(2, DIGEST))})
    known = {(one.model, one.environment): facts(change=one, applied=None, stages_before=()) for one in changes}
    known[NAME, "staging"] = facts(change=changes[0], applied=None, evidence={"flows": measured(f1=0.1)})
    known[NAME, "shadow"] = facts(change=changes[3], applied=shadow)
    rules = policies(*(rule(environment=name) for name in ("staging", "production", "shadow")))
    decision = decide(Plan("memory://", changes, (), (), "1" * 64), rules, rules, known)

    assert [one.status for one in decision.judged] == [Status.FAILED, *[Status.PASSED] * 4]
    assert applicable(decision) == changes[2:]
    assert decision.status is Status.FAILED


def waiver(gate: str = "bound", **given) -> Waiver:
    values = {"model": NAME, "version": 4, "digest": None, "environment": "production", "owner": "ada@example.org", "reason": "a pilot"}
    return Waiver(gate, **{**values, "expires": NOW.date(), "place": Place("policies/waivers.yaml", 3, 5), **given})


BAD = facts(evidence={"flows": measured(f1=0.2)}, evidence_applied={"flows": measured(f1=0.2)})


def test_what_fails_and_is_waived_is_a_warning_that_names_the_waiver():
    judged = judge(policies(rule()), policies(rule(min=0.8)), replace(BAD, waivers=(waiver("lineage"), waiver())))

    assert judged.status is Status.WARNED
    assert verdicts(judged, "bound") == [(Status.WARNED, HEAD), (Status.WARNED, APPLIED)]
    found = [one for one in judged.verdicts if one.gate == "bound"]
    assert {one.waiver for one in found} == {waiver()}
    assert "0.2" in found[0].got
    assert Decision(PLAN, (judged,)).waived == (waiver(),)


NOT_WAIVED = [
    ({"waivers": (waiver(expires=NOW.date() - timedelta(days=1)),)}, "expired on 2026-10-01"),
    ({"waivers": (waiver(digest=OTHER),)}, "for other bytes"),
    ({"waivers": (waiver("lineage"),)}, None),
    ({"waivers_new": (waiver(),)}, "came with this change"),
    ({"waivers": (waiver(),), "evidence": {"flows": Unknown("the model raised")}, "evidence_applied": {}}, "could not be checked"),
]


@pytest.mark.parametrize(("given", "words"), NOT_WAIVED)
def test_what_does_not_fit_waives_nothing_and_says_why(given, words):
    judged = judge(policies(rule()), None, replace(BAD, **given))

    assert judged.status.blocks
    (found,) = [one for one in judged.verdicts if one.gate == "bound"]
    assert found.waiver is None
    assert words is None or words in (found.hint or "")


def test_a_waiver_for_these_very_bytes_counts():
    assert judge(policies(rule()), None, replace(BAD, waivers=(waiver(digest=DIGEST),))).status is Status.WARNED


UNSAFE: dict[str, dict[str, Any]] = {
    "digest": {"artifact": Artifact(OTHER, ())},
    "formats": {"format": Format("mlflow.pytorch", "pickle", ("x: a pickle",))},
    "hold": {"holds": {DIGEST: "F1 fell"}},
    "policy": {},
    "quarantine": {"barred": (Barred(NAME, 4, None, "leaks", "ada", Place("policies/quarantine.yaml", 3, 5)),)},
    "separate": {"touched": ("policies/production.yaml",)},
}


@pytest.mark.parametrize("gate", sorted(UNWAIVABLE))
def test_what_is_unsafe_cannot_be_waived(gate):
    known = facts(waivers=tuple(waiver(name) for name in GATES), **UNSAFE[gate])
    judged = judge(policies() if gate == "policy" else policies(rule()), None, known)

    (found,) = [one for one in judged.verdicts if one.gate == gate]
    assert found.status.blocks
    assert found.waiver is None
    assert judged.status.blocks


@pytest.mark.parametrize(("emergency", "status"), [(["waiver"], Status.WARNED), (["rollback"], Status.FAILED)])
def test_a_freeze_is_waived_only_where_its_rule_says_so(emergency, status):
    shut = rule("freeze", timezone="UTC", windows=[{"days": ["fri"]}], emergency=emergency)
    assert judge(policies(shut), None, facts(waivers=(waiver("freeze"),))).status is status


RULES = st.builds(
    rule,
    st.sampled_from(["bound", "naming", "lineage", "staging_first", "metadata", "formats"]),
    enforce=st.booleans(),
    environment=st.sampled_from(ENVIRONMENTS),
    models=st.sampled_from([("*",), ("moe-*",), ("ft-*",)]),
)
BOUNDS = st.builds(
    rule,
    st.just("bound"),
    enforce=st.booleans(),
    metric=st.sampled_from(["f1", "recall", "nobody"]),
    min=st.sampled_from([0.1, 0.96, 0.99]),
)
SETS = st.lists(RULES | BOUNDS, max_size=6)
FACTS = st.builds(
    facts,
    artifact=st.sampled_from([Artifact(DIGEST, ()), Artifact(OTHER, ()), Unknown("no answer")]),
    lineage=st.sampled_from([facts().lineage, Unknown("no answer")]),
    format=st.sampled_from([facts().format, Format("mlflow.pytorch", "pickle", ("x: a pickle",)), Unknown("damaged")]),
    evidence=st.sampled_from([{}, {"flows": measured()}, {"flows": Unknown("raised")}]),
    evidence_applied=st.sampled_from([{}, {"flows": measured()}, {"flows": measured(f1=0.2)}]),
    applied=st.sampled_from([None, applied()]),
)


@given(SETS, st.none() | SETS, FACTS)
def test_the_worst_verdict_wins(head, before, known):
    judged = judge(policies(*head), None if before is None else policies(*before), known)
    assert judged.status.severity == max(one.status.severity for one in judged.verdicts)
    assert judged == judge(policies(*head), None if before is None else policies(*before), known)


@given(SETS, st.none() | SETS, RULES | BOUNDS, FACTS, st.booleans())
def test_another_rule_never_opens_what_was_blocked(head, before, more, known, first):
    old = None if before is None else policies(*before)
    blocked = judge(policies(*head), old, known)
    grown = judge(policies(*([more, *head] if first else [*head, more])), old, known)

    # The one exception is by design: where nothing enforced judged, an enforced rule ends "no rule at all".
    lacked = [one for one in blocked.verdicts if one.gate == "policy" and one.policy != APPLIED and one.status.blocks]
    others = [one for one in blocked.verdicts if one not in lacked and one.status.blocks]
    if others or (lacked and not (more.enforce and more in policies(more).rules_for("production", NAME))):
        assert grown.status.blocks


@given(SETS, SETS, FACTS)
def test_the_applied_rules_only_restrict(head, before, known):
    alone = judge(policies(*head), None, known)
    both = judge(policies(*head), policies(*before), known)
    assert both.status.severity >= alone.status.severity
    assert both.status.severity >= judge(policies(*before), None, replace(known, evidence=known.evidence_applied)).status.severity


@given(FACTS)
def test_no_rules_never_pass(known):
    assert judge(policies(), None, known).status is Status.ERRORED
    assert judge(policies(rule()), policies(), known).status is Status.ERRORED


@pytest.mark.parametrize(("before", "got"), [(3, "version 3 leaves, nothing follows"), (None, "nothing is bound afterwards")])
def test_emptying_tells_what_leaves_and_where_git_says_so(before, got):
    emptied = change(kind=ChangeKind.RETIRE, before=before, after=None)
    judged = judge(policies(rule()), known=facts(change=emptied))
    (verdict,) = judged.verdicts
    assert (verdict.model, verdict.environment, verdict.version) == (NAME, "production", None)
    assert (verdict.expected, verdict.got, verdict.place) == ("an explicit none in git", got, emptied.place)


def test_a_change_without_facts_passes_no_gate_and_says_why():
    plan = Plan("memory://", (change(),), (), (), "1" * 64)
    (judged,) = decide(plan, policies(rule()), None, {}).judged
    found = {one.gate: one for one in judged.verdicts}
    for gate in ("digest", "hold", "formats"):
        assert found[gate].status is Status.ERRORED
        assert "no facts were collected for this change" in found[gate].got
        assert found[gate].hint == "run the gate again; if it stays so, report it as a fault"
    assert found["bound"].status is Status.ERRORED
