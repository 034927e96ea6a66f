"""The datasets by the names that the command line uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from train.datasets import cicids2017, unsw_nb15
from train.datasets.pointers import check
from train.datasets.rows import check_some, gathered, in_blocks, summed
from train.datasets.table import PIECE, files
from train.flows import Flows, digest

FORMATS = {"synthetic": cicids2017, "cicids2017": cicids2017, "unsw-nb15": unsw_nb15}
"""Synthetic flows come in CICIDS2017's format."""


def load(name: str, paths: list[Path]) -> Flows:
    """Read files or folders of a dataset; raises TrainError with file and line for what is not as the owners write it.

    Memory: the rows as float64 and little more (2.8 million rows of CICIDS2017 take 2.3 GB).
    """
    found, others = files(paths)
    flows = list(_parts(name, found))
    check_some(flows, found)
    whole = gathered(flows)
    return replace(whole, dropped=whole.dropped | {"files that are no tables": others}) if others else whole


def blocks(name: str, paths: list[Path], size: int = PIECE) -> Iterator[Flows]:
    """The same rows in blocks of at most ``size``, in the same order with the same streams and groups; memory does not grow with rows.

    A stream goes on from one block to the next: repeat the last rows of each stream before those of the next block, or cut where a
    stream ends. ``dropped`` and ``notes`` of a block are of its own part of the files: add them up. Raises as ``load``, though for a
    fault far down only when its block is asked for.
    """
    found, others = files(paths)
    told = {"files that are no tables": others} if others else {}
    empty = True
    for block in in_blocks(_parts(name, found), size):
        yield replace(block, dropped=summed(block.dropped, told)) if told else block
        empty, told = False, {}
    if empty:
        check_some([], found)


def _parts(name: str, paths: list[Path]) -> Iterator[Flows]:
    check(paths)
    total = digest(paths)
    for part in FORMATS[name].parts(paths):
        yield replace(part, digest=total, version=f"{name}-{total[:12]}")
