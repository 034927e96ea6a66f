"""A repository with a bare origin, and a stand-in for GitHub that knows it as ``owner/models``."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from promotion.cli import root
from promotion.cli.ending import run
from tests.github import TOKEN, GitHub, listening

FILE = "version: 1\nmodels:\n  churn:\n    staging:\n      use: 1 # tried\n    production:\n      use: none\n"


@dataclass(frozen=True)
class Place:
    """A clone of a bare origin whose main declares version 1 in staging, and what GitHub says of it."""

    folder: Path
    hosting: GitHub

    @property
    def origin(self) -> Path:
        return self.folder.parent / "origin.git"

    def git(self, *arguments: str, where: Path | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=where or self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str, *files: tuple[str, str]) -> str:
        for name, content in files:
            (self.folder / name).write_text(content, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def promotion(self, *arguments: str) -> int:
        """Run a command here; returns its exit code."""
        return run(root, [*arguments, "-C", str(self.folder)])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with listening() as hosting:
        for name, value in {**hosting.environment, "GH_TOKEN": TOKEN}.items():
            monkeypatch.setenv(name, value)
        for name in ("GITHUB_TOKEN", "GITHUB_ACTIONS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
        monkeypatch.setenv("GITHUB_RUN_ID", "7")
        made = Place(tmp_path / "clone", hosting)
        made.folder.mkdir()
        made.git("init", "-q", "--bare", "-b", "main", str(made.origin))
        made.git("init", "-q", "-b", "main")
        for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org"), ("commit.gpgsign", "false")):
            made.git("config", name, value)
        made.git("remote", "add", "origin", str(made.origin))
        made.commit("Start", ("environments.yaml", FILE))
        made.git("push", "-q", "origin", "main")
        yield made
