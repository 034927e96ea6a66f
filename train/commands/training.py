"""``fit`` and ``baseline``: load, train, save, measure on the validation rows, register."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from train.commands.options import Several, say, show, training
from train.errors import TrainError

if TYPE_CHECKING:
    from train.experiment import Kind, Made


@click.command(cls=Several)
@training
@click.option("--stage", type=click.Choice(["tabular", "mixture"]), default="mixture", show_default=True)
@click.option("--epochs", type=click.IntRange(min=0), help="Instead of the settings' own; 0 leaves the model untrained.")
def fit(stage: Any, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Train the tabular expert alone, or the full mixture.

    With --out, training that was killed goes on from its last epoch when the same command is given again.
    """
    _train(stage, **options)


@click.command(cls=Several)
@training
@click.option("--model", "kind", type=click.Choice(["xgboost", "random-forest"]), default="xgboost", show_default=True)
def baseline(kind: Any, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Fit what people would use instead, on the same rows and the same split."""
    _train(kind, epochs=None, **options)


def _train(  # noqa: PLR0913 - the options of the command line
    kind: Kind,
    *,
    dataset: str,
    data: tuple[Path, ...],
    out: Path | None,
    seed: int,
    name: str | None,
    allow_dirty: bool,
    outputs: Path | None,
    as_json: bool,
    epochs: int | None,
) -> None:
    from train import config, datasets, tracking

    revision = ""
    if name is not None:
        tracking.check_name(name)
        revision = tracking.commit(allow_dirty=allow_dirty)
    if out is not None and ((out / "model").exists() or (out.exists() and not out.is_dir())):
        raise TrainError(f"{out} is there already", hint="name another folder with --out, or remove it")
    settings = config.load(seed=seed, epochs=epochs, dataset=dataset)
    flows = datasets.load(dataset, list(data))
    if name is not None:
        tracking.reach()
    say(f"{len(flows)} flows, {flows.attack.mean():.1%} attacks; {flows.dropped or 'none dropped'}")
    for note in flows.notes:
        say(note)
    from train.experiment import make

    with tempfile.TemporaryDirectory() as scratch:
        place = out or Path(scratch)
        checkpoint = out / "checkpoint.pt" if out is not None else None
        made = make(kind, flows, settings, place / "model", dataset=dataset, checkpoint=checkpoint)
        found = _leave(made, place)
        if name is not None:
            tags = tracking.lineage(flows, made.architecture, dataset, revision, made.parameters["split"])
            files = {"data": ", ".join(path.name for path in data)}
            found |= _register(made, place, found, name, tags, files)
            if outputs is not None:
                with outputs.open("a", encoding="utf-8") as file:
                    file.write(f"version={found['version']}\n")
    show(found, as_json=as_json)


def _leave(made: Made, place: Path) -> dict[str, Any]:
    """``report.json`` and ``plots/`` about the validation rows."""
    from train import plots
    from train.report import document, report
    from train.scoring import load

    say(f"measuring on {len(made.validation)} validation rows")
    found = report(load(made.folder), made.validation)
    (place / "report.json").write_text(document(found) + "\n", encoding="utf-8")
    plots.draw(found, place / "plots", title=f"{made.architecture}, {len(made.validation)} validation rows")
    return found


def _register(
    made: Made, place: Path, found: dict[str, Any], name: str, tags: dict[str, str], parameters: dict[str, str]
) -> dict[str, Any]:
    """A run with parameters, metrics, report and plots, and a version of its model."""
    import shutil

    from mlflow import MlflowClient

    from train import plots, tracking

    with tempfile.TemporaryDirectory() as scratch:
        artifacts = Path(scratch)
        shutil.copy(place / "report.json", artifacts)
        shutil.copytree(place / "plots", artifacts / "plots")
        version = tracking.log_and_register(
            made.folder,
            name,
            experiment=f"train-{tags['dataset']}",
            parameters={**made.parameters, **parameters},
            metrics=tracking.metrics(found),
            tags=tags,
            text=f"{made.architecture} trained on {tags['dataset']} ({tags['data_version']}); "
            f"F1 {found['attack_f1']:.4f} on its {found['rows']} validation rows.",
            artifacts=artifacts,
        )
        client = MlflowClient()
        drawn = plots.versions(tracking.versions(client, name), artifacts / "f1_by_version.png", title=name)
        client.log_artifact(version.run_id, str(drawn), "plots")
    return {"model": version.name, "version": version.version, "run": version.run_id}
