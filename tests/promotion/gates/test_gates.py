"""Every gate: what passes, what fails, what cannot be judged. A gate that lacks a fact never passes."""

from __future__ import annotations

import math
import sys
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from promotion.errors import UsageError
from promotion.gates import BUILT_IN, GATES, gate
from promotion.gates.interface import (
    Parameters,
)
from tests.promotion.gates.rows import FAILED, PASSED, Rows
from tests.promotion.gates.rows_of_figures import BOUND, COMPARE, F1
from tests.promotion.gates.rows_of_people import APPROVAL, FREEZE, HOLD, ONE, POLICY, QUARANTINE, shut
from tests.promotion.gates.rows_of_versions import DIGESTS, FORMATS, LINEAGE, METADATA, SIGNATURE, STAGING_FIRST
from tests.promotion.gates.samples import (
    NAME,
    NOW,
    OUT_OF_REACH,
    applied,
    change,
    facts,
)

"""Every gate: what passes, what fails, what cannot be judged. A gate that lacks a fact never passes."""
TABLE = [
    pytest.param(name, *row, id=f"{name}-{index}-{row[2].lower()}")
    for name, rows in dict[str, Rows](
        bound=BOUND,
        compare=COMPARE,
        staging_first=STAGING_FIRST,
        metadata=METADATA,
        lineage=LINEAGE,
        formats=FORMATS,
        digest=DIGESTS,
        hold=HOLD,
        quarantine=QUARANTINE,
        freeze=FREEZE,
        approval=APPROVAL,
        signature=SIGNATURE,
        policy=POLICY,
    ).items()
    for index, row in enumerate(rows)
]


@pytest.mark.parametrize(("name", "parameters", "known", "status", "words"), TABLE)
def test_ruling(name, parameters, known, status, words):
    ruling = GATES[name].judge(GATES[name].parameters.model_validate(parameters), known)

    assert (ruling.status, words in ruling.got) == (status, True), ruling
    assert ruling.expected
    assert ruling.hint or not ruling.status.blocks, "who is refused must be told what to do"


@pytest.mark.parametrize("name", [NAME, "ft-transformer-unsw", "xgboost-baseline-cicids"])
def test_good_names_pass(name):
    assert _named(name).status is PASSED


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("model1", ["'model1' says nothing", "one word alone"]),
        ("my_model_final_v2", ["underscores", "'my', 'model', 'final', 'v2' say nothing"]),
        ("test_model", ["underscores", "'test', 'model' say nothing"]),
        ("MoE-Cicids", ["capital letters"]),
        ("moe--cicids", ["does not match"]),
        ("moe cicids", ["does not match"]),
        ("moe-cicids\n", ["does not match"]),
        ("moe-cybersecurity-final", ["'final' says nothing"]),
    ],
)
def test_bad_names_fail_with_every_reason(name, reasons):
    ruling = _named(name)

    assert ruling.status is FAILED
    assert [reason for reason in reasons if reason not in ruling.got] == []
    assert ruling.hint is not None
    assert "moe-cybersecurity-cicids" in ruling.hint


def test_own_pattern_replaces_the_usual_one():
    assert _named("model1", pattern="model[0-9]").status is PASSED
    assert _named(NAME, pattern="model[0-9]").status is FAILED


def _named(name: str, **parameters: Any):
    return GATES["naming"].judge(GATES["naming"].parameters.model_validate(parameters), facts(change=change(model=name)))


def test_the_nearest_figure_is_suggested():
    ruling = GATES["bound"].judge(GATES["bound"].parameters.model_validate({"metric": "fl", "min": 0}), facts())
    assert ruling.hint == "did you mean 'f1'?"


@pytest.mark.parametrize(
    ("windows", "opens"),
    [
        ([{"days": ["fri", "sat", "sun"]}], "wait until 2026-10-05T00:00 (Europe/Berlin)"),
        ([{"hours": "13:00-15:00"}, {"hours": "15:00-16:30"}], "wait until 2026-10-02T16:30"),
        ([{"first": "2026-10-01"}], "change the policy"),
    ],
)
def test_a_freeze_says_when_it_ends(windows, opens):
    ruling = GATES["freeze"].judge(GATES["freeze"].parameters.model_validate(shut(*windows)), facts())
    assert ruling.status is FAILED
    assert opens in (ruling.hint or "")


def test_the_soak_says_when_it_ends():
    ruling = GATES["staging_first"].judge(
        GATES["staging_first"].parameters.model_validate({"soak": "3d"}), facts(applied=applied(bindings={}))
    )
    assert ruling.hint == f"wait until {(NOW + timedelta(days=1)).isoformat(timespec='minutes')}"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("bound", {"metric": "f1"}),
        ("bound", {"metric": "f1", "min": "0.9"}),
        ("bound", {"metric": "f1", "min": math.nan}),
        ("bound", {"metric": "f1", "min": math.inf}),
        ("bound", {"metric": "f1", "min": True}),
        ("bound", {"metric": "f1", "min": 0.9, "max": 0.1}),
        ("bound", {"metric": "f1", "min": 0.9, "minn": 0.1}),
        ("bound", {"min": 0.9}),
        ("bound", {"metric": "seconds_per_row", "max": 1e-5}),
        ("bound", {"metric": "seconds_*", "max": 1e-5}),
        ("bound", {"metric": "*", "max": 1.0}),
        ("bound", {"metric": "seconds_*", "max": 1e-5, "spread": "other", "evaluation": "rows"}),
        ("bound", {"metric": "f1", "min": 0.9, "relative_to": "f1"}),
        ("bound", {"metric": "f1", "max": 0.1, "spread": "other"}),
        ("bound", {"metric": "f1", "max": 0.1, "spread": "rows", "evaluation": "rows"}),
        ("bound", {"metric": "f1", "min": 0.9, "of": "lower", "confidence": 0.999}),
        ("bound", {"metric": "f1", "min": 0.9, "of": "middle"}),
        ("bound", {"metric": "f1", "min": 0.9, "relative_to": "recall", "against": "production"}),
        ("bound", {"metric": "f1", "min": 0.9, "first": "pass"}),
        ("bound", {"metric": "f1", "min": 0.9, "spread": "other", "evaluation": "rows", "of": "lower"}),
        ("bound", {"metric": "f1", "min": 0.9, "min_support": 0}),
        ("compare", {"metric": "f1"}),
        ("compare", {"metric": "f1", "margin": -0.01}),
        ("compare", {"metric": "f1", "margin": 0.01, "better": "lower"}),
        ("compare", {"metric": "trees.rmse", "margin": 0.01, "better": "higher"}),
        ("compare", {"metric": "bias", "margin": 0.01, "better": "lower"}),
        ("compare", {"metric": "drift", "margin": 0.01}),
        ("compare", {"metric": "*", "margin": 0.01}),
        ("compare", {"metric": "f1", "margin": math.nan}),
        ("compare", {"metric": "f1", "margin": 0.01, "first": "maybe"}),
        ("compare", {"metric": "f1", "margin": 0.01, "baseline": "xgboost-*", "against": "staging"}),
        ("compare", {"metric": "f1", "margin": 0.01, "confidence": 1.0}),
        ("staging_first", {"soak": "soon"}),
        ("staging_first", {"soak": -1}),
        ("staging_first", {"soak": math.nan}),
        ("staging_first", {"soak": True}),
        ("staging_first", {"soak": ""}),
        ("metadata", {"tags": ["a", 1]}),
        ("metadata", {"tags": "dataset"}),
        ("metadata", {"tags": [""]}),
        ("naming", {"pattern": "("}),
        ("naming", {"pattern": "[a-z]+", "examples": ["A"]}),
        ("formats", {"allow": ["pickle"]}),
        ("formats", {"allow": []}),
        ("formats", {"loaders": ["mlflow.pyfunc.model"]}),
        ("lineage", {"commit": True}),
        ("lineage", {"repository": "--upload-pack=touch"}),
        ("lineage", {"repository": "ext::sh"}),
        ("approval", {}),
        ("approval", {"signers": []}),
        ("approval", {"signers": ["bob", "bob"], "count": 2}),
        ("approval", {"signers": ["bob"], "count": 0}),
        ("freeze", {"windows": [{"days": ["fri"]}]}),
        ("freeze", {"timezone": "Europe/Berlyn", "windows": [{"days": ["fri"]}]}),
        ("freeze", shut()),
        ("freeze", shut({})),
        ("freeze", shut({"reason": "for ever"})),
        ("freeze", shut({"days": ["Friday"]})),
        ("freeze", shut({"hours": "9-17"})),
        ("freeze", shut({"hours": "24:00-06:00"})),
        ("freeze", shut({"hours": "09:00-09:00"})),
        ("freeze", shut({"hours": "09:60-17:00"})),
        ("freeze", shut({"hours": "09:00-24:30"})),
        ("freeze", shut({"first": "2026-02-30"})),
        ("freeze", shut({"first": "2026-12-24", "last": "2026-12-23"})),
        ("freeze", shut({"days": ["fri"]}, emergency=["promote"])),
    ],
)
def test_wrong_parameters_are_refused(name, wrong):
    with pytest.raises(ValidationError):
        GATES[name].parameters.model_validate(wrong)


UNREAD = ("model", "version", "run", "artifact", "format", "lineage", "holds", "barred", "signature", "approvals")


def test_every_gate_fails_closed_without_facts():
    nothing = facts(
        **dict.fromkeys(
            ("model", "version", "run", "artifact", "format", "lineage", "holds", "barred", "signature", "approvals"), OUT_OF_REACH
        ),
        applied=None,
        evidence={},
        stages_before=(),
    )
    asked = {
        "approval": ONE,
        "bound": F1,
        "compare": {"metric": "f1", "margin": 0.01, "first": "pass"},
        "freeze": shut({"days": ["fri"]}),
        "policy": {"rules": 0},
        "naming": {"pattern": "other"},
    }
    for name, one in GATES.items():
        ruling = one.judge(one.parameters.model_validate(asked.get(name, {})), nothing)
        assert ruling.status.blocks, name


@pytest.mark.parametrize("name", sorted(GATES))
def test_documentation_lies_beside_the_gate(name):
    one = gate(name)
    text = sys.modules[type(one).__module__].__doc__ or ""

    assert text.startswith(f"{name}: ")
    assert "\nPasses: " in text
    assert "\nFails" in text
    assert "Sample (policies/" in text or name in BUILT_IN
    assert one.name == name
    assert one.summary
    assert issubclass(one.parameters, Parameters)


def test_unknown_gate_suggests_the_nearest():
    with pytest.raises(UsageError, match="no gate 'bonud'") as caught:
        gate("bonud")
    assert caught.value.hint == "did you mean 'bound'?"
