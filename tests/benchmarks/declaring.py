"""Reading a long declaration, with the place of every binding."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import repository
from tests.benchmarks.measuring import PYTHON, Row, Scale, run

LOAD = """
import pathlib, time
from promotion.config.load import Source, load_desired
source = Source("environments.yaml", pathlib.Path("environments.yaml").read_bytes())
began = time.perf_counter()
desired = load_desired((source,))
seconds = time.perf_counter() - began
assert len(desired.bindings) == 2 * %d
pathlib.Path("../seconds").write_text(str(seconds))
"""


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """One row, without start-up."""
    where = repository.start(folder / "models", (f"bench-{index:05d}" for index in range(scale.declared)), lambda _: (5, 4))
    found = []
    for _ in range(scale.runs):
        run((PYTHON, "-c", LOAD % scale.declared), where)
        found.append(float((folder / "seconds").read_text()))
    seconds = statistics.median(found)
    yield Row(f"load of {scale.declared} models", "seconds", seconds, None, seconds, "≤ 1.5")
