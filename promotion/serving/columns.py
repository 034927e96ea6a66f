"""A model's columns, and whether the rows of a request fit them: everything wrong at once, each with its row and column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST = 20
"""Faults that an answer lists; it tells how many there are."""
_LONGEST = 80
_RANGES = {"integer": 1 << 31, "long": 1 << 63}
_FLOATS = frozenset({"double", "float"})
_TYPES = {**dict.fromkeys(_FLOATS, "float64"), "integer": "int32", "long": "int64", "boolean": "bool", "string": "object"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request; ``row`` counts from 0, both None where it is about all of it."""

    problem: str
    row: int | None = None
    column: str | None = None


class Refused(Exception):
    """A request that is not answered: ``faults`` are the first of ``count``; ``status`` is HTTP's."""

    def __init__(self, faults: Sequence[Fault], *, count: int | None = None, status: int = 422) -> None:
        super().__init__(faults[0].problem)
        self.faults = tuple(faults[:MOST])
        self.count = len(faults) if count is None else count
        self.status = status


def refuse(problem: str, *, row: int | None = None, column: str | None = None, status: int = 422) -> Refused:
    """A refusal for one reason."""
    return Refused((Fault(problem, row, shortened(column)),), status=status)


def shortened(text: str | None) -> str | None:
    """A name that came with a request, at a length that an answer can repeat."""
    return text if text is None or len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


@dataclass(frozen=True, slots=True)
class NotJson:
    """A value that Python's JSON knows and JSON does not: NaN, Infinity, -Infinity."""

    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """One input of a model. ``type`` is MLflow's name of it, ``missing`` whether there may be no value.

    ``words``: what the codes of a category stand for, by their place; None for a column of numbers or of free text.
    """

    name: str
    type: str
    required: bool = True
    missing: bool = False
    words: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The inputs of a model in its order."""

    all: tuple[Column, ...]
    names: tuple[str, ...] = field(init=False)
    plain: bool = field(init=False)
    """Whether all of them are numbers that a float holds, so that a request can be taken at once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(one.name for one in self.all))
        object.__setattr__(self, "plain", all(one.type in _FLOATS and one.words is None for one in self.all))


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a request in the order of the model's columns; ``text``: every value is text that means a number (CSV)."""

    rows: Sequence[Sequence[Any]]
    text: bool = False


def matrix(table: Table, columns: Columns) -> np.ndarray[Any, Any]:
    """(rows, columns) float64, NaN where a value is missing. Raises Refused."""
    import numpy as np

    if columns.plain and not table.text and set(map(type, chain.from_iterable(table.rows))) <= {int, float}:
        try:
            found = np.array(table.rows, dtype=np.float64)
        except OverflowError:
            found = np.array([[math.inf]])
        if np.isfinite(found).all():
            return found
    values = _checked(table, columns)
    return np.array([values[name] for name in columns.names], dtype=np.float64).T.copy()


def arrays(table: Table, columns: Columns) -> dict[str, np.ndarray[Any, Any]]:
    """Each column by its name, in the type that the signature gives it. Raises Refused."""
    import numpy as np

    values = _checked(table, columns)
    return {one.name: np.array(values[one.name], dtype=_TYPES.get(one.type, "object")) for one in columns.all}


def _checked(table: Table, columns: Columns) -> dict[str, list[Any]]:
    """The values of each column, checked one by one; raises Refused with every fault."""
    faults: list[Fault] = []
    count = 0
    found: dict[str, list[Any]] = {}
    for column, given in zip(columns.all, zip(*table.rows, strict=True), strict=True):
        read = _reader(column, text=table.text)
        values = found[column.name] = []
        for row, value in enumerate(given):
            try:
                values.append(read(value))
            except ValueError as error:
                count += 1
                if len(faults) < MOST:
                    faults.append(Fault(str(error), row, shortened(column.name)))
    if count:
        raise Refused(sorted(faults, key=lambda one: one.row or 0), count=count)
    return found


def _reader(column: Column, *, text: bool) -> Callable[[Any], Any]:
    """What takes one value of a column, or raises ValueError that tells what was expected."""
    convert = _words(column) if column.words is not None else _BY_TYPE[column.type]
    from_text = _FROM_TEXT.get(column.type) if text and column.words is None else None
    nothing = math.nan if column.type != "string" or column.words is not None else None

    def read(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the request
        if from_text is not None:
            value = None if value == "" else from_text(value)
        if value is None or (isinstance(value, float) and value != value) or (text and value == ""):  # noqa: PLR0124 - NaN
            if column.missing:
                return nothing
            raise ValueError("a value is missing, and this column needs one")
        return convert(value)

    return read


def _number(value: Any) -> float:  # noqa: ANN401 - whatever stood in the request
    if type(value) not in {int, float}:
        raise ValueError(f"a number is expected, not {_kind(value)}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if math.isinf(found):
        raise ValueError("the number is too large, or infinite")
    return found


def _whole(limit: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:  # noqa: ANN401 - whatever stood in the request
        # Beyond 64 bits a whole number may have been read as a float.
        whole = type(value) is int or (type(value) is float and value.is_integer() and abs(value) > limit)
        if not whole:
            raise ValueError(f"a whole number is expected, not {_kind(value)}")
        if not -limit <= value < limit:
            raise ValueError(f"the number is not between {-limit} and {limit - 1}")
        return int(value)

    return convert


def _boolean(value: Any) -> bool:  # noqa: ANN401 - whatever stood in the request
    if type(value) is not bool:
        raise ValueError(f"true or false is expected, not {_kind(value)}")
    return value


def _string(value: Any) -> str:  # noqa: ANN401 - whatever stood in the request
    if type(value) is not str:
        raise ValueError(f"text is expected, not {_kind(value)}")
    return value


def _words(column: Column) -> Callable[[Any], int]:
    """A word by its code; a code as it is, also as text where no word is written like it.

    Where the table begins with ``other``, a word that it does not have is one of the others: so the model learned it.
    """
    words = column.words or {}
    other = words.get("other") == 0
    known = ", ".join(list(words)[:8]) + (", …" if len(words) > 8 else "")

    def convert(value: Any) -> int:  # noqa: ANN401 - whatever stood in the request
        if isinstance(value, str):
            value = value.strip()
            if value in words:
                return words[value]
            if value.isascii() and value.isdigit() and len(value) < 10:
                value = int(value)
            elif other:
                return 0
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or not 0 <= value < len(words):
            raise ValueError(f"one of {known} is expected, or its code from 0 to {len(words) - 1}")
        return value

    return convert


_BY_TYPE: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_FLOATS, _number),
    **{name: _whole(limit) for name, limit in _RANGES.items()},
    "boolean": _boolean,
    "string": _string,
}
TYPES = frozenset(_BY_TYPE)
"""The types of columns that can be served."""


def _float_of(text: str) -> float:
    try:
        if "_" not in text and text.isascii():
            return float(text)
    except ValueError:
        pass
    raise ValueError("a number is expected, not text")


def _int_of(text: str) -> int:
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise ValueError("a whole number is expected")
    return int(text)


def _boolean_of(text: str) -> bool:
    found = {"true": True, "false": False}.get(text.strip().lower())
    if found is None:
        raise ValueError("true or false is expected")
    return found


_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(_FLOATS, _float_of),
    **dict.fromkeys(_RANGES, _int_of),
    "boolean": _boolean_of,
}


def _kind(value: object) -> str:
    if isinstance(value, NotJson):
        return f"{value.name}, which is not JSON (a missing value is null)"
    names: Iterable[tuple[type, str]] = (
        (bool, "true or false"),
        (int, "a whole number"),
        (float, "a fraction"),
        (str, "text"),
        (list, "a list"),
        (dict, "an object"),
    )
    return next((words for kind, words in names if isinstance(value, kind)), f"a {type(value).__name__}")
