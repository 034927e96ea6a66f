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
from train.flows import NO_CONTEXT, Flows
from train.metrics import figures

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


def test_unsw_nb15_loads_whole() -> None:
    flows = datasets.load("unsw-nb15", [UNSW])
    assert flows.values.shape == (57_466, 42)
    assert np.array_equal(flows.attack, flows.kinds != "Normal")
    assert 0.2 < flows.attack.mean() < 0.4
    assert set(flows.stream.tolist()) == {NO_CONTEXT}
    proto = flows.values[:, flows.columns.index("proto")]
    assert len(set(proto.tolist())) > 100
    assert (proto > 0).all(), "every word that was published has a code"


def test_a_tiny_tabular_model_learns_from_real_rows(cicids: Flows, settings: Settings) -> None:
    rows = np.sort(np.random.RandomState(0).permutation(len(cicids))[:2_000])
    trained = fit(cicids.take(rows), replace(settings, d_block=16, batch_size=32, epochs=12), "tabular")
    import torch

    with torch.no_grad():
        answer = trained.model(torch.from_numpy(trained.validation.inputs())).numpy()[:, 0]
    found = figures(answer, trained.validation.attack)
    assert found["attack_f1"] > 0.8, found
