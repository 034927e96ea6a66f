"""A scratch repository over a real server: declare, commit, reconcile."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from promotion.cli import build
from promotion.cli.options import Shared
from promotion.reconcile import Options, Outcome, reconcile
from promotion.survey import Workspace
from tests.models import register_version

if TYPE_CHECKING:
    from mlflow import MlflowClient

RULES = "version: 1\nenvironment: {environment}\nrules:\n{rules}"
NAMING = "  - gate: naming\n    pattern: ^[a-z0-9-]+$\n"

EVALUATION = """version: 1
evaluations:
  rows:
    models: ["*"]
    evaluator: judge.evaluator:evaluate
    sources: [judge/*.py]
    dataset: {{path: rows.csv, sha256: {digest}}}
    timeout: 120
"""
EVALUATOR = '''"""Measures a booster without MLflow or torch: quick enough for many tests."""

import csv
import time


def evaluate(model, data, settings):
    import numpy as np
    import xgboost as xgb

    booster = xgb.Booster()
    booster.load_model(next(model.glob("model.*")))
    with data.open() as file:
        names, *rows = list(csv.reader(file))
    values = np.array(rows, dtype=float)
    began = time.perf_counter()
    scores = booster.predict(xgb.DMatrix(values[:, :-1], feature_names=names[:-1]))
    truth, answer = values[:, -1] > 0.5, scores > 0.5
    matrix = [[int(np.sum((truth == row) & (answer == column))) for column in (False, True)] for row in (False, True)]
    bins = np.minimum((scores * 200).astype(int), 199)
    histogram = {
        name: np.bincount(bins[truth == side], minlength=200).tolist() for name, side in (("positive", True), ("negative", False))
    }
    part = {"labels": ["benign", "attack"], "confusion": matrix, "scores": histogram}
    seconds = time.perf_counter() - began
    return {
        "schema": "promotion/counts/v1", "rows": len(rows), "seconds": seconds, "positive": "attack",
        "parts": {"model": part}, "classes": {}, "sums": {},
    }
'''


@dataclass
class Scene:
    """One repository, one model with a name of its own, one server."""

    folder: Path
    url: str
    name: str = field(default_factory=lambda: f"model-{uuid4().hex[:8]}")
    shared: dict[str, Any] = field(default_factory=dict)

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder or self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")
        for environment in ("staging", "production"):
            self.rule(environment, NAMING)

    def rule(self, environment: str, rules: str) -> None:
        (self.folder / "policies").mkdir(exist_ok=True)
        (self.folder / "policies" / f"{environment}.yaml").write_text(RULES.format(environment=environment, rules=rules))

    def measure(self) -> None:
        """Bring an evaluator and pinned rows for the tiny booster, and measure every model by them."""
        (self.folder / "judge").mkdir()
        (self.folder / "judge" / "__init__.py").write_text("")
        (self.folder / "judge" / "evaluator.py").write_text(EVALUATOR)
        random = Random(7)
        rows = [[random.gauss(0, 1) for _ in range(3)] for _ in range(400)]
        lines = [",".join([*(f"{value:.4f}" for value in row), str(int(row[0] + 0.5 * row[1] > 0))]) for row in rows]
        content = ("duration,bytes,packets,label\n" + "\n".join(lines) + "\n").encode()
        (self.folder / "rows.csv").write_bytes(content)
        (self.folder / "policies" / "evaluations.yaml").write_text(EVALUATION.format(digest=hashlib.sha256(content).hexdigest()))

    def declare(self, *, commit: bool = True, subject: str | None = None, **bindings: int | str) -> str:
        """Declare this model's bindings (and no others), and commit."""
        lines = ["version: 1", "models:", f"  {self.name}:"]
        for environment, use in bindings.items():
            lines += [f"    {environment}:", f"      use: {use}"]
        (self.folder / "environments.yaml").write_text("\n".join(lines) + "\n")
        return self.commit(subject or f"declare {bindings}") if commit else ""

    def commit(self, subject: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def register(self, count: int = 1) -> None:
        for seed in range(count):
            register_version(self.url, self.name, seed=seed)

    def workspace(self, **changes: Any) -> Workspace:
        made = build.workspace(Shared(directory=self.folder, tracking_uri=self.url, **self.shared))
        return replace(made, **changes)

    def reconcile(self, options: Options | None = None, **changes: Any) -> Outcome:
        workspace = self.workspace(**changes)
        return reconcile(workspace, options or Options(remote=workspace.journal.remote))

    @property
    def client(self) -> MlflowClient:
        from mlflow import MlflowClient

        return MlflowClient(self.url)

    def move(self, version: int, stage: str) -> None:
        """What a person does in the UI."""
        kept = stage in {"Staging", "Production"}
        self.client.transition_model_version_stage(self.name, str(version), stage, archive_existing_versions=kept)

    def shown(self) -> dict[str, Any]:
        """Everything that the registry shows of the model, timestamps included."""
        model = self.client.get_registered_model(self.name)
        versions = self.client.search_model_versions(f"name = '{self.name}'")
        return {
            "aliases": dict(model.aliases),
            "stages": {int(one.version): one.current_stage for one in versions},
            "updated": {int(one.version): one.last_updated_timestamp for one in versions},
            "tags": dict(model.tags),
        }

    def journal(self, ref: str = "promotion-journal") -> str | None:
        done = subprocess.run(["git", "rev-parse", "-q", "--verify", ref], cwd=self.folder, check=False, capture_output=True, text=True)
        return done.stdout.strip() or None
