"""What is learned from training rows, and what becomes of a value that is no number or was never seen."""

from __future__ import annotations

import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.preprocessing import RARE, Preprocessing

NAN, INF = float("nan"), float("inf")


def column(values: list[float], **options) -> Preprocessing:
    return Preprocessing(torch.tensor(values).unsqueeze(1), **options)


def test_constants_are_left_out_and_what_is_sometimes_missing_is_kept() -> None:
    rows = torch.tensor([[1.0, 5.0, NAN, NAN], [10.0, 5.0, 2.0, NAN], [100.0, 5.0, 2.0, NAN]])
    assert Preprocessing(rows).numeric.tolist() == [0, 2]


def test_a_value_fills_the_bins_below_it() -> None:
    made = column([math.expm1(value) for value in (0.0, 1.0, 2.0, 4.0)], n_bins=6)
    assert made.low.tolist() == [[0.0, pytest.approx(1.0), pytest.approx(2.0)]]
    steps = made.steps(torch.expm1(torch.tensor([[0.0], [0.25], [1.0], [3.0], [4.0]])))[:, 0]
    expected = torch.tensor([[0, 0, 0], [0.25, 0, 0], [1, 0, 0], [1, 1, 0.5], [1, 1, 1]])
    torch.testing.assert_close(steps, expected, atol=1e-5, rtol=0)


def test_bins_are_cut_where_the_share_of_attacks_changes() -> None:
    values = torch.arange(1000.0)
    truth = ((values > 333) & (values < 340)).float()
    made = Preprocessing(values.unsqueeze(1), truth, n_bins=8)
    edges = torch.expm1(made.low[0])
    assert (edges - 333.5).abs().min() < 0.6
    assert (edges - 339.5).abs().min() < 0.6


def test_numbers_are_standardised_and_missing_ones_are_zero_with_a_flag() -> None:
    values = [*np.random.RandomState(0).lognormal(3, 2, 500).tolist(), NAN, NAN]
    made = column(values)
    told = made(torch.tensor(values).unsqueeze(1))
    torch.testing.assert_close(told.numbers[:500].mean(0), torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(told.numbers[:500].std(0), torch.ones(2), atol=0.05, rtol=0)
    assert told.missing.flatten().tolist() == [0.0] * 500 + [1.0] * 2
    assert not told.numbers[500:].any()
    assert not told.steps[500:].any()


@pytest.mark.parametrize(("value", "like"), [(INF, 9.0), (1e38, 9.0), (10.0, 9.0), (-INF, -3.0), (-4.0, -3.0)])
def test_what_lies_outside_is_the_nearest_value_seen_for_the_encoding(value: float, like: float) -> None:
    made = column([-3.0, 1.0, 2.0, 5.0, 9.0])
    first, second = made(torch.tensor([[value]])), made(torch.tensor([[like]]))
    assert torch.equal(first.steps, second.steps)
    assert torch.isfinite(first.numbers).all()
    assert not first.missing.any()


def test_of_a_column_of_presence_only_the_sign_counts() -> None:
    made = column([0.0, 17.0, 4e9, 0.0], presence=[0])
    told = made(torch.tensor([[0.0], [1.0], [3e9]]))
    assert torch.equal(told.steps[1], told.steps[2])
    assert not torch.equal(told.steps[0], told.steps[1])
    assert made(torch.tensor([[NAN]])).missing.tolist() == [[1.0]]


def test_what_trees_see_does_not_depend_on_the_rows_beside_it() -> None:
    values = torch.from_numpy(np.random.RandomState(0).lognormal(5, 4, (300, 7)).astype(np.float32))
    made = Preprocessing(values)
    together = made(values).flat()
    for place in range(0, 300, 17):
        assert torch.equal(made(values[place : place + 1]).flat()[0], together[place])


@pytest.mark.parametrize("code", [NAN, INF, -INF, -1.0, 3.6, 4.0, 1e30, 0.0, 3.0])
def test_unseen_rare_and_impossible_categories_are_other(code: float) -> None:
    rows = torch.tensor([[1.0]] * RARE + [[2.0]] * RARE + [[3.0]] * (RARE - 1))
    made = Preprocessing(rows, categories=[(0, 4)])
    assert made.codes(torch.tensor([[1.0], [2.0], [code]])).flatten().tolist() == [1, 2, 0]


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(width=32)),
    arrays.arrays(np.float32, st.tuples(st.integers(2, 30), st.just(3)), elements=st.floats(width=32)),
)
def test_whatever_comes_what_is_encoded_is_finite_and_bounded(rows: np.ndarray, learned: np.ndarray) -> None:
    made = Preprocessing(torch.from_numpy(learned), categories=[(2, 5)])
    told = made(torch.from_numpy(rows))
    assert told.steps.shape == (len(rows), made.n_features, made.n_bins)
    assert ((told.steps >= 0) & (told.steps <= 1)).all()
    assert (told.numbers.abs() <= 4).all()
    assert ((told.codes >= 0) & (told.codes < 5)).all()
    # A greater value never fills less.
    order = torch.sort(made.values(torch.from_numpy(rows)), dim=0).values  # NaN last
    filled = made.steps(order).sum(-1).masked_fill(torch.isnan(order), torch.inf)
    assert (filled[1:] >= filled[:-1] - 1e-4).all()
