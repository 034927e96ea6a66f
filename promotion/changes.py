"""What has to change, and by which writes: the values that planning gives and everything after it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from promotion.domain import Place, Problem


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
