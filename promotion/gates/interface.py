"""What a gate is, and the facts that it may look at: nothing else, no clock, no files, no network.

A gate is one class in one file of this package. Its module's docstring is its documentation (``promotion gates explain``),
with a sample that passes and one that fails. A gate that lacks a fact says ERRORED; it never guesses and never passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from promotion.changes import Change
from promotion.domain import AppliedModel, ObservedModel, ObservedVersion
from promotion.intervals import Estimate
from promotion.registry.interface import Artifact, Run
from promotion.verdicts import Barred, Status, Waiver

if TYPE_CHECKING:
    from promotion.intervals import Values


class Parameters(BaseModel):
    """Base of a gate's parameters: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be had, and why. A gate that needs it says ERRORED with this reason."""

    reason: str
    hint: str | None = None


class Sample(Protocol):
    """The figures of one piece of evidence in each of 1,000 resamples of its rows."""

    def values(self, figure: str) -> Values | None:
        """A figure's value in each resample, NaN where it is 0/0; None when resamples do not give it."""
        ...

    def units(self, figure: str) -> float:
        """How many independent units (rows, or groups of them) stand behind a figure."""
        ...

    def pairs(self, other: Sample) -> bool:
        """Whether both are of the same rows in the same resamples, so that differences may be taken."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """Evidence that fits this artifact, dataset and evaluator: the name of its statement, its figures, and what measured it.

    ``sample`` is None for evidence that was kept without its resamples: such figures have no interval.
    """

    digest: str
    figures: Mapping[str, float]
    rows: int
    at: datetime
    hardware: str = ""
    sample: Sample | None = field(default=None, compare=False, repr=False)

    def estimate(self, figure: str) -> Estimate | None:
        """A figure with what is known of how far off it is; None when nobody measured it."""
        point = self.figures.get(figure)
        if point is None:
            return None
        values = None if self.sample is None else self.sample.values(figure)
        return Estimate(point) if values is None or self.sample is None else Estimate(point, values, self.sample.units(figure))


@dataclass(frozen=True, slots=True)
class Reference:
    """A version that this one is compared with, and its evidence by the name of the evaluation."""

    model: str
    version: int
    digest: str
    evidence: Mapping[str, Measured | Unknown]


@dataclass(frozen=True, slots=True)
class Format:
    """What one artifact holds, found by content: ``kind`` such as ``pt2``, ``xgboost`` or ``pickle``; ``findings`` are
    the things that must not be loaded, each one sentence with the file's path."""

    loader_module: str | None
    kind: str
    findings: tuple[str, ...]
    pickles: tuple[str, ...] = ()
    """Those of the findings that are whole files which say by their name that they are pickles: a policy may allow them."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a signature: its type in MLflow's words, and whether callers must give it."""

    name: str | None
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives, in the order of its MLmodel; None where it does not say."""

    inputs: tuple[Column, ...] | None
    outputs: tuple[Column, ...] | None


@dataclass(frozen=True, slots=True)
class Approval:
    """What one signed tag says of one change, and by which names its signer is known; ``fault`` tells why it says nothing.

    ``before`` and ``after`` are digests of bytes, ``before`` None where nothing was applied. A ``review`` of the pull request says of
    the change what the file declares, and of bytes and evidence nothing.
    """

    tag: str
    principals: tuple[str, ...]
    plan: str
    repository: str
    registry: str
    policies: str
    before: str | None
    after: str
    evidence: tuple[str, ...]
    expires: datetime
    fault: str | None = None
    review: bool = False


@dataclass(frozen=True, slots=True)
class Approvals:
    """Approvals of one change, and what one must say to count.

    ``plans`` are the digests of the plan and of one that was left unfinished; ``used`` is the journal's entry by which the plan was
    applied already, None where it was not; ``authors`` are all names of those who promote.
    """

    plans: tuple[str, ...]
    repository: str
    registry: str
    policies: str
    used: str | None
    authors: tuple[str, ...] | Unknown
    found: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """The chain data version → commit → run → version as far as it resolves; ``breaks`` tells each missing link."""

    data_version: str | None
    data_digest: str | None
    commit: str | None
    run_id: str | None
    breaks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that gates may know of one change. Each fact that could not be had is Unknown, with the reason."""

    change: Change
    now: datetime
    model: ObservedModel | Unknown
    version: ObservedVersion | Unknown
    run: Run | Unknown
    artifact: Artifact | Unknown
    format: Format | Unknown
    lineage: Lineage | Unknown
    applied: AppliedModel | None
    evidence: Mapping[str, Measured | Unknown] = field(default_factory=dict)
    """By the name of the evaluation; empty when no evaluation measures this model."""
    evidence_applied: Mapping[str, Measured | Unknown] = field(default_factory=dict)
    """The same under the policies of the last applied commit; gates never look here, ``decide`` shows it as ``evidence``."""
    holds: Mapping[str, str] | Unknown = Unknown("the journal's holds were not read")
    """Digests that must not be applied in this environment of this model until a person releases them, with the reason."""
    touched: tuple[str, ...] | None = None
    """Files of policies and evaluators that the pull request changes; None where none is judged."""
    signature: Signature | Unknown = Unknown("the signature was not read")
    signatures: Mapping[str, Signature | Unknown] = field(default_factory=dict)
    """Those of the versions that were applied last, by environment, as far as a rule asks for them."""
    lineages: Mapping[str, Lineage | Unknown] = field(default_factory=dict)
    """The chain with its commit looked for in another repository, by that one's address, as far as a rule asks for it."""
    approvals: Approvals | Unknown = Unknown("approvals were not looked for")
    """As far as a rule asks for them."""
    barred: tuple[Barred, ...] | Unknown = Unknown("the quarantine was not read")
    """What people have put in quarantine, by the rules of HEAD or of the last applied commit."""
    waivers: tuple[Waiver, ...] = ()
    """Exceptions that count for this change unless they expired; gates never look here, ``decide`` does."""
    waivers_new: tuple[Waiver, ...] = ()
    """Exceptions that came with the change itself, and so do not count for it."""
    references: Mapping[str, Reference | Unknown | None] = field(default_factory=dict)
    """What rules compare with, by the environment or the pattern of models that they name; None: nothing is applied there."""
    references_applied: Mapping[str, Reference | Unknown | None] = field(default_factory=dict)
    """The same under the policies of the last applied commit, as ``evidence_applied``."""
    stages_before: tuple[str, ...] = ()
    """The environments that come before this one, in the order of promotion."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a gate says: the rest of a Verdict (model, place, policy) is known to whoever asked."""

    status: Status
    expected: str
    got: str
    hint: str | None = None
    waivable: bool = True
    """Whether a waiver may open what this refuses, where one may open this gate at all."""


P_contra = TypeVar("P_contra", bound=Parameters, contravariant=True)


class Gate(Protocol[P_contra]):
    """One rule's judge. ``judge`` is pure: the same parameters and facts give the same ruling."""

    name: ClassVar[str]
    """As written in policies: snake case."""
    summary: ClassVar[str]
    """One line for ``promotion gates``."""
    parameters: ClassVar[type[Parameters]]
    """What a policy may say about it."""
    mandatory: ClassVar[bool]
    """Judged whether a policy names it or not, and never only shown: ``enforce: false`` does not weaken it."""

    def judge(self, rule: P_contra, facts: Facts) -> Ruling:
        """Judge one change. Never raises for what facts may hold."""
        ...
