"""Measuring the versions of a gate side by side against one after another: the same whole process with ``--jobs 1``.

Each version is a real booster, fetched from a real server and measured in a confined child that scores 40,000 rows and resamples them;
the evidence is made anew each time. On one core there is nothing to gain, and the goal is that of two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from promotion.abreast import cores
from tests.benchmarks.measuring import PROMOTION, Row, Scale, medians
from tests.models import FEATURES, register_version
from tests.scene import EVALUATION, Scene
from tests.server import Server

ROWS = 40_000
EVALUATOR = '''"""Scores rows block by block."""

import time


def evaluate(model, data, settings):
    import numpy as np
    import xgboost as xgb

    booster = xgb.Booster()
    booster.load_model(next(model.glob("model.*")))
    names = data.open().readline().strip().split(",")
    values = np.loadtxt(data, delimiter=",", skiprows=1)
    for start in range(0, len(values), 8192):
        some = values[start : start + 8192]
        began = time.perf_counter()
        scores = booster.predict(xgb.DMatrix(some[:, :-1], feature_names=names[:-1]))
        yield {
            "schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": time.perf_counter() - began,
            "index": np.arange(start, start + len(some)), "truth": (some[:, -1] > 0.5).astype(int),
            "parts": {"model": {"predicted": (scores > 0.5).astype(int), "score": scores}},
        }
'''


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """A gate over eight versions."""
    count = 8
    with Server(folder / "server") as server:
        scene = Scene(folder / "scene", server.url, "flow-trees")
        scene.start()
        _prepare(scene, server.url, count)
        gate = (PROMOTION, "gate", "--remote", "none")
        together, alone = medians((gate, (*gate, "--jobs", "1")), scale.runs, scene.folder, server.url)
        goal = "≥ 1.7 ×" if cores() > 1 else "≥ 0.9 ×"
        yield Row(f"gate that measures {count} versions", "one after another", together, alone, alone / together, goal)


def _prepare(scene: Scene, url: str, count: int) -> None:
    """Register the models, lay out evaluator and rows, declare every model in staging."""
    import numpy as np

    names = [f"flow-trees-{number}" for number in range(count)]
    for number, name in enumerate(names):
        register_version(url, name, seed=number)
    (scene.folder / "judge").mkdir()
    (scene.folder / "judge" / "evaluator.py").write_text(EVALUATOR)
    values = np.random.default_rng(7).normal(size=(ROWS, len(FEATURES)))
    label = (values[:, 0] + 0.5 * values[:, 1] > 0).astype(float)[:, None]
    data = scene.folder / "rows.csv"
    np.savetxt(data, np.hstack([values, label]), delimiter=",", header=",".join([*FEATURES, "label"]), comments="", fmt="%.4f")
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    (scene.folder / "policies" / "evaluations.yaml").write_text(EVALUATION.format(digest=digest))
    declared = "".join(f"  {name}:\n    staging:\n      use: 1\n" for name in names)
    (scene.folder / "environments.yaml").write_text(f"version: 1\nmodels:\n{declared}")
    scene.commit("Promote all of them")
