"""Values as JSON: one document with a ``schema`` field, keys sorted, times in ISO 8601."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from pathlib import Path


def document(schema: str, value: Mapping[str, object]) -> str:
    """One JSON document; dataclasses become objects, tuples lists, an undefined figure (NaN, infinite) null."""
    return json.dumps({"schema": schema, **{name: plain(one) for name, one in value.items()}}, indent=2, sort_keys=True, ensure_ascii=False)


def plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value) if not field.name.startswith("_")}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value
