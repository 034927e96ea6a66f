"""Tiny real models, registered as a training job would; no torch needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FEATURES = ("duration", "bytes", "packets")


def tiny_booster(seed: int) -> Any:
    """Train a binary classifier on 256 seeded rows whose label is told by the first two features."""
    import numpy as np
    import xgboost as xgb

    random = np.random.default_rng(seed)
    rows = random.normal(size=(256, len(FEATURES)))
    labels = (rows[:, 0] + 0.5 * rows[:, 1] > 0).astype(float)
    matrix = xgb.DMatrix(rows, label=labels, feature_names=list(FEATURES))
    return xgb.train({"objective": "binary:logistic", "nthread": 1, "max_depth": 2, "seed": seed}, matrix, 3)


def register_version(
    url: str,
    name: str,
    *,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    description: str = "",
    seed: int = 0,
) -> int:
    """Log a tiny XGBoost classifier in a run and register it; gives the version's number.

    ``url`` is the tracking and registry URI, ``tags`` go to the version and to the run, ``metrics`` and ``params`` to the
    run. The model has named ``double`` columns (``FEATURES``), no pickle, and other bytes for another ``seed``.
    """
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=url, registry_uri=url)
    run = client.create_run("0", tags={"mlflow.user": "tests", **(tags or {})})
    logged = [Metric(key, value, 0, 0) for key, value in (metrics or {}).items()]
    client.log_batch(run.info.run_id, logged, [Param(k, v) for k, v in (params or {}).items()], [RunTag("seed", str(seed))])
    location = _log(client, run, seed)
    client.set_terminated(run.info.run_id)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(
        name, location, run.info.run_id, tags=dict(tags or {}), description=description, await_creation_for=0
    )
    return int(version.version)


def _log(client: Any, run: Any, seed: int) -> str:
    """Save the model and upload it as the run's artifact ``model``; gives its URI."""
    import tempfile
    from pathlib import Path

    import mlflow.xgboost
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(Schema([ColSpec("double", column) for column in FEATURES]), Schema([ColSpec("float")]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        # Requirements are given, or MLflow would load the model in another process to find them (5 s).
        mlflow.xgboost.save_model(tiny_booster(seed), path, signature=signature, model_format="json", pip_requirements=["xgboost"])
        client.log_artifacts(run.info.run_id, str(path), "model")
    return f"{run.info.artifact_uri}/model"
