"""Single values of the files: what each may be, in Python and in JSON Schema side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from promotion.builtin import SUFFIXES
from promotion.policies import EVERY

NEWEST = 2**31 - 1
"""The largest version number that a registry's column holds."""

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,255}")
_RESERVED_ALIAS = re.compile(r"latest|v[0-9]+", re.IGNORECASE)
_PINNED = re.compile(r"(?P<version>[1-9][0-9]*)@sha256:(?P<digest>[0-9a-f]{64})")
_ENTRY_POINT = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SIZE = re.compile(r"(?P<number>[0-9]{1,6}(?:\.[0-9]{1,3})?) ?(?P<unit>[KMGT]i?B)")
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DURATION = re.compile(r"(?:(?P<h>[0-9]{1,4})h)?(?:(?P<m>[0-9]{1,6})m)?(?:(?P<s>[0-9]{1,7})s)?")

Label = str | int | float | bool
Use = tuple[int, str | None] | None
"""What a binding declares: version and pinned digest, or None for the explicit ``none``."""


def parse_use(value: object) -> Use:
    """Read ``N``, ``N@sha256:<64 hex digits>`` or ``none``; raises ValueError for anything else."""
    if value == "none":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= NEWEST:
        return value, None
    match = _PINNED.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match["version"][:11]) <= NEWEST:
        raise ValueError("must be a version number, N@sha256:<64 hex digits>, or none")
    return int(match["version"]), match["digest"]


def _environment_name(name: str) -> str:
    if not _ENVIRONMENT.fullmatch(name):
        raise ValueError(f"the environment's name {name!r} must be lower-case letters, digits, - and _, beginning with a letter")
    return name


def _ruled(name: str) -> str:
    return name if name == EVERY else _environment_name(name)


def _model_name(name: str) -> str:
    """MLflow's own rule, and nothing that would need quoting in a filter, a shell or the form NAME/VERSION@DIGEST."""
    if not name or len(name) > 256:
        raise ValueError(f"a model's name has 1 to 256 characters, however: {len(name)}")
    if name in {".", ".."}:
        raise ValueError(f"{name!r} is not a name that MLflow accepts")
    bad = sorted({char for char in name if char in "/:@'\"`\\" or char.isspace() or not char.isprintable()})
    if bad:
        raise ValueError(f"the model's name {name!r} must not contain {' or '.join(repr(char) for char in bad)}")
    return name


def _alias(name: str) -> str:
    if not _ALIAS.fullmatch(name):
        raise ValueError(f"the alias {name!r} must be letters, digits, - and _")
    if _RESERVED_ALIAS.fullmatch(name):
        raise ValueError(f"the alias {name!r} is reserved by MLflow: 'latest' and v<number> mean versions")
    return name


def check_model_name(name: str) -> str | None:
    """Why a file cannot declare a model of this name; None where it can."""
    return _refusal(_model_name, name)


def check_alias(alias: str) -> str | None:
    """Why an environment cannot have this alias; None where it can."""
    return _refusal(_alias, alias)


def _refusal(check: Callable[[str], str], text: str) -> str | None:
    try:
        check(text)
    except ValueError as error:
        return str(error)
    return None


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise ValueError(f"{path!r} must be a path inside the repository, with / between its parts")
    return path


def _table(path: str) -> str:
    if not path.endswith(SUFFIXES):
        raise ValueError(f"{path!r} must be a table: {' or '.join(SUFFIXES)}")
    return path


def _several(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    if not 2 <= len(labels) == len(set(map(str, labels))):
        raise ValueError("must be two labels or more, each once")
    return labels


def _entry_point(text: str) -> str:
    if not _ENTRY_POINT.fullmatch(text):
        raise ValueError(f"must be package.module:function, however: {text!r}")
    return text


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError(f"must be a sha256 digest, 64 hex digits in lower case, however: {text[:80]!r}")
    return text


def _waived_version(value: object) -> int | str:
    if value == "none" or parse_use(value) is None:
        raise ValueError("must be a version number, or N@sha256:<64 hex digits>")
    assert isinstance(value, int | str)
    return value


def _barred_digest(text: str) -> str:
    if not text.startswith("sha256:") or not _DIGEST.fullmatch(text.removeprefix("sha256:")):
        raise ValueError(f"must be sha256: and 64 hex digits in lower case, however: {text[:80]!r}")
    return text


def _day(text: str) -> str:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ValueError(f"must be a date such as 2026-12-24, however: {text[:80]!r}")


def _pattern(pattern: str) -> str:
    if not pattern or any(char.isspace() for char in pattern):
        raise ValueError(f"{pattern!r} is not a pattern for names of models")
    return pattern


def _seconds(value: object) -> float:
    """Seconds from a number, or from text such as ``90s``, ``2m`` or ``1h30m``."""
    found = 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        found = float(sum(int(match[unit] or 0) * size for unit, size in (("h", 3600), ("m", 60), ("s", 1))))
    if not 0 < found <= 86_400:
        raise ValueError("must be a time up to a day: seconds, or text such as 90s, 2m or 1h30m")
    return found


def _bytes(value: object) -> int:
    """Bytes from a number, or from text such as ``512MiB`` or ``8GiB``."""
    found = 0
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        found = int(float(match["number"]) * _UNITS[match["unit"]])
    if not 2**20 <= found <= 2**50:
        raise ValueError("must be a size of at least 1MiB: bytes, or text such as 512MiB or 8GiB")
    return found


_VERSION = {"type": "integer", "minimum": 1, "maximum": NEWEST}
_PINNED_SCHEMA = {"type": "string", "pattern": "^[1-9][0-9]*@sha256:[0-9a-f]{64}$"}
_USE_SCHEMA = {
    "anyOf": [_VERSION, {"const": "none"}, _PINNED_SCHEMA],
    "description": "A version number, N@sha256:DIGEST to pin its bytes, or none for explicitly nothing.",
}
_SECONDS_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400},
        {"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"},
    ]
}
_BYTES_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 2**20},
        {"type": "string", "pattern": f"^{_SIZE.pattern.replace('?P<number>', '').replace('?P<unit>', '')}$"},
    ]
}


def _like(pattern: str) -> Any:  # noqa: ANN401 - pydantic gives its fields no type of their own
    """What an editor checks a text by: a regular expression."""
    return Field(json_schema_extra={"pattern": pattern})


EnvironmentName = Annotated[str, AfterValidator(_environment_name), _like(f"^{_ENVIRONMENT.pattern}$")]
RuledEnvironment = Annotated[str, AfterValidator(_ruled), _like(rf"^(?:\*|{_ENVIRONMENT.pattern})$")]
"""An environment, or ``*`` for every one."""
ModelName = Annotated[str, AfterValidator(_model_name), _like(r"^(?!\.{1,2}$)[^\s/:@'\"`\\\u0000-\u001f\u007f]{1,256}$")]
Alias = Annotated[str, AfterValidator(_alias), _like(rf"^(?!(?:[lL][aA][tT][eE][sS][tT]|[vV][0-9]+)$){_ALIAS.pattern}$")]
Used = Annotated[Any, PlainValidator(parse_use), WithJsonSchema(_USE_SCHEMA)]
"""A ``Use``, once it was read."""
WaivedVersion = Annotated[int | str, PlainValidator(_waived_version), WithJsonSchema({"anyOf": [_VERSION, _PINNED_SCHEMA]})]
BarredDigest = Annotated[str, AfterValidator(_barred_digest), _like("^sha256:[0-9a-f]{64}$")]
Digest = Annotated[str, AfterValidator(_digest), _like(f"^{_DIGEST.pattern}$")]
Day = Annotated[str, AfterValidator(_day), _like(f"^{_DAY.pattern}$")]
EntryPoint = Annotated[str, AfterValidator(_entry_point), _like(f"^{_ENTRY_POINT.pattern}$")]
InsidePath = Annotated[str, AfterValidator(_inside)]
TablePath = Annotated[InsidePath, AfterValidator(_table), _like(rf"(?:{'|'.join(re.escape(one) for one in SUFFIXES)})$")]
Patterns = Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], Field(strict=False, min_length=1)]
Labels = Annotated[tuple[Label, ...], Field(strict=False), AfterValidator(_several)]
Column = Annotated[str, Field(min_length=1)]
Timeout = Annotated[float, PlainValidator(_seconds), WithJsonSchema(_SECONDS_SCHEMA)]
Memory = Annotated[int, PlainValidator(_bytes), WithJsonSchema(_BYTES_SCHEMA)]
