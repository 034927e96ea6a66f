"""The file formats as typed models: what a file may hold. Single values are those of ``values``.

What no schema can say (names that other files declare, lines that stand too close) is checked in ``declarations`` and ``rules``.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.fields import FieldInfo

from promotion.builtin import CLASSIFICATION, ENTRY_POINTS, LABELS, PROBABILITY, REGRESSION, VALUE
from promotion.config.values import (
    NEWEST,
    Alias,
    BarredDigest,
    Column,
    Day,
    Digest,
    EntryPoint,
    EnvironmentName,
    InsidePath,
    Label,
    Labels,
    Memory,
    ModelName,
    Patterns,
    RuledEnvironment,
    TablePath,
    Timeout,
    Used,
    WaivedVersion,
)


class _Strict(BaseModel):
    """Unknown keys are refused, types are not converted, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Binding(_Strict):
    """One environment of one model."""

    use: Used


class EnvironmentEntry(_Strict):
    """How an environment shows in the registry: a stage, an alias, or both."""

    stage: Literal["Staging", "Production"] | None = None
    alias: Alias | None = None


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
    environment: RuledEnvironment
    rules: Annotated[tuple[RuleEntry, ...], Field(strict=False, min_length=1)]


class DatasetEntry(_Strict):
    """Pinned rows: where they lie, what they must hash to, and the command that gets them."""

    path: InsidePath
    sha256: Digest
    get: Annotated[str, Field(min_length=1)] | None = None


Lock = Annotated[
    InsidePath | None, Field(description="The file that pins the libraries it runs with: part of the evaluator's identity, as sources are.")
]


class EvaluationEntry(_Strict):
    """How models that match are measured. ``sources`` are the files whose hash is the evaluator's identity."""

    models: Patterns
    evaluator: EntryPoint
    sources: Annotated[tuple[InsidePath, ...], Field(strict=False, min_length=1)]
    dataset: DatasetEntry
    lock: Lock = None
    timeout: Timeout = 600.0
    memory: Memory = 8 * 2**30
    settings: dict[str, Any] = Field(default_factory=dict)


class TableEntry(DatasetEntry):
    """Pinned rows of a table, CSV or Parquet, with the names of their columns."""

    path: TablePath


Builtin = Literal["tabular-classification", "tabular-regression"]


class ClassificationEntry(_Strict):
    """Models that tell classes, measured by ``promotion`` itself: no code of yours. Every other column is an input.

    ``output`` is what the model answers: labels, probability, or the name of a column of its answer, which ``holds`` one or the other.
    ``labels`` is the order of the probabilities' columns, by default that of sorting; ``threshold`` is for two labels.
    """

    models: Patterns
    builtin: Annotated[Builtin, Field(json_schema_extra={"const": CLASSIFICATION})]
    dataset: TableEntry
    label: Annotated[Column, Field(description="The column that holds the truth.")]
    positive: Annotated[Label, Field(description="The label that f1, precision, recall and the areas under curves are about.")]
    output: Annotated[Column, Field(description="labels, probability, or a column of the model's answer.")]
    holds: Annotated[Literal["labels", "probability"] | None, Field(description="What that column holds [probability].")] = None
    labels: Labels | None = None
    group: Annotated[Column | None, Field(description="Rows with the same value go together when resampled; no input.")] = None
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    lock: Lock = None
    timeout: Timeout = 600.0
    memory: Memory = 8 * 2**30

    @model_validator(mode="after")
    def _agrees(self) -> ClassificationEntry:
        if self.holds is not None and self.output in {LABELS, PROBABILITY}:
            raise ValueError(f"'holds' is about a column of the model's answer, and output: {self.output} names none")
        if self.group == self.label:
            raise ValueError("label and group are the same column")
        return self


class RegressionEntry(_Strict):
    """Models that tell a number, measured by ``promotion`` itself: no code of yours. Every other column is an input."""

    models: Patterns
    builtin: Annotated[Builtin, Field(json_schema_extra={"const": REGRESSION})]
    dataset: TableEntry
    target: Annotated[Column, Field(description="The column that holds the true number.")]
    output: Annotated[Column, Field(description="value: what the model answers; or a column of its answer.")] = VALUE
    group: Annotated[Column | None, Field(description="Rows with the same value go together when resampled; no input.")] = None
    lock: Lock = None
    timeout: Timeout = 600.0
    memory: Memory = 8 * 2**30

    @model_validator(mode="after")
    def _agrees(self) -> RegressionEntry:
        if self.group == self.target:
            raise ValueError("target and group are the same column")
        return self


KINDS = {None: "(own)", CLASSIFICATION: "(classification)", REGRESSION: "(regression)"}
"""What stands in the place of an evaluation's error to say which kind it was read as."""


def _kind(entry: object) -> str:
    """How an evaluation is read: by the built-in evaluator that it names, or that is nearest."""
    if isinstance(entry, BaseModel):
        named = getattr(entry, "builtin", None)
    else:
        named = entry.get("builtin") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and "builtin" in entry and named not in ENTRY_POINTS:
            named = next(iter(get_close_matches(str(named), ENTRY_POINTS, n=1)), CLASSIFICATION)
    return KINDS[named]


AnyEvaluation = EvaluationEntry | ClassificationEntry | RegressionEntry
_Evaluation = Annotated[
    Annotated[EvaluationEntry, Tag(KINDS[None])]
    | Annotated[ClassificationEntry, Tag(KINDS[CLASSIFICATION])]
    | Annotated[RegressionEntry, Tag(KINDS[REGRESSION])],
    Discriminator(_kind),
]


class EvaluationsFile(_Strict):
    """policies/evaluations.yaml: what measures which models, on which rows."""

    version: Literal[1]
    evaluations: dict[Annotated[str, Field(min_length=1)], _Evaluation]


class WaiverEntry(_Strict):
    """An exception to one gate, for one version in one environment, until the end of a day (UTC)."""

    gate: Annotated[str, Field(description="The gate that is excused: promotion gates lists them.")]
    model: ModelName
    version: WaivedVersion
    environment: EnvironmentName
    owner: Annotated[str, Field(min_length=1, description="Who answers for it.")]
    reason: Annotated[str, Field(min_length=1)]
    expires: Day


class WaiversFile(_Strict):
    """policies/waivers.yaml: exceptions to gates. One counts from the change after the one that brought it."""

    version: Literal[1]
    waivers: Annotated[tuple[WaiverEntry, ...], Field(strict=False)]


class QuarantineEntry(_Strict):
    """What nobody may serve: a version by its number, or bytes by their digest (under every name), or both."""

    model: ModelName
    version: Annotated[int, Field(ge=1, le=NEWEST)] | None = None
    digest: BarredDigest | None = None
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
