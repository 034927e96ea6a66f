"""Figures against scikit-learn on random rows, and the same figures from counts; intervals against what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from train import intervals, metrics
from train.errors import TrainError
from train.intervals import LEAST_GROUPS, RESAMPLES
from train.tally import BINS, Tally, _bins, count, difference, empty, fold

Block = dict[str, Any]
Rows = list[tuple[float, bool, int, float]]
"""Score, whether it is an attack, group, the router's first weight."""

VALUES = ("router.tabular", "router.temporal", "router_entropy")


def block(scores: np.ndarray, attack: np.ndarray, *, group: np.ndarray | None = None, router: np.ndarray | None = None) -> Block:
    """Outcomes of a model with one expert whose scores are the model's squared, and a router of two weights."""
    share = np.full(len(scores), 0.25) if router is None else router
    return {
        "schema": "promotion/outcomes/v1",
        "positive": "attack",
        "labels": ["benign", "attack"],
        "seconds": 0.5,
        "index": np.arange(len(scores)),
        "group": np.arange(len(scores)) // 4 if group is None else group,
        "truth": attack.astype(np.int64),
        "class": np.where(attack, "DoS", "BENIGN"),
        "parts": {
            "model": {"predicted": (scores >= 0.5).astype(np.int64), "score": scores},
            "tabular": {"predicted": (scores**2 >= 0.5).astype(np.int64), "score": scores**2},
        },
        "values": {"router.tabular": share, "router.temporal": 1 - share, "router_entropy": np.full(len(scores), 0.5)},
    }


def drawn(rows: int, seed: int, *, overlap: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores as a network gives them, most of them near 0 and 1, and the truth."""
    source = np.random.default_rng(seed)
    attack = source.random(rows) < 0.3
    odds = source.normal(np.where(attack, 4.0, -4.0), overlap)
    return 1 / (1 + np.exp(-odds)), attack


def exact_rate(attack: np.ndarray, scores: np.ndarray, recall: float) -> float:
    """By definition: the least share of benign rows at or above a threshold that finds this share of the attacks."""
    rates = [float((scores[~attack] >= cut).mean()) for cut in np.unique(scores) if (scores[attack] >= cut).mean() >= recall]
    return min(rates)


@pytest.mark.parametrize("overlap", [0.5, 3.0, 8.0])
def test_figures_of_rows_are_scikit_learns(overlap: float) -> None:
    scores, attack = drawn(3_000, 1, overlap=overlap)
    found, said = metrics.figures(scores, attack), scores >= 0.5
    assert found["attack_f1"] == pytest.approx(sklearn.f1_score(attack, said))
    assert found["macro_f1"] == pytest.approx(sklearn.f1_score(attack, said, average="macro"))
    assert found["precision"] == pytest.approx(sklearn.precision_score(attack, said))
    assert found["recall"] == pytest.approx(sklearn.recall_score(attack, said))
    assert found["roc_auc"] == pytest.approx(sklearn.roc_auc_score(attack, scores))
    assert found["pr_auc"] == pytest.approx(sklearn.average_precision_score(attack, scores))
    assert found["false_alarm_rate"] == pytest.approx(said[~attack].mean())
    for recall in (0.95, 0.99):
        assert found[f"false_alarm_rate_at_recall_{recall}"] == pytest.approx(exact_rate(attack, scores, recall))


@pytest.mark.parametrize("overlap", [0.5, 3.0, 8.0])
def test_figures_of_counts_are_those_of_the_rows_within_what_the_bins_allow(overlap: float) -> None:
    scores, attack = drawn(20_000, 2, overlap=overlap)
    counted, exact = count(block(scores, attack)), metrics.figures(scores, attack)
    found = counted.figures()
    assert set(found) == set(exact)
    for name in ("attack_f1", "macro_f1", "precision", "recall", "false_alarm_rate"):
        assert found[name] == exact[name], name
    assert found["calibration_error"] == pytest.approx(exact["calibration_error"], abs=1e-12)
    benign, positive = counted.histogram[0].astype(float)
    assert abs(found["roc_auc"] - exact["roc_auc"]) <= 0.5 * (benign * positive).sum() / benign.sum() / positive.sum() + 1e-12
    assert found["roc_auc"] == pytest.approx(exact["roc_auc"], abs=1e-4)
    assert found["pr_auc"] == pytest.approx(exact["pr_auc"], abs=1e-4)
    for recall in (0.95, 0.99):
        name = metrics.at_recall(recall)
        assert exact[name] <= found[name] <= exact[name] + benign.max() / benign.sum()


def test_calibration_error_is_what_the_paper_says() -> None:
    scores, attack = drawn(5_000, 3, overlap=6.0)
    shares, means = sklearn_calibration(scores, attack)
    weights = np.histogram(scores, bins=15, range=(0, 1))[0]
    expected = (np.abs(shares - means) * weights[weights > 0]).sum() / len(scores)
    assert metrics.figures(scores, attack)["calibration_error"] == pytest.approx(expected, abs=1e-9)
    perfect = np.repeat([0.25, 0.75], 400)
    truth = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
    assert metrics.figures(perfect, truth)["calibration_error"] == 0


def sklearn_calibration(scores: np.ndarray, attack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.calibration import calibration_curve

    found: tuple[np.ndarray, np.ndarray] = calibration_curve(attack, scores, n_bins=15)
    return found


ONE = np.ones(4, dtype=bool)


@pytest.mark.parametrize(
    ("scores", "attack", "defined", "undefined"),
    [
        ([0.9, 0.8, 0.4, 0.1], ONE, {"attack_f1": 2 / 3, "recall": 0.5, "precision": 1.0}, {"roc_auc", "pr_auc", "false_alarm_rate"}),
        ([0.9, 0.1, 0.4, 0.1], ~ONE, {"precision": 0, "attack_f1": 0, "false_alarm_rate": 0.25}, {"recall", "roc_auc", "pr_auc"}),
        ([0.1, 0.1, 0.4, 0.1], ~ONE, {"macro_f1": 1, "false_alarm_rate": 0}, {"attack_f1", "precision", "recall", "roc_auc"}),
        ([0.7] * 4, np.array([True, False, True, False]), {"roc_auc": 0.5, "pr_auc": 0.5, "false_alarm_rate_at_recall_0.99": 1}, set()),
        ([1.0, 0.0, 1.0, 0.0], np.array([True, False] * 2), {"attack_f1": 1, "roc_auc": 1, "pr_auc": 1, "calibration_error": 0}, set()),
        ([], np.zeros(0, dtype=bool), {}, {"attack_f1", "macro_f1", "roc_auc", "calibration_error", "false_alarm_rate_at_recall_0.95"}),
    ],
    ids=["attacks alone", "benign alone", "benign and none suspected", "one score", "perfect", "no rows"],
)
def test_what_is_not_defined_is_nan_and_the_rest_stands(
    scores: list[float], attack: np.ndarray, defined: dict[str, float], undefined: set[str]
) -> None:
    given_ = np.array(scores, dtype=float)
    for found in (metrics.figures(given_, attack), count(block(given_, attack)).figures()):
        assert {name: found[name] for name in defined} == pytest.approx(defined)
        assert undefined <= {name for name, value in found.items() if math.isnan(value)}


@pytest.mark.parametrize("bad", [np.nan, -1e-9, 1 + 1e-9, np.inf])
def test_a_score_that_is_no_probability_is_refused(bad: float) -> None:
    scores, attack = np.array([0.5, bad, 0.5]), np.array([True, False, True])
    wanted = "1 of 3 rows got a score that is no probability"
    calls: list[Callable[[], object]] = [
        lambda: metrics.figures(scores, attack),
        lambda: metrics.part(scores, attack),
        lambda: count(block(scores, attack)),
    ]
    for call in calls:
        with pytest.raises(TrainError, match=wanted):
            call()
    with pytest.raises(TrainError, match=r"router\.tabular is not between 0 and 1"):
        count(block(np.full(3, 0.5), attack, router=scores))


rows = st.lists(
    st.tuples(st.floats(0, 1), st.booleans(), st.integers(-3, 2**40), st.floats(0, 1)),
    min_size=1,
    max_size=60,
)


@settings(deadline=None, max_examples=40)
@given(rows=rows, cuts=st.lists(st.integers(0, 60), max_size=3), order=st.randoms(use_true_random=False))
def test_shards_add_up_exactly_however_they_are_cut_and_ordered(
    rows: list[tuple[float, bool, int, float]], cuts: list[int], order: Any
) -> None:
    whole = counted(rows)
    mixed = rows.copy()
    order.shuffle(mixed)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    total = empty(("model", "tabular"), VALUES)
    for start, stop in pairwise(edges):
        if start < stop:
            total = counted(mixed[start:stop]) + total
    for name in ("confusion", "histogram", "calibration", "replicates", "groups"):
        assert np.array_equal(getattr(total, name), getattr(whole, name)), name
    assert {name: counts.tolist() for name, counts in total.classes.items()} == {
        name: counts.tolist() for name, counts in whole.classes.items()
    }
    assert total.rows == len(rows)


def counted(rows: Rows) -> Tally:
    scores, attack, group, router = (np.array(column) for column in zip(*rows, strict=True))
    return count(block(scores, attack, group=group, router=router))


def test_tallies_of_other_models_and_no_rows_at_all_are_refused() -> None:
    scores, attack = drawn(10, 4, overlap=1.0)
    other = block(scores, attack)
    del other["parts"]["tabular"]
    with pytest.raises(ValueError, match="not of one model"):
        _ = count(block(scores, attack)) + count(other)
    with pytest.raises(TrainError, match="no rows to measure"):
        fold([])
    with pytest.raises(ValueError, match="same rows"):
        difference(count(block(scores, attack)), "model", count(block(scores, ~attack)), "model")


def test_a_tally_of_many_rows_is_no_larger_than_that_of_one() -> None:
    def size(one: Tally) -> int:
        return sum(array.nbytes for array in (one.confusion, one.histogram, one.calibration, one.replicates, one.groups))

    scores, attack = drawn(5_000, 5, overlap=4.0)
    blocks = [block(scores[a : a + 100], attack[a : a + 100], group=np.arange(a, a + 100)) for a in range(0, 5_000, 100)]
    assert size(fold(blocks)) == size(count(blocks[0]))


def test_weights_are_poisson_by_group_alone() -> None:
    groups = np.array([-1, 0, 1, 7, 2**40])
    drawn_weights = intervals.weights(groups)
    assert drawn_weights.shape == (5, RESAMPLES)
    assert np.array_equal(intervals.weights(groups[::-1]), drawn_weights[::-1])
    many = intervals.weights(np.arange(2_000)).astype(float)
    assert many.mean() == pytest.approx(1, abs=0.005)
    assert many.var() == pytest.approx(1, abs=0.01)
    assert (many == 0).mean() == pytest.approx(math.exp(-1), abs=0.002)
    # Neither groups nor resamples go together.
    assert abs(np.corrcoef(many[:300]) - np.eye(300)).max() < 0.2
    assert abs(np.corrcoef(many[:, :300].T) - np.eye(300)).max() < 0.15


def test_resampled_counts_are_the_weighted_sums() -> None:
    source = np.random.default_rng(6)
    groups, counts = source.integers(0, 50, 400), source.integers(0, 9, (400, 3))
    expected = np.stack([(intervals.weights(groups)[:, b, None].astype(np.int64) * counts).sum(0) for b in range(RESAMPLES)])
    assert np.array_equal(intervals.resampled(groups, counts, step=7), expected)


def test_formulas_of_the_resamples_are_scikit_learns() -> None:
    source = np.random.default_rng(7)
    confusions = source.integers(0, 4, (300, 2, 2))
    found = intervals.figures_of(confusions)
    for place, confusion in enumerate(confusions):
        assert {name: values[place] for name, values in found.items()} == pytest.approx(metrics.decided(confusion), nan_ok=True)


def test_intervals_by_group_are_wider_where_groups_are_right_or_wrong_together() -> None:
    source = np.random.default_rng(8)
    attack = np.repeat(source.random(200) < 0.5, 25)
    right = np.repeat(source.random(200) < 0.9, 25)
    scores = np.where(right == attack, 0.9, 0.1)
    bursts = count(block(scores, attack, group=np.arange(5_000) // 25)).interval("attack_f1")
    single = count(block(scores, attack, group=np.arange(5_000))).interval("attack_f1")
    assert bursts.low < single.low < single.value < single.high < bursts.high
    assert (bursts.high - bursts.low) > 3 * (single.high - single.low)
    few = count(block(scores, attack, group=np.arange(5_000) % (LEAST_GROUPS - 1))).interval("attack_f1")
    assert few.value == bursts.value
    assert math.isnan(few.low)


def test_intervals_hold_what_they_promise_when_flows_come_in_bursts() -> None:
    """The truth is recall 0.8, known by construction; nominal 95 %, 200 trials: at least 90 % must hold it."""
    source, held = np.random.default_rng(9), 0
    for _ in range(200):
        right = np.repeat(source.random(80) < 0.8, 10)
        found = count(block(np.where(right, 0.9, 0.1), np.ones(800, dtype=bool), group=np.arange(800) // 10)).interval("recall")
        held += found.low <= 0.8 <= found.high
    assert held >= 180


def test_a_difference_is_paired() -> None:
    source = np.random.default_rng(10)
    attack = source.random(4_000) < 0.5
    scores = np.where(source.random(4_000) < 0.8, attack, ~attack) * 0.8 + 0.1
    better = np.where(np.arange(4_000) % 100 == 0, attack * 0.8 + 0.1, scores)
    one, other = count(block(better, attack)), count(block(scores, attack))
    found = difference(one, "model", other, "model")
    assert found.value == pytest.approx(one.figures()["attack_f1"] - other.figures()["attack_f1"])
    assert 0 < found.low < found.value < found.high
    alone = one.interval("attack_f1")
    assert found.high - found.low < 0.5 * (alone.high - alone.low)
    same = difference(one, "model", one, "model")
    assert same.value == 0
    assert math.isnan(same.low), "no resample differs: the rows do not tell"


def test_by_class_tells_support_recall_experts_and_the_routers_share() -> None:
    scores, attack = np.array([0.9, 0.6, 0.2, 0.1]), np.array([True, True, False, False])
    found = count(block(scores, attack, router=np.array([0.0, 1.0, 0.5, 0.25])))
    assert found.by_class()["DoS"] == {
        "support": 2,
        "attacks": 2,
        "correct": 2,
        "recall": 1.0,
        "experts": {"tabular": 0.5},
        "values": {"router.tabular": 0.5, "router.temporal": 0.5, "router_entropy": 0.5},
    }
    assert found.means() == {"router.tabular": 0.4375, "router.temporal": 0.5625, "router_entropy": 0.5}


def test_bins_of_log_odds_keep_the_order_and_half_is_an_edge() -> None:
    scores = np.unique(np.concatenate([np.linspace(0, 1, 2_001), 10.0 ** -np.arange(1, 14), 1 - 2.0 ** -np.arange(1, 24)]))
    bins = _bins(scores)
    assert (np.diff(bins) >= 0).all()
    assert _bins(np.array([0.0, 0.5, np.nextafter(0.5, 0), 1.0])).tolist() == [0, BINS // 2, BINS // 2 - 1, BINS - 1]
