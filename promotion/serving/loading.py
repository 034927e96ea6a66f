"""From a version's name to a model that answers: fetch, compare the digest, refuse what runs code, load, warm up."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promotion.errors import Exit, PromotionError
from promotion.evaluate import fetch
from promotion.gates.formats import refusals
from promotion.serving.columns import Column, Columns, Refused, Table
from promotion.serving.forward import Served, caller, columns_of, outputs_of

if TYPE_CHECKING:
    from promotion.domain import ModelVersionRef
    from promotion.registry.interface import Registry

WARM = (1, 2, 64)
"""Rows of the calls before the first request: graphs may be compiled for one, for few and for many."""
QUICK = 0.0005
"""A model whose row takes fewer seconds is answered without another thread."""
_LARGEST_EXAMPLE = 1 << 20


class NotServed(PromotionError):
    """A version that must not be loaded, or does not let itself be loaded or asked (exit 5)."""

    exit_code = Exit.ERRORED


def load(registry: Registry, ref: ModelVersionRef, threads: int) -> Served:
    """Fetch, verify, load and warm up one version; the bytes are the ones that were verified.

    Raises Unavailable when the registry does not answer, UsageError when the artifact is not the one that ``ref`` pins, NotServed for
    what must not or cannot be loaded.
    """
    with tempfile.TemporaryDirectory(prefix="promotion-serve-", ignore_cleanup_errors=True) as scratch:
        fetched = fetch(registry, ref, Path(scratch) / "model")
        problems = refusals(fetched.format)
        if problems:
            raise NotServed(
                f"{ref.name}/{ref.version} is not loaded: {'; '.join(problems)}", hint="log it as pt2, or in the library's own format"
            )
        try:
            return _loaded(fetched.folder, replace(ref, digest=fetched.artifact.digest), threads)
        except PromotionError as error:
            raise NotServed(f"{ref.name}/{ref.version} cannot be served: {error.message}", hint=error.hint) from error
        except Refused as error:
            told = f"it does not answer its own example: {error.faults[0].problem}"
            raise NotServed(f"{ref.name}/{ref.version} cannot be served: {told}", hint="log it with an example that it answers") from error
        except Exception as error:
            told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise NotServed(f"{ref.name}/{ref.version} does not load: {told}", hint="load it with mlflow.pyfunc to see more") from error


def _loaded(folder: Path, ref: ModelVersionRef, threads: int) -> Served:
    from mlflow.models import Model

    described = Model.load(str(folder))
    metadata = described.metadata or {}
    columns = columns_of(described.signature, metadata)
    call, direct = caller(folder, described.flavors, columns, threads)
    served = Served(ref, columns, (), direct, call, _zeros(columns))
    served = _with_sample(served, _examples(folder, columns))
    row = [served.sample.get(name) for name in columns.names]
    width = served.predict(Table([row])).values.shape[1]
    served = replace(served, outputs=outputs_of(metadata, described.signature, width))
    served = replace(served, columns=_with_missing(served, not described.flavors.keys().isdisjoint(("lightgbm", "xgboost"))))
    for rows in WARM:
        served.predict(Table([row] * rows))
    return replace(served, quick=served.direct and _seconds(served, row) < QUICK)


def _seconds(served: Served, row: list[Any]) -> float:
    """The shortest time for one row, of some: others may be busy on this machine."""
    times = []
    for _ in range(20):
        began = time.perf_counter()
        served.predict(Table([row]))
        times.append(time.perf_counter() - began)
    return min(times)


def _with_sample(served: Served, examples: list[dict[str, Any]]) -> Served:
    """With the first row that the model answers; raises Refused, or what the model raises, when it answers none."""
    *others, last = [*examples, _zeros(served.columns)]
    for example in others:
        try:
            served.predict(Table([[example.get(name) for name in served.columns.names]]))
        except Refused:
            continue
        return replace(served, sample=example)
    served.predict(Table([[last[name] for name in served.columns.names]]))
    return replace(served, sample=last)


def _examples(folder: Path, columns: Columns) -> list[dict[str, Any]]:
    """The first rows of the example that MLflow stored with the model, by column; none where there is none that can be read."""
    path = folder / "serving_input_example.json"
    if not path.is_file() or path.stat().st_size > _LARGEST_EXAMPLE:
        return []
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError):
        return []
    if not isinstance(document, dict):
        return []
    names: object = list(columns.names)
    rows: object = document.get("inputs")
    if isinstance(split := document.get("dataframe_split"), dict):
        names, rows = split.get("columns"), split.get("data")
    if not isinstance(names, list) or not isinstance(rows, list):
        return []
    found = [dict(zip(names, row, strict=True)) for row in rows[:4] if isinstance(row, list) and len(row) == len(names)]
    # A float column's example of a whole number may have been written as one.
    return [{name: value for name, value in one.items() if name in columns.names} for one in found]


def _zeros(columns: Columns) -> dict[str, Any]:
    return {one.name: next(iter(one.words)) if one.words else _ZERO.get(one.type, 0) for one in columns.all}


_ZERO: Mapping[str, Any] = {"double": 0.0, "float": 0.0, "boolean": False, "string": ""}


def _with_missing(served: Served, boosted: bool) -> Columns:  # noqa: FBT001 - one question
    """Where a value may be missing: where the signature says so, and where the model answers a row without it with finite numbers.

    A signature cannot say of a float whether it may be NaN, so the model is asked, column by column.
    """
    if not served.direct:
        floats = {"double", "float"} if boosted else set[str]()
        return Columns(tuple(replace(one, missing=one.missing or one.type in floats) for one in served.columns.all))
    open_to_all = Columns(tuple(replace(one, missing=True) for one in served.columns.all))
    asked = replace(served, columns=open_to_all)
    return Columns(tuple(replace(one, missing=one.missing or _answers_without(asked, one)) for one in served.columns.all))


def _answers_without(served: Served, column: Column) -> bool:
    if column.type not in {"double", "float"} or column.words is not None:
        return False
    row = [None if name == column.name else served.sample.get(name) for name in served.columns.names]
    try:
        served.predict(Table([row]))
    except Exception:  # noqa: BLE001 - whatever the model raises means no
        return False
    return True
