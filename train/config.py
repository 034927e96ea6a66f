"""Settings: ``settings.toml`` beside this file, frozen."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from train.errors import TrainError
from train.scoring import CONTEXT

FILE = Path(__file__).with_name("settings.toml")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is built and trained; the file tells what each value means."""

    window: int
    bins: int
    d_block: int
    n_blocks: int
    n_heads: int
    d_conv: int
    temporal_bins: bool
    dropout: float
    router_bound: float
    temporal_alone: bool
    trust_context: bool
    trees: int
    tree_rounds: int
    tree_depth: int
    tree_rate: float
    tree_leaf: float
    tree_rows: float
    tree_columns: float
    epochs: int
    pretraining: int
    honest: int
    stretches: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    average: float
    smoothing: float
    column_dropout: float
    shortcut_dropout: float
    shortcut_balance: float
    context_dropout: float
    balance: float
    validation: float
    block: int
    presence: tuple[str, ...] = ()
    seed: int = 0

    def parameters(self) -> dict[str, str]:
        """As they are logged with a run."""
        return {name: str(value) for name, value in asdict(self).items()}


def load(file: Path = FILE, *, seed: int = 0, epochs: int | None = None, dataset: str | None = None) -> Settings:
    """Read the settings, with the dataset's own table over them where there is one.

    Raises TrainError when the file lacks a value, has one too many or one that cannot be.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        own: dict[str, Any] = tables.get("dataset", {}).get(dataset, {})
        values = tables["model"] | tables["training"] | own
        settings = Settings(**(values | {"presence": tuple(values.get("presence", ())), "seed": seed}))
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise TrainError(
            f"{file}: {error}", hint="it needs the tables [model] and [training] with every value of the file in the repository"
        ) from error
    _check(file, settings)
    return settings if epochs is None else replace(settings, epochs=epochs)


def _check(file: Path, settings: Settings) -> None:
    """Raise TrainError for the first value that cannot be."""
    limits = {
        "window": (2, CONTEXT + 1, "that many rows the evaluator repeats"),
        "stretches": (2, 10_000, "of which every other one is held out"),
        "trees": (1, 1024, "trees side by side"),
        "tree_depth": (1, 32, "splits, one below the other"),
        "bins": (2, 256, "of the encoding of a column"),
        "tree_rows": (0.01, 1, "a share"),
        "tree_columns": (0.01, 1, "a share"),
        "average": (0, 0.99999, "a share; 0 is no averaging"),
        "smoothing": (0, 0.4, "a share"),
        "column_dropout": (0, 0.9, "a share"),
        "shortcut_dropout": (0, 0.9, "a share"),
        "context_dropout": (0, 1, "a share"),
    }
    for name, (least, most, why) in limits.items():
        value = getattr(settings, name)
        if not least <= value <= most:
            raise TrainError(f"{file}: {name} = {value}", hint=f"from {least} to {most}: {why}")
    if settings.d_block % settings.n_heads:
        raise TrainError(f"{file}: d_block = {settings.d_block}", hint=f"a multiple of n_heads = {settings.n_heads}")
