"""A version in a registry, a tenant's checkout with evaluators and rows, and measuring the one by the other."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from promotion import confine
from promotion.domain import ModelVersionRef, Place
from promotion.evaluate import evaluate
from promotion.policies import Dataset, Evaluation
from promotion.registry.memory import MemoryRegistry
from tests.models import tiny_booster

NAME = "moe-cybersecurity-cicids"
REF = ModelVersionRef(NAME, 1)
NOW = datetime(2026, 10, 2, 12, 0, tzinfo=UTC)
ROWS = b"1,attack\n2,benign\n"
MLMODEL = b"flavors:\n  python_function:\n    data: model.json\n    loader_module: mlflow.xgboost\n"

EVALUATORS = Path(__file__).parents[2] / "examples" / "evaluators" / "scoring.py"


@pytest.fixture
def root(tmp_path):
    """A tenant's checkout: its evaluators and its rows."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(EVALUATORS, folder / "scoring.py")
    (folder / "rows.csv").write_bytes(ROWS)
    return folder


@pytest.fixture(scope="session")
def files():
    return {"MLmodel": MLMODEL, "model.json": bytes(tiny_booster(0).save_raw("json"))}


@pytest.fixture
def registry(files):
    made = MemoryRegistry()
    made.add_version(NAME, files)
    return made


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Iterator[Callable[..., None]]:
    """A machine that has these tools alone on its path, to isolate with."""

    def having(*tools: str) -> None:
        folder = tmp_path / "tools"
        folder.mkdir()
        for tool in (*tools, "true"):
            (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is not installed"))
        monkeypatch.setenv("PATH", str(folder))
        confine.isolation_at_hand.cache_clear()

    yield having
    confine.isolation_at_hand.cache_clear()


def evaluation(function: str = "good", **given) -> Evaluation:
    values = {
        "name": "flows",
        "models": ("*",),
        "evaluator": f"scoring:{function}",
        "sources": ("scoring.py",),
        "dataset": Dataset("rows.csv", hashlib.sha256(ROWS).hexdigest(), "make data"),
        "timeout": 30.0,
        "memory": 1 << 30,
        "settings": {"threshold": 0.5},
        "place": Place("policies/production.yaml", 3, 5),
    }
    return Evaluation(**{**values, **given})


def measured(registry, root, function="good", **given):
    return evaluate(registry, REF, evaluation(function, **given), root, by="ci", now=lambda: NOW)
