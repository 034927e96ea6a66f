"""A team's repository for the workflows: a bare origin, a clone, declarations, rules, an evaluator and its rows.

Small on purpose: the models are tiny XGBoost classifiers, so that a workflow takes seconds and needs no torch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from tests.github import TOKEN, GitHub
from tests.models import FEATURES
from tests.workflows.act import PROJECT, Act, Run, git, payload

DECLARATION = """\
version: 1
models:
  {good}:
    staging:
      use: {good_staging}
    production:
      use: {good_production}
  {bad}:
    staging:
      use: {bad_staging}
    production:
      use: none
"""

STAGING = """\
version: 1
environment: staging
rules:
  - gate: bound
    metric: f1
    min: 0.8
"""

PRODUCTION = """\
version: 1
environment: production
rules:
  - gate: staging_first
  - gate: bound
    metric: f1
    min: 0.8
"""

EVALUATIONS = """\
version: 1
evaluations:
  north:
    models: [{good}]
    evaluator: judging.trees:evaluate
    sources: [judging/*.py]
    dataset: {{path: rows/north.csv, sha256: {north}}}
    timeout: 120
    memory: 8589934592
  south:
    models: [{bad}]
    evaluator: judging.trees:evaluate
    sources: [judging/*.py]
    dataset: {{path: rows/south.csv, sha256: {south}}}
    timeout: 120
    memory: 8589934592
"""

EVALUATOR = '''\
"""What a tree classifier says of rows with a label in the last column."""

import csv
import time


def evaluate(model, dataset, settings):
    import numpy as np
    import xgboost as xgb

    started = time.perf_counter()
    with open(dataset, newline="") as file:
        header, *rows = list(csv.reader(file))
    values = np.array(rows, dtype=float)
    booster = xgb.Booster(model_file=str(next(model.glob("model.*"))))
    told = booster.predict(xgb.DMatrix(values[:, :-1], feature_names=header[:-1])) > 0.5
    yield {
        "schema": "promotion/outcomes/v1",
        "positive": "attack",
        "labels": ["benign", "attack"],
        "seconds": time.perf_counter() - started,
        "index": np.arange(len(rows)),
        "truth": (values[:, -1] > 0.5).astype(int),
        "parts": {"model": {"predicted": told.astype(int)}},
    }
'''


def table(*, inverted: bool) -> str:
    """400 seeded rows whose label follows the first two features as in training, or the opposite."""
    import numpy as np

    random = np.random.default_rng(7)
    rows = random.normal(size=(400, len(FEATURES)))
    labels = (rows[:, 0] + 0.5 * rows[:, 1] > 0) != inverted
    lines = [",".join((*FEATURES, "label"))]
    lines += [",".join((*(f"{value:.6f}" for value in row), str(int(label)))) for row, label in zip(rows, labels, strict=True)]
    return "\n".join(lines) + "\n"


@dataclass
class Scene:
    """One repository with its origin, the address of a registry, and the names of two models there.

    Both models are trained alike; the rows that ``bad`` is measured on have other labels, so it is bad at its task.
    """

    folder: Path
    url: str
    good: str
    bad: str
    hosting: GitHub | None = None
    """The stand-in for GitHub's API, and with it a token for the jobs; None: there is no GitHub, as for whoever runs act by hand."""
    versions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("good_staging", "good_production", "bad_staging"), "none"))

    @property
    def origin(self) -> Path:
        """The bare repository."""
        return self.folder / "origin.git"

    @property
    def clone(self) -> Path:
        """The author's clone."""
        return self.folder / "clone"

    @property
    def key(self) -> Path:
        """The private key that the applying job signs with."""
        return self.folder / "journal-key"

    def prepare(self) -> None:
        """Make origin and clone, with a first commit on main that declares nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "journal", "-f", self.key], check=True)
        git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        git(self.folder, "clone", "--quiet", str(self.origin), str(self.clone))
        for name, value in (("user.name", "Ada Lovelace"), ("user.email", "ada@example.org"), ("commit.gpgsign", "false")):
            git(self.clone, "config", name, value)
        git(self.clone, "checkout", "--quiet", "-b", "main")
        self._furnish()
        self.commit("Start: nothing is declared")
        self.push("main")

    def _furnish(self) -> None:
        shutil.copytree(PROJECT / ".github", self.clone / ".github")
        shutil.copy(PROJECT / ".actrc", self.clone / ".actrc")
        rows = {"north": table(inverted=False), "south": table(inverted=True)}
        digests = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in rows.items()}
        public = " ".join((self.folder / "journal-key.pub").read_text(encoding="utf-8").split()[:2])
        files = {
            "policies/staging.yaml": STAGING,
            "policies/production.yaml": PRODUCTION,
            "policies/evaluations.yaml": EVALUATIONS.format(good=self.good, bad=self.bad, **digests),
            "policies/allowed_signers": f'apply@example.org namespaces="git" {public}\n',
            "judging/trees.py": EVALUATOR,
            **{f"rows/{name}.csv": content for name, content in rows.items()},
        }
        for name, content in files.items():
            self.write(name, content)
        self.declare()

    def write(self, name: str, content: str) -> None:
        """Write one file of the clone."""
        path = self.clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content), encoding="utf-8")

    def declare(self, **versions: int | str) -> None:
        """Write ``environments.yaml`` with these versions changed."""
        self.versions |= {name: str(version) for name, version in versions.items()}
        self.write("environments.yaml", DECLARATION.format(good=self.good, bad=self.bad, **self.versions))

    def commit(self, subject: str) -> str:
        """Commit everything; returns the commit."""
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", subject)
        return git(self.clone, "rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        """Start a branch at the newest main."""
        git(self.clone, "fetch", "--quiet", "origin")
        git(self.clone, "checkout", "--quiet", "-B", name, "origin/main")

    def push(self, branch: str) -> None:
        """Push a branch, and fetch what origin has."""
        git(self.clone, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        git(self.clone, "fetch", "--quiet", "--prune", "origin")

    def pull_request(self, *, event: str = "pull_request", fork: bool = False, url: str | None = None) -> Run:
        """Run gate.yml on the clone's HEAD against main."""
        variables = {} if fork else {"MLFLOW_TRACKING_URI": self.url if url is None else url}
        return self._act(variables, {}).run(event, payload(self.clone, event, fork=fork))

    def merge(self, branch: str) -> None:
        """Merge a branch into main as hosting would, and push it; the clone is at the new main afterwards."""
        git(self.clone, "checkout", "--quiet", "-B", "main", "origin/main")
        git(self.clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", branch)
        self.push("main")

    def apply(self, *, signed: bool = True, url: str | None = None, page: Path | None = None, webhooks: str | None = None) -> Run:
        """Run apply.yml as a push to main would; ``page`` is the folder that the page is published to, ``webhooks`` are told."""
        if self.origin.exists():
            git(self.clone, "fetch", "--quiet", "origin")
        secrets = {"PROMOTION_SIGNING_KEY": self.key.read_text(encoding="utf-8")} if signed else {}
        variables = {"MLFLOW_TRACKING_URI": self.url if url is None else url} | ({"PAGE_FOLDER": str(page)} if page else {})
        if webhooks is not None:
            variables["NOTIFY"] = "true"
            secrets["PROMOTION_WEBHOOKS"] = webhooks
        return self._act(variables, secrets).run("push", payload(self.clone, "push"))

    def dispatch(self, workflow: str, **inputs: str) -> Run:
        """Run a workflow by hand."""
        git(self.clone, "fetch", "--quiet", "origin")
        secrets = {"PROMOTION_SIGNING_KEY": self.key.read_text(encoding="utf-8")}
        given = {**payload(self.clone, "workflow_dispatch"), "inputs": inputs}
        return self._act({"MLFLOW_TRACKING_URI": self.url}, secrets).run("workflow_dispatch", given, workflow)

    def promotion(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command itself in the clone, as a person would."""
        environment = {"PATH": self.path, "HOME": str(self.folder), "MLFLOW_TRACKING_URI": self.url, "NO_COLOR": "1"}
        command = [str(Path(sys.executable).parent / "promotion"), *arguments]
        return subprocess.run(command, cwd=self.clone, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def journal(self) -> str | None:
        """The head of the journal's branch on origin, None before there is one."""
        found = git(self.origin, "for-each-ref", "--format=%(objectname)", "refs/heads/promotion-journal")
        return found or None

    @property
    def path(self) -> str:
        """PATH of a runner that has the project's environment first."""
        return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def _act(self, variables: dict[str, str], secrets: dict[str, str]) -> Act:
        if self.hosting is None:
            return Act(self.clone, self.folder / "act", self.path, variables, secrets)
        return Act(self.clone, self.folder / "act", self.path, variables, {**secrets, "GITHUB_TOKEN": TOKEN}, self.hosting.environment)
