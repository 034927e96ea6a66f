"""The same over a real server: what its API lets anybody with rights do, and what the gates make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promotion.verdicts import Status
from tests.promotion.corpus.world import refusals, refused_by, said
from tests.promotion.reconcile.test_drift import replace_file
from tests.scene import NAMING, Scene

EVALUATOR = """
def evaluate(model, data, settings):
    part = {"labels": ["benign", "attack"], "confusion": [[9, 1], [1, 9]]}
    return {"schema": "promotion/counts/v1", "rows": 20, "seconds": 0.1, "positive": "attack", "parts": {"model": part}}
"""
BOUND = NAMING + "  - gate: bound\n    metric: f1\n    min: 0.8\n"


@pytest.fixture(scope="module")
def scene(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Version 1 in staging and in production by the way that there is; versions 2 to 4 registered."""
    made = Scene(tmp_path_factory.mktemp("served") / "models", mlflow_server)
    made.start()
    made.measure()
    (made.folder / "judge" / "evaluator.py").write_text(EVALUATOR)
    made.rule("staging", BOUND)
    made.rule("production", BOUND + "  - gate: staging_first\n")
    made.register(4)
    made.declare(staging=1)
    assert made.reconcile().exit_code == 0
    made.declare(staging=1, production=1)
    assert made.reconcile().exit_code == 0
    return made


def forged(scene: Scene) -> int:
    """Stage, alias and tags that say that it was in staging, approved and applied."""
    scene.move(2, "Staging")
    scene.client.set_registered_model_alias(scene.name, "staging", "2")
    for key in ("promotion.journal", "Approved by", "validation_status", "staging", "run_id"):
        scene.client.set_model_version_tag(scene.name, "2", key, "passed")
    scene.declare(staging=1, production=2)
    return 2


def moved(scene: Scene) -> int:
    """It is in production already, by hand; git then says so."""
    scene.move(3, "Production")
    scene.client.set_registered_model_alias(scene.name, "production", "3")
    scene.declare(staging=1, production=3)
    return 3


def replaced(scene: Scene) -> int:
    """It was in staging, and measured; then another file lies in its place."""
    scene.declare(staging=4, production=1)
    assert scene.reconcile().exit_code == 0
    replace_file(scene, 4)
    scene.declare(staging=4, production=4)
    return 4


@pytest.mark.parametrize(
    ("does", "words"), [(forged, "no passing entry"), (moved, "no passing entry"), (replaced, "other bytes")], ids=lambda one: str(one)[:20]
)
def test_it_is_refused_by_staging_first(scene: Scene, does: Callable[[Scene], int], words: str) -> None:
    version = does(scene)
    outcome = scene.reconcile()
    verdicts = said(outcome, scene.name, "production")
    assert refused_by(verdicts, "staging_first", Status.FAILED, words), refusals(verdicts)
    shown = scene.shown()
    assert shown["aliases"]["production"] == "1"
    assert shown["stages"][1] == "Production"
    assert shown["stages"][version] != "Production"


def test_a_good_version_enters(scene: Scene, tmp_path: Path) -> None:
    scene.register(1)
    scene.declare(staging=5, production=1)
    assert scene.reconcile().exit_code == 0
    scene.declare(staging=5, production=5)
    outcome = scene.reconcile()
    assert outcome.exit_code == 0, [refusals(list(one.verdicts)) for one in outcome.refused]
    assert scene.shown()["aliases"] == {"staging": "5", "production": "5"}
