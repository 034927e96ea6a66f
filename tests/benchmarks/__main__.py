"""``make bench``: whole processes as ratios against a named reference, measured in turn in the same run.

Absolute times belong to the machine and are printed for orientation; ratios travel. Nothing is asserted: a goal that is missed is
marked. ``--quick`` measures little, to see that the benchmarks work; names of benchmarks measure those alone.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measuring import QUICK, Scale

ALL = (
    "starting",
    "declaring",
    "reading",
    "showing",
    "growing",
    "promoting",
    "judging",
    "evaluating",
    "scoring",
    "resampling",
    "looking",
    "returning",
    "serving",
)


def main(arguments: list[str]) -> None:
    """Measure and print the table, row by row."""
    os.environ |= {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    wanted = [name for name in arguments if not name.startswith("-")] or list(ALL)
    scale = QUICK if "--quick" in arguments else Scale()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load}")
    print("medians of whole processes, run in turn; × is how many times faster\n")
    print(f"{'work':<34} {'against':<24} {'seconds':>8} {'against':>8} {'figure':>7}  goal")
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="promotion-bench-") as scratch:
            for row in importlib.import_module(f"tests.benchmarks.{name}").rows(scale, Path(scratch)):
                against = "" if row.against is None else f"{row.against:.3f}"
                mark = "" if row.held else "   MISSED"
                print(
                    f"{row.work:<34} {row.reference:<24} {row.seconds:>8.3f} {against:>8} {row.figure:>7.2f}  {row.goal}{mark}", flush=True
                )


if __name__ == "__main__":
    main(sys.argv[1:])
