"""The table that compares models: spread over seeds, both orders, paired differences."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.test_metrics import block, drawn
from train.compare import Entry, document, table
from train.report import Measured
from train.tally import WHOLE, Pair, Tally, count, mean_difference

ATTACK = drawn(4_000, 20, overlap=2.0)[1]


def tally(mistakes: int, *, expert: bool = False) -> Tally:
    """A model that is wrong in this many rows of its first thousand, each in a group of its own."""
    right = np.arange(4_000) >= mistakes
    one = block(np.where(right == ATTACK, 0.9, 0.1), ATTACK, group=np.arange(4_000))
    if not expert:
        del one["parts"]["tabular"]
        one["values"] = {}
    return count(one)


@pytest.fixture
def entries() -> list[Entry]:
    def mixture(mistakes: int) -> Measured:
        return Measured(0.5, tally(mistakes, expert=True), tally(mistakes + 100, expert=True))

    return [
        Entry("mixture", 0, mixture(100)),
        Entry("mixture", 1, mixture(140)),
        Entry("xgboost", 0, Measured(0.5, tally(300), None)),
        Entry("xgboost", 1, Measured(0.5, tally(300), None)),
    ]


def test_the_spread_over_seeds_is_of_each_order(entries: list[Entry]) -> None:
    found = document(entries)
    f1 = [entry.measured.ordered.figures()["attack_f1"] for entry in entries[:2]]
    assert found["models"]["mixture"]["file_order"]["attack_f1"] == pytest.approx({"mean": sum(f1) / 2, "least": f1[1], "most": f1[0]})
    assert found["models"]["mixture"]["no_context"]["attack_f1"]["most"] < f1[1]
    assert found["models"]["xgboost"]["file_order"] == found["models"]["xgboost"]["no_context"]
    assert found["rows"] == 4_000


def test_differences_are_paired_by_seed_and_have_intervals(entries: list[Entry]) -> None:
    found = document(entries)["differences"]
    against = [one for one in found if one["minus"] == "xgboost"]
    assert [(one["model"], one["seed"], one["order"]) for one in against] == [
        ("mixture", seed, order) for seed in (0, 1) for order in ("file_order", "no_context")
    ]
    assert all(0 < one["low"] < one["value"] < one["high"] for one in against)
    context = [one for one in found if one["minus"] == "itself without context"]
    assert [one["seed"] for one in context] == [0, 1]
    assert all(one["low"] > 0 for one in context)
    ablations = [one for one in found if one["minus"] == "its tabular expert"]
    assert len(ablations) == 4


def test_the_mean_over_seeds_has_an_interval_of_its_own(entries: list[Entry]) -> None:
    found = document(entries)
    means = {(one["model"], one["order"], one["minus"]): one for one in found["mean_differences"]}
    assert set(means) == {
        *(("mixture", order, minus) for order in ("file_order", "no_context") for minus in ("xgboost", "its best expert")),
        ("mixture", "file_order", "itself without context"),
    }
    for (_, order, minus), one in means.items():
        single = [
            other
            for other in found["differences"]
            if other["order"] == order and other["minus"] in {minus, "its tabular expert" if minus == "its best expert" else minus}
        ]
        assert one["seeds"] == [0, 1] == [other["seed"] for other in single]
        assert one["value"] == pytest.approx(sum(other["value"] for other in single) / 2)
    # Resamples are shared: the interval is that of the mean, resample by resample, and no mean of ends.
    gains = []
    for mixture, other in ((entries[0], entries[2]), (entries[1], entries[3])):
        counts = (mixture.measured.ordered.replicates[:, 0], other.measured.ordered.replicates[:, 0])
        ours, theirs = (2 * one[:, 1, 1] / (2 * one[:, 1, 1] + one[:, 0, 1] + one[:, 1, 0]) for one in counts)
        gains.append(ours - theirs)
    low, high = np.quantile((gains[0] + gains[1]) / 2, [0.025, 0.975])
    against = means["mixture", "file_order", "xgboost"]
    assert (against["low"], against["high"]) == pytest.approx((low, high))
    assert document(entries[:1])["mean_differences"] == []


def test_a_mean_over_other_rows_is_refused() -> None:
    one, other = tally(100), count(block(np.where(~ATTACK, 0.9, 0.1), ~ATTACK, group=np.arange(4_000)))
    pairs = [Pair(some, WHOLE, some, WHOLE) for some in (one, other)]
    with pytest.raises(ValueError, match="the same rows"):
        mean_difference(pairs)


def test_the_table_says_it_for_people(entries: list[Entry]) -> None:
    found = document(entries)
    lines = table(found).splitlines()
    assert lines[2] == "in file order"
    rows = [line for line in lines if line.startswith(("mixture ", "xgboost ")) and "minus" not in line]
    assert len(rows) == 4
    f1 = found["models"]["mixture"]["file_order"]["attack_f1"]
    assert f"{f1['mean']:.4f} ({f1['least']:.4f} to {f1['most']:.4f})" in rows[0]
    orders = ("file_order", "no_context")
    forced = [sum(entry.tally(order).figures("tabular")["attack_f1"] for entry in entries[:2]) / 2 for order in orders]
    assert [line for line in lines if line.startswith("mixture's experts")] == [
        f"mixture's experts alone: tabular {f1:.4f}; the router's weights: tabular 0.25, temporal 0.75" for f1 in forced
    ]
    assert len({len(line) for line in (*rows, *(line for line in lines if line.startswith("model ")))}) == 1
    gain = next(one for one in found["differences"] if one["minus"] == "xgboost")
    told = f"mixture seed 0 minus xgboost, in file order: {gain['value']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
    assert told in lines
    mean = next(one for one in found["mean_differences"] if one["minus"] == "xgboost")
    told = f"mixture mean of 2 seeds minus xgboost, in file order: {mean['value']:+.4f} [{mean['low']:+.4f}, {mean['high']:+.4f}]"
    assert told in lines
    same = table(document(entries[2:])).splitlines()
    assert [line for line in same if "context" in line] == ["in file order, and without context alike"]
    single = table(document([Entry("moe/model", None, entries[0].measured)]))
    assert "moe/model minus its tabular expert, in file order: " in single
    assert " to " not in single.replace("least to most", "")
