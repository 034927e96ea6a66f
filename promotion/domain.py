"""Frozen values that everything else shares; no logic beyond their text form.

Words (one word, one meaning): *desired* is what git declares, *observed* what the registry shows, *applied* what the
journal says was last applied. A *binding* is how an environment shows in the registry: a stage, an alias, or both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

_REF = re.compile(r"(?P<name>[^/:@\s]+)/(?P<version>[1-9][0-9]*)(?:@sha256:(?P<digest>[0-9a-f]{64}))?")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file; line and column count from 1, column in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one file.

    ``source`` is the text of the line at ``place``, for the caret; ``rule`` is a short stable name in kebab case.
    """

    place: Place
    message: str
    rule: str
    hint: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class ModelVersionRef:
    """``name/version`` or ``name/version@sha256:<64 hex digits>``; the text form round-trips."""

    name: str
    version: int
    digest: str | None = None

    def __str__(self) -> str:
        pin = f"@sha256:{self.digest}" if self.digest else ""
        return f"{self.name}/{self.version}{pin}"

    @classmethod
    def parse(cls, text: str) -> ModelVersionRef:
        """Read the text form; raises ValueError with the expected form when it is another."""
        match = _REF.fullmatch(text)
        if match is None:
            msg = f"{text!r} is not NAME/VERSION or NAME/VERSION@sha256:DIGEST"
            raise ValueError(msg)
        return cls(match["name"], int(match["version"]), match["digest"])


@dataclass(frozen=True, slots=True)
class Environment:
    """One step on the way to users; ``stage`` or ``alias`` may be absent, not both."""

    name: str
    stage: str | None
    alias: str | None


@dataclass(frozen=True, slots=True)
class Declared:
    """One binding as a file declares it; ``version`` None is the explicit ``none``."""

    model: str
    environment: str
    version: int | None
    digest: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one reconcile may change (blast radius).

    ``max_changes`` counts changes; ``max_share`` is a share of the managed models, 0 < share ≤ 1, and counts only
    where more than ten models are managed. Emptying production counts double.
    """

    max_changes: int = 20
    max_share: float = 0.2


@dataclass(frozen=True, slots=True)
class Desired:
    """What git declares: environments in the order of promotion, bindings sorted by model and environment."""

    environments: tuple[Environment, ...]
    bindings: tuple[Declared, ...]
    limits: Limits = field(default_factory=Limits)

    def of(self, model: str) -> tuple[Declared, ...]:
        """The bindings of one model, in the order of promotion."""
        return tuple(binding for binding in self.bindings if binding.model == model)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the managed models, sorted, each once."""
        return tuple(dict.fromkeys(binding.model for binding in self.bindings))


@dataclass(frozen=True, slots=True)
class VersionIdentity:
    """The registry's own identity of a version: another one under the same number was re-created.

    ``created`` is in milliseconds since 1970 (UTC), as the registry says.
    """

    created: int
    source: str
    run_id: str | None


@dataclass(frozen=True, slots=True)
class ObservedVersion:
    """One version as the registry shows it; ``updated`` in milliseconds since 1970 (UTC)."""

    version: int
    stage: str
    identity: VersionIdentity
    updated: int
    status: str = "READY"
    user: str | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedModel:
    """One registered model: every version by number, and its alias map (alias → version)."""

    name: str
    versions: Mapping[int, ObservedVersion]
    aliases: Mapping[str, int]
    tags: Mapping[str, str] = field(default_factory=dict)

    def in_stage(self, stage: str) -> tuple[int, ...]:
        """Numbers of the versions that bear the stage, ascending; more than one is a fault that plan repairs."""
        return tuple(sorted(number for number, version in self.versions.items() if version.stage == stage))


@dataclass(frozen=True, slots=True)
class Observed:
    """What a registry shows of the models asked for; a model that does not exist is absent from ``models``.

    ``registry`` is the registry's address without credentials: the identity of the target.
    """

    registry: str
    models: Mapping[str, ObservedModel]


@dataclass(frozen=True, slots=True)
class Bound:
    """A version with its digest, as the journal remembers a binding."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Barred:
    """What people have put in quarantine: a version by its number, or bytes by their digest under whatever name."""

    model: str
    version: int | None
    digest: str | None
    reason: str
    by: str
    place: Place = field(compare=False)


SOON = timedelta(days=14)
"""What expires within this time is said to expire soon."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """An exception to one gate for one version in one environment, until the end of a day (``expires``, UTC).

    ``digest`` None: whatever bytes the version has. Where it stands in the file makes no difference between two waivers.
    """

    gate: str
    model: str
    version: int
    digest: str | None
    environment: str
    owner: str
    reason: str
    expires: date
    place: Place = field(compare=False)

    def __str__(self) -> str:
        return f"waived by {self.owner} until {self.expires}: {self.reason} ({self.place})"


@dataclass(frozen=True, slots=True)
class AppliedBinding:
    """What was applied last in one environment of one model.

    ``bound`` None: the environment was emptied by an explicit ``none``. ``previous`` is the immediate predecessor, which a
    rollback may return to. ``evidence`` holds digests of statements. ``adopted``: found in service, never judged here.
    ``unverified``: brought back by a rollback, not measured again yet. ``tags``: the version's tags then, None where an older entry
    did not keep them.
    """

    bound: Bound | None
    previous: Bound | None
    identity: VersionIdentity | None
    evidence: tuple[str, ...]
    commit: str
    at: datetime
    by: str
    adopted: bool = False
    unverified: bool = False
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """Proof that a digest was applied in an environment with passing evidence."""

    version: int
    at: datetime
    commit: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppliedModel:
    """The journal's memory of one model: environment → binding, and environment → digest → proof."""

    name: str
    bindings: Mapping[str, AppliedBinding]
    passed: Mapping[str, Mapping[str, Passed]]


class ChangeKind(StrEnum):
    """Why a binding changes. VERIFY asks the gates about one that does not; ADOPT stands in the journal alone: taken as found."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    RETIRE = "retire"
    HEAL = "heal"
    VERIFY = "verify"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Shown:
    """How one environment of one model shows in the registry: the versions in its stage, the version of its alias."""

    stage: tuple[int, ...]
    alias: int | None

    def __str__(self) -> str:
        stage = "+".join(map(str, self.stage)) or "none"
        alias = "none" if self.alias is None else str(self.alias)
        return stage if stage == alias else f"stage {stage}, alias {alias}"


@dataclass(frozen=True, slots=True)
class Change:
    """One binding that has to change, and why.

    ``before`` is what the journal says was applied (None: nothing), ``shown`` what the registry shows, ``after`` what is
    declared (None: the explicit ``none``), ``digest`` the declared pin, ``place`` the declaration.
    """

    kind: ChangeKind
    model: str
    environment: str
    before: int | None
    after: int | None
    shown: Shown
    digest: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class SetStage:
    """Give a version a stage; ``archive_existing`` archives the others of that stage in the same transaction."""

    model: str
    version: int
    stage: str
    archive_existing: bool

    def __str__(self) -> str:
        rest = ", archiving the others there" if self.archive_existing else ""
        return f"set {self.model}/{self.version} to stage {self.stage}{rest}"


@dataclass(frozen=True, slots=True)
class SetAlias:
    """Point an alias of a model at a version."""

    model: str
    alias: str
    version: int

    def __str__(self) -> str:
        return f"point alias {self.model}@{self.alias} at version {self.version}"


@dataclass(frozen=True, slots=True)
class DeleteAlias:
    """Remove an alias of a model."""

    model: str
    alias: str

    def __str__(self) -> str:
        return f"delete alias {self.model}@{self.alias}"


@dataclass(frozen=True, slots=True)
class SetVersionTag:
    """Give a version a tag."""

    model: str
    version: int
    key: str
    value: str

    def __str__(self) -> str:
        return f"set tag {self.key} of {self.model}/{self.version} to {self.value[:80]!r}"


Operation = SetStage | SetAlias | DeleteAlias | SetVersionTag


@dataclass(frozen=True, slots=True)
class Plan:
    """Sorted changes and, for each model, the registry writes in the order that keeps rule 1.

    ``target`` is the registry's address without credentials. ``digest`` covers everything here and the desired and
    observed state it was made from, so a plan that was agreed can be recognised. ``problems`` are declarations that the
    registry cannot fulfil (no such version, …): their models have no changes here. ``unmanaged`` are one-line reports.
    ``basis`` says what it was made from: what (``file: NAME ENVIRONMENT``, ``policies``, …) → its value.
    """

    target: str
    changes: tuple[Change, ...]
    operations: tuple[Operation, ...]
    unmanaged: tuple[str, ...]
    digest: str
    problems: tuple[Problem, ...] = ()
    basis: Mapping[str, str] = field(default_factory=dict)


class Status(StrEnum):
    """What a gate says; the order in ``SEVERITY`` says which wins. The last three block."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAILED = "FAILED"
    ERRORED = "ERRORED"

    @property
    def severity(self) -> int:
        """0 for PASSED up to 4 for ERRORED."""
        return tuple(Status).index(self)

    @property
    def blocks(self) -> bool:
        """Whether a change with this verdict must not be applied."""
        return self in {Status.INCONCLUSIVE, Status.FAILED, Status.ERRORED}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of one change: expected, got, where the rule stands, what to do.

    ``policy`` tells which set of rules asked: ``HEAD``, or ``applied`` for those of the last applied commit. ``waiver`` is the
    exception without which the verdict would block.
    """

    gate: str
    status: Status
    model: str
    environment: str
    version: int | None
    expected: str
    got: str
    hint: str | None = None
    place: Place | None = None
    policy: str = "HEAD"
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One change with all its verdicts."""

    change: Change
    verdicts: tuple[Verdict, ...]
    digest: str | None = None
    evidence: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """The worst verdict. No verdict at all is ERRORED: nothing was judged."""
        return max((verdict.status for verdict in self.verdicts), key=lambda status: status.severity, default=Status.ERRORED)


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan and what the gates say of each of its changes."""

    plan: Plan
    judged: tuple[Judged, ...]

    @property
    def status(self) -> Status:
        """The worst of all changes; PASSED when there is nothing to judge."""
        return max((one.status for one in self.judged), key=lambda status: status.severity, default=Status.PASSED)

    @property
    def waived(self) -> tuple[Waiver, ...]:
        """The waivers without which something would be refused, each once, by model, environment and gate."""
        found = {verdict.waiver for one in self.judged for verdict in one.verdicts if verdict.waiver is not None}
        return tuple(sorted(found, key=lambda one: (one.model, one.environment, one.gate, one.place)))
