"""The packed file of resamples: a header and columns of 1,000 numbers each, as evidence keeps it beside the statement.

    zlib(header as JSON, newline, columns)

Whole numbers are int64, sums float64; little-endian, by byte place: first the lowest byte of all 1,000 numbers, then the next (they
pack better so). The file comes from model code: it is unpacked to a limit, and whoever reads it says how many columns there must be.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from promotion.errors import Exit, PromotionError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

RESAMPLES = 1000
MAX_BYTES = 16 << 20
"""Of a packed file; unpacked it may be four times as large."""
WHOLE_NUMBERS, NUMBERS = "<i8", "<f8"
_WIDTH = 8
_LEVEL = 1
"""Of zlib: 6 % larger than by default, and unpacked in less than half the time, which every gate that asks for an interval waits for."""


class ReplicatesError(PromotionError):
    """A file of resamples that is corrupt, truncated or of other counts: evidence that needs it is missing (exit 5)."""

    exit_code = Exit.ERRORED


def pack(header: Mapping[str, Any], columns: Iterable[tuple[Array, str]]) -> bytes:
    """The file: (n, 1000) columns, each with the type of their numbers, in the order in which they are read."""
    import numpy as np

    packer = zlib.compressobj(_LEVEL)
    parts = [packer.compress(json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")]
    for rows, kind in columns:
        parts += [packer.compress(np.ascontiguousarray(row, dtype=kind).view(np.uint8).reshape(-1, _WIDTH).T.tobytes()) for row in rows]
    return b"".join([*parts, packer.flush()])


def unpack(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the bytes of the columns. Raises ValueError or zlib.error for what is corrupt, truncated or too large."""
    if len(data) > MAX_BYTES:
        msg = f"{len(data)} bytes, at most {MAX_BYTES} are read"
        raise ValueError(msg)
    unpacker = zlib.decompressobj()
    found = unpacker.decompress(data, 4 * MAX_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        msg = "they are truncated, too large, or more follows"
        raise ValueError(msg)
    first, _, body = found.partition(b"\n")
    header = json.loads(first)
    if not isinstance(header, dict):
        msg = "they have no header"
        raise TypeError(msg)
    return header, body


def columns(body: bytes, whole: int, numbers: int) -> tuple[Array, Array]:
    """(whole, 1000) int64 and (numbers, 1000) float64. Raises ValueError when there are more or fewer bytes."""
    import numpy as np

    shape = (whole + numbers, _WIDTH, RESAMPLES)
    if len(body) != shape[0] * _WIDTH * RESAMPLES:
        msg = f"{len(body)} bytes of columns, not {shape[0] * _WIDTH * RESAMPLES}"
        raise ValueError(msg)
    found = np.ascontiguousarray(np.frombuffer(body, dtype=np.uint8).reshape(shape).transpose(0, 2, 1))
    return (
        found[:whole].view(WHOLE_NUMBERS).reshape(whole, RESAMPLES).astype(np.int64, copy=False),
        found[whole:].view(NUMBERS).reshape(numbers, RESAMPLES).astype(np.float64, copy=False),
    )


def fit(found: Array, points: Array) -> bool:
    """Whether each (1000,) column lies around its point: its mean within eight standard errors of it."""
    import numpy as np

    mean = found.sum(-1) / RESAMPLES
    apart = found - mean[:, None]
    error = np.sqrt(np.einsum("ij,ij->i", apart, apart)) / RESAMPLES
    return bool((np.abs(mean - points) <= 8 * error + 1e-9 * (1 + np.abs(points))).all())


def over(above: Array, below: Array) -> Array:
    """One column over another; NaN where that is 0/0."""
    import numpy as np

    found: Array = np.full(below.shape, np.nan)
    return np.divide(above, below, out=found, where=below > 0)


def units(rows: Array) -> float:
    """How many independent units stand behind a column of rows, as the spread of their number tells: rows² / variance.

    For rows by themselves that is their number; for groups less than theirs when some are larger.
    """
    mean = float(rows.sum()) / len(rows)
    apart = rows - mean
    variance = float(apart @ apart) / len(rows)
    return mean**2 / variance if variance else 0.0


def seed() -> int:
    """That of the resamples: of another one, nothing could be paired."""
    from promotion.resampling import SEED

    return SEED
