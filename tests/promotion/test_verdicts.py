"""What a verdict tells, and who asked for it: the labels of both sets, their evidence, waivers that do not count, gates that break."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.changes import ChangeKind
from promotion.decide import APPLIED, BOTH, HEAD, decide
from promotion.domain import Place
from promotion.gates import BUILT_IN, GATES
from promotion.gates.interface import Format, Reference, Unknown
from promotion.verdicts import Status
from tests.promotion.gates.samples import DIGEST, NAME, NOW, OTHER, change, facts, measured
from tests.promotion.test_decide import BAD, FACTS, PLAN, SETS, judge, policies, rule, verdicts, waiver

CHANGES = st.builds(
    change,
    kind=st.sampled_from([ChangeKind.PROMOTE, ChangeKind.VERIFY]),
    model=st.sampled_from([NAME, "ft-transformer-unsw"]),
    environment=st.sampled_from(["staging", "production"]),
)
TOUCHED = st.sampled_from([None, ()])
BUILT_INS = ["digest", "hold", "quarantine", "formats", "policy"]


def test_each_verdict_tells_what_was_judged_by_what_and_who_asked():
    judged = judge(policies(rule(line=4)), None, facts(touched=()))
    assert [one.gate for one in judged.verdicts] == ["separate", *BUILT_INS, "bound"], "built-in checks first"
    assert {(one.model, one.environment, one.version, one.policy) for one in judged.verdicts} == {(NAME, "production", 4, HEAD)}
    assert [one.place for one in judged.verdicts] == [None] * 6 + [Place("policies/production.yaml", 4, 3)]
    found = judged.verdicts[-1]
    assert (found.expected, found.got, found.hint) == ("f1 ≥ 0.9", "f1 = 0.97 on 4000 rows", None)


def test_formats_that_one_set_names_and_the_other_leaves_to_the_built_in_check_is_judged_once():
    judged = judge(policies(rule()), policies(rule(), rule("formats")))
    assert verdicts(judged, "formats") == [(Status.PASSED, BOTH)]
    assert verdicts(judge(policies(rule()), policies(rule(), rule("formats", allow=["xgboost"]))), "formats") == [
        (Status.PASSED, HEAD),
        (Status.FAILED, APPLIED),
    ]


def test_evidence_of_rules_that_were_never_applied_is_not_recorded():
    known = facts(evidence_applied={"flows": replace(measured(), digest="a" * 64)})
    assert judge(policies(rule()), None, known).evidence == ("f" * 64,)


def test_what_is_in_force_is_held_against_every_rule_but_those_of_the_way_to_it():
    """Neither the rules behind such a one are left out, nor those before."""
    before, way, behind = rule("naming", pattern="^moe-"), rule("staging_first"), rule(min=0.99)
    judged = judge(policies(before, way, behind), None, facts(change=change(kind=ChangeKind.VERIFY)))
    assert [one.gate for one in judged.verdicts] == [*BUILT_INS, "naming", "bound"]
    assert verdicts(judged, "bound") == [(Status.FAILED, HEAD)]


def test_each_set_compares_with_the_reference_of_its_own_evidence():
    def reference(f1: float) -> dict[str, Reference | Unknown | None]:
        return {"production": Reference(NAME, 3, OTHER, {"flows": Unknown(f"measured as {f1}")})}

    known = facts(references=reference(0.9), references_applied=reference(0.8))
    judged = judge(policies(rule("compare", metric="f1", margin=0.01)), policies(rule("compare", metric="f1", margin=0.01)), known)
    told = {one.policy: one.got for one in judged.verdicts if one.gate == "compare"}
    assert set(told) == {HEAD, APPLIED}
    assert ("0.9" in told[HEAD], "0.8" in told[APPLIED]) == (True, True)


FROM_THE_GATE = "train or choose a better version; compare it with what is in service"
AT = "policies/waivers.yaml:3:5"
NOT_COUNTED = [
    (
        {"waivers": (waiver(expires=NOW.date() - timedelta(days=1)), waiver(digest=OTHER))},
        f"the waiver at {AT} expired on 2026-10-01; the waiver at {AT} is for other bytes; {FROM_THE_GATE}",
    ),
    (
        {"waivers": (waiver(),), "evidence": {"flows": Unknown("the model raised", "mend it")}},
        f"the waiver at {AT} does not count: what could not be checked cannot be waived; mend it",
    ),
    (
        {"waivers_new": (waiver(),)},
        f"the waiver at {AT} came with this change, and does not count for it; {FROM_THE_GATE}",
    ),
]


@pytest.mark.parametrize(("given", "told"), NOT_COUNTED)
def test_why_a_waiver_does_not_count_stands_before_the_gates_own_hint(given, told):
    judged = judge(policies(rule()), None, replace(BAD, **given))
    (found,) = [one for one in judged.verdicts if one.gate == "bound"]
    assert found.hint == told


@pytest.mark.parametrize(("checked", "status"), [(rule(), Status.PASSED), (rule(min=0.99, enforce=False), Status.WARNED)])
def test_a_waiver_that_nothing_needs_is_not_named(checked, status):
    judged = judge(policies(rule("naming"), checked), None, facts(waivers=(waiver(expires=NOW.date() - timedelta(1)), waiver())))
    found = judged.verdicts[-1]
    assert (found.status, found.waiver) == (status, None)
    assert "waiver" not in (found.hint or "")


def test_a_gate_that_no_waiver_opens_says_so_by_name():
    pickle = Format("mlflow.pytorch", "pickle", ("x: a pickle",))
    judged = judge(policies(rule()), None, facts(waivers=(waiver("formats"),), format=pickle))
    (found,) = [one for one in judged.verdicts if one.gate == "formats"]
    assert (found.hint or "").startswith(f"the waiver at {AT} does not count: this by formats cannot be waived; ")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_day_on_which_a_waiver_ends_is_that_of_utc_wherever_it_is_judged(monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for now, status in [
            (NOW.replace(hour=0), Status.WARNED),
            (NOW.replace(hour=23), Status.WARNED),
            (NOW + timedelta(1), Status.FAILED),
        ]:
            assert judge(policies(rule()), None, replace(BAD, now=now, waivers=(waiver(digest=DIGEST),))).status is status
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_gate_that_nobody_knows_and_one_that_breaks_tell_what_to_do():
    broken = replace(rule("naming"), parameters=GATES["lineage"].parameters())
    unknown = replace(rule("lineage"), gate="lineag")
    one, other = judge(policies(rule(), broken, unknown)).verdicts[-2:]
    assert (one.expected, one.hint) == ("a verdict", "report this as a fault of the gate")
    assert one.got.startswith("the gate broke: AttributeError: ")
    assert (other.expected, other.got) == ("a known gate", "there is no gate 'lineag'")
    assert other.hint == f"known gates: {', '.join(GATES)}"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "no facts were collected for this change"),
        (
            {(NAME, "production"): facts(change=change(kind=ChangeKind.HEAL, after=9))},
            "the facts are those of another change: heal to 9",
        ),
    ],
)
def test_no_rule_of_any_set_passes_without_facts_of_this_change(given, told):
    """Not even one that needs the name or the time alone: whoever lacks facts does not know the time either."""
    named: dict[str, dict[str, Any]] = {
        "approval": {"signers": ["bob@example.org", "ada@example.org"]},
        "compare": {"metric": "f1", "margin": 0.01},
        "freeze": {"timezone": "UTC", "windows": [{"days": ["fri"]}]},
    }
    head = policies(*(rule(name, **named.get(name, {})) for name in GATES if name not in BUILT_IN))
    (judged,) = decide(replace(PLAN, changes=(change(),)), head, policies(rule("naming", pattern="^m"), rule("lineage")), given).judged

    assert {one.status for one in judged.verdicts} == {Status.ERRORED}
    assert {one.gate for one in judged.verdicts} == {*GATES} - {"separate"}
    assert verdicts(judged, "naming") == [(Status.ERRORED, HEAD), (Status.ERRORED, APPLIED)]
    assert {(one.expected, one.got, one.hint) for one in judged.verdicts} == {
        ("the facts of this change", told, "run the gate again; if it stays so, report it as a fault")
    }
    assert verdicts(judged, "lineage") == [(Status.ERRORED, BOTH)]
    assert (judged.change, judged.digest, judged.evidence) == (change(), None, ())


@given(
    SETS,
    st.none() | SETS,
    st.lists(st.tuples(FACTS, CHANGES, TOUCHED), min_size=2, max_size=4, unique_by=lambda one: (one[1].model, one[1].environment)),
)
def test_changes_that_are_judged_together_are_judged_as_each_alone(head, before, many):
    """The rules that are looked up once for all of them are those of each."""
    rules = (policies(*head), None if before is None else policies(*before))
    known = {(one.model, one.environment): replace(found, change=one, touched=paths) for found, one, paths in many}
    together = replace(PLAN, changes=tuple(one for _, one, _ in many))
    decision = decide(together, *rules, known)
    assert decision.plan == together
    assert decision.judged == tuple(decide(replace(PLAN, changes=(one,)), *rules, known).judged[0] for one in together.changes)


@pytest.mark.parametrize("strict", [0, 1])
def test_a_bar_that_was_applied_for_one_model_is_that_of_this_one_alone(strict):
    """Whichever of them is judged first, and although HEAD's rules are the same for both."""
    changes = (change(), change(model="ft-transformer-unsw"))
    known = {(one.model, one.environment): facts(change=one) for one in changes}
    before = policies(rule(), rule(min=0.99, models=(changes[strict].model,)))
    decision = decide(replace(PLAN, changes=changes), policies(rule()), before, known)
    refused = [(Status.PASSED, BOTH), (Status.FAILED, APPLIED)]
    assert [verdicts(judged, "bound") for judged in decision.judged] == [refused if at == strict else refused[:1] for at in (0, 1)]


def test_what_is_in_force_beside_a_promotion_by_the_same_rules_is_judged_by_its_own():
    changes = (change(), change(kind=ChangeKind.VERIFY, model="ft-transformer-unsw"))
    known = {(one.model, one.environment): facts(change=one) for one in changes}
    decision = decide(replace(PLAN, changes=changes), policies(rule("staging_first"), rule()), None, known)
    assert [[one.gate for one in judged.verdicts[5:]] for judged in decision.judged] == [["staging_first", "bound"], ["bound"]]
