"""What a plan holds, by example: kinds, writes and their order, what is unmanaged, and what its digest stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promotion.changes import Change, ChangeKind, SetAlias, SetStage, Shown
from promotion.domain import Environment, Observed
from promotion.plan import plan
from tests.promotion.test_plan import BOTH, PRODUCTION, STAGING, bound, declare, desired, memory, model

CANARY = Environment("canary", None, "canary")


@pytest.mark.parametrize("environments", [(STAGING, PRODUCTION, CANARY), (CANARY, STAGING, PRODUCTION)])
def test_an_environment_without_a_stage_leaves_the_version_in_the_stage_of_another(environments):
    """Whichever comes first; and it does not keep the others from being written."""
    observed = Observed("r", {"m": model("m", {1: "None"}, {})})
    made = plan(desired(declare("m", "canary", 1), declare("m", "production", 1), environments=environments), observed, {})
    assert set(made.operations) == {
        SetStage("m", 1, "Production", archive_existing=True),
        SetAlias("m", "canary", 1),
        SetAlias("m", "production", 1),
    }


def test_a_swap_fills_production_first():
    observed = Observed("r", {"m": model("m", {1: "Production", 2: "Staging"}, {"staging": 2, "production": 1})})
    made = plan(desired(declare("m", "staging", 1), declare("m", "production", 2)), observed, {})
    assert made.operations[:2] == (
        SetStage("m", 2, "Production", archive_existing=True),
        SetStage("m", 1, "Staging", archive_existing=True),
    )


def test_what_is_emptied_is_archived_without_touching_the_others_there():
    observed = Observed("r", {"m": model("m", {1: "Production", 2: "Archived"}, {})})
    made = plan(desired(declare("m", "production", None)), observed, memory("m", production=bound(1)))
    assert made.operations == (SetStage("m", 1, "Archived", archive_existing=False),)


@pytest.mark.parametrize(
    ("past", "stage", "kind"),
    [
        (bound(1), "Production", ChangeKind.RETIRE),
        (bound(1), "None", ChangeKind.RETIRE),
        (None, "Production", ChangeKind.RETIRE),
        (None, "None", None),
        (bound(None, 1), "Production", ChangeKind.HEAL),
        (bound(None, 1), "None", None),
    ],
    ids=["in service", "taken out by hand", "never applied", "never anywhere", "put back by hand", "retired before"],
)
def test_none_retires_what_is_in_service_or_was_the_last_to_be(past, stage, kind):
    observed = Observed("r", {"m": model("m", {1: stage}, {})})
    made = plan(desired(declare("m", "production", None)), observed, memory("m", production=past) if past else {})
    assert [change.kind for change in made.changes] == ([] if kind is None else [kind])


def test_nothing_where_nothing_ever_was_keeps_no_other_environment_from_being_planned():
    observed = Observed("r", {"m": model("m", {1: "None"}, {})})
    made = plan(desired(declare("m", "staging", None), declare("m", "production", 1)), observed, {})
    assert [(change.kind, change.environment) for change in made.changes] == [(ChangeKind.PROMOTE, "production")]


def test_a_change_tells_what_it_replaces_what_shows_and_what_is_pinned():
    observed = Observed("r", {"m": model("m", {1: "Archived", 2: "None"}, {"production": 1})})
    binding = replace(declare("m", "production", 2, line=7), digest="9" * 64)
    (change,) = plan(desired(binding), observed, memory("m", production=bound(1))).changes
    assert change == Change(ChangeKind.PROMOTE, "m", "production", 1, 2, Shown((), 1), "9" * 64, binding.place)


def test_every_model_that_shows_something_unmanaged_is_told_and_nothing_of_those_that_show_nothing():
    observed = Observed(
        "r",
        {
            "m": model("m", {1: "Staging"}, {"production": 1}),
            "n": model("n", {1: "Staging"}, {}),
            "o": model("o", {1: "Staging", 2: "Production"}, {}),
        },
    )
    made = plan(desired(*(declare(name, "staging", 1) for name in "mno")), observed, {})
    assert made.unmanaged == (
        "m production shows stage none, alias 1 and is not declared",
        "o production shows stage 2, alias none and is not declared",
    )


OBSERVED = Observed(
    "https://registry", {"m": model("m", {1: "Production", 2: "None"}, {"production": 1}), "n": model("n", {1: "None"}, {})}
)
WANTED = desired(
    replace(declare("m", "production", 2), digest="9" * 64),
    declare("m", "staging", None),
    declare("n", "staging", 1),
    environments=(STAGING, PRODUCTION, CANARY),
)
APPLIED = memory("m", production=bound(1), staging=bound(None))


def test_a_plan_tells_all_that_it_was_made_from():
    made = plan(WANTED, OBSERVED, APPLIED)
    assert made.target == "https://registry"
    assert made.basis == {
        "registry": "https://registry",
        "policies": "",
        "environment staging": "stage Staging, alias staging",
        "environment production": "stage Production, alias production",
        "environment canary": "stage None, alias canary",
        "file: m staging": "none",
        "file: m production": f"2@sha256:{'9' * 64}",
        "file: n staging": "1",
        "registry: m staging": "none",
        "registry: m production": "1",
        "registry: m canary": "none",
        "registry: m/2": "created 1002, run run2, models:/m-2",
        "registry: n staging": "none",
        "registry: n production": "none",
        "registry: n canary": "none",
        "registry: n/1": "created 1001, run run1, models:/m-1",
        "journal: m production": f"1@sha256:{1:064x}",
        "journal: m staging": "none",
    }


def test_the_digest_that_people_agree_on_and_sign_is_this_one():
    """Another one for the same plan takes every approval and every agreed plan back: change it on purpose alone."""
    assert plan(WANTED, OBSERVED, APPLIED, policies="p").digest == "3ee06d73afad33e6f6bcbae6116220836c7f7ee07236e6bcce662eb319cf357c"


@pytest.mark.parametrize(
    "other",
    [
        plan(WANTED, OBSERVED, APPLIED, policies="q"),
        plan(WANTED, replace(OBSERVED, registry="https://other"), APPLIED, policies="p"),
        plan(WANTED, OBSERVED, memory("m", production=bound(2)), policies="p"),
        plan(desired(*WANTED.bindings, environments=BOTH), OBSERVED, APPLIED, policies="p"),
    ],
    ids=["policies", "registry", "journal", "environments"],
)
def test_a_plan_of_anything_else_has_another_digest(other):
    assert other.digest != plan(WANTED, OBSERVED, APPLIED, policies="p").digest
