"""Intervals hold what they should as often as they say; ``make coverage`` asks ten times as many datasets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.intervals import LEAST_UNITS, Estimate, difference, ratio
from promotion.verdicts import Status
from tests.benchmarks.resampling import answers, interval, reference
from tests.simulations import MARGIN, covered, rulings

DATASETS = 200
CHANCE = 4 * math.sqrt(0.95 * 0.05 / DATASETS)
"""Four standard errors of a share of so many datasets: the seeds are fixed, this says what other seeds could give."""


@pytest.mark.parametrize("law", ["independent", "bursts"])
def test_the_interval_holds_the_true_figure_as_often_as_it_says(law):
    assert abs(covered(law, DATASETS) - 0.95) < CHANCE


def test_bursts_that_are_not_declared_are_told_too_surely():
    assert covered("bursts", DATASETS // 2, declared=False) < 0.8


def test_a_version_that_is_behind_by_the_margin_seldom_passes():
    at = rulings(MARGIN, DATASETS)
    assert at[Status.PASSED] < 0.025 + 4 * math.sqrt(0.025 * 0.975 / DATASETS)
    assert at[Status.FAILED] < 0.025 + 4 * math.sqrt(0.025 * 0.975 / DATASETS)
    assert rulings(0.0, DATASETS)[Status.FAILED] == 0
    assert rulings(5 * MARGIN, DATASETS // 4)[Status.FAILED] > 0.9


def test_it_agrees_with_scipy():
    ours, theirs = interval(*answers(8000)), reference(*answers(8000))
    width = theirs[1] - theirs[0]
    assert np.abs(np.subtract(ours, theirs)).max() < 0.15 * width


@given(
    values=st.lists(st.floats(-1, 1), min_size=20, max_size=200),
    share=st.floats(0.5, 0.99),
)
def test_the_ends_are_numpys_quantiles(values, share):
    if len(set(values)) == 1:
        return
    found = Estimate(0.0, values, 1000).interval(share)
    assert found is not None
    assert [found.low, found.high] == pytest.approx(np.quantile(values, [(1 - share) / 2, (1 + share) / 2]), abs=1e-12)


def test_undefined_resamples_count_as_the_worst_at_either_end():
    few = Estimate(0.5, [math.nan] * 10 + [0.4 + place / 5000 for place in range(990)], 100).interval(0.95)
    many = Estimate(0.5, [math.nan] * 50 + [0.4 + place / 5000 for place in range(950)], 100).interval(0.95)
    assert few is not None
    assert many is not None
    assert (math.isfinite(few.low), math.isfinite(few.high)) == (True, True)
    assert (many.low, many.high) == (-math.inf, math.inf)


def test_what_resamples_cannot_tell_is_no_certainty():
    assert Estimate(1.0, [1.0] * 1000, LEAST_UNITS - 1).interval(0.95) is None
    assert Estimate(1.0).interval(0.95) is None
    assert Estimate(math.nan, [1.0] * 1000, 1000).interval(0.95) is None
    found = Estimate(1.0, [1.0] * 1000, 300).interval(0.95)
    assert found is not None
    assert found.low == pytest.approx(1 - math.log(40) / 300)


def test_differences_and_ratios_are_resample_by_resample():
    one, other = Estimate(0.9, [0.8, 1.0, 0.9], 300), Estimate(0.6, [0.5, 0.0, 0.6], 200)
    apart = difference(one, other)
    assert apart.point == pytest.approx(0.3)
    assert apart.values == pytest.approx([0.3, 1.0, 0.3])
    assert apart.units == 200
    assert ratio(one, other).point == pytest.approx(1.5)
    values = ratio(one, other).values
    assert values is not None
    assert math.isnan(values[1])
    assert difference(one, Estimate(0.5)).values is None


def test_a_ratio_to_what_is_not_above_zero_is_undefined():
    values = ratio(Estimate(-2.0, [-2.0, -2.0, 1.0], 300), Estimate(1.0, [-1.0, 1.0, 0.0], 300)).values
    assert values is not None
    assert [math.isnan(one) for one in values] == [True, False, True]
