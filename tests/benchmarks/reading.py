"""The plan of many models, over HTTP, against the bare searches that hold the state and against the usual script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import repository
from tests.benchmarks.measuring import PROMOTION, PYTHON, STARTING, Row, Scale, medians, run
from tests.benchmarks.population import Population, populate
from tests.server import Server

BARE = """
import os, requests
url, session = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow", requests.Session()
for path, most in (("model-versions/search", 200000), ("registered-models/search", 1000)):
    token = ""
    while True:
        answer = session.get(f"{url}/{path}", params={"max_results": most, **({"page_token": token} if token else {})}).json()
        token = answer.get("next_page_token")
        if not token:
            break
"""
"""The two searches, one after the other, with nothing done with what they give."""
LATEST = """
from mlflow import MlflowClient
client = MlflowClient()
for index in range(%d):
    client.get_latest_versions(f"bench-{index:05d}")
"""
"""What scripts do; it reads no aliases."""


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """One worker, then the server's default number of workers."""
    population = Population(scale.models)
    latest = (PYTHON, "-c", LATEST % scale.models)
    size = f"{scale.models} × {population.versions}"
    for workers, goal in ((1, 4), (None, 40)):
        with Server(folder / f"server-{workers}", workers=workers) as server:
            populate(server, population)
            where = repository.start(folder / f"models-{workers}", population.names, lambda _: (5, 4))
            repository.record(where, server.url)
            plan = (PROMOTION, "plan")
            ours, bare, starting, requests = medians(
                (plan, (PYTHON, "-c", BARE), STARTING, (PYTHON, "-c", "import requests")), scale.runs, where, server.url
            )
            if workers == 1:
                searches = bare - requests
                yield Row(f"plan {size}, 1 worker", "2 bare searches", ours - starting, searches, (ours - starting) / searches, "≤ 1.3")
            theirs = run(latest, where, server.url).seconds
            name = f"plan {size}, {f'{workers} worker' if workers else 'default workers'}"
            yield Row(name, "get_latest_versions", ours, theirs, theirs / ours, f"≥ {goal} ×")
