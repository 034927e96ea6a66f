"""Reading the owners' files, plain, gzip or Parquet, in pieces: errors tell file and line, memory does not grow with the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from train.datasets import parquet, text
from train.datasets.layout import Layout, Piece
from train.errors import TrainError

PIECE = 65_536
"""Rows that are read at once: some forty megabytes of CICIDS2017."""


def pieces(path: Path, layouts: Sequence[Layout], encoding: str, size: int = PIECE) -> Iterator[Piece]:
    """The rows of one file, ``size`` at a time; blank lines are left out and counted.

    Raises TrainError when the file is empty, cut off, unreadable, or in none of these layouts.
    """
    empty = True
    try:
        found = parquet.pieces(path, layouts, size) if parquet.is_parquet(path) else text.pieces(path, layouts, encoding, size)
        for piece in found:
            empty = False
            yield piece
    except OSError as error:
        raise TrainError(f"{path}: {error.strerror or error}", hint="name a file that can be read") from error
    if empty:
        raise TrainError(f"{path}:2: the file has no rows", hint="fetch it again")


def files(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """The files that these paths mean, folders searched through and sorted by name; and how many files of folders are no tables.

    Raises TrainError for a path that is not there, a folder without tables, and a file that is named twice.
    """
    found: list[Path] = []
    others = 0
    for path in paths:
        if path.is_file():
            found.append(path)
        elif path.is_dir():
            below = sorted(one for one in path.rglob("*") if one.is_file() and not _hidden(one.relative_to(path)))
            tables = [one for one in below if _TABLE.search(one.name) and not _LISTS.search(one.name)]
            if not tables:
                raise TrainError(f"{path}: the folder holds no .csv, .csv.gz or .parquet", hint="name the folder with the rows")
            found += tables
            others += sum(one.suffix != ".dvc" for one in below) - len(tables)
        else:
            raise TrainError(f"there is no file {path}", hint="python -m train data --help tells how to make synthetic flows")
    seen: set[Path] = set()
    for path in found:
        if path.resolve() in seen:
            raise TrainError(f"{path} is named twice", hint="its rows would stand on both sides of a split: name each file once")
        seen.add(path.resolve())
    return found, others


_TABLE = re.compile(r"\.(csv|csv\.gz|parquet)$", re.IGNORECASE)
_LISTS = re.compile(r"NB15_features|LIST_EVENTS|NB15_GT", re.IGNORECASE)
"""What the owners of UNSW-NB15 put beside the flows: the list of columns, the list of events, the ground truth."""


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
