"""A registry of many models, put into a server's database at once: registering them one by one would take minutes.

The rows are those that MLflow's own client makes: of each model with ``versions`` versions, the last is in staging and the one before in
production (where there are as many), by stage and by alias; each has a run, and its artifact lies in the server's folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.server import Server

MLMODEL = """artifact_path: model
flavors:
  python_function:
    env:
      virtualenv: python_env.yaml
    loader_module: mlflow.xgboost
    python_version: 3.11.7
  xgboost:
    data: model.json
    model_class: xgboost.core.Booster
    model_format: json
    xgb_version: 3.1.2
mlflow_version: 3.17.2
run_id: {run}
"""


@dataclass(frozen=True)
class Population:
    """So many models with so many versions each; ``bound`` puts two of the versions into environments."""

    models: int
    versions: int = 5
    bound: bool = True
    artifacts: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the models, sorted."""
        return [f"bench-{index:05d}" for index in range(self.models)]

    @property
    def staging(self) -> int:
        """The version in staging."""
        return self.versions

    @property
    def production(self) -> int:
        """The version in production."""
        return max(1, self.versions - 1)


def populate(server: Server, population: Population) -> None:
    """Put the models into the server's database and, where wanted, two small files for each version into its folder."""
    import sqlalchemy as sa
    from mlflow.store.model_registry.dbmodels import models as registry
    from mlflow.store.tracking.dbmodels import models as tracking

    rows: dict[Any, list[dict[str, object]]] = {}
    for table, row in _rows(population, registry, tracking):
        rows.setdefault(table, []).append(row)
    engine = sa.create_engine(server.store)
    with engine.begin() as connection:
        for table, found in rows.items():
            connection.execute(sa.insert(table), found)
        # A database that was filled in its daily use has its statistics; without them one search took PostgreSQL over 10 s.
        connection.execute(sa.text("ANALYZE"))
    engine.dispose()
    if population.artifacts:
        for name in population.names:
            for version in range(1, population.versions + 1):
                _files(server, name, version)


def _rows(population: Population, registry: Any, tracking: Any) -> Iterator[tuple[Any, dict[str, object]]]:
    now = int(time.time() * 1000)
    stages = {population.production: "Production", population.staging: "Staging"} if population.bound else {}
    aliases = {"staging": population.staging, "production": population.production} if population.bound else {}
    for name in population.names:
        yield registry.SqlRegisteredModel, {"name": name, "creation_time": now, "last_updated_time": now}
        for version in range(1, population.versions + 1):
            run = _run(name, version)
            root = f"mlflow-artifacts:/0/{run}/artifacts"
            yield tracking.SqlRun, _run_row(run, root, now)
            source = {"source": f"{root}/model", "storage_location": f"{root}/model", "run_id": run}
            times = {"creation_time": now + version, "last_updated_time": now + version}
            stage = {"current_stage": stages.get(version, "None"), "status": "READY", "user_id": "bench"}
            yield registry.SqlModelVersion, {"name": name, "version": version} | source | times | stage
            yield registry.SqlModelVersionTag, {"name": name, "version": version, "key": "data_version", "value": "synthetic"}
        for alias, version in aliases.items():
            yield registry.SqlRegisteredModelAlias, {"name": name, "alias": alias, "version": version}


def _run_row(run: str, root: str, now: int) -> dict[str, object]:
    place = {"run_uuid": run, "name": run[:8], "artifact_uri": root, "experiment_id": 0, "lifecycle_stage": "active"}
    return place | {"status": "FINISHED", "start_time": now, "end_time": now, "user_id": "bench", "source_type": "LOCAL"}


def _run(name: str, version: int) -> str:
    return f"{int(name.rpartition('-')[2]):016x}{version:016x}"


def _files(server: Server, name: str, version: int) -> None:
    run = _run(name, version)
    folder = server.artifacts / "0" / run / "artifacts" / "model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL.format(run=run))
    (folder / "model.json").write_text(f'{{"learner": {{"name": "{name}", "version": {version}}}}}' + " " * 2000)
