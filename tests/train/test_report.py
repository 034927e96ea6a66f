"""The document about a model: what evaluate prints, and what report.json holds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from train import blocks
from train.flows import Flows
from train.metrics import figures
from train.moe_outputs import EXPERTS, OUTPUTS
from train.report import document, measure, report
from train.scoring import Scorer, load, predict


def constant(score: float) -> Scorer:
    """A model that gives every row the same score."""
    return Scorer(("Flow Duration",), ("attack",), 0.5, lambda rows: np.full((len(rows), 1), score, dtype=np.float32))


def test_an_area_that_one_class_cannot_have_is_null_in_json(flows: Flows) -> None:
    text = document(report(constant(0.25), flows.take(~flows.attack)))
    assert '"roc_auc": null' in text
    assert '"false_alarm_rate": 0.0' in text
    assert "NaN" not in text


def test_a_report_tells_of_experts_router_ablation_and_context(exported: Path, flows: Flows) -> None:
    scorer = load(exported)
    found = report(scorer, flows)
    assert {"attack_f1", "macro_f1", "precision", "recall", "roc_auc", "pr_auc", "rows", "threshold"} < set(found)
    assert {"false_alarm_rate_at_recall_0.99", "false_alarm_rate_at_recall_0.95", "calibration_error"} < set(found)
    scores = dict(zip(OUTPUTS, predict(scorer, flows).T, strict=True))
    assert found["experts"] == pytest.approx({name: figures(scores[name], flows.attack)["attack_f1"] for name in EXPERTS})
    assert found["router"]["load"] == pytest.approx({name: scores[f"router.{name}"].mean() for name in EXPERTS}, abs=1e-9)
    assert 0 < found["router"]["entropy"] <= 1
    best = found["ablation"]["best_expert"]
    assert found["experts"][best] == max(found["experts"].values())
    assert found["ablation"]["gain_of_mixture"]["value"] == pytest.approx(found["attack_f1"] - found["experts"][best])
    classes_ = {name: (one["support"], sum(one["router"].values())) for name, one in found["classes"].items()}
    assert classes_ == {name: (int((flows.kinds == name).sum()), pytest.approx(1, abs=1e-5)) for name in set(flows.kinds.tolist())}
    alone = found["without_context"]
    lone_scores = predict(scorer, flows.without_context())[:, 0]
    assert alone["attack_f1"] == pytest.approx(figures(lone_scores, flows.attack)["attack_f1"])
    assert alone["calibration_error"] == pytest.approx(figures(lone_scores, flows.attack)["calibration_error"], abs=1e-9)
    assert alone["router"]["load"] != found["router"]["load"]
    assert alone["gain_of_context"]["value"] == pytest.approx(found["attack_f1"] - alone["attack_f1"])
    lone = report(scorer, flows.without_context())
    assert lone["attack_f1"] == alone["attack_f1"] == lone["without_context"]["attack_f1"]
    assert lone["without_context"]["gain_of_context"]["value"] == 0


def test_a_model_without_experts_has_no_ablation_and_needs_no_second_pass(flows: Flows) -> None:
    found = report(constant(0.75), flows)
    assert (found["experts"], found["router"], found["ablation"], found["without_context"]) == ({}, {}, None, None)
    assert found["recall"] == 1
    assert found["roc_auc"] == 0.5


def test_memory_does_not_grow_with_the_rows(flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "GATHERED", 900)
    scorer = Scorer(flows.columns, ("attack",), 0.5, lambda rows: np.full((len(rows), 1), 0.25, dtype=np.float32))

    def many(count: int) -> Iterator[Flows]:
        for number in range(count):
            yield replace(flows, values=flows.values.copy(), stream=np.full(900, number % 3))

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            assert measure(scorer, many(count)).ordered.rows == 900 * count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    assert peak(40) < 1.1 * peak(5)
