"""In which of a dataset's formats a file is written: told by its first line, never by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from train.errors import TrainError


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which a dataset is written.

    ``columns``: in the file's order, with the owners' names in our spelling; ``numeric``: those that are read as numbers. ``head``: the
    first line names the columns, by ``titles`` if they are others; otherwise a first line with as many cells, of which the last is a 0
    or a 1, tells the format.
    """

    name: str
    columns: tuple[str, ...]
    numeric: tuple[str, ...]
    head: bool = True
    titles: tuple[str, ...] = ()

    def named_by(self, head: Sequence[str]) -> bool:
        """Whether a head in our spelling names this format's columns, in their order."""
        return self.head and tuple(head) == (self.titles or self.columns)

    def begun_by(self, cells: Sequence[str]) -> bool:
        """Whether a first line of values may be of this format."""
        return not self.head and len(cells) == len(self.columns) and cells[-1] in {"0", "1"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one file: numeric columns as float64, the others as text. The index tells lines (rows of a Parquet file).

    ``blank``: lines of the file before the end of this piece, and after that of the one before, that held nothing at all.
    """

    layout: Layout
    table: pd.DataFrame
    blank: int = 0


_MARK = "^(\ufeff|ï»¿)"
"""The mark that some tools begin UTF-8 with, and the same read as cp1252."""


def spelt(name: str) -> str:
    """A column's name in our spelling: no spaces around it, and not the number that tools put behind one that stands twice."""
    return re.sub(r"\.1$", "", re.sub(_MARK, "", name.strip()).strip())


def numbered(columns: Sequence[str]) -> list[str]:
    """Names that stand twice get a number, as the owners' ``Fwd Header Length`` needs."""
    seen: dict[str, int] = {}
    names = []
    for name in columns:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return names


def chosen(path: Path, cells: Sequence[str], layouts: Sequence[Layout]) -> Layout:
    """The layout that a first line tells. Raises TrainError when it is none of them."""
    head = [spelt(cell) for cell in cells]
    if head == [""]:
        raise TrainError(f"{path}:1: the file is empty", hint="fetch it again")
    for layout in layouts:
        if layout.named_by(head) or layout.begun_by(head):
            return layout
    # A name or two are in all of them, and numbers in any row; with no more in common, the first is as good as any.
    named = [layout for layout in layouts if layout.head]
    words = {name for name in head if not name.isdigit()}
    nearest = max(named, key=lambda one: len(set(one.titles or one.columns) & words) // 4)
    columns = nearest.titles or nearest.columns
    missing = [name for name in columns if name not in head]
    extra = [name[:40] for name in head if name not in columns]
    told = f"missing: {', '.join(missing[:4]) or 'none'}; unknown: {', '.join(extra[:4]) or 'none'}"
    if not missing and not extra:
        told = "in another order"
    raise TrainError(f"{path}:1: {len(head)} columns that are not the {len(columns)} of this format ({told})", hint="is --dataset right?")
