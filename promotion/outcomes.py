"""What a model said of each row, block by block, becomes counts and their resamples.

An evaluator yields blocks of rows, each a mapping; arrays are numpy's or lists, one entry for each of the block's n rows. Of a model
that tells classes:

    {"schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.08,
     "index": rows' places in the dataset, "group": rows with the same number go together (left out: each row by itself),
     "truth": places in labels, "class": names of the rows' kinds (left out: none are told apart),
     "parts": {"model": {"predicted": places in labels, "score": probability of the positive label (may be left out)}, …},
     "values": {"router.tabular": numbers, …}}                      their means are figures

Of a model that tells numbers:

    {"schema": "promotion/regression-outcomes/v1", "seconds": 0.08, "index": …, "group": …, "values": …,
     "origin": a number near the truth's mean, the same in every block (left out: 0),
     "truth": numbers, "parts": {"model": {"predicted": numbers}, …}}

Memory does not grow with the rows: a block becomes counts at once. Blocks, shards and their order do not change the result, but for the
rounding of sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from promotion.classification import outcomes as of_classes
from promotion.counting import CountsError
from promotion.figures import Counts
from promotion.regression import outcomes as of_numbers
from promotion.replicates import Replicates


def fold(blocks: Iterable[Mapping[str, Any]]) -> tuple[Counts, Replicates]:
    """Count all blocks; raises CountsError for a block that is not as it must be, or fits the ones before it not."""
    rest = iter(blocks)
    first = next(rest, None)
    if first is None:
        raise CountsError("the evaluator yielded no rows at all", hint="look at the dataset and at the evaluator's settings")
    every = chain([first], rest)
    if first.get("schema") == of_numbers.SCHEMA:
        return of_numbers.fold(every)
    return of_classes.fold(every)
