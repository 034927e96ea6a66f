"""How the time and the memory of ``plan`` grow with the number of models."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import repository
from tests.benchmarks.measuring import PROMOTION, STARTING, Row, Scale, run
from tests.benchmarks.population import Population, populate
from tests.server import Server


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """The exponent of the time beyond start-up, and the memory at the largest size."""
    times, memory = [], 0.0
    for models in scale.growth:
        with Server(folder / f"server-{models}") as server:
            population = Population(models)
            populate(server, population)
            where = repository.start(folder / f"models-{models}", population.names, lambda _: (5, 4))
            repository.record(where, server.url)
            ended = [run((PROMOTION, "plan"), where, server.url) for _ in range(scale.runs)]
            starting = statistics.median(run(STARTING, where).seconds for _ in range(scale.runs))
            times.append(statistics.median(one.seconds for one in ended) - starting)
            memory = max(one.memory for one in ended)
    exponent, _ = statistics.linear_regression([math.log(size) for size in scale.growth], [math.log(time) for time in times])
    sizes = ", ".join(map(str, scale.growth))
    yield Row(f"plan of {sizes} models", "growth exponent", times[-1], times[0], exponent, "≤ 1.05")
    yield Row(f"plan of {scale.growth[-1]} models", "memory, MB", times[-1], None, memory, "≤ 150")
