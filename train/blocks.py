"""Rows that come block by block: gathered to a size worth a pass, each block behind the rows that its windows reach back to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from train.flows import NO_CONTEXT, Flows
from train.scoring import CONTEXT

GATHERED = 65_536
"""Rows of a block: many more than those that it repeats, and some fifty megabytes of CICIDS2017."""
MOST_KEPT = 65_536
"""Rows kept for later windows at most, the newest: with more than 2,114 streams open at once, the longest silent lose theirs."""


def following(blocks: Iterable[Flows]) -> Iterator[tuple[Flows, int]]:
    """(rows, how many of them come before the block and are there for its windows alone); every row once, in order."""
    kept: Flows | None = None
    for block in gathered(blocks):
        before = None if kept is None else kept.take(np.isin(kept.stream, block.stream))
        yield (block, 0) if before is None else (joined([before, block]), len(before))
        kept = _last(block if kept is None else joined([kept, block]))


def gathered(blocks: Iterable[Flows]) -> Iterator[Flows]:
    """The same rows in blocks of at least GATHERED, but for the last; none is empty."""
    waiting: list[Flows] = []
    for block in blocks:
        if len(block):
            waiting.append(block)
        if sum(map(len, waiting)) >= GATHERED:
            yield joined(waiting)
            waiting = []
    if waiting:
        yield joined(waiting)


def joined(parts: list[Flows]) -> Flows:
    """Rows behind each other; what is not of rows is the last part's."""
    if len(parts) == 1:
        return parts[0]
    arrays = [one.name for one in fields(Flows) if isinstance(getattr(parts[-1], one.name), np.ndarray)]
    whole: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
    return replace(parts[-1], **whole)


def _last(flows: Flows) -> Flows:
    """Of each stream the last rows, as many as a window reaches back to."""
    order = np.argsort(flows.stream, kind="stable")
    streams = flows.stream[order]
    from_end = np.searchsorted(streams, streams, side="right") - 1 - np.arange(len(streams))
    kept = np.sort(order[(from_end < CONTEXT) & (streams != NO_CONTEXT)])
    return flows.take(kept[-MOST_KEPT:])
