"""MLflow: runs with parameters and metrics, models as pt2 with named columns, registration with lineage."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from train.errors import TrainError
from train.flows import STREAM, Flows
from train.moe_outputs import OUTPUTS

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")
_SAYS_NOTHING = re.compile(r"(?:my|model|test|tmp|temp|final|new|old|copy|latest|v)\d*|\d+")
LINEAGE = ("dataset", "architecture", "date", "git_commit", "data_version", "data_digest", "split")

_LOGGED = {"attack_f1": "f1_score", "low": "f1_score_low", "high": "f1_score_high"}


@dataclass(frozen=True, slots=True)
class Registered:
    """A version, and the run that made it."""

    name: str
    version: int
    run_id: str


def check_name(name: str) -> None:
    """The naming convention: what-for-which-data in lower case, joined by hyphens. Raises TrainError with the reason."""
    hint = "say what it is and for which data: moe-cybersecurity-cicids, ft-transformer-unsw, xgboost-baseline-cicids"
    if not _NAME.fullmatch(name):
        raise TrainError(f"{name!r} is not a good name: lower-case words joined by hyphens, at least two", hint=hint)
    empty = [word for word in name.split("-") if _SAYS_NOTHING.fullmatch(word)]
    if empty:
        raise TrainError(f"{name!r} is not a good name: {empty[0]!r} says nothing", hint=hint)


def commit(*, allow_dirty: bool) -> str:
    """The commit of the code that trains, wherever it is called from.

    Raises TrainError outside of git, and for uncommitted changes in train/.
    """
    try:
        head = _git("rev-parse", "HEAD").strip()
        dirty = _git("status", "--porcelain", "--", ".")
    except (OSError, subprocess.CalledProcessError) as error:
        raise TrainError(
            "this is not a git repository with a commit", hint="lineage names the commit that a model was trained from"
        ) from error
    if dirty and not allow_dirty:
        changed = dirty.splitlines()[0][3:]
        raise TrainError(
            f"train/ has uncommitted changes ({changed})", hint="commit them, or use --allow-dirty, which lineage gates refuse"
        )
    return f"{head}-dirty" if dirty else head


def reach() -> None:
    """Ask the registry for something, so that hours of training are not lost on a wrong address. Raises MlflowException."""
    from mlflow import MlflowClient

    with _quiet():
        MlflowClient().search_registered_models(max_results=1)


def lineage(flows: Flows, architecture: str, dataset: str, revision: str, split: str) -> dict[str, str]:
    """The tags of run and version from which the chain can be walked. ``split``: kind and seed, in words."""
    return {
        "dataset": dataset,
        "architecture": architecture,
        "date": datetime.now(UTC).date().isoformat(),
        "git_commit": revision,
        "data_version": flows.version,
        "data_digest": flows.digest,
        "split": split,
    }


def save(model: Any, flows: Flows, folder: Path, metadata: Mapping[str, object]) -> None:  # noqa: ANN401 - a network or a Booster
    """Write an MLflow model folder: pt2 with named double columns, or a Booster as JSON. No pickle. Raises TrainError."""
    import mlflow.models
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    if folder.exists():
        raise TrainError(f"{folder} is there already", hint="name another folder with --out, or remove it")
    with _quiet():
        if type(model).__module__.startswith("xgboost"):
            import mlflow.xgboost

            signature = ModelSignature(Schema([ColSpec("double", name) for name in flows.columns]), Schema([ColSpec("float")]))
            described = _described(metadata, flows, 1)
            mlflow.xgboost.save_model(
                model, folder, signature=signature, model_format="json", pip_requirements=_requirements("xgboost"), metadata=described
            )
            return
        if not hasattr(model, "state_dict"):
            raise TrainError("this model can be saved as pickle alone, which no gate accepts", hint="save a network or a Booster")
        import mlflow.pytorch
        import torch

        columns = [*flows.columns, STREAM]
        example = flows.inputs()[:4]
        with torch.no_grad():
            width = model(torch.from_numpy(example)).shape[1]
        tensors = ModelSignature(
            Schema([TensorSpec(np.dtype("float32"), (-1, len(columns)))]), Schema([TensorSpec(np.dtype("float32"), (-1, width))])
        )
        mlflow.pytorch.save_model(
            model,
            folder,
            serialization_format="pt2",
            signature=tensors,
            input_example=example,
            pip_requirements=_requirements("torch"),
            metadata=_described(metadata, flows, width),
        )
        # The export wants tensors; users have columns, which only a column signature puts in order.
        saved = Model.load(str(folder))
        saved.signature = ModelSignature(Schema([ColSpec("double", name) for name in columns]), tensors.outputs)
        saved.save(str(folder / "MLmodel"))


def _described(metadata: Mapping[str, object], flows: Flows, width: int) -> dict[str, object]:
    """What a reader of the folder needs: the names of the outputs, and the words that the codes of categories stand for."""
    categories = {name: list(words) for name, words in flows.categories.items()}
    return {**metadata, "outputs": list(OUTPUTS[:width]), "categories": categories}


def log_and_register(
    folder: Path,
    name: str,
    *,
    experiment: str,
    parameters: Mapping[str, str],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    text: str,
    artifacts: Path,
) -> Registered:
    """A finished run, the folder as its logged model (the bytes that were measured, not another export), and a version of it.

    ``artifacts``: a folder whose files become the run's own. Metrics that are not defined are left out.
    """
    import mlflow
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModelOutput

    client = MlflowClient()
    with _quiet():
        mlflow.set_experiment(experiment)
        with mlflow.start_run(run_name=f"{name}-{tags['architecture']}") as run:
            mlflow.set_tags(dict(tags))
            mlflow.log_params(dict(parameters))
            logged = mlflow.initialize_logged_model(name="model", source_run_id=run.info.run_id)
            client.log_model_artifacts(logged.model_id, str(folder))
            mlflow.finalize_logged_model(logged.model_id, "READY")
            client.log_outputs(run.info.run_id, [LoggedModelOutput(logged.model_id, step=0)])
            mlflow.log_metrics({name: value for name, value in metrics.items() if math.isfinite(value)}, model_id=logged.model_id)
            mlflow.log_artifacts(str(artifacts))
        return register(client, run.info.run_id, name, text)


def versions(client: Any, name: str) -> list[dict[str, Any]]:  # noqa: ANN401 - MLflow's client
    """The versions of a model, oldest first: ``version``, ``attack_f1``, ``low``, ``high`` (NaN if not logged), ``data_digest``."""
    from mlflow.exceptions import MlflowException

    found: list[dict[str, Any]] = []
    for version in client.search_model_versions(f"name = '{name}'"):
        with contextlib.suppress(MlflowException):  # a run that was deleted: its version has no figures any more
            run = client.get_run(version.run_id)
            figures = {key: run.data.metrics.get(logged, math.nan) for key, logged in _LOGGED.items()}
            found.append({"version": int(version.version), "data_digest": run.data.tags.get("data_digest", ""), **figures})
    return sorted(found, key=lambda one: int(one["version"]))


def metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """A report's figures by the names under which runs log them."""
    interval = found["intervals"]["attack_f1"]
    logged = {"f1_score": found["attack_f1"], "f1_score_low": interval["low"], "f1_score_high": interval["high"]}
    logged |= {name: value for name, value in found.items() if isinstance(value, float) and name not in {"attack_f1", "seconds"}}
    logged |= {f"expert.{name}.f1_score": value for name, value in found["experts"].items()}
    logged |= {f"router.{name}": value for name, value in found["router"].get("load", {}).items()}
    if found["ablation"] is not None:
        logged["gain_of_mixture"] = found["ablation"]["gain_of_mixture"]["value"]
    return logged


def register(client: Any, run_id: str, name: str, text: str | None = None) -> Registered:  # noqa: ANN401 - MLflow's client
    """A version from a run: its model, its lineage as tags, a description. Raises TrainError when the run has none of it."""
    from mlflow.exceptions import MlflowException

    check_name(name)
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise TrainError(f"there is no run {run_id}: {error.message}", hint="python -m train fit prints the run it made") from error
    missing = [tag for tag in LINEAGE if tag not in run.data.tags]
    if missing:
        raise TrainError(f"run {run_id} does not say its {', '.join(missing)}", hint="register a run that python -m train made")
    logged = run.outputs.model_outputs if run.outputs else []
    if not logged:
        raise TrainError(f"run {run_id} has no model", hint="register a run that python -m train made")
    model_id = logged[-1].model_id
    with contextlib.suppress(MlflowException):
        client.create_registered_model(name)
    tags = {tag: run.data.tags[tag] for tag in LINEAGE} | {"run_id": run_id}
    f1 = run.data.metrics.get("f1_score", float("nan"))
    described = text or f"{tags['architecture']} trained on {tags['dataset']}; F1 {f1:.4f} on its validation rows."
    with _quiet():
        version = client.create_model_version(
            name, f"models:/{model_id}", run_id, tags=tags, description=described, await_creation_for=0, model_id=model_id
        )
    return Registered(name, int(version.version), run_id)


def _requirements(library: str) -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("mlflow", library)]


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout  # noqa: S603


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MLflow's and torch's chatter stays out of the way of the result; where to see the run goes to stderr."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logging.disable(before)
