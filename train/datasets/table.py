"""Reading the owners' CSV files: plain or gzip, with errors that tell file and line."""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from train.errors import TrainError


def read(path: Path, expected: tuple[str, ...], encoding: str, clean: Callable[[str], str] = str.strip) -> pd.DataFrame:
    """The rows of one file, every cell as text; the index counts lines below the head. Blank lines are rows of empty cells.

    Raises TrainError when the file is empty, cut off, unreadable, or has other columns.
    """
    try:
        with _open(path, encoding) as file, warnings.catch_warnings():
            # pandas only warns of a first row that is too long, and cuts it.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            head = [clean(name) for name in file.readline().rstrip("\r\n").split(",")]
            _check(path, tuple(head), expected)
            names = _numbered(head)
            table = pd.read_csv(
                file,
                names=names,
                header=None,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                on_bad_lines="error",
            )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrainError(f"{path}: the file is cut off or is not gzip: {error}", hint="fetch it again") from error
    except UnicodeDecodeError as error:
        raise TrainError(f"{path}: not {encoding} text: {error.reason}", hint="is this the owners' file?") from error
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        # Only a first row that is too long comes as a warning; other messages count lines below the head.
        told = re.search(r"in line (\d+)", str(error))
        line = int(told[1]) + 1 if told else 2
        raise TrainError(f"{path}:{line}: more cells than the head has columns", hint="correct or remove the line") from error
    except OSError as error:
        raise TrainError(f"{path}: {error.strerror or error}", hint="name a file that can be read") from error
    if table.empty:
        raise TrainError(f"{path}:2: the file has no rows", hint="fetch it again")
    return table


def numbers(path: Path, table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """These columns as float64; empty cells, NaN and Infinity are kept as such. Raises TrainError with the line of a bad cell."""
    found = {}
    for column in columns:
        cells = table[column].str.strip().replace({"": "nan", "Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"})
        values = pd.to_numeric(cells, errors="coerce")
        bad = values.isna() & ~cells.str.lower().isin(["nan"])
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise TrainError(
                f"{path}:{table.index[row] + 2}: {column!r} holds {cells.iloc[row]!r}, which is no number",
                hint="correct or remove the line",
            )
        found[column] = values.astype("float64")
    return pd.DataFrame(found)


def _open(path: Path, encoding: str) -> Any:  # noqa: ANN401 - two kinds of file
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding=encoding, newline="") if zipped else path.open(encoding=encoding, newline="")


def _check(path: Path, head: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if head == ("",):
        raise TrainError(f"{path}:1: the file is empty", hint="fetch it again")
    if head == expected:
        return
    missing = [name for name in expected if name not in head]
    extra = [name for name in head if name not in expected]
    told = f"missing: {', '.join(missing[:4]) or 'none'}; unknown: {', '.join(extra[:4]) or 'none'}"
    raise TrainError(f"{path}:1: {len(head)} columns that are not the {len(expected)} of this format ({told})", hint="is --dataset right?")


def _numbered(head: list[str]) -> list[str]:
    """Names that stand twice get a number, as the owners' ``Fwd Header Length`` needs."""
    seen: dict[str, int] = {}
    names = []
    for name in head:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return names
