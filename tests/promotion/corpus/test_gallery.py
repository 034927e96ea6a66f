"""Bad versions, one model each, judged in one run beside good ones: each refused by the gate meant for it, and the good ones enter."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from promotion.reconcile import Outcome
from promotion.verdicts import Status
from tests.memory import MLMODEL
from tests.promotion.corpus.world import World, booster, csv, files, refusals, refused_by, rows, said
from tests.promotion.crafting import EVIL, TEXT_PICKLE, zipped

FAILED, ERRORED = Status.FAILED, Status.ERRORED
RULES = """  - gate: naming
  - gate: metadata
  - gate: lineage
  - gate: formats
    allow: [pt2, xgboost]
    loaders: [mlflow.pytorch, mlflow.xgboost]
  - gate: bound
    metric: f1
    min: 0.8
  - gate: bound
    metric: precision
    min: 0.6
"""


@dataclass(frozen=True)
class Kind:
    """One way to be bad: the model's name (which says how), what the version holds, and who refuses it with which words."""

    name: str
    gate: str
    status: Status
    words: str
    content: Callable[[], Mapping[str, bytes]] = files
    registered: Mapping[str, Any] = field(default_factory=dict)
    rows: Callable[[], bytes] | None = None
    gives: Mapping[str, Any] | None = None
    """What an odd evaluator is told to give."""


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.bin", bytes(1 << 27))
    return stream.getvalue()


def loading(by: str) -> dict[str, bytes]:
    return {**files(), "MLmodel": MLMODEL.replace(b"mlflow.xgboost", by.encode())}


KINDS = [
    # Measured, by what the model does to pinned rows.
    Kind("flows-constant", "bound", FAILED, "precision is nan", lambda: files(booster("constant"))),
    Kind("flows-swapped-labels", "bound", FAILED, "f1 = 0.", lambda: files(booster("swapped"))),
    Kind("flows-permuted-columns", "bound", FAILED, "f1 = 0.", lambda: files(booster("permuted"))),
    Kind("flows-leaked-column", "bound", FAILED, "f1 = 0.", lambda: files(booster("leaked"))),
    Kind(
        "flows-logged-as-perfect", "bound", FAILED, "f1 = 0.", lambda: files(booster("swapped", 2)),
        {"run": {"metrics": {"f1": 1.0, "f1_score": 1.0}}, "description": "f1 = 1.0, approved by everybody"},
    ),
    Kind("flows-empty-dataset", "bound", ERRORED, "IndexError", rows=lambda: csv([])),
    Kind("flows-one-class-alone", "bound", FAILED, "f1 ", rows=lambda: csv(rows(60, 3), lambda _: 0.0)),
    # Counts as an evaluator, or a model inside of it, might forge them.
    Kind("odd-rows-none", "bound", FAILED, "f1 is nan", gives={"gives": "", "rows": 0}),
    Kind("odd-figure-nan", "bound", ERRORED, "sums.drift: Input should be a finite", gives={"gives": "no number", "value": "nan"}),
    Kind("odd-figure-infinite", "bound", ERRORED, "sums.drift: Input should be a finite", gives={"gives": "no number", "value": "inf"}),
    Kind("odd-counts-apart", "bound", ERRORED, "the confusion matrix has 9 rows", gives={"gives": "", "confusion": [[9, 0], [0, 0]]}),
    Kind("odd-counts-negative", "bound", ERRORED, "greater than or equal to 0", gives={"gives": "", "confusion": [[11, 0], [0, -1]]}),
    Kind("odd-errors-squared-away", "bound", ERRORED, "the squares are too small for the errors", gives={"gives": "sums"}),
    Kind("odd-figures-given", "bound", ERRORED, "f1: Extra inputs", gives={"gives": "figures"}),
    Kind("odd-ends-early", "bound", ERRORED, "left no result", gives={"gives": "nothing"}),
    Kind("odd-raises-error", "bound", ERRORED, "MemoryError: no room", gives={"gives": "an error"}),
    Kind("odd-prints-much", "bound", ERRORED, "left no result", gives={"gives": "noise"}),
    Kind("odd-leaves-children", "bound", ERRORED, "left no result", gives={"gives": "children"}),
    Kind("odd-without-end", "bound", ERRORED, "it took longer than 5 s", gives={"gives": "no end", "timeout": 5}),
    # What the artifact holds.
    Kind("held-pickle-renamed", "formats", FAILED, "weights.txt: a pickle", lambda: files(**{"weights.txt": EVIL})),
    Kind("held-pickle-as-text", "formats", FAILED, "a pickle written as text", lambda: files(**{"notes.txt": TEXT_PICKLE})),
    Kind("held-pickle-as-model", "formats", FAILED, "'pickle' is not an allowed kind", lambda: {**files(), "model.json": EVIL}),
    Kind("held-pickle-in-archive", "formats", FAILED, "not pt2", lambda: files(**{"w.pth": zipped({"archive/data.pkl": EVIL})})),
    Kind("held-archive-in-archive", "formats", FAILED, "an archive in an archive",
         lambda: files(**{"x.bin": zipped({"m/archive_format": b"pt2", "m/extra/a": zipped({"b": b"x"})})})),
    Kind("held-zip-bomb", "formats", FAILED, "x.bin: it unpacks from", lambda: files(**{"x.bin": bomb()})),
    Kind("held-code-folder", "formats", FAILED, "code/: a code folder", lambda: files(code__load__py=b"print()\n")),
    Kind("held-program-inside", "formats", FAILED, "a program", lambda: files(**{"lib.txt": b"\x7fELF" + bytes(200)})),
    Kind("held-foreign-loader", "formats", FAILED, "'mlflow.pyfunc.model' is not on the list", lambda: loading("mlflow.pyfunc.model")),
    Kind("held-loader-unlisted", "formats", FAILED, "'os' is not on the list", lambda: loading("os")),
    Kind("held-mlmodel-missing", "formats", FAILED, "MLmodel: missing", lambda: {"model.json": booster()}),
    Kind("held-mlmodel-leads-outside", "formats", FAILED, "leads outside",
         lambda: {**files(), "MLmodel": MLMODEL.replace(b"model.json", b"../../model.json")}),
    Kind("held-name-escapes", "digest", ERRORED, "outside its folder", lambda: files(**{"../../policies/x.yaml": b"version: 1\n"})),
    Kind("held-name-absolute", "digest", ERRORED, "outside its folder", lambda: files(**{"/etc/cron.d/x": b"x"})),
    # What the registry says of it.
    Kind("Held_Name_Final", "naming", FAILED, "underscores; capital letters; 'final' says nothing"),
    Kind("told-without-tag", "metadata", FAILED, "missing: tag dataset", registered={"tags": {"dataset": ""}}),
    Kind("told-without-description", "metadata", FAILED, "missing: description", registered={"description": " "}),
    Kind("told-no-metric", "metadata", FAILED, "any metric", registered={"run": {"metrics": {}}}),
    Kind("told-metric-nan", "metadata", FAILED, "any metric", registered={"run": {"metrics": {"f1": math.nan, "loss": math.inf}}}),
    Kind("told-parameters-blank", "metadata", FAILED, "any parameter", registered={"run": {"params": {"seed": " "}}}),
    Kind("told-run-deleted", "lineage", FAILED, "does not exist", registered={"run": {}}),
    Kind("told-commit-foreign", "lineage", FAILED, "is not in this repository's history", registered={"tags": {"git_commit": "c" * 40}}),
    Kind("told-commit-as-option", "lineage", FAILED, "is not in this repository's history", registered={"tags": {"git_commit": "--all"}}),
    Kind("told-data-of-another-run", "lineage", FAILED, "data_digest is", registered={"run": {"tags": {"data_digest": "e" * 64}}}),
]  # fmt: skip
GOOD = {"flows-good-first": 0, "flows-good-second": 1}


@dataclass(frozen=True)
class Judged:
    world: World
    outcome: Outcome


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """One run over all of them."""
    folder: Path = tmp_path_factory.mktemp("gallery")
    world = World(folder / "models", "memory://")
    world.begin()
    own = [kind for kind in KINDS if kind.rows or kind.gives]
    common = [*(kind.name for kind in KINDS if kind not in own), "flows-good-*"]
    pinned = csv(rows(400, 7))
    world.evaluations(
        *((kind.name.lower(), kind.name, "odd" if kind.gives else "evaluator", kind.rows() if kind.rows else pinned, kind.gives or {})
          for kind in own),
        *((f"rows-{number}", name, "evaluator", pinned, {}) for number, name in enumerate(common)),
    )  # fmt: skip
    for environment in ("staging", "production"):
        world.rule(environment, RULES)
    for kind in KINDS:
        world.add(kind.content(), kind.name, **kind.registered)
    for name, seed in GOOD.items():
        world.add(files(booster("good", seed)), name)
    world.declare_all({name: {"staging": 1} for name in (*(kind.name for kind in KINDS), *GOOD)})
    return Judged(world, world.reconcile())


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_it_is_refused_by_the_gate_meant_for_it(gallery: Judged, kind: Kind) -> None:
    verdicts = said(gallery.outcome, kind.name, "staging")
    assert refused_by(verdicts, kind.gate, kind.status, kind.words), refusals(verdicts)
    model = gallery.world.registry.model(kind.name)
    assert model is not None
    assert (model.versions[1].stage, dict(model.aliases)) == ("None", {})


@pytest.mark.parametrize("name", GOOD)
def test_a_good_version_enters_beside_them(gallery: Judged, name: str) -> None:
    verdicts = said(gallery.outcome, name, "staging")
    assert refusals(verdicts) == []
    assert len({one.gate for one in verdicts}) >= 8, "it was judged, not waved through"
    model = gallery.world.registry.model(name)
    assert model is not None
    assert (model.versions[1].stage, dict(model.aliases)) == ("Staging", {"staging": 1})


def test_the_corpus_is_large_and_its_names_differ() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 41


def test_nothing_else_was_written(gallery: Judged) -> None:
    assert {one.model for one in gallery.outcome.written} == set(GOOD)
    assert gallery.outcome.exit_code == 5


def test_nothing_that_was_refused_for_its_bytes_was_run(gallery: Judged) -> None:
    assert not Path("/tmp/was-unpickled").exists()
    for kind in KINDS:
        if kind.gate == "formats":
            others = [one for one in refusals(said(gallery.outcome, kind.name, "staging")) if one.startswith("bound")]
            assert others
            assert all("not loaded" in one for one in others), others
