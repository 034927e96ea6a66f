"""What the corpus is made of: models good and bad by construction, and a repository in which they are declared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from promotion.reconcile import Outcome
from promotion.registry.interface import Run
from promotion.verdicts import Status, Verdict
from tests.memory import MLMODEL, MemoryScene
from tests.scene import EVALUATOR

COLUMNS = ("duration", "bytes", "packets")
TAGS = {"dataset": "rows", "architecture": "trees", "date": "2026-01-01", "data_version": "v1", "data_digest": "d" * 64}

TOLD = '''"""Counts that the model's own file tells: quick, for what is not about measuring."""

import json


def evaluate(model, data, settings):
    said = json.loads((model / "model.json").read_text())["learner"]["attributes"]
    hits, rows, rare = int(said["hits"]), 100, int(said["rare"])
    part = {"labels": ["benign", "attack"], "confusion": [[hits, rows - hits], [rows - hits, hits]]}
    classes = {"common": {"support": 2 * rows - 20, "correct": 2 * hits - rare}, "rare": {"support": 20, "correct": rare}}
    given = {"schema": "promotion/counts/v1", "rows": 2 * rows, "seconds": 0.1, "positive": "attack"}
    return {**given, "parts": {"model": part}, "classes": classes}
'''
ODD = '''"""Counts as no honest evaluator gives them."""

import os
import time


def evaluate(model, data, settings):
    rows = settings.get("rows", 10)
    part = {"labels": ["benign", "attack"], "confusion": settings.get("confusion", [[rows // 2, 0], [0, rows // 2]])}
    given = {"schema": "promotion/counts/v1", "rows": rows, "seconds": 0.1, "positive": "attack", "parts": {"model": part}}
    kind = settings["gives"]
    if kind == "nothing":
        os._exit(0)
    if kind == "noise":
        for _ in range(64):
            os.write(1, b"x" * (1 << 20))
        os._exit(0)
    if kind == "children":
        for _ in range(4):
            os.fork() or time.sleep(3600)
        os._exit(0)
    if kind == "no end":
        while True:
            pass
    if kind == "an error":
        raise MemoryError("no room")
    if kind == "no number":
        given["sums"] = {"drift": float(settings["value"])}
    if kind == "sums":
        part = {"error": 0.0, "absolute": float(rows), "squared": 0.0}
        truth = {"origin": 0.0, "total": 0.0, "squares": 1.0}
        return {"schema": "promotion/regression-counts/v1", "rows": rows, "seconds": 0.1, "truth": truth, "parts": {"model": part}}
    if kind == "figures":
        given["f1"] = 1.0
    return given
'''
EVALUATION = """  {name}:
    models: [{models}]
    evaluator: judge.{evaluator}:evaluate
    sources: [judge/*.py]
    dataset: {{path: {path}, sha256: {digest}}}
    timeout: {timeout}
{settings}"""


def rows(count: int, seed: int) -> list[list[float]]:
    """Rows of three columns that say nothing of each other."""
    random = Random(seed)
    return [[random.gauss(0, 1) for _ in COLUMNS] for _ in range(count)]


def truth(row: list[float]) -> float:
    """An attack or not, told by the first two columns."""
    return float(row[0] + 0.5 * row[1] > 0)


def csv(values: list[list[float]], label: Callable[[list[float]], float] = truth) -> bytes:
    lines = [",".join([*(f"{value:.4f}" for value in row), str(int(label(row)))]) for row in values]
    return (",".join((*COLUMNS, "label")) + "\n" + "".join(f"{line}\n" for line in lines)).encode()


@lru_cache(maxsize=32)
def booster(kind: str = "good", seed: int = 0) -> bytes:
    """A classifier: ``good``, ``constant``, ``swapped`` (labels), ``permuted`` (columns), ``leaked`` (a column told it the label)."""
    import numpy as np
    import xgboost as xgb

    values = rows(400, seed + 100)
    labels = [truth(row) for row in values]
    if kind == "swapped":
        labels = [1 - label for label in labels]
    if kind == "constant":
        labels = [0.0 for _ in labels]
    if kind == "permuted":
        values = [row[::-1] for row in values]
    if kind == "leaked":
        values = [[*row[:2], 4 * label - 2] for row, label in zip(values, labels, strict=True)]
    matrix = xgb.DMatrix(np.array(values), label=np.array(labels), feature_names=list(COLUMNS))
    made = xgb.train({"objective": "binary:logistic", "nthread": 1, "max_depth": 3, "seed": seed}, matrix, 8)
    return bytes(made.save_raw("json"))


def files(content: bytes | None = None, **more: bytes) -> dict[str, bytes]:
    """The files of a version: MLflow's, the classifier, and what else there is (``__`` for a slash)."""
    return {"MLmodel": MLMODEL, "model.json": content or booster(), **{name.replace("__", "/"): data for name, data in more.items()}}


def telling(hits: int = 95, rare: int = 19, seed: int = 0) -> dict[str, bytes]:
    """A version whose file says how good it is, for the evaluator that asks it."""
    learned = json.loads(booster())
    learned["learner"]["attributes"] = {"hits": str(hits), "rare": str(rare), "seed": str(seed)}
    return files(json.dumps(learned).encode())


@dataclass
class World(MemoryScene):
    """A repository, its journal and a registry, with as many models as a test needs."""

    base: str = ""
    """The first commit, which the lineage of good versions names."""

    def begin(self) -> None:
        """Bring evaluators, and the first commit."""
        self.start()
        (self.folder / "judge").mkdir()
        for name, content in (("__init__", ""), ("evaluator", EVALUATOR), ("told", TOLD), ("odd", ODD)):
            (self.folder / "judge" / f"{name}.py").write_text(content)
        self.base = self.commit("begin")

    def evaluations(self, *given: tuple[str, str, str, bytes, Mapping[str, Any]]) -> None:
        """Say how models are measured: name, pattern, evaluator, rows, settings."""
        text = "version: 1\nevaluations:\n"
        for name, models, evaluator, content, settings in given:
            path = f"rows-{name}.csv"
            (self.folder / path).write_bytes(content)
            said = f"    settings: {json.dumps(dict(settings))}\n" if settings else ""
            digest = hashlib.sha256(content).hexdigest()
            names, limit = json.dumps(models), settings.get("timeout", 120)
            text += EVALUATION.format(name=name, models=names, evaluator=evaluator, path=path, digest=digest, settings=said, timeout=limit)
        (self.folder / "policies" / "evaluations.yaml").write_text(text)

    def add(
        self,
        content: Mapping[str, bytes],
        name: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        run: Mapping[str, Any] | None = None,
        description: str = "what it is",
    ) -> int:
        """Register a version with a run and tags in which nothing is wrong, but for what is given; a tag ``""`` is left out."""
        name = name or self.name
        run_id = f"run-{name}-{len(self.registry.model(name).versions) if self.registry.model(name) else 0}"  # type: ignore[union-attr]
        said = {**TAGS, "git_commit": self.base, "run_id": run_id, **(tags or {})}
        logged = {"params": {"seed": "1"}, "metrics": {"f1": 0.9}, "tags": said, "status": "FINISHED", **(run or {})}
        if run is None or run:
            self.registry.add_run(Run(run_id, logged["status"], "ci", logged["params"], logged["metrics"], logged["tags"]))
        kept = {key: value for key, value in said.items() if value}
        return self.registry.add_version(name, content, run_id=run_id, tags=kept, description=description)

    def declare_all(self, names: Mapping[str, Mapping[str, int]]) -> str:
        """Declare many models at once, and commit."""
        lines = ["version: 1", "limits: {max_changes: 500, max_share: 1.0}", "models:"]
        for name, bindings in names.items():
            lines.append(f"  {name}:")
            for environment, use in bindings.items():
                lines += [f"    {environment}:", f"      use: {use}"]
        (self.folder / "environments.yaml").write_text("\n".join(lines) + "\n")
        return self.commit("declare them all")

    def bound(self, environment: str) -> int | None:
        """What readers of the alias get."""
        model = self.registry.model(self.name)
        return model.aliases.get(environment) if model else None


def said(outcome: Outcome, model: str, environment: str) -> list[Verdict]:
    """Every verdict of one binding."""
    found = [one for one in outcome.decision.judged if (one.change.model, one.change.environment) == (model, environment)]
    return [verdict for one in found for verdict in one.verdicts]


def refusals(verdicts: list[Verdict]) -> list[str]:
    """``gate STATUS: got``, of those that block."""
    return [f"{one.gate} {one.status}: {one.got}. {one.hint}" for one in verdicts if one.status.blocks]


def refused_by(verdicts: list[Verdict], gate: str, status: Status, words: str) -> bool:
    """Whether this gate refuses, with this verdict and this reason (or what it says of an exception)."""
    return any((one.gate, one.status) == (gate, status) and words in f"{one.got}. {one.hint}" for one in verdicts)
