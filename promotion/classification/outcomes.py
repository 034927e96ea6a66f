"""What a model that tells classes said of each row becomes counts and their resamples (the form stands in promotion.outcomes)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from promotion import blocks
from promotion.blocks import Array, require
from promotion.classification.counts import BINS, Counts
from promotion.classification.replicates import Replicates, areas
from promotion.counting import WHOLE
from promotion.figures import parse
from promotion.resampling import RESAMPLES, totals

SCHEMA = "promotion/outcomes/v1"
_KEYS = frozenset({"schema", "positive", "labels", "seconds", "index", "group", "truth", "class", "parts", "values"})


@dataclass
class _Tally:
    """Counts of the rows so far. Shapes: confusion (L, L), scores (2, 200), replicates (columns, 1000), of scores (400, 1000)."""

    labels: tuple[str, ...]
    positive: str
    parts: tuple[str, ...]
    scored: frozenset[str]
    values: tuple[str, ...]
    grouped: bool
    named: bool
    rows: int = 0
    seconds: float = 0.0
    confusion: dict[str, Array] = field(default_factory=dict)
    scores: dict[str, Array] = field(default_factory=dict)
    classes: dict[str, Array] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    truth: Array = field(default_factory=lambda: np.zeros(0))
    hits: dict[str, Array] = field(default_factory=dict)
    predicted: dict[str, Array] = field(default_factory=dict)
    class_replicates: dict[str, Array] = field(default_factory=dict)
    sum_replicates: dict[str, Array] = field(default_factory=dict)
    score_replicates: dict[str, Array] = field(default_factory=dict)

    @property
    def form(self) -> tuple[object, ...]:
        """What every block must have in common."""
        return self.labels, self.positive, set(self.parts), self.scored, set(self.values), self.grouped, self.named

    def __post_init__(self) -> None:
        size = len(self.labels)
        self.truth = np.zeros((size, RESAMPLES), dtype=np.int64)
        for name in self.parts:
            self.confusion[name] = np.zeros((size, size), dtype=np.int64)
            self.hits[name] = np.zeros((size, RESAMPLES), dtype=np.int64)
            self.predicted[name] = np.zeros((size, RESAMPLES), dtype=np.int64)
        for name in self.scored:
            self.scores[name] = np.zeros((2, BINS), dtype=np.int64)
            self.score_replicates[name] = np.zeros((2 * BINS, RESAMPLES))
        for name in self.values:
            self.sums[name] = 0.0
            self.sum_replicates[name] = np.zeros(RESAMPLES)


def fold(given: Iterable[Mapping[str, Any]]) -> tuple[Counts, Replicates]:
    """Count all blocks, of which there is one at least; raises CountsError for one that is not as it must be."""
    tally: _Tally | None = None
    for number, block in enumerate(given):
        with blocks.told(number):
            tally = tally or _started(block)
            _add(tally, block)
    assert tally is not None
    counts = parse(_document(tally))
    assert isinstance(counts, Counts)
    return counts, Replicates(
        unit="group" if tally.grouped else "row",
        labels=tally.labels,
        positive=tally.positive,
        truth=tally.truth,
        hits=tally.hits,
        predicted=tally.predicted,
        classes=dict(sorted(tally.class_replicates.items())),
        sums=dict(sorted(tally.sum_replicates.items())),
        areas={name: areas(one.reshape(2, BINS, RESAMPLES)) for name, one in sorted(tally.score_replicates.items())},
    )


def _started(block: Mapping[str, Any]) -> _Tally:
    parts, values = block["parts"], block.get("values") or {}
    require(isinstance(parts, Mapping) and WHOLE in parts, f"parts must be a mapping that has {WHOLE!r}")
    labels = tuple(block["labels"])
    require(all(isinstance(one, str) for one in labels) and len(set(labels)) == len(labels) > 0, "labels must be names that differ")
    require(block["positive"] in labels, f"positive must be one of the labels, however: {block['positive']!r}")
    scored = frozenset(name for name, part in parts.items() if part.get("score") is not None)
    grouped, named = block.get("group") is not None, block.get("class") is not None
    return _Tally(labels, block["positive"], tuple(parts), scored, tuple(values), grouped, named)


def _add(tally: _Tally, block: Mapping[str, Any]) -> None:
    blocks.known(block, SCHEMA, _KEYS)
    require(_started(block).form == tally.form, "labels, parts, values, group or class are others than in the blocks before")
    rows, size, key = len(block["truth"]), len(tally.labels), "group" if tally.grouped else "index"
    truth, keys = blocks.places(block["truth"], rows, size, "truth"), blocks.whole(block[key], rows, key)
    tally.rows += rows
    tally.seconds += blocks.seconds(block)
    told = {name: blocks.places(block["parts"][name]["predicted"], rows, size, f"{name}.predicted") for name in tally.parts}
    negative = truth != tally.labels.index(tally.positive)
    scores = {name: _bins(block["parts"][name]["score"], rows, name) + BINS * negative for name in tally.scored}
    for name in tally.parts:
        tally.confusion[name] += np.bincount(truth * size + told[name], minlength=size * size).reshape(size, size)
    for name, cells in scores.items():
        tally.scores[name] += np.bincount(cells, minlength=2 * BINS).reshape(2, BINS)
    values = {name: blocks.finite(block["values"][name], rows, name) for name in tally.values}
    for name, given in values.items():
        tally.sums[name] += float(given.sum())
    kinds = _kinds(block["class"], rows) if tally.named else None
    for some in blocks.cuts(rows):
        of_some = None if kinds is None else kinds[some]
        _resample(tally, keys[some], truth[some], _cut(told, some), _cut(scores, some), _cut(values, some), of_some)


def _cut(columns: Mapping[str, Array], some: slice) -> Mapping[str, Array]:
    return {name: column[some] for name, column in columns.items()}


def _resample(
    tally: _Tally,
    keys: Array,
    truth: Array,
    predicted: Mapping[str, Array],
    scores: Mapping[str, Array],
    values: Mapping[str, Array],
    kinds: Array | None,
) -> None:
    """Add the resamples of some rows: what is counted of each row is a column, all columns are weighed by one product."""
    size, every = len(tally.labels), 1 + 2 * len(predicted)
    eye = np.eye(size, dtype=np.float32)
    columns = [eye[truth]]
    for said in predicted.values():
        columns += [eye[truth] * (said == truth)[:, None], eye[said]]
    names: list[str] = []
    if kinds is not None:
        distinct, places = np.unique(kinds, return_inverse=True)
        names = [str(name) for name in distinct]
        support = np.eye(len(names), dtype=np.float32)[places]
        columns += [support, support * (predicted[WHOLE] == truth)[:, None]]
        for name in names:
            nothing = np.zeros((2, RESAMPLES), dtype=np.int64)
            tally.class_replicates.setdefault(name, nothing.copy())
            tally.classes.setdefault(name, np.zeros(2, dtype=np.int64))
        for name, *counted in zip(names, columns[-2].sum(0), columns[-1].sum(0), strict=True):
            tally.classes[name] += np.array(counted, dtype=np.int64)
    added = np.stack(list(values.values()), axis=1) if values else None
    found = totals(keys, np.concatenate(columns, axis=1), added, [(cells, tally.score_replicates[name]) for name, cells in scores.items()])
    parts = iter(np.split(found.counts[: size * every], every))
    tally.truth += next(parts)
    for name in predicted:
        tally.hits[name] += next(parts)
        tally.predicted[name] += next(parts)
    rest = found.counts[size * every :]
    for place, name in enumerate(names):
        tally.class_replicates[name] += rest[[place, len(names) + place]]
    for name, row in zip(values, found.sums, strict=True):
        tally.sum_replicates[name] += row


def _document(tally: _Tally) -> dict[str, Any]:
    def part(name: str) -> dict[str, Any]:
        found: dict[str, Any] = {"labels": list(tally.labels), "confusion": tally.confusion[name].tolist()}
        if name in tally.scored:
            found["scores"] = dict(zip(("positive", "negative"), tally.scores[name].tolist(), strict=True))
        return found

    return {
        "schema": "promotion/counts/v1",
        "rows": tally.rows,
        "seconds": tally.seconds,
        "positive": tally.positive,
        "parts": {name: part(name) for name in tally.parts},
        "classes": {name: {"support": int(one[0]), "correct": int(one[1])} for name, one in sorted(tally.classes.items())},
        "sums": dict(sorted(tally.sums.items())),
    }


def _bins(score: object, rows: int, part: str) -> Array:
    """(rows,) the bin of each score."""
    given = blocks.finite(score, rows, f"{part}.score")
    require(bool(((given >= 0) & (given <= 1)).all()), f"{part}.score must lie in [0, 1]")
    return np.minimum((given * BINS).astype(np.int64), BINS - 1)


def _kinds(value: object, rows: int) -> Array:
    given = np.asarray(value)
    require(given.shape == (rows,), f"class must be {rows} names")
    return given.astype(str)
