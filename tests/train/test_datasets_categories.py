"""Words and codes: what a loader codes and what a caller without a file codes is the same."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from train.datasets import categories, unsw_nb15

TABLE = categories.published(unsw_nb15.WORDS)
PROTO = TABLE["proto"]


@given(st.lists(st.sampled_from(PROTO), max_size=30))
def test_codes_and_words_are_a_round_trip(words: list[str]) -> None:
    given = categories.codes(pd.Series(words, dtype=object), PROTO)
    assert categories.words(given, PROTO) == words
    assert np.array_equal(categories.codes(pd.Series(given), PROTO), given), "codes stay codes"


@given(st.lists(st.one_of(st.text(max_size=6), st.none(), st.floats(), st.integers(-5, 500)), max_size=30))
def test_whatever_comes_is_a_code_of_the_table(cells: list[object]) -> None:
    found = categories.codes(pd.Series(cells, dtype=object), PROTO)
    assert ((found >= 0) & (found < len(PROTO)) & (found == np.floor(found))).all()


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30))
def test_a_number_that_is_no_code_is_other(cells: list[float]) -> None:
    found = categories.codes(pd.Series(cells, dtype="float64"), PROTO)
    for cell, code in zip(cells, found, strict=True):
        assert code == (cell if cell in range(len(PROTO)) else 0)


def test_a_frame_of_requests_is_coded_by_a_models_own_words() -> None:
    table = json.loads(json.dumps({"proto": ["other", "udp", "tcp"], "state": ["other", "FIN"]}))
    frame = pd.DataFrame({"dur": [1.0, 2.0, 3.0], "proto": [" tcp", "quic", None]})
    found = categories.coded(frame, table)
    assert found.to_dict("list") == {"dur": [1.0, 2.0, 3.0], "proto": [2.0, 0.0, 0.0]}
    assert frame["proto"][0] == " tcp", "the caller's frame stays as it is"


def test_every_table_begins_with_other_and_has_no_word_twice() -> None:
    assert categories.version() >= 1
    for name, words in TABLE.items():
        assert words[categories.OTHER] == "other", name
        assert len(set(words)) == len(words), name
