"""Whole processes timed in turn, and the rows of the table."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
PROMOTION = str(Path(sys.executable).with_name("promotion"))
_MODULES = "cli.judge, cli.build, repository, survey, render.text, registry.rest"
STARTING = (PYTHON, "-c", "; ".join(f"import promotion.{name}" for name in _MODULES.split(", ")))
"""What a command does before it does anything: start the interpreter and import."""


@dataclass(frozen=True)
class Scale:
    """How much is measured: all that the table promises, or enough to see that the benchmarks work."""

    models: int = 1000
    promotions: int = 500
    growth: tuple[int, ...] = (100, 1000, 5000)
    declared: int = 10_000
    scored: int = 200_000
    runs: int = 5


QUICK = Scale(models=100, promotions=40, growth=(50, 100, 200), declared=1000, scored=20_000, runs=3)


@dataclass(frozen=True)
class Row:
    """One comparison: seconds here, seconds of the reference, the figure that the goal is about, and the goal (``≥`` or ``≤`` a number)."""

    work: str
    reference: str
    seconds: float
    against: float | None
    figure: float
    goal: str

    @property
    def held(self) -> bool:
        """Whether the goal was reached."""
        sign, number = self.goal.split()[:2]
        return self.figure >= float(number) if sign == "≥" else self.figure <= float(number)


@dataclass(frozen=True)
class Ended:
    """One process: how long it took, in seconds, and the most memory that it held, in MB."""

    seconds: float
    memory: float


_LAUNCH = """
import os, sys, time
began = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
print(time.perf_counter() - began, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status), file=os.fdopen(3, "w"))
"""


def run(command: tuple[str, ...], folder: Path, url: str = "") -> Ended:
    """Run to the end; raises RuntimeError with what it printed when it fails.

    Started by a small process of its own: Linux counts to a child's memory what its parent held when it was started.
    """
    environment = os.environ | {"MLFLOW_TRACKING_URI": url, "GIT_CONFIG_GLOBAL": os.devnull}
    environment |= {"PYTHONWARNINGS": "ignore", "MLFLOW_HTTP_REQUEST_TIMEOUT": "120"}
    log, figures = folder.parent / "output.txt", folder.parent / "figures.txt"
    launch = ["sh", "-c", 'exec "$0" "$@" 3> ' + shlex.quote(str(figures)), PYTHON, "-I", "-S", "-c", _LAUNCH, *command]
    with log.open("wb") as output:
        subprocess.run(launch, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)
    seconds, memory, code = figures.read_text().split()
    if int(code):
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {code}:\n{log.read_text(errors='replace')[-2000:]}")
    return Ended(float(seconds), float(memory))


def medians(commands: tuple[tuple[str, ...], ...], runs: int, folder: Path, url: str = "") -> tuple[float, ...]:
    """The median time of each command, run in turn A B C A B C …, after one round that does not count."""
    rounds = [tuple(run(command, folder, url).seconds for command in commands) for _ in range(runs + 1)][1:]
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))
