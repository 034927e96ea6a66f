"""The step "Get promotion" of the workflows that other repositories call, run as it stands there, with real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.workflows.act import PROJECT, git


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    """A repository that calls; beside it the one that is called, with two commits of its action."""
    called, made = tmp_path / "server" / "owner" / "promotion", tmp_path / "caller"
    for folder in (called, made):
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch=main")
        for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org"), ("commit.gpgsign", "false")):
            git(folder, "config", name, value)
    for text in ("first", "second"):
        (called / "action.yml").write_text(text, encoding="utf-8")
        git(called, "add", "--all")
        git(called, "commit", "--quiet", "--message", text)
    (made / ".promotion").mkdir()  # somebody committed a folder of that name
    (made / ".promotion" / "action.yml").write_text("planted", encoding="utf-8")
    git(made, "add", "--all")
    git(made, "commit", "--quiet", "--message", "Plant an action")
    return made


def get(caller: Path, source: str, commit: str) -> subprocess.CompletedProcess[str]:
    found = yaml.safe_load((PROJECT / ".github" / "workflows" / "gate.yml").read_text(encoding="utf-8"))
    (step,) = [one for one in found["jobs"]["plan"]["steps"] if one["name"] == "Get promotion"]
    assert step["env"]["FROM"].startswith("${{ fromJSON(toJSON(job)).workflow_repository ||")
    server = (caller.parent / "server").as_uri()
    settings = {"PATH": os.environ["PATH"], "HOME": str(caller.parent), "GITHUB_REPOSITORY": "owner/models", "GITHUB_SERVER_URL": server}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=caller, env={**settings, "FROM": source, "AT": commit}, capture_output=True, text=True, check=False)


def test_a_called_workflow_gets_its_own_commit_and_no_other(caller: Path) -> None:
    called = caller.parent / "server" / "owner" / "promotion"
    pinned = git(called, "rev-parse", "HEAD^")
    done = get(caller, "owner/promotion", pinned)
    assert done.returncode == 0, done.stderr
    assert (caller / ".promotion" / "action.yml").read_text(encoding="utf-8") == "first"
    assert git(caller / ".promotion", "rev-parse", "HEAD") == pinned


def test_in_its_own_repository_nothing_is_fetched(caller: Path) -> None:
    (caller / "action.yml").write_text("my own", encoding="utf-8")
    done = get(caller, "owner/models", "0" * 40)
    assert done.returncode == 0, done.stderr
    assert (caller / ".promotion" / "action.yml").read_text(encoding="utf-8") == "my own"


def test_a_commit_that_is_not_there_ends_the_job(caller: Path) -> None:
    done = get(caller, "owner/promotion", "0" * 40)
    assert done.returncode != 0
    assert not (caller / ".promotion" / "action.yml").exists(), "what was planted is not run either"
