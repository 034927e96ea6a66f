"""Reading what an evaluator yields, block by block: arrays of as many entries as there are rows, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from promotion.counting import CountsError

Array = np.ndarray[Any, Any]
PER_CALL = 1 << 16
"""Rows that are counted at once: float32 counts their weights exactly, and a block may be as large as an evaluator likes."""


class Bad(ValueError):
    """One block that is not as it must be."""


@contextmanager
def told(number: int) -> Iterator[None]:
    """Whatever is wrong with a block, as a CountsError with its number."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
        what = f"{error}" if isinstance(error, Bad) else f"{type(error).__name__}: {error}"
        hint = "an evaluator yields counts, or blocks of rows (promotion/outcomes.py has the forms)"
        raise CountsError(f"block {number} of the outcomes: {what}", hint=hint) from error


def known(block: Mapping[str, Any], schema: str, keys: frozenset[str]) -> None:
    """Raise Bad for another schema than that of the first block, or a member that there is not."""
    require(block["schema"] == schema, f"schema must be {schema!r}, however: {block['schema']!r:.80}")
    unknown = sorted(set(block) - keys)
    require(not unknown, f"there is no {unknown[:1]}")


def seconds(block: Mapping[str, Any]) -> float:
    """The time that a block took."""
    found = float(block["seconds"])
    require(0 <= found < np.inf, f"seconds must be a time, however: {found}")
    return found


def cuts(rows: int) -> Iterable[slice]:
    """The rows in pieces that are counted at once."""
    return (slice(start, start + PER_CALL) for start in range(0, rows, PER_CALL))


def whole(value: object, rows: int, what: str) -> Array:
    """(rows,) whole numbers."""
    given = np.asarray(value)
    require(given.shape == (rows,) and (rows == 0 or given.dtype.kind in "iu"), f"{what} must be {rows} whole numbers")
    return given.astype(np.int64)


def places(value: object, rows: int, size: int, what: str) -> Array:
    """(rows,) places in a list of that size."""
    given = whole(value, rows, what)
    require(bool(((given >= 0) & (given < size)).all()), f"{what} must be places in labels, 0 to {size - 1}")
    return given


def finite(value: object, rows: int, what: str) -> Array:
    """(rows,) numbers."""
    given = np.asarray(value, dtype=np.float64)
    require(given.shape == (rows,), f"{what} must be {rows} numbers")
    require(bool(np.isfinite(given).all()), f"{what} has what is no number: NaN or infinity")
    return given


def require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise Bad unless the condition holds."""
    if not condition:
        raise Bad(message)
