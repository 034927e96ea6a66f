"""The file formats, as models: what a key may hold, and the JSON Schema by which editors complete and check the files."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from promotion.config.yamlsource import Quoted
from promotion.domain import Bound

_USE = re.compile(r"(?P<version>[1-9][0-9]{0,8})(?:@sha256:(?P<digest>[0-9a-f]{64}))?")
_SIZES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Strict(BaseModel):
    """Unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def read_use(value: object) -> Bound | None:
    """``N``, ``N@sha256:DIGEST`` or ``none``; raises ValueError with what to write instead. The digest is empty without a pin."""
    if isinstance(value, Quoted):
        raise ValueError(f"a version is written without quotes: {value}")
    if isinstance(value, bool) or value is None:
        raise ValueError("a version number, or none to leave the environment empty, is needed here")
    text = str(value)
    if text == "none":
        return None
    if isinstance(value, float):
        raise ValueError(f"{text} is read as a fraction; a version is a whole number: {int(value)}")
    if match := _USE.fullmatch(text):
        return Bound(int(match["version"]), match["digest"] or "")
    if re.fullmatch(r"0+[1-9][0-9]*", text):
        raise ValueError(f"{text} would be another number for some YAML readers; write {text.lstrip('0')}")
    if "@" in text:
        raise ValueError(f"{text!r} is not VERSION@sha256: and 64 hexadecimal digits; promotion pin writes it")
    raise ValueError(f"{text!r} is not a version: write a whole number such as 4, or none")


def read_size(value: object) -> int:
    """``8GiB``, ``512MiB`` or a number of bytes → bytes; raises ValueError."""
    return _measure(value, _SIZES, "8GiB, 512MiB or a number of bytes", least=1 << 20)


def read_span(value: object) -> int:
    """``90``, ``90s``, ``2m`` or ``1h`` → seconds; raises ValueError."""
    return _measure(value, _SPANS, "90s, 2m, 1h or a number of seconds", least=1)


def _measure(value: object, units: dict[str, int], form: str, *, least: int) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,14}) ?([A-Za-z]*)", str(value))
    if match is None or isinstance(value, bool) or (match[2] and match[2] not in units):
        raise ValueError(f"{value!r} is not {form}")
    amount = int(match[1]) * units.get(match[2], 1)
    if amount < least:
        raise ValueError(f"{value!r} is too little")
    return amount


def _alias(text: str) -> str:
    if text == "latest" or re.fullmatch(r"v[0-9]+", text, re.IGNORECASE):
        raise ValueError(f"{text!r} is reserved by MLflow")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", text):
        raise ValueError(f"{text!r} is not an alias: letters, digits, _ and -")
    return text


_USE_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^(none|{_USE.pattern.replace('?P<version>', '').replace('?P<digest>', '')})$"}]
}
Use = Annotated[Bound | None, BeforeValidator(read_use), WithJsonSchema(_USE_SCHEMA)]
Span = Annotated[int, BeforeValidator(read_span), WithJsonSchema({"type": ["integer", "string"], "examples": [90, "2m"]})]
Size = Annotated[int, BeforeValidator(read_size), WithJsonSchema({"type": ["integer", "string"], "examples": ["8GiB"]})]
Patterns = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class Binding(Strict):
    """One binding: which version is in an environment."""

    use: Use


class EnvironmentForm(Strict):
    """How an environment shows in the registry."""

    stage: Literal["Staging", "Production"] | None = None
    alias: Annotated[str, AfterValidator(_alias)] | None = None


class LimitsForm(Strict):
    """How much one reconcile may change."""

    max_changes: Annotated[int, Field(ge=0)] = 20
    max_share: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.2


class EnvironmentsFile(Strict):
    """environments.yaml."""

    version: Literal[1]
    environments: dict[str, EnvironmentForm] | None = None
    limits: LimitsForm = LimitsForm()
    models: dict[str, dict[str, Binding] | None] | None


class DatasetForm(Strict):
    """Pinned rows."""

    path: Annotated[str, Field(min_length=1, pattern=r"^[^/\\]")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    get: str | None = None


class EvaluationForm(Strict):
    """How the models that match are measured."""

    models: Patterns
    evaluator: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    sources: Patterns
    dataset: DatasetForm
    timeout: Span = 600
    memory: Size = 8 << 30
    settings: dict[str, Any] = {}


class EvaluationsFile(Strict):
    """policies/evaluations.yaml."""

    version: Literal[1]
    evaluations: Annotated[dict[str, EvaluationForm], Field(min_length=1)]


class RuleForm(BaseModel):
    """One rule; every other key is a parameter of its gate."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    gate: str
    models: Patterns = ["*"]
    mode: Literal["enforce", "observe"] = "enforce"


class PolicyFile(Strict):
    """policies/staging.yaml and its like: the rules of one environment."""

    version: Literal[1]
    environment: str
    rules: Annotated[list[RuleForm], Field(min_length=1)]


FILES: dict[str, type[BaseModel]] = {"environments": EnvironmentsFile, "policy": PolicyFile, "evaluations": EvaluationsFile}


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one kind of file; a rule's parameters depend on its gate."""
    schema = FILES[kind].model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    if kind == "policy":
        from promotion.gates import BUILT_IN, GATES

        forms = [(name, gate.parameters.model_json_schema()) for name, gate in GATES.items() if name not in BUILT_IN]
        rule = schema["$defs"]["RuleForm"]
        rule["properties"]["gate"] = {"enum": [name for name, _ in forms]}
        rule["allOf"] = [{"if": {"properties": {"gate": {"const": name}}}, "then": {"properties": form.get("properties", {})}} for name, form in forms]
    return schema
