"""The file formats as typed models: what a file may hold, and the JSON Schemas with which editors complete and check it.

What no schema can say (names that other files declare, lines that stand too close) is checked in ``declarations`` and ``rules``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, PlainValidator, Tag, WithJsonSchema, model_validator
from pydantic.fields import FieldInfo

from promotion.builtin import CLASSIFICATION, LABELS, PROBABILITY, SUFFIXES
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
_TABLE = rf"(?:{'|'.join(re.escape(one) for one in SUFFIXES)})$"
_USE_SCHEMA = {
    "anyOf": [_VERSION, {"const": "none"}, {"type": "string", "pattern": "^[1-9][0-9]*@sha256:[0-9a-f]{64}$"}],
    "description": "A version number, N@sha256:DIGEST to pin its bytes, or none for explicitly nothing.",
}

_WAIVED_SCHEMA = {"anyOf": [_VERSION, {"type": "string", "pattern": "^[1-9][0-9]*@sha256:[0-9a-f]{64}$"}]}
_MODEL_SCHEMA = r"^(?!\.{1,2}$)[^\s/:@'\"`\\\u0000-\u001f\u007f]{1,256}$"
_ALIAS_SCHEMA = rf"^(?!(?:[lL][aA][tT][eE][sS][tT]|[vV][0-9]+)$){_ALIAS.pattern}$"

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

EnvironmentName = Annotated[str, AfterValidator(_environment_name), Field(json_schema_extra={"pattern": f"^{_ENVIRONMENT.pattern}$"})]
ModelName = Annotated[str, AfterValidator(_model_name), Field(json_schema_extra={"pattern": _MODEL_SCHEMA})]
InsidePath = Annotated[str, AfterValidator(_inside)]
Patterns = Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], Field(strict=False, min_length=1)]


class _Strict(BaseModel):
    """Unknown keys are refused, types are not converted, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Binding(_Strict):
    """One environment of one model."""

    use: Annotated[Any, PlainValidator(parse_use), WithJsonSchema(_USE_SCHEMA)]


class EnvironmentEntry(_Strict):
    """How an environment shows in the registry: a stage, an alias, or both."""

    stage: Literal["Staging", "Production"] | None = None
    alias: Annotated[str, AfterValidator(_alias), Field(json_schema_extra={"pattern": _ALIAS_SCHEMA})] | None = None


class LimitsEntry(_Strict):
    """How much one reconcile may change: a number of changes, and a share of the managed models (where they are more than ten)."""

    max_changes: int = Field(default=20, ge=0, le=1_000_000)
    max_share: float = Field(default=0.2, gt=0, le=1)


class EnvironmentsFile(_Strict):
    """environments.yaml: which version of each model is in which environment. Git is the truth."""

    version: Literal[1]
    environments: dict[EnvironmentName, EnvironmentEntry] | None = None
    limits: LimitsEntry | None = None
    models: dict[ModelName, dict[EnvironmentName, Binding]] | None


class RuleEntry(_Strict):
    """One rule: a gate and, beside these keys, the gate's own parameters."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    gate: Annotated[str, Field(description="The gate's name: promotion gates lists them.")]
    models: Annotated[Patterns, Field(description="Shell patterns for names of models; all models by default.")] = ("*",)
    mode: Annotated[Literal["enforce", "observe"], Field(description="observe: the verdict is shown and never blocks.")] = "enforce"


class PolicyFile(_Strict):
    """policies/ENVIRONMENT.yaml: the rules for entering one environment; or, for ``"*"``, every environment beside its own rules."""

    version: Literal[1]
    environment: Annotated[str, AfterValidator(_ruled), Field(json_schema_extra={"pattern": rf"^(?:\*|{_ENVIRONMENT.pattern})$"})]
    rules: Annotated[tuple[RuleEntry, ...], Field(strict=False, min_length=1)]


class DatasetEntry(_Strict):
    """Pinned rows: where they lie, what they must hash to, and the command that gets them."""

    path: InsidePath
    sha256: Annotated[str, AfterValidator(_digest), Field(json_schema_extra={"pattern": f"^{_DIGEST.pattern}$"})]
    get: Annotated[str, Field(min_length=1)] | None = None


Timeout = Annotated[float, PlainValidator(_seconds), WithJsonSchema(_SECONDS_SCHEMA)]
Memory = Annotated[int, PlainValidator(_bytes), WithJsonSchema(_BYTES_SCHEMA)]
Column = Annotated[str, Field(min_length=1)]


class EvaluationEntry(_Strict):
    """How models that match are measured. ``sources`` are the files whose hash is the evaluator's identity."""

    models: Patterns
    evaluator: Annotated[str, AfterValidator(_entry_point), Field(json_schema_extra={"pattern": f"^{_ENTRY_POINT.pattern}$"})]
    sources: Annotated[tuple[InsidePath, ...], Field(strict=False, min_length=1)]
    dataset: DatasetEntry
    timeout: Timeout = 600.0
    memory: Memory = 8 * 2**30
    settings: dict[str, Any] = Field(default_factory=dict)


class TableEntry(DatasetEntry):
    """Pinned rows of a table, CSV or Parquet, with the names of their columns."""

    path: Annotated[str, AfterValidator(_inside), AfterValidator(_table), Field(json_schema_extra={"pattern": _TABLE})]


class ClassificationEntry(_Strict):
    """Models that tell classes, measured by ``promotion`` itself: no code of yours. Every other column is an input.

    ``output`` is what the model answers: labels, probability, or the name of a column of its answer, which ``holds`` one or the other.
    ``labels`` is the order of the probabilities' columns, by default that of sorting; ``threshold`` is for two labels.
    """

    models: Patterns
    builtin: Literal["tabular-classification"]
    dataset: TableEntry
    label: Annotated[Column, Field(description="The column that holds the truth.")]
    positive: Annotated[Label, Field(description="The label that f1, precision, recall and the areas under curves are about.")]
    output: Annotated[Column, Field(description="labels, probability, or a column of the model's answer.")]
    holds: Annotated[Literal["labels", "probability"] | None, Field(description="What that column holds [probability].")] = None
    labels: Annotated[tuple[Label, ...], Field(strict=False), AfterValidator(_several)] | None = None
    group: Annotated[Column | None, Field(description="Rows with the same value go together when resampled; no input.")] = None
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    timeout: Timeout = 600.0
    memory: Memory = 8 * 2**30

    @model_validator(mode="after")
    def _agrees(self) -> ClassificationEntry:
        if self.holds is not None and self.output in {LABELS, PROBABILITY}:
            raise ValueError(f"'holds' is about a column of the model's answer, and output: {self.output} names none")
        if self.group == self.label:
            raise ValueError("label and group are the same column")
        return self


KINDS = {None: "(own)", CLASSIFICATION: "(classification)"}
"""What stands in the place of an evaluation's error to say which kind it was read as."""


def _kind(entry: object) -> str:
    """How an evaluation is read: by the built-in evaluator that it names, or that is nearest."""
    if isinstance(entry, BaseModel):
        named = getattr(entry, "builtin", None)
    else:
        named = entry.get("builtin") if isinstance(entry, dict) else None
        named = CLASSIFICATION if isinstance(entry, dict) and "builtin" in entry and named not in KINDS else named
    return KINDS[named]


AnyEvaluation = Annotated[
    Annotated[EvaluationEntry, Tag(KINDS[None])] | Annotated[ClassificationEntry, Tag(KINDS[CLASSIFICATION])],
    Discriminator(_kind),
]


class EvaluationsFile(_Strict):
    """policies/evaluations.yaml: what measures which models, on which rows."""

    version: Literal[1]
    evaluations: dict[Annotated[str, Field(min_length=1)], AnyEvaluation]


class WaiverEntry(_Strict):
    """An exception to one gate, for one version in one environment, until the end of a day (UTC)."""

    gate: Annotated[str, Field(description="The gate that is excused: promotion gates lists them.")]
    model: ModelName
    version: Annotated[int | str, PlainValidator(_waived_version), WithJsonSchema(_WAIVED_SCHEMA)]
    environment: EnvironmentName
    owner: Annotated[str, Field(min_length=1, description="Who answers for it.")]
    reason: Annotated[str, Field(min_length=1)]
    expires: Annotated[str, AfterValidator(_day), Field(json_schema_extra={"pattern": f"^{_DAY.pattern}$"})]


class WaiversFile(_Strict):
    """policies/waivers.yaml: exceptions to gates. One counts from the change after the one that brought it."""

    version: Literal[1]
    waivers: Annotated[tuple[WaiverEntry, ...], Field(strict=False)]


class QuarantineEntry(_Strict):
    """What nobody may serve: a version by its number, or bytes by their digest (under every name), or both."""

    model: ModelName
    version: Annotated[int, Field(ge=1, le=NEWEST)] | None = None
    digest: Annotated[str, AfterValidator(_barred_digest), Field(json_schema_extra={"pattern": "^sha256:[0-9a-f]{64}$"})] | None = None
    reason: Annotated[str, Field(min_length=1)]
    by: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _bars_something(self) -> QuarantineEntry:
        if self.version is None and self.digest is None:
            raise ValueError("give version, digest or both: what is barred?")
        return self


class QuarantineFile(_Strict):
    """policies/quarantine.yaml: what people have barred from service, rollbacks included."""

    version: Literal[1]
    quarantine: Annotated[tuple[QuarantineEntry, ...], Field(strict=False)]


FORMATS: dict[str, type[BaseModel]] = {
    "environments": EnvironmentsFile,
    "policy": PolicyFile,
    "evaluations": EvaluationsFile,
    "waivers": WaiversFile,
    "quarantine": QuarantineFile,
}


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of one of ``FORMATS``; the rules of a policy know every gate's parameters.

    Raises KeyError for any other kind.
    """
    schema = FORMATS[kind].model_json_schema()
    if kind == "policy":
        _add_gates(schema)
    _close(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def fields_of(model: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that are known at a path below a model; empty where any key may stand."""
    found: Any = model
    for part in path:
        found = _below(found, part)
    found = _bare(found)
    return tuple(found.model_fields) if isinstance(found, type) and issubclass(found, BaseModel) else ()


def _below(annotation: Any, part: int | str) -> Any:  # noqa: ANN401 - annotations have no common type
    """The annotation of one part of a value."""
    bare = _bare(annotation)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        known: FieldInfo | None = bare.model_fields.get(str(part))
        return known.annotation if known else None
    if part in KINDS.values():
        return next((one for one in get_args(bare) if Tag(str(part)) in get_args(one)), None)
    arguments = get_args(bare)
    return {dict: arguments[1:2], tuple: arguments[:1]}.get(get_origin(bare), ())[0] if arguments else None


def _bare(annotation: Any) -> Any:  # noqa: ANN401
    """Without Annotated and without ``| None``."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    rest = [one for one in get_args(annotation) if one is not type(None)]
    if type(None) in get_args(annotation) and len(rest) == 1:
        return _bare(rest[0])
    return annotation


def _close(part: Any) -> None:  # noqa: ANN401 - any part of a schema
    """Refuse keys that fit no pattern, in every part of a schema: without it they would be anything."""
    if isinstance(part, dict):
        if "patternProperties" in part:
            part.setdefault("additionalProperties", False)
        for inner in part.values():
            _close(inner)
    elif isinstance(part, list):
        for inner in part:
            _close(inner)


def _add_gates(schema: dict[str, Any]) -> None:
    """One alternative for each gate in place of a rule with any keys."""
    from promotion.gates import BUILT_IN, GATES

    definitions = schema["$defs"]
    common = definitions.pop("RuleEntry")
    alternatives = []
    for name, gate in sorted(GATES.items()):
        if name in BUILT_IN:
            continue
        own = gate.parameters.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(own.pop("$defs", {}))
        properties = {**common["properties"], "gate": {"const": name, "description": gate.summary}, **own.get("properties", {})}
        required = ["gate", *own.get("required", [])]
        shape = {"type": "object", "title": name, "additionalProperties": False}
        alternatives.append({**shape, "properties": properties, "required": required})
    definitions["RuleEntry"] = {"oneOf": alternatives}
