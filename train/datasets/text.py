"""CSV files, plain or gzip, piece by piece: straight to numbers where that goes, else cell by cell to find out which one does not."""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from train.datasets.layout import Layout, Piece, chosen, numbered
from train.errors import TrainError

LONGEST_HEAD = 1 << 16
"""Characters of a first line at most: what is longer is no table."""
CORRECT = "correct or remove the line"


def pieces(path: Path, layouts: Sequence[Layout], encoding: str, size: int) -> Iterator[Piece]:
    """The rows, ``size`` lines at a time. Raises TrainError with the line of what is wrong."""
    with _opened(path, encoding) as file:
        batches = _batches(path, file, encoding, size)
        _, begun = next(batches)
        layout = chosen(path, [cell.strip().strip('"') for cell in begun[0].rstrip("\r\n").split(",")], layouts)
        # The first line of a file without a head is a row, and belongs to its first piece.
        waiting = [] if layout.head else begun
        for first, lines in batches:
            yield _piece(path, first - len(waiting), waiting + lines, layout)
            waiting = []
        if waiting:
            yield _piece(path, 1, waiting, layout)


def _opened(path: Path, encoding: str) -> Any:  # noqa: ANN401 - two kinds of file
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding=encoding, newline="") if zipped else path.open(encoding=encoding, newline="")


def _batches(path: Path, file: Any, encoding: str, size: int) -> Iterator[tuple[int, list[str]]]:  # noqa: ANN401 - as above
    """(number of the first line, lines), the first line alone at first, empty if there is none."""
    number = 0
    lines: list[str] = []
    try:
        yield 1, [file.readline(LONGEST_HEAD)]
        number = 1
        for number, line in enumerate(file, 2):
            lines.append(line)
            if len(lines) == size:
                yield number - size + 1, lines
                lines = []
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrainError(f"{path}:{number + 1}: the file is cut off or is not gzip: {error}", hint="fetch it again") from error
    except UnicodeDecodeError as error:
        place = _undecodable(path, encoding)
        raise TrainError(f"{path}:{place}: not {encoding} text: {error.reason}", hint="is this the owners' file?") from error
    if lines:
        yield number - len(lines) + 1, lines


def _undecodable(path: Path, encoding: str) -> int:
    """The first line that is no text: text is decoded ahead of its lines, so the line is looked for again."""
    number = 0
    with _opened(path, "latin-1") as file:
        for number, line in enumerate(file, 1):
            try:
                line.encode("latin-1").decode(encoding)
            except UnicodeDecodeError:
                return number
    return number


def _piece(path: Path, first: int, lines: list[str], layout: Layout) -> Piece:
    names = numbered(layout.columns)
    table = _frame(path, first, lines, names, layout)
    if len(table) != len(lines):
        _check_quotes(path, first, lines)
        raise TrainError(f"{path}:{first}: {len(lines)} lines hold {len(table)} rows", hint=CORRECT)
    table.index = pd.RangeIndex(first, first + len(table))
    last = table.iloc[:, -1]
    blank = np.zeros(len(table), dtype=bool)
    # What a short line lacks is missing or empty, so its last cell is; those of blank lines as well.
    for place in np.flatnonzero((last.isna() | (last == "")).to_numpy()).tolist():
        cells = lines[place].count(",") + 1
        blank[place] = not lines[place].strip()
        if not blank[place] and cells < len(names):
            raise TrainError(f"{path}:{first + place}: {cells} cells where the head has {len(names)} columns", hint=CORRECT)
    return Piece(layout, table[~blank], int(blank.sum())) if blank.any() else Piece(layout, table)


def _frame(path: Path, first: int, lines: list[str], names: list[str], layout: Layout) -> pd.DataFrame:
    text = "".join(lines)
    usual: dict[str, Any] = {
        "names": names, "header": None, "index_col": False, "keep_default_na": False, "skip_blank_lines": False, "skipinitialspace": True,
    }  # fmt: skip
    kinds: dict[str, Any] = dict.fromkeys(names, str) | dict.fromkeys(layout.numeric, "float64")
    try:
        with warnings.catch_warnings():
            # pandas only warns of a first row that is too long, and cuts it.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(StringIO(text), dtype=kinds, na_values={name: ["", "NaN", "nan"] for name in layout.numeric}, **usual)
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning):
        _check_quotes(path, first, lines)
        table = _cells(path, first, text, usual)
        return pd.concat([_numbers(path, first, table, layout.numeric), table.drop(columns=list(layout.numeric))], axis=1)[names]


def _check_quotes(path: Path, first: int, lines: list[str]) -> None:
    """A quotation mark without its partner swallows the lines below."""
    for number, line in enumerate(lines, first):
        if line.count('"') % 2:
            raise TrainError(f"{path}:{number}: a quotation mark without its partner", hint=CORRECT)


def _cells(path: Path, first: int, text: str, usual: dict[str, Any]) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(StringIO(text), dtype=str, on_bad_lines="error", **usual)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        # Only a first row that is too long comes as a warning; other messages count lines from the piece's first.
        told = re.search(r"in line (\d+)", str(error))
        place = first + (int(told[1]) - 1 if told else 0)
        raise TrainError(f"{path}:{place}: more cells than the head has columns", hint=CORRECT) from error


def _numbers(path: Path, first: int, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """These columns as float64; empty cells, NaN and Infinity are kept as such. Raises TrainError with the line of a bad cell."""
    found = {}
    wrong: tuple[int, str, str] | None = None
    for column in columns:
        cells = table[column].fillna("").str.strip().replace({"": "nan", "Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"})
        values = pd.to_numeric(cells, errors="coerce")
        bad = (values.isna() & ~cells.str.lower().isin(["nan"])) | cells.str.fullmatch(_NO_NUMBER)
        if bad.any():
            row = int(bad.to_numpy().argmax())
            if wrong is None or row < wrong[0]:
                wrong = (row, column, cells.iloc[row])
        found[column] = values.astype("float64")
    if wrong is not None:
        row, column, cell = wrong
        raise TrainError(f"{path}:{first + row}: {column!r} holds {cell!r}, which is no number", hint=CORRECT)
    return pd.DataFrame(found)


_NO_NUMBER = r"(?i)true|false|[+-]?0x.*"
"""What pandas takes for a number and nobody means as one."""
