"""What a model said of each row, block by block (``promotion/outcomes/v1``), becomes counts and their resamples.

An evaluator yields blocks of rows, each a mapping; arrays are numpy's or lists, one entry for each of the block's n rows:

    {"schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.08,
     "index": rows' places in the dataset, "group": rows with the same number go together (left out: each row by itself),
     "truth": places in labels, "class": names of the rows' kinds (left out: none are told apart),
     "parts": {"model": {"predicted": places in labels, "score": probability of the positive label (may be left out)}, …},
     "values": {"router.tabular": numbers, …}}                      their means are figures

Memory does not grow with the rows: a block becomes counts at once. Blocks, shards and their order do not change the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from promotion.figures import BINS, WHOLE, Counts, CountsError, parse
from promotion.replicates import Replicates
from promotion.resampling import RESAMPLES, totals

SCHEMA = "promotion/outcomes/v1"
_KEYS = frozenset({"schema", "positive", "labels", "seconds", "index", "group", "truth", "class", "parts", "values"})
_PER_CALL = 1 << 16
"""Rows that are counted at once: float32 counts their weights exactly, and a block may be as large as an evaluator likes."""
Array = np.ndarray[Any, Any]


class _Bad(ValueError):
    """One block that is not as it must be."""


@dataclass
class _Tally:
    """Counts of the rows so far. Shapes: confusion (L, L), scores (2, 200), replicates (columns, 1000)."""

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

    def __post_init__(self) -> None:
        size = len(self.labels)
        self.truth = np.zeros((size, RESAMPLES), dtype=np.int64)
        for name in self.parts:
            self.confusion[name] = np.zeros((size, size), dtype=np.int64)
            self.hits[name] = np.zeros((size, RESAMPLES), dtype=np.int64)
            self.predicted[name] = np.zeros((size, RESAMPLES), dtype=np.int64)
        for name in self.scored:
            self.scores[name] = np.zeros((2, BINS), dtype=np.int64)
        for name in self.values:
            self.sums[name] = 0.0
            self.sum_replicates[name] = np.zeros(RESAMPLES)


def fold(blocks: Iterable[Mapping[str, Any]]) -> tuple[Counts, Replicates]:
    """Count all blocks; raises CountsError for a block that is not as it must be, or fits the ones before it not."""
    tally: _Tally | None = None
    for number, block in enumerate(blocks):
        try:
            tally = tally or _started(block)
            _add(tally, block)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            what = f"{error}" if isinstance(error, _Bad) else f"{type(error).__name__}: {error}"
            msg = f"block {number} of the outcomes: {what}"
            raise CountsError(
                msg, hint=f"an evaluator yields counts, or blocks of {SCHEMA} (promotion/outcomes.py has the form)"
            ) from error
    if tally is None:
        raise CountsError("the evaluator yielded no rows at all", hint="look at the dataset and at the evaluator's settings")
    counts = parse(_document(tally))
    made = Replicates(
        unit="group" if tally.grouped else "row",
        labels=tally.labels,
        positive=tally.positive,
        truth=tally.truth,
        hits=tally.hits,
        predicted=tally.predicted,
        classes=dict(sorted(tally.class_replicates.items())),
        sums=dict(sorted(tally.sum_replicates.items())),
    )
    return counts, made


def _started(block: Mapping[str, Any]) -> _Tally:
    parts, values = block["parts"], block.get("values") or {}
    _require(isinstance(parts, Mapping) and WHOLE in parts, f"parts must be a mapping that has {WHOLE!r}")
    labels = tuple(block["labels"])
    _require(all(isinstance(one, str) for one in labels) and len(set(labels)) == len(labels) > 0, "labels must be names that differ")
    _require(block["positive"] in labels, f"positive must be one of the labels, however: {block['positive']!r}")
    scored = frozenset(name for name, part in parts.items() if part.get("score") is not None)
    grouped, named = block.get("group") is not None, block.get("class") is not None
    return _Tally(labels, block["positive"], tuple(parts), scored, tuple(values), grouped, named)


def _add(tally: _Tally, block: Mapping[str, Any]) -> None:
    _require(block["schema"] == SCHEMA, f"schema must be {SCHEMA!r}, however: {block['schema']!r:.80}")
    unknown = sorted(set(block) - _KEYS)
    _require(not unknown, f"there is no {unknown[:1]}")
    like = _started(block)
    same = (like.labels, like.positive, set(like.parts), like.scored, set(like.values), like.grouped, like.named)
    first = (tally.labels, tally.positive, set(tally.parts), tally.scored, set(tally.values), tally.grouped, tally.named)
    _require(same == first, "labels, parts, values, group or class are others than in the blocks before")
    rows = len(block["truth"])
    truth = _places(block["truth"], rows, len(tally.labels), "truth")
    keys = _whole(block["group" if tally.grouped else "index"], rows, "group" if tally.grouped else "index")
    seconds = float(block["seconds"])
    _require(0 <= seconds < np.inf, f"seconds must be a time, however: {seconds}")
    tally.rows += rows
    tally.seconds += seconds
    predicted = {name: _places(block["parts"][name]["predicted"], rows, len(tally.labels), f"{name}.predicted") for name in tally.parts}
    for name in tally.parts:
        size = len(tally.labels)
        tally.confusion[name] += np.bincount(truth * size + predicted[name], minlength=size * size).reshape(size, size)
        if name in tally.scored:
            tally.scores[name] += _histograms(block["parts"][name]["score"], truth == tally.labels.index(tally.positive), name)
    values = {name: _finite(block["values"][name], rows, name) for name in tally.values}
    for name, given in values.items():
        tally.sums[name] += float(given.sum())
    kinds = _kinds(block["class"], rows) if tally.named else None
    for start in range(0, rows, _PER_CALL):
        some = slice(start, start + _PER_CALL)
        part = {name: given[some] for name, given in predicted.items()}
        _resample(tally, keys[some], truth[some], part, None if kinds is None else kinds[some])
        if values:
            found = totals(keys[some], np.stack([given[some] for given in values.values()], axis=1))
            for name, row in zip(values, found, strict=True):
                tally.sum_replicates[name] += row


def _resample(tally: _Tally, keys: Array, truth: Array, predicted: Mapping[str, Array], kinds: Array | None) -> None:
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
    found = totals(keys, np.concatenate(columns, axis=1))
    blocks = iter(np.split(found[: size * every], every))
    tally.truth += next(blocks)
    for name in predicted:
        tally.hits[name] += next(blocks)
        tally.predicted[name] += next(blocks)
    rest = found[size * every :]
    for place, name in enumerate(names):
        tally.class_replicates[name] += rest[[place, len(names) + place]]


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


def _histograms(score: object, positive: Array, part: str) -> Array:
    given = _finite(score, len(positive), f"{part}.score")
    _require(bool(((given >= 0) & (given <= 1)).all()), f"{part}.score must lie in [0, 1]")
    bins = np.minimum((given * BINS).astype(np.int64), BINS - 1)
    return np.stack([np.bincount(bins[positive], minlength=BINS), np.bincount(bins[~positive], minlength=BINS)])


def _whole(value: object, rows: int, what: str) -> Array:
    given = np.asarray(value)
    _require(given.shape == (rows,) and (rows == 0 or given.dtype.kind in "iu"), f"{what} must be {rows} whole numbers")
    return given.astype(np.int64)


def _places(value: object, rows: int, size: int, what: str) -> Array:
    given = _whole(value, rows, what)
    _require(bool(((given >= 0) & (given < size)).all()), f"{what} must be places in labels, 0 to {size - 1}")
    return given


def _finite(value: object, rows: int, what: str) -> Array:
    given = np.asarray(value, dtype=np.float64)
    _require(given.shape == (rows,), f"{what} must be {rows} numbers")
    _require(bool(np.isfinite(given).all()), f"{what} has what is no number: NaN or infinity")
    return given


def _kinds(value: object, rows: int) -> Array:
    given = np.asarray(value)
    _require(given.shape == (rows,), f"class must be {rows} names")
    return given.astype(str)


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise _Bad(message)
