"""An existing team: a real server with models that people moved by hand, and a repository that knows nothing of them."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from promotion.cli import root
from promotion.cli.ending import run
from promotion.config.load import Source, load_desired
from tests.models import register_version


@dataclass
class Team:
    """A repository and a server; every model's name begins with ``prefix``, since the server is shared."""

    folder: Path
    url: str
    prefix: str = field(default_factory=lambda: f"team-{uuid4().hex[:8]}")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def begin(self, *, commit: bool = True) -> None:
        self.folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")
        if commit:
            self.git("commit", "-q", "--allow-empty", "-m", "Before")

    def commit(self, subject: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.url, self.url)

    def model(self, name: str, versions: int = 1, *, stages: dict[int, str] | None = None, aliases: dict[str, int] | None = None) -> str:
        """Register a model and move it as people do; gives its full name."""
        full = f"{self.prefix}-{name}"
        for seed in range(versions):
            register_version(self.url, full, seed=seed)
        self.move(full, stages=stages, aliases=aliases)
        return full

    def move(self, full: str, *, stages: dict[int, str] | None = None, aliases: dict[str, int] | None = None) -> None:
        for version, stage in (stages or {}).items():
            self.client.transition_model_version_stage(full, str(version), stage, archive_existing_versions=False)
        for alias, version in (aliases or {}).items():
            self.client.set_registered_model_alias(full, alias, str(version))

    def clear(self, name: str = "clear-model", versions: int = 3) -> str:
        """A model with version 2 in production and 3 in staging, by stage and alias."""
        both = {"staging": 3, "production": 2}
        return self.model(name, versions, stages={3: "Staging", 2: "Production"}, aliases=both)

    def promotion(self, *arguments: str, good: int = 0) -> str:
        """Run a command; gives what it printed on stdout, or on stderr where it ended with another code than 0."""
        code, out, err = self.run(*arguments)
        assert code == good, f"{arguments} ended with {code}:\n{out}\n{err}"
        return out or err

    def run(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(root, ["-C", str(self.folder), "--tracking-uri", self.url, "--no-color", *arguments])
        return code, out.getvalue(), err.getvalue()

    def json(self, *arguments: str, good: int = 0) -> Any:
        return json.loads(self.promotion("--format", "json", *arguments, good=good))

    def init(self, *arguments: str, good: int = 0) -> str:
        return self.promotion("init", "--model", f"{self.prefix}-*", *arguments, good=good)

    def shown(self, full: str) -> tuple[dict[int, str], dict[str, str]]:
        versions = self.client.search_model_versions(f"name = '{full}'")
        return {int(one.version): str(one.current_stage) for one in versions}, dict(self.client.get_registered_model(full).aliases)

    def replace(self, full: str, version: int) -> None:
        """Replace a file of the artifact behind a registered version, which MLflow does not notice."""
        run_id = self.client.get_model_version(full, str(version)).run_id
        self.client.log_text(str(run_id), "# other bytes\n", "model/requirements.txt")

    def remake(self, full: str, versions: int) -> None:
        """Delete the model and register it again: the numbers begin at 1, with other bytes."""
        self.client.delete_registered_model(full)
        for seed in range(versions):
            register_version(self.url, full, seed=100 + seed)


@pytest.fixture
def team(tmp_path: Path, mlflow_server: str) -> Team:
    made = Team(tmp_path / "models", mlflow_server)
    made.begin()
    return made


@pytest.fixture
def bare(tmp_path: Path, team: Team) -> Path:
    """A remote of the team's repository."""
    origin = tmp_path / "origin.git"
    team.git("init", "-q", "--bare", "-b", "main", str(origin))
    team.git("remote", "add", "origin", str(origin))
    team.git("push", "-q", "origin", "main")
    return origin


def declared(team: Team, file: str = "environments.yaml") -> dict[str, dict[str, int | None]]:
    desired = load_desired([Source(file, (team.folder / file).read_bytes())])
    found: dict[str, dict[str, int | None]] = {}
    for one in desired.bindings:
        found.setdefault(one.model, {})[one.environment] = one.version
    return found


def state(team: Team):
    from promotion.cli import build
    from promotion.cli.options import Shared

    return build.journal(build.git(Shared(directory=team.folder)), Shared(directory=team.folder)).read()
