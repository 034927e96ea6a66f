"""How far a long measurement is: the child writes down how many rows it has counted, its parent tells that every ten seconds.

The number comes from model code: at most it is wrong, and it is told as a number of rows or not at all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVERY = 10.0
"""Seconds between two lines."""
_WRITTEN_EVERY = 1.0
_MOST_DIGITS = 15


def counted(shards: Iterable[Any], place: Path) -> Iterator[Any]:
    """The same blocks or counts, with the rows of those that were taken written to a file: whole, once a second at most."""
    rows, last = 0, time.monotonic()
    for shard in shards:
        yield shard
        rows += _rows(shard)
        if time.monotonic() - last >= _WRITTEN_EVERY:
            last = time.monotonic()
            with suppress(OSError):
                # In one write: whoever reads sees the old number or the new one.
                place.write_text(str(rows), encoding="ascii")


def _rows(shard: object) -> int:
    """Of a block its truths, of counts what they say; 0 for what is neither, which others refuse."""
    if not isinstance(shard, Mapping):
        return 0
    truth, rows = shard.get("truth"), shard.get("rows")
    if isinstance(rows, int):
        return rows
    return len(truth) if isinstance(truth, Sized) else 0


@dataclass
class Progress:
    """Tells how long ``what`` has taken of the ``limit`` in seconds, and the rows that its child wrote to ``place``."""

    what: str
    limit: float
    place: Path
    report: Callable[[str], None]
    _next: float = field(default_factory=lambda: EVERY)

    def __call__(self, seconds: float) -> None:
        """Called often while the child runs, with the time that it has taken."""
        if seconds < self._next:
            return
        self._next = seconds + EVERY
        rows = self._read()
        done = "" if rows is None else f"{rows:,} rows "
        self.report(f"{self.what}: {done}in {seconds:.0f} s, of at most {self.limit:g} s")

    def _read(self) -> int | None:
        try:
            descriptor = os.open(self.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                text = file.read(_MOST_DIGITS + 1)
        except OSError:
            return None
        return int(text) if text.isdigit() and len(text) <= _MOST_DIGITS else None
