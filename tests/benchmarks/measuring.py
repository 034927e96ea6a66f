"""Whole processes timed in turn, and the rows of the table."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
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
    runs: int = 5


QUICK = Scale(models=100, promotions=40, growth=(50, 100, 200), declared=1000, runs=3)


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


def run(command: tuple[str, ...], folder: Path, url: str = "") -> Ended:
    """Run to the end; raises RuntimeError with what it printed when it fails."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": url, "GIT_CONFIG_GLOBAL": os.devnull}
    environment |= {"PYTHONWARNINGS": "ignore", "MLFLOW_HTTP_REQUEST_TIMEOUT": "120"}
    log = folder.parent / "output.txt"
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    return Ended(seconds, usage.ru_maxrss / 1024)


def medians(commands: tuple[tuple[str, ...], ...], runs: int, folder: Path, url: str = "") -> tuple[float, ...]:
    """The median time of each command, run in turn A B C A B C …, after one round that does not count."""
    rounds = [tuple(run(command, folder, url).seconds for command in commands) for _ in range(runs + 1)][1:]
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))
