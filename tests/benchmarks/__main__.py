"""``make bench``: whole-process times as ratios against a named reference, measured in turn in the same run.

Absolute times belong to the machine and are printed for orientation; ratios travel. Nothing is asserted.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.repository import declare
from tests.server import Server

RUNS = 9


@dataclass(frozen=True)
class Row:
    """One comparison; seconds are medians, the ratio is the median of the ratios of neighbouring runs."""

    work: str
    reference: str
    seconds: float
    against: float
    ratio: float
    goal: str


def compare(
    work: str, command: list[str], reference: str, other: list[str], goal: str, *, folder: Path, environment: dict[str, str]
) -> Row:
    """Time two commands in turn, A B A B …, after one run of each that does not count."""
    pairs = []
    for index in range(RUNS + 1):
        pair = tuple(_seconds(one, folder, environment) for one in (command, other))
        if index:
            pairs.append(pair)
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row(work, reference, ours, theirs, statistics.median(a / b for a, b in pairs), goal)


def _seconds(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print the table."""
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    python, promotion = sys.executable, str(Path(sys.executable).with_name("promotion"))
    with tempfile.TemporaryDirectory(prefix="promotion-bench-") as scratch, Server(Path(scratch) / "server") as server:
        folder = declare(Path(scratch) / "models", server.url, models=10)
        environment = os.environ | {"MLFLOW_TRACKING_URI": server.url, "GIT_CONFIG_GLOBAL": os.devnull}
        rows = [
            compare(
                "promotion --help", [promotion, "--help"], "import click", [python, "-c", "import click"], "≤ 3",
                folder=folder, environment=environment,
            ),
            compare(
                "plan of 10 models", [promotion, "plan"], "import mlflow", [python, "-c", "import mlflow"], "< 1",
                folder=folder, environment=environment,
            ),
        ]  # fmt: skip
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians of {RUNS} runs, whole processes\n")
    print(f"{'work':<20} {'against':<16} {'seconds':>8} {'against':>8} {'ratio':>6}  goal")
    for row in rows:
        print(f"{row.work:<20} {row.reference:<16} {row.seconds:>8.3f} {row.against:>8.3f} {row.ratio:>6.2f}  {row.goal}")


if __name__ == "__main__":
    main()
