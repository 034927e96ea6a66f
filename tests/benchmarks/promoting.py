"""Many promotions at once, digests, aliases and journal included, against a loop of MLflow's client that sets stages alone.

The second reference is what no reconciler can do without, sent by as many threads as this one uses: the artifact of each version read
once, one write for its stage and one for its alias. What is above that is deciding, journaling and reading back; what the server needs
for these requests bounds the first figure.
"""

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
BARE = """
import os, tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from promotion.changes import SetAlias, SetStage
from promotion.registry.rest import RestRegistry
registry = RestRegistry(os.environ["MLFLOW_TRACKING_URI"])
models = registry.observe([f"bench-{index:05d}" for index in range(%d)]).models
def write(name):
    registry.apply(SetStage(name, 1, "Staging", archive_existing=True))
    registry.apply(SetAlias(name, "staging", 1))
with tempfile.TemporaryDirectory() as folder:
    def read(name):
        registry.download(name, 1, Path(folder) / name, source=models[name].versions[1].identity.source)
    for work, width in ((read, 4), (write, %d)):
        with ThreadPoolExecutor(width) as pool:
            list(pool.map(work, models))
"""
"""Back to the first version: as many writes, which archive as much."""


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """SQLite, then PostgreSQL, both with the server's default workers."""
    population = Population(scale.promotions, versions=2, bound=False, artifacts=True)
    for kind, goal, width in (("SQLite", 5, 4), ("PostgreSQL", 10, 8)):
        with ExitStack() as stack:
            store = stack.enter_context(Postgres(durable=True)).database("bench") if kind == "PostgreSQL" else None
            server = stack.enter_context(Server(folder / f"server-{kind}", workers=None, store=store))
            populate(server, population)
            where = repository.start(folder / f"models-{kind}", population.names, lambda _: (1, "none"))
            run((PROMOTION, "reconcile", "--timeout", "580"), where, server.url)
            repository.declare(where, population.names, lambda _: (2, "none"))
            ours = run((PROMOTION, "reconcile", "--timeout", "580"), where, server.url).seconds
            bare = run((PYTHON, "-c", BARE % (scale.promotions, width)), where, server.url).seconds
            theirs = run((PYTHON, "-c", LOOP % scale.promotions), where, server.url).seconds
            work = f"{scale.promotions} promotions, {kind}"
            yield Row(work, "transition_… one by one", ours, theirs, theirs / ours, f"≥ {goal} ×")
            yield Row(work, "the bare requests", ours, bare, ours / bare, "≤ 1.5 ×")
