"""Splits: nothing on both sides, whatever the rows are; the same rows and seed give the same split; millions of rows take seconds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train import splits
from train.errors import TrainError
from train.flows import NO_CONTEXT, Flows, vectors
from train.splits import Split


def rows(seed: int, count: int = 600, kinds: int = 40, *, streams: int = 1) -> Flows:
    """Rows of which some repeat, in groups of one to nine."""
    source = np.random.default_rng(seed)
    values = source.integers(0, kinds, size=(count, 2)).astype(float)
    attack = source.random(count) < 0.4
    group = np.repeat(np.arange(count), source.integers(1, 10, count))[:count]
    stream = np.sort(source.integers(0, streams, count))
    return Flows(("a", "b"), values, stream, np.where(attack, "DDoS", "BENIGN"), attack, "", "", group=group)


WAYS: dict[str, Callable[[Flows, int], Split]] = {
    "blocks": lambda flows, seed: splits.by_blocks(flows, share=0.2, block=20, seed=seed, gap=3),
    "time": lambda flows, _: splits.by_time(flows, share=0.2, gap=3),
    "group": lambda flows, seed: splits.by_group(flows, share=0.2, seed=seed),
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), kinds=st.integers(2, 60), streams=st.integers(1, 4))
def test_no_row_and_no_vector_is_on_both_sides(way: str, seed: int, kinds: int, streams: int) -> None:
    flows = rows(seed, kinds=kinds, streams=streams)
    try:
        split = WAYS[way](flows, seed)
    except TrainError:
        return
    assert split.aside.any()
    assert split.training.any()
    assert not (split.training & split.aside).any()
    keys = vectors(flows.values)
    assert not set(keys[split.training].tolist()) & set(keys[split.aside].tolist())
    again = WAYS[way](flows, seed)
    assert np.array_equal(split.training, again.training)
    assert np.array_equal(split.aside, again.aside)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000))
def test_groups_go_whole_and_another_seed_draws_others(seed: int) -> None:
    flows = rows(seed, kinds=10_000)
    split = splits.by_group(flows, share=0.2, seed=seed)
    for group in np.unique(flows.group):
        assert split.aside[flows.group == group].mean() in {0, 1}
    assert 0.2 <= split.aside.mean() < 0.2 + 9 / len(flows)
    assert not np.array_equal(split.aside, splits.by_group(flows, share=0.2, seed=seed + 1).aside)
    assert split.describe() == f"groups, 20% kept back, seed {seed}"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(0, 9))
def test_by_time_every_row_kept_back_is_later_than_every_training_row_of_its_stream(seed: int, streams: int, gap: int) -> None:
    flows = rows(seed, kinds=10_000, streams=streams)
    split = splits.by_time(flows, share=0.25, gap=gap)
    for stream in np.unique(flows.stream):
        mine = flows.stream == stream
        learned, kept = (np.flatnonzero(side & mine) for side in (split.training, split.aside))
        if len(learned) and len(kept):
            assert kept.min() - learned.max() > gap


def test_a_gap_lies_around_every_block_that_is_kept_back() -> None:
    flows = rows(3, kinds=10_000)
    split = splits.by_blocks(flows, share=0.2, block=20, seed=1, gap=5)
    learned, kept = np.flatnonzero(split.training), np.flatnonzero(split.aside)
    assert np.abs(learned[:, None] - kept[None]).min() == 6
    assert split.describe() == "blocks of 20 rows, 20% kept back, 5 rows between, seed 1"


def test_each_way_has_a_name() -> None:
    flows = rows(4, kinds=10_000)
    told = {way: splits.chosen(way, flows, share=0.2, block=20, seed=1).describe() for way in splits.WAYS}
    assert told == {
        "blocks": "blocks of 20 rows, 20% kept back, seed 1",
        "group": "groups, 20% kept back, seed 1",
        "time": "by time, the last 20% of each stream kept back",
    }


def test_rows_in_no_order_are_not_split_by_time() -> None:
    with pytest.raises(TrainError, match="no order"):
        splits.by_time(rows(0).without_context(), share=0.2)


@pytest.mark.parametrize("way", WAYS)
def test_rows_all_alike_or_of_one_class_are_refused(way: str) -> None:
    flows = rows(1)
    with pytest.raises(TrainError, match="too few"):
        WAYS[way](flows.take(np.zeros(400, dtype=int)), 0)
    with pytest.raises(TrainError, match="every training row is benign"):
        WAYS[way](flows.take(~flows.attack), 0)


def test_the_measuring_split_has_the_same_rows_in_file_order_and_shuffled_without_context() -> None:
    flows = rows(5, kinds=10_000)
    split, training, mixed, ordered = splits.measuring(flows, seed=2)
    assert np.array_equal(ordered.values, flows.values[split.aside])
    assert set(mixed.stream.tolist()) == {NO_CONTEXT}
    assert set(ordered.stream.tolist()) == {0}
    assert sorted(vectors(mixed.values)) == sorted(vectors(ordered.values))
    assert not np.array_equal(mixed.values, ordered.values)
    assert len(training) == split.training.sum()
    assert mixed.attack.sum() == ordered.attack.sum()
