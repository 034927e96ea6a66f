"""Small flows, a small mixture trained on them, and its exported folder; each is made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from train import datasets, tracking
from train.config import Settings, load
from train.datasets.synthetic import write
from train.fit import Trained, fit
from train.flows import Flows


@pytest.fixture(scope="session", autouse=True)
def _one_setting_of_torch() -> Iterator[None]:
    """Training asks torch for deterministic algorithms; other tests of the session get back what they had.

    One thread: models this small only wait for a second one, many times as long when the machine has other work.
    """
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The file's own, made small."""
    tiny: dict[str, Any] = {
        "window": 5,
        "d_block": 8,
        "n_blocks": 1,
        "n_heads": 2,
        "d_conv": 8,
        "bins": 8,
        "honest": 1,
        "stretches": 6,
        "tree_rounds": 5,
        "tree_depth": 4,
        "average": 0.8,
        "epochs": 2,
        "pretraining": 1,
        "batch_size": 64,
        "block": 50,
    }
    return replace(load(), **tiny)


@pytest.fixture(scope="session")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 synthetic flows."""
    file = tmp_path_factory.mktemp("rows") / "flows.csv"
    write(file, rows=900, seed=5)
    return file


@pytest.fixture(scope="session")
def flows(rows_file: Path) -> Flows:
    return datasets.load("synthetic", [rows_file])


@pytest.fixture(scope="session")
def trained(flows: Flows, settings: Settings) -> Trained:
    """A small mixture."""
    return fit(flows, settings, "mixture")


@pytest.fixture(scope="session")
def exported(trained: Trained, flows: Flows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small mixture as an MLflow model folder."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    tracking.save(trained.model, flows, folder, {"seed": 0})
    return folder
