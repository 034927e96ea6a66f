"""Reading the owners' files, plain, gzip or Parquet, in pieces: errors tell file and line, memory does not grow with the file."""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from train.errors import TrainError

PIECE = 65_536
"""Rows that are read at once: some forty megabytes of CICIDS2017."""
PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which a dataset is written.

    ``columns``: in the file's order, with the owners' names in our spelling; ``numeric``: those that are read as numbers. ``head``: the
    first line names the columns; otherwise a first line with as many cells, of which the last is a 0 or a 1, tells the format.
    """

    name: str
    columns: tuple[str, ...]
    numeric: tuple[str, ...]
    head: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one file: numeric columns as float64, the others as text. The index tells lines (rows of a Parquet file)."""

    layout: Layout
    table: pd.DataFrame


def pieces(path: Path, layouts: Sequence[Layout], encoding: str, size: int = PIECE) -> Iterator[Piece]:
    """The rows of one file, ``size`` at a time; blank lines are rows of empty cells.

    Raises TrainError when the file is empty, cut off, unreadable, or in none of these layouts.
    """
    empty = True
    try:
        for piece in _parquet(path, layouts, size) if _starts(path, PARQUET) else _text(path, layouts, encoding, size):
            empty = False
            yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrainError(f"{path}: the file is cut off or is not gzip: {error}", hint="fetch it again") from error
    except UnicodeDecodeError as error:
        raise TrainError(f"{path}: not {encoding} text: {error.reason}", hint="is this the owners' file?") from error
    except OSError as error:
        raise TrainError(f"{path}: {error.strerror or error}", hint="name a file that can be read") from error
    if empty:
        raise TrainError(f"{path}:2: the file has no rows", hint="fetch it again")


def files(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """The files that these paths mean, folders searched through and sorted by name; and how many files of folders are no tables.

    Raises TrainError for a path that is not there and a folder without tables.
    """
    found: list[Path] = []
    others = 0
    for path in paths:
        if path.is_file():
            found.append(path)
        elif path.is_dir():
            below = sorted(one for one in path.rglob("*") if one.is_file() and not any(part.startswith(".") for part in one.parts))
            tables = [one for one in below if _TABLE.search(one.name) and not _LISTS.search(one.name)]
            if not tables:
                raise TrainError(f"{path}: the folder holds no .csv, .csv.gz or .parquet", hint="name the folder with the rows")
            found += tables
            others += len(below) - len(tables)
        else:
            raise TrainError(f"there is no file {path}", hint="python -m train data --help tells how to make synthetic flows")
    return found, others


_TABLE = re.compile(r"\.(csv|csv\.gz|parquet)$", re.IGNORECASE)
_LISTS = re.compile(r"features|LIST_EVENTS|_GT\.csv", re.IGNORECASE)
"""What the owners of UNSW-NB15 put beside the flows: the list of columns, the list of events, the ground truth."""


def spelt(name: str) -> str:
    """A column's name in our spelling: no spaces around it, and not the number that tools put behind one that stands twice."""
    return re.sub(r"\.1$", "", name.strip().lstrip("\ufeff").strip())


def _starts(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _text(path: Path, layouts: Sequence[Layout], encoding: str, size: int) -> Iterator[Piece]:
    with _opened(path, encoding) as file:
        first = file.readline()
        layout = _layout(path, [cell.strip().strip('"') for cell in first.rstrip("\r\n").split(",")], layouts)
        names = numbered(layout.columns)
        line = 2 if layout.head else 1
        waiting = [] if layout.head else [first]
        while lines := [*waiting, *islice(file, size - len(waiting))]:
            waiting = []
            yield Piece(layout, _frame(path, line, lines, names, layout))
            line += len(lines)


def _opened(path: Path, encoding: str) -> Any:  # noqa: ANN401 - two kinds of file
    if _starts(path, b"\x1f\x8b"):
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _layout(path: Path, cells: list[str], layouts: Sequence[Layout]) -> Layout:
    head = tuple(spelt(cell) for cell in cells)
    if head == ("",):
        raise TrainError(f"{path}:1: the file is empty", hint="fetch it again")
    for layout in layouts:
        if layout.head and head == layout.columns:
            return layout
        if not layout.head and len(head) == len(layout.columns) and head[-1] in {"0", "1"}:
            return layout
    named = [layout for layout in layouts if layout.head]
    nearest = max(named, key=lambda one: len(set(one.columns) & set(head)))
    missing = [name for name in nearest.columns if name not in head]
    extra = [name for name in head if name not in nearest.columns]
    told = f"missing: {', '.join(missing[:4]) or 'none'}; unknown: {', '.join(extra[:4]) or 'none'}"
    counts = len(nearest.columns)
    raise TrainError(f"{path}:1: {len(head)} columns that are not the {counts} of this format ({told})", hint="is --dataset right?")


def numbered(columns: Sequence[str]) -> list[str]:
    """Names that stand twice get a number, as the owners' ``Fwd Header Length`` needs."""
    seen: dict[str, int] = {}
    names = []
    for name in columns:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return names


def _frame(path: Path, line: int, lines: list[str], names: list[str], layout: Layout) -> pd.DataFrame:
    """Text to a table: straight to numbers where that goes, else cell by cell to find out which one does not."""
    text = "".join(lines)
    usual: dict[str, Any] = {
        "names": names, "header": None, "index_col": False, "keep_default_na": False, "skip_blank_lines": False, "skipinitialspace": True,
    }  # fmt: skip
    kinds: dict[str, Any] = dict.fromkeys(names, str) | dict.fromkeys(layout.numeric, "float64")
    try:
        with warnings.catch_warnings():
            # pandas only warns of a first row that is too long, and cuts it.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(StringIO(text), dtype=kinds, na_values={name: ["", "NaN", "nan"] for name in layout.numeric}, **usual)
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning):
        table = _cells(path, line, text, usual)
        table = pd.concat([_numbers(path, line, table, layout.numeric), table.drop(columns=list(layout.numeric))], axis=1)
    table.index = pd.RangeIndex(line, line + len(table))
    return table


def _cells(path: Path, line: int, text: str, usual: dict[str, Any]) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(StringIO(text), dtype=str, on_bad_lines="error", **usual).fillna("")
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        # Only a first row that is too long comes as a warning; other messages count lines from the piece's first.
        told = re.search(r"in line (\d+)", str(error))
        place = line + (int(told[1]) - 1 if told else 0)
        raise TrainError(f"{path}:{place}: more cells than the head has columns", hint="correct or remove the line") from error


def _numbers(path: Path, line: int, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """These columns as float64; empty cells, NaN and Infinity are kept as such. Raises TrainError with the line of a bad cell."""
    found = {}
    for column in columns:
        cells = table[column].str.strip().replace({"": "nan", "Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"})
        values = pd.to_numeric(cells, errors="coerce")
        bad = values.isna() & ~cells.str.lower().isin(["nan"])
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise TrainError(
                f"{path}:{line + row}: {column!r} holds {cells.iloc[row]!r}, which is no number", hint="correct or remove the line"
            )
        found[column] = values.astype("float64")
    return pd.DataFrame(found)


def _parquet(path: Path, layouts: Sequence[Layout], size: int) -> Iterator[Piece]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            layout = _layout(path, list(file.schema_arrow.names), [one for one in layouts if one.head])
            row = 1
            for batch in file.iter_batches(batch_size=size):
                table = batch.to_pandas()
                table.columns = numbered(layout.columns)
                yield Piece(layout, _typed(path, row, table, layout))
                row += len(table)
    except pa.ArrowException as error:
        raise TrainError(f"{path}: not a Parquet file that can be read: {error}", hint="write it again") from error


def _typed(path: Path, row: int, table: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    for column in table.columns:
        if column not in layout.numeric:
            table[column] = table[column].map(lambda cell: "" if cell is None or cell != cell else str(cell))  # noqa: PLR0124 - NaN
            continue
        try:
            table[column] = table[column].astype("float64")
        except (TypeError, ValueError) as error:
            raise TrainError(f"{path}: {column!r} holds what is no number: {error}", hint="write it again with numbers") from error
    table.index = pd.RangeIndex(row, row + len(table))
    return table
