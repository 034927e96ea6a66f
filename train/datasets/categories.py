"""Words and their codes: a string cannot enter an exported graph, so whoever calls a model codes strings as its training rows were.

The table of the published words lies in ``categories.json`` and has a version; a model's metadata bears the words it was trained with.
A word's code is its place; code 0 is "other", for every word that the table does not have.

    frame = coded(frame, model.metadata.metadata["categories"])
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FILE = Path(__file__).with_name("categories.json")
OTHER = 0
Array = np.ndarray[Any, Any]


@lru_cache(maxsize=1)
def version() -> int:
    """Of the table in this folder: a code's meaning never changes within one."""
    found: int = json.loads(FILE.read_text(encoding="utf-8"))["version"]
    return found


def published(columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Column → its words as published, "other" first."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: tuple(found[name]) for name in columns}


def codes(words: pd.Series, vocabulary: Sequence[str]) -> Array:
    """(N,) float64 codes; spaces around a word do not count. What is a number already is taken as a code, a missing word is "other"."""
    if pd.api.types.is_numeric_dtype(words):
        given = words.to_numpy(dtype=np.float64)
        whole = (given >= 0) & (given < len(vocabulary)) & (given == np.floor(given))
        return np.where(whole, given, float(OTHER))
    known = {word: float(code) for code, word in enumerate(vocabulary)}
    found: Array = words.astype(object).map(lambda word: known.get(str(word).strip(), float(OTHER))).to_numpy(dtype=np.float64)
    return found


def words(given: Array, vocabulary: Sequence[str]) -> list[str]:
    """The words that codes stand for; "other" for what is no code."""
    found = codes(pd.Series(given, dtype="float64"), vocabulary).astype(np.int64)
    return [vocabulary[code] for code in found]


def coded(frame: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The same rows with codes in the place of words, in the columns that the model's categories name; other columns stay as they are."""
    made = {name: codes(frame[name], vocabulary) for name, vocabulary in categories.items() if name in frame.columns}
    return frame.assign(**made)
