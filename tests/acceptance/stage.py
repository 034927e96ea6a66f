"""The stage that the story plays on: a scratch repository, a real server, and a narrator that checks every step."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

PROJECT = Path(__file__).resolve().parents[2]
TENANT = ("train", "policies", "environments.yaml", "constraints.txt", ".gitignore")
"""What a team's own repository holds: the models' code, the rules, the declaration, its libraries. promotion itself is installed."""


class StoryFailed(AssertionError):
    """A step did not do what it should."""


@dataclass
class Stage:
    """A folder with a scratch repository, the address of a server, and the environment that commands run in."""

    folder: Path
    url: str
    quiet: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def repository(self) -> Path:
        """The scratch repository."""
        return self.folder / "models"

    def prepare(self) -> None:
        """Make the scratch repository from the tenant's files, with a first commit."""
        self.repository.mkdir(parents=True)
        for name in TENANT:
            source = PROJECT / name
            if source.is_dir():
                skipped = shutil.ignore_patterns("__pycache__", "*.csv", "*.gz", "allowed_signers")
                shutil.copytree(source, self.repository / name, ignore=skipped)
            else:
                shutil.copy(source, self.repository / name)
        for command in ("init -q -b main", "config user.name 'Ada Lovelace'", "config user.email ada@example.org"):
            self.run(f"git {command}", show=False)
        self.commit("Start: the tenant's code, its policies, nothing promoted yet", show=False)

    def environment(self) -> dict[str, str]:
        """A user's environment: the project's commands on PATH, MLflow's address, nothing of this machine's git."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "SSL_CERT_FILE", "OMP_NUM_THREADS") if name in os.environ}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "MLFLOW_TRACKING_URI": self.url,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "NO_COLOR": "1",
            "COLUMNS": "140",
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
            "PYTHONWARNINGS": "ignore",
        }

    def say(self, text: str) -> None:
        """A paragraph of the narration, with the seconds since the story began."""
        if not self.quiet:
            print(f"\n\033[1m[{time.monotonic() - self.started:5.1f} s] {text}\033[0m", flush=True)

    def run(self, command: str, *, exits: int = 0, shows: tuple[str, ...] = (), show: bool = True, quiet_stderr: bool = False) -> str:
        """Run a command as a user would type it; its true output is shown. Returns stdout.

        Raises StoryFailed when the exit code is not ``exits``, or the output lacks one of ``shows``.
        """
        if show and not self.quiet:
            print("\n  $ " + command.replace("\n", "\n    "), flush=True)
        done = subprocess.run(
            command, shell=True, cwd=self.repository, env=self.environment(), capture_output=True, text=True, timeout=300, check=False
        )
        output = done.stdout if quiet_stderr else done.stdout + done.stderr
        if show and not self.quiet:
            print("".join(f"    {line}\n" for line in output.splitlines()), end="", flush=True)
            if exits or done.returncode:
                print(f"    (exit {done.returncode})", flush=True)
        if done.returncode != exits:
            raise StoryFailed(f"{command!r} ended with {done.returncode} instead of {exits}:\n{done.stdout}\n{done.stderr}")
        missing = [text for text in shows if text not in done.stdout + done.stderr]
        if missing:
            raise StoryFailed(f"{command!r} does not show {missing}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def python(self, code: str) -> str:
        """Run a few lines of Python, as typed after ``python -``; what MLflow says of deprecation is left out. Returns stdout."""
        return self.run(f"python - <<'END'\n{code.strip()}\nEND", quiet_stderr=True)

    def commit(self, subject: str, *, show: bool = True) -> str:
        """Commit everything; returns the commit."""
        self.run(f"git add -A && git commit -q -m {shlex.quote(subject)}", show=show)
        return self.run("git rev-parse HEAD", show=False).strip()

    def check(self, truth: object, otherwise: str) -> None:
        """Fail the story unless something holds."""
        if not truth:
            raise StoryFailed(otherwise)

    def registry_state(self) -> str:
        """Everything that the registry shows, timestamps included, as one text to compare."""
        answers = {}
        for kind in ("registered-models", "model-versions"):
            reply = requests.get(f"{self.url}/api/2.0/mlflow/{kind}/search", params={"max_results": "1000"}, timeout=30)
            reply.raise_for_status()
            answers[kind] = reply.json()
        return json.dumps(answers, sort_keys=True)

    def applied_state(self) -> str:
        """The applied part of the journal, as git's own hash of that folder."""
        return self.run("git rev-parse promotion-journal:applied", show=False).strip()

    def stages(self, name: str) -> dict[int, str]:
        """Version → stage, as the registry shows it."""
        versions = json.loads(self.registry_state())["model-versions"]["model_versions"]
        return {int(one["version"]): one["current_stage"] for one in versions if one["name"] == name}
