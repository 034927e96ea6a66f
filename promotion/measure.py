"""The child that runs a model: ``python -m promotion.measure TASK``, started by ``evaluate`` and by nobody else.

It limits itself, calls the evaluator, and leaves one JSON file. Whatever happens in it, its parent believes that file alone,
bounded and parsed strictly. An evaluator is a function::

    def evaluate(model: Path, dataset: Path, settings: Mapping[str, object]) -> Mapping | Iterable[Mapping]

that gets a local model folder and the dataset's path. It yields what the model said of each row, in blocks of ``promotion/outcomes/v1``
or ``promotion/regression-outcomes/v1`` (``promotion.outcomes``), which are counted here, and resampled for intervals; or it gives counts
(``promotion.figures``), at once or shard by shard: shards are merged exactly, and there are no intervals.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module, metadata
from itertools import chain
from pathlib import Path
from typing import Any

from promotion.progress import counted
from promotion.syscalls import refuse_local_sockets

FAILED = 70
"""Exit status after an exception: EX_SOFTWARE of sysexits.h."""

_BY_ROW = frozenset({"promotion/outcomes/v1", "promotion/regression-outcomes/v1"})
"""Blocks of rows, as promotion.outcomes has them; whatever else comes must be counts."""
_LIBRARIES = (
    "catboost",
    "lightgbm",
    "mlflow",
    "mlflow-skinny",
    "numpy",
    "onnxruntime",
    "pandas",
    "scikit-learn",
    "scipy",
    "torch",
    "xgboost",
)


def main(arguments: list[str]) -> int:
    """Run the task that the file describes; returns the exit status."""
    task = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    _limit(task["limits"])
    refuse_local_sockets()
    try:
        given = _function(task["entry_point"])(Path(task["model"]), Path(task["dataset"]), task["settings"])
        counts = _counts(given, Path(task["progress"]))
        text = json.dumps({**counts, "versions": _versions()}, allow_nan=False)
    except BaseException as error:  # noqa: BLE001 - whatever model code raises, SystemExit included, is told the same way
        traceback.print_exc()
        sys.stderr.write(f"\n{type(error).__name__}: {error}\n")
        return FAILED
    Path(task["result"]).write_text(text, encoding="utf-8")
    return 0


def _limit(limits: Mapping[str, int]) -> None:
    """Set hard limits that this process and its children cannot raise again (RLIMIT_… name → value)."""
    with suppress(ImportError):
        import resource

        for name, value in limits.items():
            with suppress(AttributeError, ValueError, OSError):
                resource.setrlimit(getattr(resource, name), (value, value))


def _function(entry_point: str) -> Callable[..., object]:
    module, _, name = entry_point.partition(":")
    found: object = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not callable(found):
        msg = f"{entry_point} is not a function"
        raise TypeError(msg)
    return found


def _counts(given: object, progress: Path) -> dict[str, Any]:
    """What an evaluator gave, counted; how many rows were is written down meanwhile."""
    if not isinstance(given, Mapping) and not isinstance(given, Iterable):
        msg = f"an evaluator must give counts, however: {type(given).__name__}"
        raise TypeError(msg)
    shards = iter([given] if isinstance(given, Mapping) else given)
    first = next(shards, None)
    if first is None:
        msg = "the evaluator gave no counts at all"
        raise ValueError(msg)
    every = counted(chain([first], shards), progress)
    if isinstance(first, Mapping) and first.get("schema") in _BY_ROW:
        return _folded(every)
    return _merged(every)


def _folded(blocks: Iterator[Any]) -> dict[str, Any]:
    from promotion.figures import document
    from promotion.outcomes import fold

    counts, replicates = fold(blocks)
    return {"counts": document(counts), "replicates": base64.b64encode(replicates.to_bytes()).decode()}


def _merged(shards: Iterator[Any]) -> dict[str, Any]:
    from promotion.figures import document, merge, parse

    merged = None
    for shard in shards:
        counts = parse(shard)
        merged = counts if merged is None else merge(merged, counts)
    assert merged is not None
    return {"counts": document(merged)}


def _versions() -> dict[str, str]:
    """Versions of the libraries that were loaded, as far as they are among those that change results."""
    found = {}
    for name in _LIBRARIES:
        if {"scikit-learn": "sklearn", "mlflow-skinny": "mlflow"}.get(name, name) in sys.modules:
            with suppress(metadata.PackageNotFoundError):
                found[name] = metadata.version(name)
    return found


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads and exit handlers that model code left behind must not keep this process.
    os._exit(status)
