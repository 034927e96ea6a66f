"""Settings: ``settings.toml`` beside this file, frozen."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from train.errors import TrainError
from train.evaluation import CONTEXT

FILE = Path(__file__).with_name("settings.toml")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is built and trained; the file tells what each value means."""

    window: int
    d_block: int
    n_blocks: int
    n_heads: int
    d_conv: int
    dropout: float
    epochs: int
    pretraining: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    context_dropout: float
    balance: float
    expert: float
    validation: float
    block: int
    seed: int = 0

    def parameters(self) -> dict[str, str]:
        """As they are logged with a run."""
        return {name: str(value) for name, value in asdict(self).items()}


def load(file: Path = FILE, *, seed: int = 0, epochs: int | None = None) -> Settings:
    """Read the settings; raises TrainError when the file lacks a value, has one too many or one that cannot be."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        settings = Settings(**tables["model"], **tables["training"], seed=seed)
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise TrainError(
            f"{file}: {error}", hint="it needs the tables [model] and [training] with every value of the file in the repository"
        ) from error
    if not 2 <= settings.window <= CONTEXT + 1:
        raise TrainError(f"{file}: window = {settings.window}", hint=f"from 2 to {CONTEXT + 1}: that many rows the evaluator repeats")
    if settings.d_block % settings.n_heads:
        raise TrainError(f"{file}: d_block = {settings.d_block}", hint=f"a multiple of n_heads = {settings.n_heads}")
    return settings if epochs is None else replace(settings, epochs=epochs)
