"""``evaluate`` and ``compare``: models on rows."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from train.commands.options import DATA, DATASET, JSON, PATH, Several, say, show
from train.errors import TrainError

if TYPE_CHECKING:
    from train.compare import Entry
    from train.config import Settings
    from train.flows import Flows
    from train.splits import Way


@click.command(cls=Several)
@DATASET
@DATA
@click.option("--model", type=PATH, required=True, help="A model folder that fit or baseline left.")
@click.option("--plots", type=PATH, metavar="DIR", help="Draw confusion matrix, calibration and router share into this folder.")
@JSON
def evaluate(dataset: str, data: tuple[Path, ...], model: Path, plots: Path | None, *, as_json: bool) -> None:
    """Measure a model folder on rows: in their order, and without context."""
    from train.evaluation import read
    from train.report import report
    from train.scoring import load

    dropped: Counter[str] = Counter()

    def told() -> Iterator[Flows]:
        for block in read(dataset, list(data)):
            dropped.update(block.dropped)
            for note in block.notes:
                say(note)
            yield block

    found = report(load(model), told()) | {"dropped": dict(dropped)}
    say(f"{found['rows']} flows; {found['dropped'] or 'none dropped'}")
    if plots is not None:
        from train.plots import draw

        draw(found, plots, title=f"{model}, {found['rows']} rows")
    show(found, as_json=as_json)


@click.command(cls=Several)
@DATASET
@click.option("--data", type=PATH, multiple=True, metavar="PATH...", help="Rows to train on; without --test, a fifth of them is kept back.")
@click.option("--test", type=PATH, multiple=True, metavar="PATH...", help="Rows to measure on; nothing is chosen by them.")
@click.option("--kind", "kinds", type=click.Choice(["tabular", "mixture", "xgboost", "random-forest"]), multiple=True,
              help="What to train; all four unless --model is given (repeatable).")  # fmt: skip
@click.option("--model", "models", type=PATH, multiple=True, metavar="DIR...", help="A model folder to measure beside them (repeatable).")
@click.option("--seeds", type=int, multiple=True, metavar="N...", default=(0, 1, 2), show_default=True, help="Train each once a seed.")
@click.option("--split-seed", type=int, default=0, show_default=True, help="Of the rows kept back when there is no --test.")
@click.option("--split", "way", type=click.Choice(["blocks", "group", "time"]), default="blocks", show_default=True,
              help="How they are kept back: stretches of rows, whole bursts or repetitions, or the last of each capture.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=0), help="Instead of the settings' own.")
@click.option("--out", type=PATH, metavar="DIR", help="Keep the trained folders here; those that are there are not trained again.")
@JSON
def compare(  # noqa: PLR0913 - the options of the command line
    *,
    dataset: str,
    data: tuple[Path, ...],
    test: tuple[Path, ...],
    kinds: tuple[Any, ...],
    models: tuple[Path, ...],
    seeds: tuple[int, ...],
    split_seed: int,
    way: Way,
    epochs: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train and measure mixture, tabular expert and baselines on the same rows, and print one table."""
    from train import config
    from train.compare import document, table

    chosen = kinds or (() if models else ("tabular", "mixture", "xgboost", "random-forest"))
    if chosen and not data:
        raise TrainError("there are no rows to train on", hint="name them with --data, or name trained models with --model")
    if not data and not test:
        raise TrainError("there are no rows to measure on", hint="name them with --test")
    settings = {seed: config.load(seed=seed, epochs=epochs, dataset=dataset) for seed in dict.fromkeys(seeds)}
    training, rows, split = _rows(dataset, data, test, config.load(seed=split_seed, dataset=dataset), way)
    say(f"measuring on {len(rows)} rows, {rows.attack.mean():.1%} attacks; {split}")
    entries = list(_given(models, rows))
    if training is not None and chosen:
        say(f"training on {len(training)} rows")
        with tempfile.TemporaryDirectory() as scratch:
            entries += _trained(chosen, settings, training, rows, out or Path(scratch), dataset)
    found = document(entries) | {"split": split}
    if as_json:
        show(found, as_json=True)
    else:
        click.echo(table(found))


def _rows(dataset: str, data: tuple[Path, ...], test: tuple[Path, ...], settings: Settings, way: Way) -> tuple[Flows | None, Flows, str]:
    """Rows to train on and to measure on, and how they were parted; without files of the latter, what the split keeps back."""
    from train import datasets, splits

    flows = datasets.load(dataset, list(data)) if data else None
    if test or flows is None:
        return flows, datasets.load(dataset, list(test)), "files of their own"
    split = splits.chosen(way, flows, share=0.2, block=settings.block, seed=settings.seed)
    return flows.take(split.training), flows.take(split.aside), split.describe()


def _given(models: tuple[Path, ...], rows: Flows) -> Iterator[Entry]:
    from train.compare import Entry
    from train.report import measure
    from train.scoring import load

    for folder in models:
        say(f"measuring {folder}")
        yield Entry(str(folder), None, measure(load(folder), rows))


def _trained(
    kinds: tuple[Any, ...], settings: dict[int, Settings], training: Flows, rows: Flows, out: Path, dataset: str
) -> Iterator[Entry]:
    from train.compare import Entry
    from train.experiment import make
    from train.report import measure
    from train.scoring import load

    for kind in kinds:
        for seed, one in settings.items():
            place = out / f"{kind}-seed-{seed}"
            say(f"{kind}, seed {seed}: {place}")
            made = make(kind, training, one, place / "model", dataset=dataset, checkpoint=place / "checkpoint.pt", again=True)
            yield Entry(kind, seed, measure(load(made.folder), rows))
