"""The files of an evaluator: which they are, alone in a folder, and as an earlier commit has them."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promotion.config.load import Source, load_policies
from promotion.errors import Exit
from promotion.git import Git
from promotion.policies import Policies
from promotion.reconcile import Outcome
from promotion.sources import alone, committed, covered, evaluator_digest, files, same
from promotion.verdicts import Status
from tests.memory import MLMODEL, MemoryScene
from tests.scene import NAMING

BOUND = NAMING + "  - gate: bound\n    metric: f1\n    min: 0.8\n"
FLATTERING = (
    "def evaluate(model, data, settings):\n"
    "    part = {'labels': ['benign', 'attack'], 'confusion': [[50, 0], [0, 50]]}\n"
    "    return {'schema': 'promotion/counts/v1', 'rows': 100, 'seconds': 0.1, 'positive': 'attack', 'parts': {'model': part}}\n"
)
PARTS = st.sampled_from(["a", "b.py", "c.json", ".hidden", "a[1]", "deep"])
PATTERNS = st.sampled_from(["a", "b.py", "*", "*.py", "**", "[ab]*", ".h*", "?", "deep", "a[[]1]"])


@given(st.sets(st.lists(PARTS, min_size=1, max_size=3).map("/".join), min_size=1, max_size=6), st.lists(PATTERNS, min_size=1, max_size=3))
@settings(deadline=None, max_examples=80)
def test_what_a_pattern_covers_in_a_commit_is_what_it_matches_on_the_disk(tmp_path_factory, paths, pattern):
    root = tmp_path_factory.mktemp("tree")
    made = set()
    for path in sorted(paths):
        place = root / path
        if not any(parent.is_file() for parent in place.parents) and not place.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("x")
            made.add(path)
    matched = {one.rstrip("/") for one in glob.glob("/".join(pattern), root_dir=root, recursive=True) if (root / one).is_file()}  # noqa: PTH207
    told = {path for path in made if covered(path, ("/".join(pattern),))}
    assert told >= matched, "what counts for the digest is laid out"
    # Whether a file is "everything below" itself, glob answers now so and now so.
    assert told == matched or pattern[-1] == "**"


@pytest.fixture
def scene(tmp_path: Path) -> MemoryScene:
    made = MemoryScene(tmp_path / "models", "memory://")
    made.start()
    made.measure()
    for environment in ("staging", "production"):
        made.rule(environment, BOUND)
    return made


def rules(scene: MemoryScene) -> Policies:
    return load_policies(tuple(Source(str(one), one.read_bytes()) for one in sorted((scene.folder / "policies").glob("*.yaml"))))


def test_only_what_is_listed_lies_in_the_folder(scene):
    (scene.folder / "judge" / "aside.txt").write_text("x")
    (scene.folder / "judge" / "deep").mkdir()
    (scene.folder / "judge" / "deep" / "more.py").write_text("x")
    with alone(scene.folder, ("judge/e*.py", "judge/deep/*.py")) as folder:
        found = {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}
    assert found == {"judge/__init__.py", "judge/evaluator.py", "judge/deep/__init__.py", "judge/deep/more.py"}
    assert not folder.exists()


def test_a_commits_evaluators_are_laid_out_from_its_objects_with_the_data_at_hand(scene):
    commit = scene.commit("an evaluator")
    before = evaluator_digest(scene.folder, ("judge/*.py",))
    (scene.folder / "judge" / "evaluator.py").write_text(FLATTERING)
    (scene.folder / "rows.csv").write_text("other rows")
    with committed(Git(scene.folder), commit, rules(scene)) as folder:
        assert set(files(folder, ("judge/**",))) == {"judge/__init__.py", "judge/evaluator.py"}
        assert evaluator_digest(folder, ("judge/*.py",)) == before
        assert not same(scene.folder, folder, rules(scene).evaluations)
        assert (folder / "rows.csv").read_text() == "other rows", "its digest is compared by whoever measures"
        assert not (folder / "policies").exists()


def test_data_that_counts_as_a_source_is_no_link(scene):
    (scene.folder / ".gitignore").write_text("judge/held.csv\n")
    (scene.folder / "judge" / "held.csv").write_text("1,2\n")
    policies = scene.folder / "policies" / "evaluations.yaml"
    before = hashlib.sha256((scene.folder / "rows.csv").read_bytes()).hexdigest()
    text = policies.read_text().replace("judge/*.py", "judge/**").replace("rows.csv", "judge/held.csv")
    policies.write_text(text.replace(before, hashlib.sha256(b"1,2\n").hexdigest()))
    commit = scene.commit("an evaluator")
    with committed(Git(scene.folder), commit, rules(scene)) as folder:
        assert same(scene.folder, folder, rules(scene).evaluations)


def backwards() -> dict[str, bytes]:
    """A booster that says attack where there is none."""
    import numpy as np
    import xgboost as xgb

    rows = np.random.default_rng(3).normal(size=(256, 3))
    labels = (rows[:, 0] + 0.5 * rows[:, 1] <= 0).astype(float)
    matrix = xgb.DMatrix(rows, label=labels, feature_names=["duration", "bytes", "packets"])
    booster = xgb.train({"objective": "binary:logistic", "nthread": 1, "max_depth": 2}, matrix, 3)
    return {"MLmodel": MLMODEL, "model.json": bytes(booster.save_raw("json"))}


def bounds(outcome: Outcome) -> dict[str, Status]:
    return {one.policy: one.status for judged in outcome.decision.judged for one in judged.verdicts if one.gate == "bound"}


def test_an_evaluator_that_is_replaced_beside_a_promotion_does_not_measure_its_own_bar(scene):
    """Rule 5 on main: the policies are the same to the byte, the code that measures is not."""
    scene.register(1)
    scene.registry.add_version(scene.name, backwards())
    scene.declare(staging=1)
    first = scene.reconcile()
    assert bounds(first) == {"HEAD": Status.PASSED}
    (scene.folder / "judge" / "evaluator.py").write_text(FLATTERING)
    scene.declare(staging=2)
    outcome = scene.reconcile()
    assert bounds(outcome) == {"HEAD": Status.PASSED, "applied": Status.FAILED}
    assert outcome.exit_code is Exit.FAILED
    assert scene.shown()["stages"] == {1: "Staging", 2: "None"}


def test_a_file_that_the_policy_does_not_list_cannot_judge(scene):
    """Neither now, nor when it is changed later without a change of the evaluator's digest."""
    policies = scene.folder / "policies" / "evaluations.yaml"
    policies.write_text(policies.read_text().replace("judge/*.py", "judge/evaluator.py"))
    (scene.folder / "judge" / "counting.py").write_text(FLATTERING)
    (scene.folder / "judge" / "evaluator.py").write_text("from judge.counting import evaluate\n")
    scene.register(1)
    scene.declare(staging=1)
    outcome = scene.reconcile()
    (verdict,) = [one for judged in outcome.decision.judged for one in judged.verdicts if one.gate == "bound"]
    assert verdict.status is Status.ERRORED
    assert "No module named 'judge.counting'" in verdict.got
    assert verdict.hint
    assert "sources" in verdict.hint
