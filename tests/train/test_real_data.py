"""The owners' files, where a machine has them: they are not ours to ship."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from train import datasets
from train.config import Settings
from train.fit import fit
from train.flows import NO_CONTEXT, Flows, vectors
from train.metrics import figures
from train.splits import measuring

FOLDER = Path(os.environ.get("TRAIN_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
CICIDS = FOLDER / "cicids2017" / "MachineLearningCSV-sample.csv.gz"
UNSW = FOLDER / "unsw-nb15" / "UNSW_NB15_training-substitute.csv.gz"
pytestmark = pytest.mark.skipif(not (CICIDS.is_file() and UNSW.is_file()), reason="real data not present")


@pytest.fixture(scope="module")
def cicids() -> Flows:
    return datasets.load("cicids2017", [CICIDS])


def test_cicids2017_loads_whole_with_its_defects(cicids: Flows) -> None:
    assert len(cicids) == 27_934
    assert cicids.values.shape == (27_934, 76)
    assert Counter(cicids.kinds.tolist()) == {
        "BENIGN": 18_715,
        "PortScan": 2_415,
        "DDoS": 1_984,
        "Web Attack - Brute Force": 1_464,
        "DoS Hulk": 1_175,
        "DoS GoldenEye": 793,
        "Web Attack - XSS": 651,
        "FTP-Patator": 424,
        "SSH-Patator": 292,
        "Web Attack - Sql Injection": 21,
    }
    assert cicids.attack.sum() == 27_934 - 18_715
    assert cicids.dropped == {}
    assert np.isinf(cicids.values).any()
    # A third of the sample is mixed, class beside class; the rest stands in the order of the captures.
    begins = np.flatnonzero(np.diff(cicids.stream, prepend=-2))
    assert cicids.stream[begins].tolist() == [NO_CONTEXT, 0]
    assert 9_000 < begins[1] < 10_000


def test_unsw_nb15_loads_whole() -> None:
    flows = datasets.load("unsw-nb15", [UNSW])
    assert flows.values.shape == (57_466, 42)
    assert np.array_equal(flows.attack, flows.kinds != "Normal")
    assert 0.2 < flows.attack.mean() < 0.4
    assert set(flows.stream.tolist()) == {NO_CONTEXT}
    proto = flows.values[:, flows.columns.index("proto")]
    assert len(set(proto.tolist())) > 100
    assert (proto > 0).all(), "every word that was published has a code"


def test_raw_captures_give_the_very_features_of_the_partitions() -> None:
    """The substitute was made of these captures, by other code than ours: each of its rows is one of theirs, in all 42 columns."""
    captures = [FOLDER / "unsw-nb15" / f"UNSW-NB15_raw-{month}.csv.gz" for month in ("january", "february")]
    raw, partition = datasets.load("unsw-nb15", captures), datasets.load("unsw-nb15", [UNSW])
    assert raw.columns == partition.columns
    assert np.isin(vectors(partition.values), vectors(raw.values)).all()
    assert np.unique(raw.stream, return_counts=True)[1].tolist() == [42_014, 34_408], "each capture in its order"
    assert len(np.unique(raw.group)) > 30_000


def test_the_testing_set_has_no_context_and_its_repetitions_are_groups() -> None:
    flows = datasets.load("unsw-nb15", [FOLDER / "unsw-nb15" / "UNSW_NB15_testing-set.dev.csv.gz"])
    assert len(flows) == 40_816
    assert set(flows.stream.tolist()) == {NO_CONTEXT}
    assert len(np.unique(flows.group)) == 26_878


def test_both_formats_of_cicids2017_have_the_same_columns_and_times_make_streams(cicids: Flows) -> None:
    flows = datasets.load("cicids2017", [CICIDS.with_name("TrafficLabelling-sample.csv.gz")])
    assert flows.columns == cicids.columns
    assert Counter(flows.kinds.tolist()) == {"DDoS": 1_000, "PortScan": 1_000, "Web Attack - XSS": 652}
    assert np.unique(flows.stream, return_counts=True)[1].tolist() == [1_000, 1_000, 652], "time goes back twice"
    columns = [place for place, name in enumerate(flows.columns) if name not in {"Flow Bytes/s", "Flow Packets/s"}]
    both = [one.take(one.kinds == "Web Attack - XSS").values[:, columns].round(2) for one in (flows, cicids)]
    assert np.isin(vectors(both[0]), vectors(both[1])).mean() > 0.9, "the same flows in both formats"


def test_groups_split_real_rows_without_a_vector_on_both_sides(cicids: Flows) -> None:
    split, training, mixed, ordered = measuring(cicids, seed=0)
    assert not np.isin(vectors(training.values), vectors(ordered.values)).any()
    assert 0.2 <= len(ordered) / len(cicids) < 0.21
    assert len(training) + len(ordered) > 0.94 * len(cicids), "repetitions of kept rows are few"
    assert set(mixed.stream.tolist()) == {NO_CONTEXT}
    assert split.describe() == "groups, 20% kept back, seed 0"


def test_a_tiny_tabular_model_learns_from_real_rows(cicids: Flows, settings: Settings) -> None:
    rows = np.sort(np.random.RandomState(0).permutation(len(cicids))[:2_000])
    trained = fit(cicids.take(rows), replace(settings, d_block=16, batch_size=32, epochs=12), "tabular")
    import torch

    with torch.no_grad():
        answer = trained.model(torch.from_numpy(trained.validation.inputs())).numpy()[:, 0]
    found = figures(answer, trained.validation.attack)
    assert found["attack_f1"] > 0.8, found
