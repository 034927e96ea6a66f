"""Which rows a model learns from and which it is measured on: by blocks, by time, by group. No feature vector is on both sides.

A split is made of rows alone and a seed, so that the same files give the same split on every machine; ``describe`` is for the lineage.

    split = by_group(flows, share=0.2, seed=0)
    training, test = flows.take(split.training), flows.take(split.aside)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from train.errors import TrainError
from train.flows import ATTACK, BENIGN, Flows, vectors
from train.flows import split as in_blocks

Array = np.ndarray[Any, Any]
Way = Literal["blocks", "group", "time"]
WAYS: tuple[Way, ...] = get_args(Way)


@dataclass(frozen=True, slots=True)
class Split:
    """Masks (N,) of the rows to learn from and of those kept aside; rows may be in neither. ``kind``: how it was made, in words."""

    training: Array
    aside: Array
    kind: str
    seed: int | None

    def describe(self) -> str:
        """Kind and seed, for a tag: ``groups, 20% kept back, seed 0``."""
        return self.kind if self.seed is None else f"{self.kind}, seed {self.seed}"


def by_blocks(flows: Flows, *, share: float, block: int, seed: int, gap: int = 0) -> Split:
    """Whole blocks of consecutive rows; training loses ``gap`` rows on either side of a block that is kept back.

    A vector of both sides is left to training. Raises TrainError when a side would be empty, or training would see one class alone.
    """
    kept, aside = in_blocks(flows, share=share, block=block, seed=seed)
    words = f"blocks of {block} rows, {share:.0%} kept back" + (f", {gap} rows between" if gap else "")
    kept &= _distance(~kept) > gap
    aside &= ~np.isin(vectors(flows.values), vectors(flows.values[kept]))
    return _checked(flows, Split(kept, aside, words, seed))


def by_time(flows: Flows, *, share: float, gap: int = 0) -> Split:
    """The last rows of every stream are kept back, those ``gap`` rows before them left out: the model is measured on what came later.

    A vector of both sides is left to training: what was seen before is no proof. Raises TrainError as ``by_blocks``, and for rows in no
    order.
    """
    if not (flows.stream >= 0).all():
        raise TrainError("rows in no order cannot be split by time", hint="split them by group")
    order = np.argsort(flows.stream, kind="stable")
    sorted_streams = flows.stream[order]
    begins, ends = (np.searchsorted(sorted_streams, sorted_streams, side=side) for side in ("left", "right"))
    left = np.empty(len(flows), dtype=np.int64)
    left[order] = ends - np.arange(len(flows))
    size = np.empty(len(flows), dtype=np.int64)
    size[order] = ends - begins
    held = np.round(size * share).astype(np.int64)
    aside = left <= held
    training = left > held + gap
    keys = vectors(flows.values)
    aside &= ~np.isin(keys, keys[training])
    words = f"by time, the last {share:.0%} of each stream kept back" + (f", {gap} rows between" if gap else "")
    return _checked(flows, Split(training, aside, words, None))


def by_group(flows: Flows, *, share: float, seed: int) -> Split:
    """Whole groups (bursts, addresses or repetitions: ``Flows.group``) drawn at random until they have ``share`` of the rows.

    A vector of both sides is left out of training: the rows that are kept back stay as they came. Raises TrainError as ``by_blocks``.
    """
    names, place, sizes = np.unique(flows.group, return_inverse=True, return_counts=True)
    drawn = np.random.RandomState(seed).permutation(len(names))
    before = np.cumsum(sizes[drawn]) - sizes[drawn]
    chosen = np.zeros(len(names), dtype=bool)
    chosen[drawn[before < share * len(flows)]] = True
    aside = chosen[place]
    keys = vectors(flows.values)
    training = ~aside & ~np.isin(keys, keys[aside])
    return _checked(flows, Split(training, aside, f"groups, {share:.0%} kept back", seed))


def chosen(way: Way, flows: Flows, *, share: float, block: int, seed: int) -> Split:
    """The split of this name. Raises TrainError."""
    if way == "time":
        return by_time(flows, share=share)
    return by_group(flows, share=share, seed=seed) if way == "group" else by_blocks(flows, share=share, block=block, seed=seed)


def shuffled(flows: Flows, seed: int) -> Flows:
    """The same rows in random order, each without context: what a random sample of a capture is."""
    return flows.take(np.random.RandomState(seed).permutation(len(flows))).without_context()


def measuring(flows: Flows, *, seed: int, share: float = 0.2) -> tuple[Split, Flows, Flows, Flows]:
    """The split that models are compared by: (split, training rows, kept rows shuffled without context, the same in file order).

    In file order a row's window is the kept rows before it: rows that the model has learned from are nowhere in what it is measured on.
    """
    split = by_group(flows, share=share, seed=seed)
    ordered = flows.take(split.aside)
    return split, flows.take(split.training), shuffled(ordered, seed), ordered


def _distance(marked: Array) -> Array:
    """(N,) how many rows away the nearest marked one is; more than N where there is none."""
    places, far = np.arange(len(marked)), 2 * len(marked) + 1
    before = np.maximum.accumulate(np.where(marked, places, -far))
    after = np.minimum.accumulate(np.where(marked, places, far)[::-1])[::-1]
    found: Array = np.minimum(places - before, after - places)
    return found


def _checked(flows: Flows, split: Split) -> Split:
    learned = flows.attack[split.training]
    if not learned.size or not split.aside.any():
        raise TrainError(f"{len(flows)} rows are too few to keep some back ({split.kind})", hint="more rows are needed, not all alike")
    if learned.all() or not learned.any():
        raise TrainError(f"every training row is {ATTACK if learned.all() else BENIGN}", hint="give rows of both kinds")
    return split
