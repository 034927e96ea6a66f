"""Counts: untrusted, exact when merged, and the figures agree with scikit-learn's."""

from __future__ import annotations

import copy
import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.classification.counts import BINS
from promotion.counting import CountsError
from promotion.figures import document, figures, merge, parse

LABELS = ("attack", "benign", "odd")
GOOD: dict[str, Any] = {
    "schema": "promotion/counts/v1",
    "rows": 10,
    "seconds": 0.5,
    "positive": "attack",
    "parts": {"model": {"labels": ["attack", "benign"], "confusion": [[3, 1], [2, 4]]}},
    "classes": {"DDoS": {"support": 4, "correct": 3}, "benign": {"support": 6, "correct": 4}},
    "sums": {"router.tabular": 4.0},
}
ROW = st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS), st.integers(0, BINS - 1), st.integers(0, 1024))


def counted(rows):
    """What an evaluator would yield for rows of (true, predicted, bin of the score, router weight in 1024ths)."""
    confusion = [[0] * len(LABELS) for _ in LABELS]
    scores = {"positive": [0] * BINS, "negative": [0] * BINS}
    classes: dict[str, dict[str, int]] = {}
    for true, predicted, score, _ in rows:
        confusion[LABELS.index(true)][LABELS.index(predicted)] += 1
        scores["positive" if true == "attack" else "negative"][score] += 1
        one = classes.setdefault(true, {"support": 0, "correct": 0})
        one["support"] += 1
        one["correct"] += true == predicted
    return {
        "schema": "promotion/counts/v1",
        "rows": len(rows),
        "seconds": len(rows) / 64,
        "positive": "attack",
        "parts": {name: {"labels": list(LABELS), "confusion": confusion, "scores": scores} for name in ("model", "tabular")},
        "classes": classes,
        "sums": {"router.tabular": sum(weight for *_, weight in rows) / 1024},
    }


@given(st.lists(ROW, max_size=60), st.lists(ROW, max_size=60), st.lists(ROW, max_size=20))
def test_shards_merge_to_the_whole(first, second, third):
    whole = parse(counted(first + second + third))
    left = merge(merge(parse(counted(first)), parse(counted(second))), parse(counted(third)))
    right = merge(parse(counted(first)), merge(parse(counted(third)), parse(counted(second))))

    assert document(left) == document(whole) == document(right)
    assert json.dumps(list(figures(left).values())) == json.dumps([figures(whole)[name] for name in figures(left)])


def test_figures_agree_with_scikit_learn():
    from sklearn import metrics

    chance = random.Random(7)
    rows = [
        (true, chance.choice(LABELS), chance.randrange(60 if true != "attack" else 100, BINS), 512)
        for true in chance.choices(LABELS, k=500)
    ]
    found = figures(parse(counted(rows)))
    true, predicted = [row[0] for row in rows], [row[1] for row in rows]
    attack, scores = [one == "attack" for one in true], [row[2] for row in rows]

    assert found["f1"] == pytest.approx(metrics.f1_score(true, predicted, labels=["attack"], average="macro"))
    assert found["precision"] == pytest.approx(metrics.precision_score(true, predicted, labels=["attack"], average="macro"))
    assert found["recall"] == pytest.approx(metrics.recall_score(true, predicted, labels=["attack"], average="macro"))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(attack, scores))
    assert found["pr_auc"] == pytest.approx(metrics.average_precision_score(attack, scores))
    alarms = sum(p == "attack" and not a for p, a in zip(predicted, attack, strict=True))
    assert found["false_alarm_rate"] == pytest.approx(alarms / (500 - sum(attack)))
    assert found["class.odd.recall"] == pytest.approx(metrics.recall_score(true, predicted, labels=["odd"], average="macro"))
    assert found["router.tabular"] == 0.5
    assert (found["rows"], found["seconds_per_row"]) == (500, 1 / 64)
    assert found["tabular.f1"] == found["f1"]


def test_what_is_not_defined_is_nan():
    empty = figures(parse(counted([])))
    assert {name for name, value in empty.items() if not math.isnan(value)} == {"rows"}

    never = figures(parse(counted([("attack", "benign", 0, 0), ("benign", "benign", 0, 0)])))
    assert math.isnan(never["precision"])
    assert (never["f1"], never["recall"]) == (0, 0)

    one_class = figures(parse(counted([("attack", "attack", 9, 0)])))
    assert math.isnan(one_class["roc_auc"])
    assert math.isnan(one_class["false_alarm_rate"])


def spoilt(path, value):
    bad = copy.deepcopy(GOOD)
    at: Any = bad
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return bad


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["schema"], "promotion/counts/v2", "schema"),
        (["schema"], ..., "schema"),
        (["rows"], 11, "rows says 11"),
        (["rows"], -1, "rows"),
        (["rows"], True, "rows"),
        (["rows"], 10.0, "rows"),
        (["rows"], "10", "rows"),
        (["seconds"], math.nan, "seconds"),
        (["seconds"], -0.1, "seconds"),
        (["positive"], "malware", "malware"),
        (["extra"], 1, "extra"),
        (["parts"], {}, "parts"),
        (["parts"], {"tabular": GOOD["parts"]["model"]}, "'model'"),
        (["parts", "model", "labels"], ["attack", "attack"], "differ"),
        (["parts", "model", "labels"], ["attack"], "1 × 1"),
        (["parts", "model", "confusion"], [[3, 1], [2]], "2 × 2"),
        (["parts", "model", "confusion"], [[3, 1], [2, -4]], "confusion"),
        (["parts", "model", "confusion"], [[2**53 + 1, 1], [2, 4]], "confusion"),
        (["parts", "model", "scores"], {"positive": [4] + [0] * 199, "negative": [5] + [0] * 199}, "histograms"),
        (["parts", "model", "scores"], {"positive": [4], "negative": [6]}, "scores"),
        (["classes", "DDoS"], {"support": 4, "correct": 5}, "correct"),
        (["classes", "DDoS", "support"], 5, "rows in all"),
        (["classes", "bad\nname"], {"support": 0, "correct": 0}, "classes"),
        (["sums", "router.tabular"], math.inf, "router.tabular"),
        (["sums", "f1"], 9.9, "name of a figure"),
        (["sums", "class.DDoS.recall"], 9.9, "name of a figure"),
        (["sums", "model.f1"], 9.9, "name of a figure"),
    ],
)
def test_counts_that_do_not_add_up_are_refused(path, value, words):
    parse(GOOD)
    with pytest.raises(CountsError) as caught:
        parse(spoilt(path, value))
    assert words in caught.value.message


@pytest.mark.parametrize("nonsense", [None, [], "counts", 3, {}, {"schema": []}, json.loads("[" * 500 + "]" * 500)])
def test_nonsense_is_refused(nonsense):
    with pytest.raises(CountsError):
        parse(nonsense)


def test_counts_of_two_evaluations_do_not_merge():
    other = copy.deepcopy(GOOD)
    other["parts"]["model"]["labels"] = ["benign", "attack"]
    with pytest.raises(CountsError, match="not of one evaluation"):
        merge(parse(GOOD), parse({**other, "classes": {}}))
    with pytest.raises(CountsError, match="not of one evaluation"):
        merge(parse(GOOD), parse({**GOOD, "sums": {}}))
