"""Counts of each resample: what a figure would have been on other rows like these, and the file in which they are kept.

    zlib(header, newline, columns)
    header   {"schema": "promotion/replicates/v1", "resamples": 1000, "seed": …, "unit": "row"|"group", "positive": …,
              "labels": […], "parts": […], "classes": […], "sums": […]}
    columns  1,000 numbers each: rows of each label; for each part the hits, then the rows told, of each label; for each class its
             rows, then the rows told rightly; the sums. Whole numbers are int64, sums float64; little-endian, by byte place: first
             the lowest byte of all 1,000 numbers, then the next (they pack better so).

They are additive as counts are, and of every figure that follows from a confusion matrix, a class or a sum they give 1,000 values, hence
an interval. Two files of one dataset hold the same resamples: the values' differences are paired. A file comes from model code: it is
unpacked to a limit, parsed strictly, and must fit the counts beside it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from promotion.errors import Exit, PromotionError
from promotion.figures import ABLATION, WHOLE, best_part

if TYPE_CHECKING:
    import numpy as np

    from promotion.figures import Counts

    Array = np.ndarray[Any, Any]

SCHEMA = "promotion/replicates/v1"
RESAMPLES = 1000
MAX_BYTES = 16 << 20
"""Of a packed file; unpacked it may be four times as large."""
_WIDTH = 8


class ReplicatesError(PromotionError):
    """A file of resamples that is corrupt, truncated or of other counts: evidence that needs it is missing (exit 5)."""

    exit_code = Exit.ERRORED


@dataclass(frozen=True, eq=False)
class Replicates:
    """(L, 1000) rows of each label, by part the hits and the rows told of each label, by class (2, 1000), by sum (1000,)."""

    unit: str
    labels: tuple[str, ...]
    positive: str
    truth: Array
    hits: Mapping[str, Array]
    predicted: Mapping[str, Array]
    classes: Mapping[str, Array]
    sums: Mapping[str, Array]

    @cached_property
    def rows(self) -> Array:
        """(1000,) how many rows each resample has."""
        found: Array = self.truth.sum(0)
        return found

    def figure(self, name: str, counts: Counts) -> Array | None:
        """(1000,) values of a figure, NaN where it is 0/0; None for one that resamples do not give (areas under curves, times)."""
        if name in self.sums:
            return _over(self.sums[name], self.rows)
        kind, _, last = name.rpartition(".")
        if kind.startswith("class."):
            known = self.classes.get(kind.removeprefix("class."))
            return None if known is None or last != "recall" else _over(known[1], known[0])
        if kind == ABLATION:
            best = best_part(counts, last)
            mine, other = self._of_part(WHOLE, last), None if best is None else self._of_part(best, last)
            return None if mine is None or other is None else mine - other
        return self._of_part(kind or WHOLE, last)

    def units(self, name: str) -> float:
        """How many independent units stand behind a figure, as the spread of their number tells: rows² / variance.

        For rows by themselves that is their number; for groups less than theirs when some are larger.
        """
        rows = self.rows
        if name.startswith("class.") and (known := self.classes.get(name.removeprefix("class.").rpartition(".")[0])) is not None:
            rows = known[0]
        elif name.rpartition(".")[2] == "recall":
            rows = self.truth[self.labels.index(self.positive)]
        mean = float(rows.sum()) / len(rows)
        apart = rows - mean
        variance = float(apart @ apart) / len(rows)
        return mean**2 / variance if variance else 0.0

    def _of_part(self, part: str, figure: str) -> Array | None:
        import numpy as np

        if part not in self.hits:
            return None
        hits, said, truth = self.hits[part], self.predicted[part], self.truth
        at = self.labels.index(self.positive)
        if figure == "f1":
            return _over(2 * hits[at], truth[at] + said[at])
        if figure == "precision":
            return _over(hits[at], said[at])
        if figure == "recall":
            return _over(hits[at], truth[at])
        if figure == "accuracy":
            return _over(hits.sum(0), self.rows)
        if figure == "false_alarm_rate":
            return _over(said[at] - hits[at], self.rows - truth[at])
        if figure == "macro_f1":
            by_label = _over(2 * hits, truth + said)
            occurs = ~np.isnan(by_label)
            return _over(np.where(occurs, by_label, 0).sum(0), occurs.sum(0))
        return None

    def to_bytes(self) -> bytes:
        """The file, packed."""
        import numpy as np

        header = {
            "schema": SCHEMA,
            "resamples": RESAMPLES,
            "seed": _seed(),
            "unit": self.unit,
            "positive": self.positive,
            "labels": list(self.labels),
            "parts": list(self.hits),
            "classes": list(self.classes),
            "sums": list(self.sums),
        }
        packer = zlib.compressobj(6)
        parts = [packer.compress(json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")]
        for rows, kind in self._columns():
            parts += [packer.compress(np.ascontiguousarray(row, dtype=kind).view(np.uint8).reshape(-1, _WIDTH).T.tobytes()) for row in rows]
        return b"".join([*parts, packer.flush()])

    def _columns(self) -> Iterator[tuple[Array, str]]:
        yield self.truth, "<i8"
        for name in self.hits:
            yield self.hits[name], "<i8"
            yield self.predicted[name], "<i8"
        for pair in self.classes.values():
            yield pair, "<i8"
        for one in self.sums.values():
            yield one[None, :], "<f8"


class Sampled:
    """A packed file with its counts, as gates see it: unpacked when a figure is asked for, once."""

    def __init__(self, data: bytes, counts: Counts) -> None:
        self._data, self._counts = data, counts
        self._made: Replicates | None = None
        self._known: dict[str, Array | None] = {}
        self._units: dict[str, float] = {}

    @property
    def made(self) -> Replicates:
        """The resamples; raises ReplicatesError."""
        if self._made is None:
            self._made = read(self._data, self._counts)
        return self._made

    def values(self, figure: str) -> Array | None:
        """(1000,) a figure's value in each resample, NaN where it is 0/0; None when resamples do not give it."""
        if figure not in self._known:
            self._known[figure] = self.made.figure(figure, self._counts)
        return self._known[figure]

    def units(self, figure: str) -> float:
        """How many independent units stand behind a figure."""
        if figure not in self._units:
            self._units[figure] = self.made.units(figure)
        return self._units[figure]

    def pairs(self, other: object) -> bool:
        """Whether both are of the same rows in the same resamples."""
        return isinstance(other, Sampled) and paired(self.made, other.made)


def paired(one: Replicates, other: Replicates) -> bool:
    """Whether both are of the same rows in the same resamples: the truth of every label and class is the same in each of them."""
    import numpy as np

    if (one.unit, one.positive, set(one.labels), set(one.classes)) != (other.unit, other.positive, set(other.labels), set(other.classes)):
        return False
    same = all(np.array_equal(one.truth[one.labels.index(name)], other.truth[other.labels.index(name)]) for name in one.labels)
    return same and all(np.array_equal(one.classes[name][0], other.classes[name][0]) for name in one.classes)


def read(data: bytes, counts: Counts) -> Replicates:
    """Parse a file that belongs to these counts; raises ReplicatesError when anything is missing, too much or does not add up."""
    try:
        made = _read(_unpacked(data), counts)
        _check(made, counts)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error, RecursionError) as error:
        msg = f"the counts of its resamples cannot be used: {error}"
        raise ReplicatesError(msg, hint="measure again") from error
    return made


def _unpacked(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        msg = f"{len(data)} bytes, at most {MAX_BYTES} are read"
        raise ValueError(msg)
    unpacker = zlib.decompressobj()
    found = unpacker.decompress(data, 4 * MAX_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        msg = "they are truncated, too large, or more follows"
        raise ValueError(msg)
    return found


def _read(data: bytes, counts: Counts) -> Replicates:
    import numpy as np

    first, _, body = data.partition(b"\n")
    header = json.loads(first)
    labels = counts.parts[WHOLE].labels
    expected = {
        "schema": SCHEMA,
        "resamples": RESAMPLES,
        "seed": _seed(),
        "unit": header["unit"],
        "positive": counts.positive,
        "labels": labels,
        "parts": header["parts"],
        "classes": sorted(counts.classes),
        "sums": sorted(counts.sums),
    }
    _require(header == expected and header["unit"] in {"row", "group"}, "they are of other labels, classes, sums or resamples")
    _require(sorted(header["parts"]) == sorted(counts.parts), "they are of other parts")
    _require(all(part.labels == labels for part in counts.parts.values()), "parts with labels of their own have no resamples")
    wide = len(labels)
    whole = wide * (1 + 2 * len(counts.parts)) + 2 * len(counts.classes)
    shape = (whole + len(counts.sums), _WIDTH, RESAMPLES)
    _require(len(body) == shape[0] * _WIDTH * RESAMPLES, f"{len(body)} bytes of columns, not {shape[0] * _WIDTH * RESAMPLES}")
    columns = np.ascontiguousarray(np.frombuffer(body, dtype=np.uint8).reshape(shape).transpose(0, 2, 1))
    numbers = columns[:whole].view("<i8").reshape(whole, RESAMPLES).astype(np.int64, copy=False)
    sums = columns[whole:].view("<f8").reshape(len(counts.sums), RESAMPLES).astype(np.float64, copy=False)
    blocks = iter(numbers[: wide * (1 + 2 * len(counts.parts))].reshape(-1, wide, RESAMPLES))
    truth = next(blocks)
    told = {name: (next(blocks), next(blocks)) for name in header["parts"]}
    pairs = numbers[wide * (1 + 2 * len(counts.parts)) :].reshape(-1, 2, RESAMPLES)
    return Replicates(
        unit=header["unit"],
        labels=tuple(labels),
        positive=counts.positive,
        truth=truth,
        hits={name: pair[0] for name, pair in told.items()},
        predicted={name: pair[1] for name, pair in told.items()},
        classes=dict(zip(sorted(counts.classes), pairs, strict=True)),
        sums=dict(zip(sorted(counts.sums), sums, strict=True)),
    )


def _check(made: Replicates, counts: Counts) -> None:
    """Raise ValueError for numbers that no resampling of these counts can give."""
    import numpy as np

    rows = made.rows
    _require(bool((made.truth >= 0).all()), "a count is negative")
    for name, hits in made.hits.items():
        said = made.predicted[name]
        _require(bool(((hits >= 0) & (hits <= said) & (hits <= made.truth)).all()), f"{name}: hits exceed the rows")
        _require(np.array_equal(said.sum(0), rows), f"{name}: other rows than the labels have")
        matrix = np.array(counts.parts[name].confusion, dtype=np.int64)
        columns, points = np.concatenate([made.truth, hits, said]), np.concatenate([matrix.sum(1), matrix.diagonal(), matrix.sum(0)])
        _require(_fit(columns, points), f"{name}: they do not lie around its counts")
    for name, (support, correct) in made.classes.items():
        _require(bool(((correct >= 0) & (correct <= support)).all()), f"{name}: correct exceeds support")
        one = counts.classes[name]
        _require(_fit(np.stack([support, correct]), np.array([one.support, one.correct])), f"{name}: they do not lie around its counts")
    if made.classes:
        _require(np.array_equal(sum(pair[0] for pair in made.classes.values()), rows), "classes: other rows than the labels have")
    for name, column in made.sums.items():
        _require(bool(np.isfinite(column).all()), f"{name}: not a number")


def _fit(columns: Array, points: Array) -> bool:
    """Whether each (1000,) column lies around its count: its mean within eight standard errors of it."""
    import numpy as np

    mean = columns.sum(-1) / RESAMPLES
    apart = columns - mean[:, None]
    error = np.sqrt(np.einsum("ij,ij->i", apart, apart)) / RESAMPLES
    return bool((np.abs(mean - points) <= 8 * error + 1e-9).all())


def _over(over: Array, under: Array) -> Array:
    import numpy as np

    found: Array = np.full(under.shape, np.nan)
    return np.divide(over, under, out=found, where=under > 0)


def _seed() -> int:
    from promotion.resampling import SEED

    return SEED


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise ValueError(message)
