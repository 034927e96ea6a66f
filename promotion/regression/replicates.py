"""Sums of each resample of a model that tells numbers: of mae, rmse, r2 and bias 1,000 values follow, hence an interval.

header   {"schema": "promotion/regression-replicates/v1", "resamples": 1000, "seed": …, "unit": "row"|"group", "origin": …,
"parts": […], "sums": […]}
columns  rows; the truth's total about the origin and its squares; for each part the errors, their sizes, their squares; the sums
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promotion import packing
from promotion.counting import ABLATION, WHOLE, require
from promotion.figures import best_part
from promotion.packing import RESAMPLES, over
from promotion.regression.counts import NO_SPREAD

if TYPE_CHECKING:
    import numpy as np

    from promotion.figures import Counts as AnyCounts
    from promotion.regression.counts import Counts

    Array = np.ndarray[Any, Any]

SCHEMA = "promotion/regression-replicates/v1"
_PER_PART = 3
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Replicates:
    """(1000,) rows, (2, 1000) total and squares of the truth about ``origin``, by part (3, 1000) errors, sizes, squares; by sum (1000,)."""

    unit: str
    origin: float
    rows: Array
    truth: Array
    parts: Mapping[str, Array]
    sums: Mapping[str, Array]

    def figure(self, name: str, counts: AnyCounts) -> Array | None:
        """(1000,) values of a figure, NaN where it is not defined; None for one that resamples do not give."""
        if name in self.sums:
            return over(self.sums[name], self.rows)
        kind, _, last = name.rpartition(".")
        if kind == ABLATION:
            best = best_part(counts, last)
            mine, other = self._of_part(WHOLE, last), None if best is None else self._of_part(best, last)
            return None if mine is None or other is None else mine - other
        return self._of_part(kind or WHOLE, last)

    def units(self, name: str) -> float:
        """How many independent units stand behind a figure: behind each the same."""
        del name
        return packing.units(self.rows)

    def _of_part(self, part: str, figure: str) -> Array | None:
        import numpy as np

        if part not in self.parts:
            return None
        error, absolute, squared = self.parts[part]
        if figure == "mae":
            return over(absolute, self.rows)
        if figure == "rmse":
            found: Array = np.sqrt(over(squared, self.rows))
            return found
        if figure == "bias":
            return over(error, self.rows)
        if figure == "r2":
            total, squares = self.truth
            spread = squares - over(total**2, self.rows)
            return 1 - over(squared, np.where(spread > NO_SPREAD * squares, spread, 0))
        return None

    def to_bytes(self) -> bytes:
        """The file, packed."""
        header = {
            "schema": SCHEMA,
            "resamples": RESAMPLES,
            "seed": packing.seed(),
            "unit": self.unit,
            "origin": self.origin,
            "parts": list(self.parts),
            "sums": list(self.sums),
        }
        return packing.pack(header, self._columns())

    def _columns(self) -> Iterator[tuple[Array, str]]:
        yield self.rows[None, :], packing.WHOLE_NUMBERS
        yield self.truth, packing.NUMBERS
        for part in self.parts.values():
            yield part, packing.NUMBERS
        for one in self.sums.values():
            yield one[None, :], packing.NUMBERS


def paired(one: Replicates, other: Replicates) -> bool:
    """Whether both are of the same rows in the same resamples: as many rows in each, and the same truth to rounding."""
    import numpy as np

    same = (one.unit, one.origin) == (other.unit, other.origin) and np.array_equal(one.rows, other.rows)
    return bool(same and np.allclose(one.truth, other.truth, rtol=_ROUNDING, atol=_ROUNDING * float(1 + one.truth[1].max(initial=0))))


def parse(header: dict[str, Any], body: bytes, counts: Counts) -> Replicates:
    """What an unpacked file says, once it fits the sums; raises ValueError, KeyError or TypeError for one that does not."""
    expected = {
        "schema": SCHEMA,
        "resamples": RESAMPLES,
        "seed": packing.seed(),
        "unit": header["unit"],
        "origin": counts.truth.origin,
        "parts": header["parts"],
        "sums": sorted(counts.sums),
    }
    require(header == expected and header["unit"] in {"row", "group"}, "they are of another truth, of other sums or resamples")
    require(sorted(header["parts"]) == sorted(counts.parts), "they are of other parts")
    own = 2 + _PER_PART * len(counts.parts)
    whole, numbers = packing.columns(body, 1, own + len(counts.sums))
    made = Replicates(
        unit=header["unit"],
        origin=counts.truth.origin,
        rows=whole[0],
        truth=numbers[:2],
        parts=dict(zip(header["parts"], numbers[2:own].reshape(-1, _PER_PART, RESAMPLES), strict=True)),
        sums=dict(zip(sorted(counts.sums), numbers[own:], strict=True)),
    )
    _check(made, counts)
    return made


def _check(made: Replicates, counts: Counts) -> None:
    """Raise ValueError for numbers that no resampling of these sums can give."""
    import numpy as np

    require(bool((made.rows >= 0).all()), "a count is negative")
    require(packing.fit(made.rows[None, :], np.array([counts.rows])), "rows: they do not lie around the count")
    every = [made.truth, *made.parts.values(), *(one[None, :] for one in made.sums.values())]
    require(bool(np.isfinite(np.concatenate(every)).all()), "not a number")
    require(_within(made.truth[0] ** 2, made.rows * made.truth[1]), "truth: its squares are too small for its total")
    truth = np.array([counts.truth.total, counts.truth.squares])
    require(packing.fit(made.truth, truth), "truth: they do not lie around its sums")
    for name, part in made.parts.items():
        error, absolute, squared = part
        require(_within(np.abs(error), absolute), f"{name}: the errors add up to more than their sizes do")
        require(_within(absolute**2, made.rows * squared), f"{name}: the squares are too small for the errors")
        one = counts.parts[name]
        points = np.array([one.error, one.absolute, one.squared])
        require(packing.fit(part, points), f"{name}: they do not lie around its sums")


def _within(one: Array, other: Array) -> bool:
    return bool((one <= other * (1 + _ROUNDING) + _ROUNDING).all())
