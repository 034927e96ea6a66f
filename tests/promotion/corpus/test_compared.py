"""Versions that look good by their average: each refused beside the one in service, or for one of its parts."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from promotion.verdicts import Status
from tests.promotion.corpus.world import World, booster, files, refusals, refused_by, said

FAILED, ERRORED, INCONCLUSIVE = Status.FAILED, Status.ERRORED, Status.INCONCLUSIVE
SPOKEN = '''"""What a mixture of two experts says of 20,000 rows, as the model's own file tells: so many misses, such a router."""

import json


def evaluate(model, data, settings):
    import numpy as np

    said = {name: float(value) for name, value in json.loads((model / "model.json").read_text())["learner"]["attributes"].items()}
    rare, common = 2000, 18000
    kind = np.array(["rare"] * rare + ["common"] * common)
    truth = np.where(kind == "rare", 1, np.arange(rare + common) % 2)
    wrong = np.zeros(rare + common, dtype=bool)
    wrong[: int(said["rare"])] = True
    wrong[rare : rare + int(said["common"])] = True
    trees = np.zeros_like(truth) if said["dead"] else np.where(np.arange(rare + common) % 8, truth, 1 - truth)
    best = np.where(wrong & (np.arange(rare + common) % 2 == 0), 1 - truth, truth) if said["useless"] else trees
    spoken = {
        "schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.1,
        "index": np.arange(rare + common), "truth": truth, "class": kind,
        "parts": {"model": {"predicted": np.where(wrong, 1 - truth, truth)}, "trees": {"predicted": trees}, "net": {"predicted": best}},
        "values": {"router.trees": np.full(rare + common, said["router"])},
    }
    if not said["alone"]:
        yield spoken
        return
    tell = {"schema": "promotion/counts/v1", "rows": 2, "seconds": 0.1, "positive": "attack"}
    part = {"labels": ["benign", "attack"], "confusion": [[1, 0], [0, 1]]}
    yield {**tell, "parts": {"model": part, "trees": part, "net": part},
           "classes": {"rare": {"support": 2, "correct": 2}}, "sums": {"router.trees": 1.0}}
'''
NAMED = '  - gate: naming\n    pattern: "[a-z0-9-]+"\n'
ASKED = (
    NAMED
    + """  - {gate: signature, against: production}
  - {gate: compare, metric: f1, margin: 0.005, first: fail}
  - {gate: compare, metric: class.*.recall, margin: 0.005, first: fail}
  - {gate: bound, metric: trees.f1, min: 0.5}
  - {gate: bound, metric: router.trees, min: 0.05, max: 0.95}
  - {gate: bound, metric: ablation.f1, min: 0.0}
"""
)
COLUMNS = {"duration": "double", "bytes": "double", "packets": "double"}
SOUND = {"rare": 100, "common": 1800, "dead": 0, "useless": 0, "router": 0.6, "alone": 0}


@dataclass(frozen=True)
class Bad:
    """What a version says of itself, and who refuses it."""

    name: str
    gate: str
    status: Status
    words: str
    says: dict[str, float] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=lambda: COLUMNS)


BAD = [
    Bad("a rare class is 1 % worse, the average better", "compare", FAILED, "class.rare.recall", {"rare": 120, "common": 1000}),
    Bad("a rare class may be worse", "compare", INCONCLUSIVE, "class.rare.recall", {"rare": 110, "common": 1000}),
    Bad("worse on average, the rare class better", "compare", FAILED, "f1", {"rare": 0, "common": 2600}),
    Bad("the router has collapsed", "bound", FAILED, "router.trees = 1", {"router": 1}),
    Bad("the router never asks an expert", "bound", FAILED, "router.trees = 0", {"router": 0}),
    Bad("an expert is dead", "bound", FAILED, "trees.f1 = 0", {"dead": 1}),
    Bad("no better than one of its parts", "bound", FAILED, "ablation.f1 = -", {"useless": 1}),
    Bad("a column is missing", "signature", FAILED, "packets", columns={"duration": "double", "bytes": "double"}),
    Bad("a column is of another type", "signature", FAILED, "bytes", columns={**COLUMNS, "bytes": "long"}),
    Bad("counts alone, no row told", "compare", ERRORED, "the difference has no interval", {"alone": 1}),
]


def speaking(columns: dict[str, str] | None = None, **says: float) -> dict[str, bytes]:
    inputs = [{"type": kind, "name": name, "required": True} for name, kind in (columns or COLUMNS).items()]
    taken = f"signature:\n  inputs: '{json.dumps(inputs)}'\n  outputs: '{json.dumps([{'type': 'float', 'required': True}])}'\n"
    learned = json.loads(booster())
    learned["learner"]["attributes"] = {name: str(value) for name, value in (SOUND | says).items()}
    made = files(json.dumps(learned).encode())
    return {**made, "MLmodel": made["MLmodel"] + taken.encode()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Version 1 in service; then the rules that ask for more, applied by themselves; and the bad versions, from 2."""
    made = World(tmp_path_factory.mktemp("compared") / "models", "memory://", name="flows-mixture")
    made.begin()
    (made.folder / "judge" / "spoken.py").write_text(SPOKEN)
    made.evaluations(("rows", "*", "spoken", b"rows\n", {}))
    for environment in ("staging", "production"):
        made.rule(environment, NAMED)
    made.add(speaking())
    made.declare(staging=1, production=1)
    assert made.reconcile().exit_code == 0
    made.rule("staging", ASKED)
    made.commit("ask for more")
    assert made.reconcile().exit_code == 0
    for bad in BAD:
        made.add(speaking(bad.columns, **bad.says))
    made.add(speaking(rare=98, common=1700))
    return made


@pytest.mark.parametrize("bad", BAD, ids=[one.name for one in BAD])
def test_it_is_refused_by_the_gate_meant_for_it(world: World, bad: Bad) -> None:
    world.declare(staging=2 + BAD.index(bad), production=1)
    outcome = world.reconcile()
    verdicts = said(outcome, world.name, "staging")
    assert refused_by(verdicts, bad.gate, bad.status, bad.words), refusals(verdicts)
    assert world.bound("staging") == 1


def test_the_first_of_all_needs_a_policy_that_names_it(world: World, tmp_path: Path) -> None:
    made = World(tmp_path / "models", "memory://", name="flows-first")
    shutil.copytree(world.folder, made.folder, ignore=shutil.ignore_patterns(".git"))
    made.git("init", "-q", "-b", "main")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        made.git("config", name, value)
    made.rule("staging", NAMED + "  - {gate: compare, metric: f1, margin: 0.005}\n")
    made.base = made.commit("begin")
    made.add(speaking())
    made.declare(staging=1)
    verdicts = said(made.reconcile(), made.name, "staging")
    assert refused_by(verdicts, "compare", ERRORED, "say what a first promotion means"), refusals(verdicts)


def test_a_good_version_enters(world: World) -> None:
    good = 2 + len(BAD)
    world.declare(staging=good, production=1)
    outcome = world.reconcile()
    assert outcome.exit_code == 0, refusals(said(outcome, world.name, "staging"))
    assert world.bound("staging") == good
