"""What a model that tells numbers said of each row becomes sums of errors and their resamples (the form stands in promotion.outcomes)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from promotion import blocks
from promotion.blocks import Array, require
from promotion.counting import WHOLE
from promotion.figures import parse
from promotion.regression.counts import SCHEMA as COUNTS
from promotion.regression.counts import Counts
from promotion.regression.replicates import Replicates
from promotion.resampling import RESAMPLES, totals

SCHEMA = "promotion/regression-outcomes/v1"
_KEYS = frozenset({"schema", "seconds", "index", "group", "origin", "truth", "parts", "values"})


@dataclass
class _Tally:
    """Sums of the rows so far: (C,) of the columns, and (C, 1000) of each resample; the first two columns are the truth's."""

    parts: tuple[str, ...]
    values: tuple[str, ...]
    origin: float
    grouped: bool
    rows: int = 0
    seconds: float = 0.0
    sums: Array = field(default_factory=lambda: np.zeros(0))
    resampled: Array = field(default_factory=lambda: np.zeros(0))
    resampled_rows: Array = field(default_factory=lambda: np.zeros(RESAMPLES, dtype=np.int64))

    def __post_init__(self) -> None:
        columns = 2 + 3 * len(self.parts) + len(self.values)
        self.sums, self.resampled = np.zeros(columns), np.zeros((columns, RESAMPLES))

    @property
    def form(self) -> tuple[object, ...]:
        """What every block must have in common."""
        return set(self.parts), set(self.values), self.origin, self.grouped


def fold(given: Iterable[Mapping[str, Any]]) -> tuple[Counts, Replicates]:
    """Sum all blocks, of which there is one at least; raises CountsError for one that is not as it must be."""
    tally: _Tally | None = None
    for number, block in enumerate(given):
        with blocks.told(number):
            tally = tally or _started(block)
            _add(tally, block)
    assert tally is not None
    counts = parse(_document(tally))
    assert isinstance(counts, Counts)
    told = tally.resampled[2 : 2 + 3 * len(tally.parts)].reshape(-1, 3, RESAMPLES)
    return counts, Replicates(
        unit="group" if tally.grouped else "row",
        origin=tally.origin,
        rows=tally.resampled_rows,
        truth=tally.resampled[:2],
        parts=dict(zip(tally.parts, told, strict=True)),
        sums=dict(sorted(zip(tally.values, tally.resampled[2 + 3 * len(tally.parts) :], strict=True))),
    )


def _started(block: Mapping[str, Any]) -> _Tally:
    parts, values, origin = block["parts"], block.get("values") or {}, float(block.get("origin", 0.0))
    require(isinstance(parts, Mapping) and WHOLE in parts, f"parts must be a mapping that has {WHOLE!r}")
    require(bool(np.isfinite(origin)), f"origin must be a number, however: {origin}")
    return _Tally(tuple(parts), tuple(values), origin, block.get("group") is not None)


def _add(tally: _Tally, block: Mapping[str, Any]) -> None:
    blocks.known(block, SCHEMA, _KEYS)
    require(_started(block).form == tally.form, "parts, values, group or origin are others than in the blocks before")
    rows, key = len(block["truth"]), "group" if tally.grouped else "index"
    keys, truth = blocks.whole(block[key], rows, key), blocks.finite(block["truth"], rows, "truth")
    tally.rows += rows
    tally.seconds += blocks.seconds(block)
    apart = truth - tally.origin
    columns = [apart, apart**2]
    for name in tally.parts:
        error = blocks.finite(block["parts"][name]["predicted"], rows, f"{name}.predicted") - truth
        columns += [error, np.abs(error), error**2]
    columns += [blocks.finite(block["values"][name], rows, name) for name in tally.values]
    summed = np.stack(columns, axis=1)
    tally.sums += summed.sum(0)
    for some in blocks.cuts(rows):
        found = totals(keys[some], np.ones((len(keys[some]), 1), dtype=np.float32), summed[some])
        tally.resampled_rows += found.counts[0]
        tally.resampled += found.sums


def _document(tally: _Tally) -> dict[str, Any]:
    sums = iter(tally.sums.tolist())
    return {
        "schema": COUNTS,
        "rows": tally.rows,
        "seconds": tally.seconds,
        "truth": {"origin": tally.origin, "total": next(sums), "squares": next(sums)},
        "parts": {name: {key: next(sums) for key in ("error", "absolute", "squared")} for name in tally.parts},
        "sums": dict(sorted((name, next(sums)) for name in tally.values)),
    }
