"""Runs a workflow under the real act, in host mode, and tells which jobs and steps ran and how they ended.

By hand, on this repository's last commit: ``make act EVENT=…``, that is ``python -m tests.workflows.act EVENT [NAME=VALUE…]``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
WORKFLOW_OF = {"pull_request": "gate.yml", "merge_group": "gate.yml", "push": "apply.yml", "schedule": "drift.yml"}
BY_HAND = ("drift", "rollback", "train")
"""Workflows that a person starts."""
_EXIT_STATUS = re.compile(r"exit status (\d+)")
_SECONDS = 300


def find(tool: str) -> str | None:
    """Where a tool is: beside this Python first (``make tools``), then on PATH; None when it is nowhere."""
    beside = Path(sys.executable).parent
    return shutil.which(tool, path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A message on a line of a file, as GitHub would show it beside the change."""

    level: str
    message: str
    file: str | None
    line: int | None
    column: int | None


@dataclass(slots=True)
class Step:
    """One step of one job. ``result`` is ``success`` or ``failure``; ``exit_code`` is that of a command that failed."""

    name: str
    result: str = "unfinished"
    seconds: float = 0.0
    exit_code: int = 0
    output: str = ""
    summary: str = ""


@dataclass(slots=True)
class Job:
    """One job, or one leg of a matrix."""

    name: str
    matrix: Mapping[str, str]
    steps: dict[str, Step] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether every step did; act's own result of a leg speaks for the whole matrix."""
        return all(step.result == "success" for step in self.steps.values())


@dataclass(slots=True)
class Run:
    """What one run of act did. ``jobs`` by name, a leg of a matrix as ``name (value)``; jobs that were skipped are absent."""

    exit_code: int
    seconds: float
    jobs: dict[str, Job]
    annotations: list[Annotation]
    log: str

    @property
    def summary(self) -> str:
        """The summaries of all steps, as the page of the run shows them."""
        return "\n".join(step.summary for job in self.jobs.values() for step in job.steps.values() if step.summary)

    def told(self) -> str:
        """The run for a person: each step with its end and what it said."""
        steps = [(job.name, step) for job in self.jobs.values() for step in job.steps.values()]
        lines = [f"== {name} / {step.name}: {step.result}, exit {step.exit_code}\n{step.output}" for name, step in steps]
        return "\n".join(lines) or self.log

    def results(self) -> dict[str, bool]:
        """Which jobs ran, and whether they succeeded."""
        return {name: job.succeeded for name, job in self.jobs.items()}


@dataclass(frozen=True, slots=True)
class Act:
    """How to start act: in which clone, with what on PATH, and with which variables and secrets."""

    clone: Path
    scratch: Path
    path: str
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    runner: Mapping[str, str] = field(default_factory=dict)
    """What the runner says otherwise than act does: where GitHub's API is."""
    elsewhere: Mapping[str, Path] = field(default_factory=dict)
    """Other repositories, as ``owner/name@ref``, and the folders that stand for them."""

    def command(self, event: str, workflow: str, payload: Path) -> list[str]:
        """The command line; secrets are named only, their values go by the environment."""
        tool = find("act")
        if tool is None:
            raise FileNotFoundError("act is not installed: make tools (needs Go)")
        # Jobs of this run alone hand files on through it.
        handover = tempfile.mkdtemp(prefix="handover-", dir=self.scratch)
        return [
            *(tool, event, "--workflows", f".github/workflows/{workflow}", "--eventpath", str(payload)),
            *("--action-cache-path", str(self.scratch / "act"), "--env", "GITHUB_REPOSITORY=owner/models"),
            *("--var", f"HANDOVER={handover}"),
            *(part for name, value in self.variables.items() for part in ("--var", f"{name}={value}")),
            *(part for name, value in self.runner.items() for part in ("--env", f"{name}={value}")),
            *(part for name in self.secrets for part in ("--secret", name)),
            *(part for name, folder in self.elsewhere.items() for part in ("--local-repository", f"{name}={folder}")),
        ]

    def environment(self) -> dict[str, str]:
        """Nearly empty: what a runner would have, and nothing of this machine's own settings."""
        home = self.scratch / "home"
        home.mkdir(parents=True, exist_ok=True)
        quiet = {"ACT_DISABLE_VERSION_CHECK": "1", "NO_COLOR": "1", "TERM": "dumb", "GIT_PAGER": "cat", "MLFLOW_DISABLE_TELEMETRY": "true"}
        local = {"NO_PROXY": "127.0.0.1,localhost", "GIT_CONFIG_NOSYSTEM": "1"}
        return {"PATH": self.path, "HOME": str(home), **quiet, **local, **self.secrets}

    def run(self, event: str, payload: Mapping[str, object], workflow: str | None = None) -> Run:
        """Run the workflow that answers an event, and read what act tells as JSON."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        file = self.scratch / "event.json"
        file.write_text(json.dumps({"act": True, **payload}), encoding="utf-8")
        started = time.monotonic()
        done = subprocess.run(
            [*self.command(event, workflow or WORKFLOW_OF[event], file), "--json"],
            cwd=self.clone,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return read(done.stdout, done.stderr, done.returncode, time.monotonic() - started)


def read(output: str, errors: str, exit_code: int, seconds: float) -> Run:
    """Make a Run of act's JSON lines."""
    run = Run(exit_code, seconds, {}, [], f"{output}\n{errors}")
    for line in output.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if "jobID" in told and told.get("step"):
            _tell(run, told)
    return run


def _tell(run: Run, told: Mapping[str, object]) -> None:
    """Add one line of act's log to the run."""
    matrix = told.get("matrix") or {}
    assert isinstance(matrix, Mapping)
    name = str(told["jobID"]) + (f" ({', '.join(map(str, matrix.values()))})" if matrix else "")
    job = run.jobs.setdefault(name, Job(name, matrix))
    step = job.steps.setdefault(str(told["step"]), Step(str(told["step"])))
    message = str(told.get("msg", ""))
    if told.get("raw_output"):
        step.output += message
    elif told.get("command") == "summary":
        step.summary += str(told["content"])
    elif told.get("command") == "set-output":
        job.outputs[str(told["name"])] = str(told["arg"])
    elif told.get("command") in {"error", "warning", "notice"}:
        run.annotations.append(_annotation(told))
    elif "stepResult" in told:
        step.result = str(told["stepResult"])
        step.seconds = int(str(told.get("executionTime", 0))) / 1e9
    elif found := _EXIT_STATUS.fullmatch(message):
        step.exit_code = int(found[1])


def _annotation(told: Mapping[str, object]) -> Annotation:
    places = told.get("kvPairs") or {}
    assert isinstance(places, Mapping)
    line, column = (int(places[key]) if places.get(key) else None for key in ("line", "col"))
    return Annotation(str(told["command"]), str(told["arg"]), places.get("file"), line, column)


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; returns what it says, without the last line break."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.rstrip("\n")


def payload(clone: Path, event: str, base: str = "main", *, fork: bool = False) -> dict[str, object]:
    """The part of GitHub's event that workflows and act look at, for the commit that the clone is at."""
    head, before = git(clone, "rev-parse", "HEAD"), git(clone, "rev-parse", f"origin/{base}")
    branch = git(clone, "branch", "--show-current") or "detached"
    repository = {"default_branch": base, "full_name": "owner/models"}
    if event == "pull_request":
        return {
            "number": 7,
            "repository": repository,
            "pull_request": {
                "number": 7,
                "base": {"ref": base, "sha": before},
                "head": {"ref": branch, "sha": head, "repo": {"full_name": "fork/models" if fork else "owner/models"}},
            },
        }
    if event == "merge_group":
        return {"repository": repository, "merge_group": {"base_ref": f"refs/heads/{base}", "base_sha": before, "head_sha": head}}
    return {"repository": repository, "ref": f"refs/heads/{base}", "before": before, "after": head, "deleted": False}


def main(event: str, *inputs: str) -> int:
    """Run a workflow by hand on the last commit of this repository, which is the clone's origin: a journal is pushed into it.

    ``inputs`` (NAME=VALUE) are those of a workflow that a person starts.
    """
    known = {**WORKFLOW_OF, **{name: f"{name}.yml" for name in BY_HAND}}
    if event not in known:
        print(f"which event? make act EVENT={'|'.join(known)}", file=sys.stderr)
        return 2
    names = ("MLFLOW_TRACKING_URI", "PAGE_FOLDER", "NOTIFY")
    secret = ("MLFLOW_TRACKING_", "PROMOTION_WEBHOOK")
    secrets = {name: os.environ[name] for name in os.environ if name.startswith(secret) and name not in names}
    if key := os.environ.get("PROMOTION_SIGNING_KEY_FILE"):
        secrets["PROMOTION_SIGNING_KEY"] = Path(key).read_text(encoding="utf-8")
    real = "workflow_dispatch" if event in BY_HAND else event
    with tempfile.TemporaryDirectory(prefix="promotion-act-") as folder:
        clone = Path(folder) / "clone"
        git(PROJECT, "clone", "--quiet", "--no-hardlinks", str(PROJECT), str(clone))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        act = Act(clone, Path(folder), path, {n: os.environ[n] for n in names if n in os.environ}, secrets)
        file = Path(folder) / "event.json"
        given = {"inputs": dict(one.split("=", 1) for one in inputs)} if inputs else {}
        file.write_text(json.dumps({"act": True, **payload(clone, real), **given}), encoding="utf-8")
        return subprocess.run(act.command(real, known[event], file), cwd=clone, env=act.environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or [""])))
