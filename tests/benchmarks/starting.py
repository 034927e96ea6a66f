"""Whole short commands against the imports that a reader knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import repository
from tests.benchmarks.measuring import PROMOTION, PYTHON, Row, Scale, medians
from tests.benchmarks.population import Population, populate
from tests.server import Server


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """``promotion --help`` and the plan of ten models."""
    with Server(folder / "server") as server:
        population = Population(10)
        populate(server, population)
        where = repository.start(folder / "models", population.names, lambda _: (5, 4))
        repository.record(where, server.url)
        for work, command, reference, other, goal in (
            ("promotion --help", (PROMOTION, "--help"), "import click", (PYTHON, "-c", "import click"), "≤ 3"),
            ("plan of 10 models", (PROMOTION, "plan"), "import mlflow", (PYTHON, "-c", "import mlflow"), "≤ 1"),
        ):
            ours, theirs = medians((command, other), scale.runs, where, server.url)
            yield Row(work, reference, ours, theirs, ours / theirs, goal)
