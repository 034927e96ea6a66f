"""``python -m train``: make data, train, measure, register."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from train.errors import TrainError

if TYPE_CHECKING:
    from train.config import Settings
    from train.flows import Flows

DATASETS = click.Choice(["synthetic", "cicids2017", "unsw-nb15"])
DATASET = click.option("--dataset", type=DATASETS, required=True, help="The format of the rows.")
DATA = click.option("--data", type=click.Path(path_type=Path), multiple=True, required=True, help="A file of rows (repeatable).")


def training(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of everything that trains."""
    options = (
        DATASET,
        DATA,
        click.option("--out", type=click.Path(path_type=Path), help="Leave model/ and report.json in this folder."),
        click.option("--seed", type=int, default=0, show_default=True),
        click.option("--register", "name", metavar="NAME", help="Log a run and register a version under this name."),
        click.option("--allow-dirty", is_flag=True, help="Register although train/ has uncommitted changes (lineage gates refuse it)."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def root() -> None:
    """Train, measure and register the models that detect intrusions in network flows."""


@root.command()
@click.option("--dataset", type=click.Choice(["synthetic"]), default="synthetic", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--rows", type=click.IntRange(min=1), default=6000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def data(dataset: str, seed: int, rows: int, out: Path) -> None:
    """Make synthetic flows in CICIDS2017's format; a seed gives the same bytes on every machine."""
    from train.datasets.synthetic import write
    from train.flows import digest

    write(out, rows=rows, seed=seed)
    click.echo(f"{out}: {rows} {dataset} flows, sha256 {digest([out])}")


@root.command()
@training
@click.option("--stage", type=click.Choice(["tabular", "mixture"]), default="mixture", show_default=True)
@click.option("--epochs", type=click.IntRange(min=0), help="Instead of the settings' own; 0 leaves the model untrained.")
def fit(stage: Any, epochs: int | None, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Train the tabular expert alone, or the full mixture."""

    def train(flows: Flows, settings: Settings) -> tuple[Any, Flows, str]:
        from train.fit import fit as run

        trained = run(flows, settings, stage)
        return trained.model, trained.validation, "FT-Transformer" if stage == "tabular" else "MoE-FTTransformer-CNN"

    _train(train, epochs=epochs, **options)


@root.command()
@training
@click.option("--model", "kind", type=click.Choice(["xgboost", "random-forest"]), default="xgboost", show_default=True)
def baseline(kind: Any, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Fit what people would use instead, on the same rows and the same split."""
    if kind == "random-forest" and (options["name"] or options["out"]):
        raise TrainError(
            "a random forest can be saved as pickle alone, which no gate accepts", hint="measure it without --register and --out"
        )

    def train(flows: Flows, settings: Settings) -> tuple[Any, Flows, str]:
        from train.baseline import fit as run

        fitted = run(flows, settings, kind)
        return fitted if kind == "random-forest" else fitted.model, fitted.validation, "XGBoost" if kind == "xgboost" else "RandomForest"

    _train(train, epochs=None, **options)


@root.command()
@DATASET
@DATA
@click.option("--model", type=click.Path(path_type=Path), required=True, help="A model folder that fit or baseline left.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate(dataset: str, data: tuple[Path, ...], model: Path, *, as_json: bool) -> None:
    """Measure a model folder on rows."""
    from train import datasets
    from train.report import report

    if not (model / "MLmodel").is_file():
        raise TrainError(f"{model} is not a model folder", hint="name the folder model/ that fit --out left")
    _print(report(model, datasets.load(dataset, list(data))), as_json=as_json)


@root.command()
@click.option("--run", "run_id", required=True, help="The run whose model is registered.")
@click.option("--name", required=True)
@click.option("--json", "as_json", is_flag=True)
def register(run_id: str, name: str, *, as_json: bool) -> None:
    """Register a version afterwards, from a run."""
    from train.tracking import check_name
    from train.tracking import register as run

    check_name(name)
    from mlflow import MlflowClient

    made = run(MlflowClient(), run_id, name)
    _print({"model": made.name, "version": made.version, "run": made.run_id}, as_json=as_json)


def _train(  # noqa: PLR0913 - the options of the command line
    train: Callable[[Flows, Settings], tuple[Any, Flows, str]],
    *,
    dataset: str,
    data: tuple[Path, ...],
    out: Path | None,
    seed: int,
    name: str | None,
    allow_dirty: bool,
    as_json: bool,
    epochs: int | None,
) -> None:
    """Load, train, save, measure on the validation rows, register."""
    from train import config, datasets, tracking

    revision = ""
    if name is not None:
        tracking.check_name(name)
        revision = tracking.commit(allow_dirty=allow_dirty)
    if out is not None and ((out / "model").exists() or (out.exists() and not out.is_dir())):
        raise TrainError(f"{out} is there already", hint="name another folder with --out, or remove it")
    settings = config.load(seed=seed, epochs=epochs)
    flows = datasets.load(dataset, list(data))
    if name is not None:
        tracking.reach()
    click.echo(f"{len(flows)} flows, {flows.attack.mean():.1%} attacks; {flows.dropped or 'none dropped'}", err=True)
    model, validation, architecture = train(flows, settings)
    from train.report import document, report, scored

    if architecture == "RandomForest":
        _print(scored(model.predict(validation)[:, None], validation), as_json=as_json)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = (out or Path(scratch)) / "model"
        metadata = {
            "architecture": architecture,
            "dataset": dataset,
            "data_digest": flows.digest,
            "validation": settings.validation,
            "seed": seed,
        }
        tracking.save(model, flows, folder, metadata)
        found = report(folder, validation)
        if out is not None:
            (out / "report.json").write_text(document(found) + "\n", encoding="utf-8")
        if name is not None:
            f1 = f"F1 {found['attack_f1']:.4f} on its {len(validation)} validation rows"
            made = tracking.log_and_register(
                folder,
                name,
                experiment=f"train-{dataset}",
                parameters=settings.parameters() | {"dataset": dataset, "data": ", ".join(path.name for path in data)},
                metrics={"f1_score": found["attack_f1"], "precision": found["precision"], "recall": found["recall"]},
                tags=tracking.lineage(flows, architecture, dataset, revision),
                text=f"{architecture} trained on {dataset} ({flows.version}); {f1}.",
            )
            found |= {"model": made.name, "version": made.version, "run": made.run_id}
    _print(found, as_json=as_json)


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        from train.report import document

        click.echo(document(found))
        return
    for key, value in found.items():
        if not isinstance(value, dict):
            click.echo(f"{key:<12} {value:.4f}" if isinstance(value, float) else f"{key:<12} {value}")


def main() -> None:
    """Run a command; an error that a user can act on is one line and a hint, exit 2."""
    warnings.filterwarnings("ignore", module=r"(mlflow|torch)\..*")
    try:
        root(standalone_mode=False, prog_name="python -m train")
    except TrainError as error:
        click.echo(f"error: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""), err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except Exception as error:
        # Looked up by name: importing MLflow takes seconds, and whoever raised this has done so.
        if not any(kind.__name__ == "MlflowException" for kind in type(error).__mro__):
            raise
        told = (str(error).strip() or repr(error)).splitlines()[0]
        click.echo(f"error: MLflow: {told}\n  hint: is MLFLOW_TRACKING_URI right, and does the server answer?", err=True)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)


if __name__ == "__main__":
    main()
