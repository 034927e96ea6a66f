"""Many promotions at once, digests, aliases and journal included, against a loop of MLflow's client that sets stages alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import repository
from tests.benchmarks.measuring import PROMOTION, PYTHON, Row, Scale, run
from tests.benchmarks.population import Population, populate
from tests.postgres import Postgres
from tests.server import Server

LOOP = """
from mlflow import MlflowClient
client = MlflowClient()
for index in range(%d):
    client.transition_model_version_stage(f"bench-{index:05d}", 2, "Production", archive_existing_versions=True)
"""


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """SQLite, then PostgreSQL, both with the server's default workers."""
    population = Population(scale.promotions, versions=2, bound=False, artifacts=True)
    for kind, goal in (("SQLite", 5), ("PostgreSQL", 10)):
        with ExitStack() as stack:
            store = stack.enter_context(Postgres(durable=True)).database("bench") if kind == "PostgreSQL" else None
            server = stack.enter_context(Server(folder / f"server-{kind}", workers=None, store=store))
            populate(server, population)
            where = repository.start(folder / f"models-{kind}", population.names, lambda _: (1, "none"))
            run((PROMOTION, "reconcile", "--timeout", "580"), where, server.url)
            repository.declare(where, population.names, lambda _: (2, "none"))
            ours = run((PROMOTION, "reconcile", "--timeout", "580"), where, server.url).seconds
            theirs = run((PYTHON, "-c", LOOP % scale.promotions), where, server.url).seconds
            yield Row(f"{scale.promotions} promotions, {kind}", "transition_… one by one", ours, theirs, theirs / ours, f"≥ {goal} ×")
