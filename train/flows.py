"""Rows of flows as arrays, whatever dataset they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from train.errors import TrainError

if TYPE_CHECKING:
    import pandas as pd

STREAM = "stream"
NO_CONTEXT = -1
ATTACK, BENIGN = "attack", "benign"


@dataclass(frozen=True, slots=True)
class Flows:
    """N flows in capture order.

    ``values``: (N, F) float64, NaN and infinities as the file has them; ``stream``: (N,) int64, -1 for no context; ``kinds``: (N,)
    the dataset's own label; ``attack``: (N,) bool. ``digest``: sha256 of the files' bytes. ``dropped``: reason → rows left out.
    ``group``: (N,) int64, the burst, addresses or repetition that a row belongs to: rows of a group are not independent, so intervals
    count groups. ``categorical``: columns whose values are codes; ``categories``: column → the words that they stand for, 0 is "other".
    ``notes``: what a person should know of the files, as sentences.
    """

    columns: tuple[str, ...]
    values: np.ndarray[Any, Any]
    stream: np.ndarray[Any, Any]
    kinds: np.ndarray[Any, Any]
    attack: np.ndarray[Any, Any]
    digest: str
    version: str
    dropped: dict[str, int] = field(default_factory=dict)
    group: np.ndarray[Any, Any] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    categorical: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.group) != len(self.attack):
            object.__setattr__(self, "group", vectors(self.values))

    def __len__(self) -> int:
        return len(self.attack)

    def take(self, rows: np.ndarray[Any, Any]) -> Flows:
        """These rows, in this order (indices or a mask)."""
        names = ("values", "stream", "kinds", "attack", "group")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def without_context(self) -> Flows:
        """The same rows as if each came alone."""
        return replace(self, stream=np.full(len(self), NO_CONTEXT, dtype=np.int64))

    def frame(self) -> pd.DataFrame:
        """What the exported model takes: every column a double, the stream last."""
        import pandas as pd

        table = pd.DataFrame(self.values, columns=list(self.columns), dtype="float64")
        table[STREAM] = self.stream.astype("float64")
        return table

    def inputs(self) -> np.ndarray[Any, Any]:
        """(N, F + 1) float32: what the network takes."""
        with np.errstate(over="ignore"):
            return np.concatenate([self.values, self.stream[:, None]], axis=1).astype(np.float32)


def digest(paths: list[Path]) -> str:
    """Sha256 over the bytes of the files, in order (one file: its own sha256)."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()


def vectors(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(N, F) → (N,) int64 from 0 on, the same for equal rows: 64 bits of a hash, so that a chance meeting of two million rows is rare.

    NaN equals NaN, and -0.0 equals 0.0.
    """
    factors = np.random.default_rng(0x5EED).integers(0, 2**64, size=values.shape[1], dtype=np.uint64) | np.uint64(1)
    found = np.empty(len(values), dtype=np.uint64)
    for start in range(0, len(values), 65_536):
        part = values[start : start + 65_536] + 0.0
        bits = np.where(np.isnan(part), np.nan, part).astype(np.float64).view(np.uint64)
        bits = (bits ^ (bits >> np.uint64(32))) * factors
        bits ^= bits >> np.uint64(29)
        found[start : start + 65_536] = (bits * np.uint64(0xBF58476D1CE4E5B9)).sum(axis=1, dtype=np.uint64)
    return (found >> np.uint64(1)).astype(np.int64)


def split(flows: Flows, *, share: float, block: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Masks of training and validation rows: whole blocks of consecutive rows, and no feature vector on both sides.

    A vector that stands in both is left to training, and its validation rows are left out. Raises TrainError when a side would be
    empty, or training would see one class alone.
    """
    blocks = np.arange(len(flows)) // block
    count = int(blocks[-1]) + 1 if len(flows) else 0
    chosen = np.random.RandomState(seed).permutation(count)[: max(1, round(count * share))]
    validation = np.isin(blocks, chosen)
    keys = vectors(flows.values)
    aside = validation & ~np.isin(keys, keys[~validation])
    learned = flows.attack[~validation]
    if not learned.size or not aside.any():
        raise TrainError(
            f"{len(flows)} rows are too few to keep some back", hint=f"several blocks of {block} rows are needed, not all alike"
        )
    if learned.all() or not learned.any():
        raise TrainError(f"every training row is {ATTACK if learned.all() else BENIGN}", hint="give rows of both kinds")
    return ~validation, aside
