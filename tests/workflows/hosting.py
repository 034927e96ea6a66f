"""A stand-in for GitHub: a command ``gh`` that keeps issues and comments in a file, and the script of a step run against it.

act has no GitHub behind it, so the steps that speak to one end early there. Their scripts are run here as they stand in the files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.workflows.act import PROJECT

_GH = Path(__file__).with_name("gh.py")


@dataclass(frozen=True, slots=True)
class Hosting:
    """A folder with the command and what it keeps."""

    folder: Path

    @classmethod
    def start(cls, folder: Path) -> Hosting:
        """An empty repository ``owner/models``."""
        folder.mkdir(parents=True, exist_ok=True)
        command = folder / "gh"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{_GH}" "{folder}/state.json" "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        made = cls(folder)
        made.put({"issues": [], "comments": {}})
        return made

    def state(self) -> dict[str, Any]:
        """Issues, and comments by the number of the pull request."""
        found = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found

    def put(self, state: dict[str, Any]) -> None:
        """Have this from now on."""
        (self.folder / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def run(self, workflow: str, job: str, step: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script of one step as a runner does; ``environment`` gives what expressions would."""
        found = yaml.safe_load((PROJECT / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8"))
        (named,) = [one for one in found["jobs"][job]["steps"] if one["name"] == step]
        given = {name: value for name, value in named["env"].items() if "${{" not in str(value)} | environment
        missing = set(named["env"]) - set(given) - {"GH_TOKEN", "GH_REPO"}
        assert not missing, f"say what {missing} is"
        (self.folder / "summary.md").touch()
        runner = {
            "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(self.folder),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_REPOSITORY": "owner/models",
            **{name: value for name, value in (("GH_TOKEN", "t0ken"), ("GH_REPO", "owner/models")) if name in named["env"]},
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", named["run"]],
            cwd=self.folder,
            env={**runner, **given},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
