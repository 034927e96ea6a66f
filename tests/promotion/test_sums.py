"""Sums of errors: untrusted, added up over shards, and refused where no rows can give them."""

from __future__ import annotations

import copy
import json
import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion import packing
from promotion.counting import CountsError
from promotion.figures import document, figures, merge, parse
from promotion.outcomes import fold
from promotion.packing import RESAMPLES, ReplicatesError
from promotion.replicates import paired, read

ROWS = 300


def block(rows: slice = slice(None), *, seed: int = 1, grouped: bool = True, **other: Any) -> dict[str, Any]:
    data, model = np.random.default_rng(0), np.random.default_rng(seed)
    truth = data.normal(50, 9, ROWS)
    return {
        "schema": "promotion/regression-outcomes/v1",
        "seconds": 0.5,
        "origin": 50.0,
        "index": np.arange(ROWS)[rows],
        **({"group": np.arange(ROWS)[rows] // 3} if grouped else {}),
        "truth": truth[rows],
        "parts": {name: {"predicted": (truth + model.normal(0.5, 3, ROWS))[rows]} for name in ("model", "trees")},
        "values": {"router.trees": model.random(ROWS)[rows]},
        **other,
    }


GOOD = document(fold([block()])[0])


@given(cut=st.integers(0, ROWS), grouped=st.booleans())
def test_shards_add_up(cut: int, grouped: bool) -> None:
    whole = fold([block(grouped=grouped)])
    pieces = [block(slice(0, cut), grouped=grouped), block(slice(cut, ROWS), grouped=grouped)]
    both = fold(pieces)
    merged = merge(*(fold([one])[0] for one in pieces))
    for found in (both[0], merged):
        assert {name: pytest.approx(value) for name, value in figures(found).items()} == figures(whole[0]) | {
            "seconds_per_row": pytest.approx(1 / ROWS)
        }
    assert paired(both[1], whole[1])


def test_two_models_on_the_same_rows_are_paired_and_on_others_are_not() -> None:
    one, other = fold([block(seed=1)])[1], fold([block(seed=2)])[1]
    assert paired(one, other)
    assert not paired(one, fold([block(grouped=False)])[1])
    assert not paired(one, fold([block(slice(0, ROWS - 1))])[1])
    assert not paired(one, fold([block(truth=block()["truth"] + 1)])[1])


BAD_SUMS: list[tuple[Callable[[Any], object], str]] = [
    (lambda c: c["parts"]["model"].update(absolute=-1.0), "greater than or equal to 0"),
    (lambda c: c["parts"]["model"].update(error=1e9), "model: the errors add up to more than their sizes do"),
    (lambda c: c["parts"]["model"].update(squared=1.0), "model: the squares are too small for the errors"),
    (lambda c: c["truth"].update(squares=0.0), "truth: its squares are too small"),
    (lambda c: c["truth"].update(origin=math.nan), "truth.origin: Input should be a finite number"),
    (lambda c: c.update(rows=0), "too small"),
    (lambda c: c.update(rmse=0.1), "rmse: Extra inputs"),
    (lambda c: c["parts"].pop("model"), "parts must have 'model'"),
    (lambda c: c["sums"].update({"trees.mae": 1.0}), "bears the name of a figure"),
    (lambda c: c["sums"].update({"r2": 1.0}), "bears the name of a figure"),
]


@pytest.mark.parametrize(("edit", "words"), BAD_SUMS, ids=range(len(BAD_SUMS)))
def test_sums_that_no_rows_can_give_are_refused(edit: Callable[[Any], object], words: str) -> None:
    given_sums = copy.deepcopy(GOOD)
    edit(given_sums)
    with pytest.raises(CountsError) as caught:
        parse(given_sums)
    assert words in caught.value.message, caught.value.message


def test_sums_of_another_evaluation_are_not_merged() -> None:
    one = parse(GOOD)
    classes = {"schema": "promotion/counts/v1", "rows": 0, "seconds": 0.0, "positive": "a"}
    classes["parts"] = {"model": {"labels": ["a"], "confusion": [[0]]}}
    for other in (parse(classes), fold([block(origin=0.0)])[0], fold([block(values={})])[0]):
        with pytest.raises(CountsError, match="not of one evaluation"):
            merge(one, other)


BAD_BLOCKS = [
    ({"truth": [math.nan] * ROWS}, "truth has what is no number"),
    ({"parts": {"model": {"predicted": [1.0]}}}, "others than in the blocks before"),
    ({"origin": 1.0}, "others than in the blocks before"),
    ({"origin": math.inf}, "origin must be a number"),
    ({"positive": "a"}, "there is no ['positive']"),
    ({"schema": "promotion/outcomes/v1"}, "schema must be"),
    ({"parts": {}}, "parts must be a mapping that has 'model'"),
    ({"truth": [1e200] * ROWS}, "finite|do not|Input should be"),
]


@pytest.mark.parametrize(("odd", "words"), BAD_BLOCKS, ids=range(len(BAD_BLOCKS)))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_block_that_is_not_as_it_must_be_is_told(odd: dict[str, Any], words: str) -> None:
    with pytest.raises(CountsError) as caught:
        fold([block(), block(**odd)])
    assert any(one in caught.value.message for one in words.split("|")), caught.value.message


def _column(body: bytearray, column: int, value: float) -> None:
    """Overwrite a column of sums with one number."""
    packed = np.full(RESAMPLES, value).view(np.uint8).reshape(-1, 8).T.tobytes()
    body[column * 8 * RESAMPLES : (column + 1) * 8 * RESAMPLES] = packed


BROKEN: list[tuple[Callable[[dict[str, Any], bytearray], object], str]] = [
    (lambda h, _: h.update(origin=1.0), "another truth"),
    (lambda h, _: h.update(parts=["model"]), "other parts"),
    (lambda h, _: h.update(schema="promotion/replicates/v1"), "another truth"),
    (lambda _, b: b.pop(), "bytes of columns"),
    (lambda _, b: _column(b, 1, math.nan), "not a number"),
    (lambda _, b: _column(b, 2, 0.0), "truth: its squares are too small"),
    (lambda _, b: _column(b, 3, 1e9), "model: the errors add up to more"),
    (lambda _, b: _column(b, 5, 1e-9), "model: the squares are too small"),
    (lambda _, b: _column(b, 5, 1e9), "model: they do not lie around its sums"),
]


@pytest.mark.parametrize(("edit", "words"), BROKEN, ids=range(len(BROKEN)))
def test_a_file_that_does_not_fit_is_refused(edit: Callable[[dict[str, Any], bytearray], object], words: str) -> None:
    counts, made = fold([block()])
    header, content = packing.unpack(made.to_bytes())
    body = bytearray(content)
    edit(header, body)
    with pytest.raises(ReplicatesError) as caught:
        read(zlib.compress(json.dumps(header).encode() + b"\n" + bytes(body)), counts)
    assert words in caught.value.message, caught.value.message


def test_a_file_of_classes_is_none_of_numbers() -> None:
    counts = fold([block()])[0]
    said = {"schema": "promotion/outcomes/v1", "positive": "a", "labels": ["a", "b"], "seconds": 0.0, "index": [0], "truth": [0]}
    made = fold([{**said, "parts": {"model": {"predicted": [0]}}}])[1]
    with pytest.raises(ReplicatesError):
        read(made.to_bytes(), counts)
