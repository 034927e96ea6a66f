"""The columns that a model takes and gives, from its ``MLmodel`` as data: MLflow writes them as JSON within YAML. Nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from promotion.archives import Unreadable
from promotion.formats import MLMODEL, document
from promotion.gates.interface import Column, Signature

MOST_COLUMNS = 20_000
_HINT = "log the model again with a signature; MLflow writes this part"


def read(folder: Path, parse: Callable[[Path], object] = document) -> Signature:
    """The signature of the model in this folder; ``inputs`` None where it declares none.

    ``parse`` reads ``MLmodel``. Raises Unreadable when it is missing, a link or damaged, or the signature is not as MLflow writes one.
    """
    path = folder / MLMODEL
    if path.is_symlink() or not path.is_file():
        msg = "the model has no MLmodel file"
        raise Unreadable(msg, hint=_HINT)
    whole = parse(path)
    found = whole.get("signature") if isinstance(whole, dict) else None
    if found is None:
        return Signature(None, None)
    if not isinstance(found, dict):
        msg = "the signature in MLmodel is no mapping"
        raise Unreadable(msg, hint=_HINT)
    return Signature(_columns(found.get("inputs"), "inputs"), _columns(found.get("outputs"), "outputs"))


def _columns(text: object, what: str) -> tuple[Column, ...] | None:
    if text is None:
        return None
    try:
        rows = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError) as error:
        msg = f"the {what} of the signature are not JSON: {str(error)[:100]}"
        raise Unreadable(msg, hint=_HINT) from error
    if not isinstance(rows, list) or len(rows) > MOST_COLUMNS:
        msg = f"the {what} of the signature are no list of at most {MOST_COLUMNS} columns"
        raise Unreadable(msg, hint=_HINT)
    columns = tuple(_column(row, what) for row in rows)
    names = [column.name for column in columns if column.name is not None]
    if len(set(names)) != len(names):
        msg = f"two {what} of the signature have one name"
        raise Unreadable(msg, hint=_HINT)
    return columns


def _column(row: object, what: str) -> Column:
    """One column; its type is MLflow's word, with shape and parts where it has any."""
    if not isinstance(row, dict) or not isinstance(row.get("type"), str) or not isinstance(row.get("name", ""), str):
        msg = f"one of the {what} of the signature has no type, or a name that is no text"
        raise Unreadable(msg, hint=_HINT)
    rest = {key: value for key, value in row.items() if key not in {"name", "type", "required", "optional"}}
    parts = f" {json.dumps(rest, sort_keys=True)}" if rest else ""
    required = row.get("required", not row.get("optional", False))
    return Column(row.get("name"), f"{row['type']}{parts}", required is not False)
