"""Counts of each resample: what a figure would have been on other rows like these.

They are additive as counts are, and of every figure that follows from them they give 1,000 values, hence an interval. Two files of one
dataset hold the same resamples: the values' differences are paired. What a file holds is told beside each kind of model
(``classification.replicates``, ``regression.replicates``); it comes from model code, is unpacked to a limit, parsed strictly, and must
fit the counts beside it.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from promotion import packing
from promotion.classification import counts as of_classes
from promotion.classification import replicates as told_classes
from promotion.packing import ReplicatesError
from promotion.regression import replicates as told_numbers

if TYPE_CHECKING:
    import numpy as np

    from promotion.figures import Counts

    Array = np.ndarray[Any, Any]

Replicates = told_classes.Replicates | told_numbers.Replicates


def read(data: bytes, counts: Counts) -> Replicates:
    """Parse a file that belongs to these counts; raises ReplicatesError when anything is missing, too much or does not add up."""
    try:
        header, body = packing.unpack(data)
        if isinstance(counts, of_classes.Counts):
            return told_classes.parse(header, body, counts)
        return told_numbers.parse(header, body, counts)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error, RecursionError) as error:
        msg = f"the counts of its resamples cannot be used: {error}"
        raise ReplicatesError(msg, hint="measure again") from error


def paired(one: Replicates, other: Replicates) -> bool:
    """Whether both are of the same rows in the same resamples, so that differences of their figures may be taken."""
    if isinstance(one, told_classes.Replicates) and isinstance(other, told_classes.Replicates):
        return told_classes.paired(one, other)
    return isinstance(one, told_numbers.Replicates) and isinstance(other, told_numbers.Replicates) and told_numbers.paired(one, other)


class Sampled:
    """A packed file with its counts, as gates see it: unpacked when a figure is asked for, once."""

    def __init__(self, data: bytes, counts: Counts) -> None:
        self._data, self._counts = data, counts
        self._made: Replicates | None = None
        self._known: dict[str, Array | None] = {}
        self._units: dict[str, float] = {}

    @property
    def made(self) -> Replicates:
        """The resamples; raises ReplicatesError."""
        if self._made is None:
            self._made = read(self._data, self._counts)
        return self._made

    def values(self, figure: str) -> Array | None:
        """(1000,) a figure's value in each resample, NaN where it is 0/0; None when resamples do not give it."""
        if figure not in self._known:
            self._known[figure] = self.made.figure(figure, self._counts)
        return self._known[figure]

    def units(self, figure: str) -> float:
        """How many independent units stand behind a figure."""
        if figure not in self._units:
            self._units[figure] = self.made.units(figure)
        return self._units[figure]

    def pairs(self, other: object) -> bool:
        """Whether both are of the same rows in the same resamples."""
        return isinstance(other, Sampled) and paired(self.made, other.made)
