"""Facts in which nothing is wrong, and how an input is written down whose verdict is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from promotion.changes import Change, ChangeKind, Shown
from promotion.domain import AppliedModel, ObservedModel, ObservedVersion, Passed, Place, VersionIdentity
from promotion.gates.interface import (
    Facts,
    Format,
    Lineage,
    Measured,
    Unknown,
)
from promotion.registry.interface import Artifact, Run
from promotion.verdicts import Status

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
"""The time at which the known inputs are judged."""
DIGEST = "a" * 64
OTHER = "b" * 64
UNKNOWN = Unknown("it could not be read", "a known-bad input of the self-test")


@dataclass(frozen=True, slots=True)
class Bad:
    """An input that must be refused: what is wrong with it, and what the gate must say."""

    what: str
    facts: Facts
    status: Status = Status.FAILED
    ruled: bool = True
    """Whether any rule applies to it at all."""


@dataclass(frozen=True, slots=True)
class Known:
    """``good`` None: no value is known that this rule passes, such as a name for a pattern without examples."""

    good: Facts | None
    bad: tuple[Bad, ...]


def sound(model: str, environment: str, before: tuple[str, ...]) -> Facts:
    """Facts of a promotion into an environment, after these others, in which nothing is wrong."""
    identity = VersionIdentity(1_700_000_000_000, "models:/m-1", "run1")
    tags = {"dataset": "rows", "architecture": "trees", "date": "2026-01-01"}
    version = ObservedVersion(2, "None", identity, 1_700_000_000_000, description="what it is", tags=tags)
    change = Change(ChangeKind.PROMOTE, model, environment, 1, 2, Shown((1,), 1), None, Place("environments.yaml", 1, 1))
    applied = AppliedModel(model, {}, {one: {DIGEST: proof(timedelta(days=3650))} for one in before})
    return Facts(
        change=change,
        now=NOW,
        model=ObservedModel(model, {2: version}, {}),
        version=version,
        run=Run("run1", "FINISHED", "ci", {"seed": "1"}, {"f1": 1.0}, {}),
        artifact=Artifact(DIGEST, ()),
        format=Format("mlflow.xgboost", "xgboost", ()),
        lineage=Lineage("v1", DIGEST, "c" * 40, "run1", ()),
        applied=applied,
        holds={},
        touched=(),
        barred=(),
        stages_before=before,
    )


def proof(age: timedelta, evidence: tuple[str, ...] = (DIGEST,)) -> Passed:
    """That this digest passed in an environment, so long ago."""
    return Passed(2, NOW - age, "c" * 40, evidence)


@dataclass(frozen=True, slots=True)
class Spread:
    """Resamples made up: every figure lies within ``half`` of its value in all of them, at both ends in some."""

    figures: Mapping[str, float]
    half: float
    many: float = 1000.0

    def values(self, figure: str) -> Sequence[float] | None:
        """A figure in 1,000 resamples, None where it was not measured."""
        value = self.figures.get(figure)
        return None if value is None else [value + self.half * (place % 3 - 1) for place in range(1000)]

    def units(self, _figure: str) -> float:
        """So many of everything."""
        return self.many

    def pairs(self, other: object) -> bool:
        """With every other that is made up."""
        return isinstance(other, Spread)


def sample(figures: Mapping[str, float], half: float = 0.0, many: float = 1e12) -> Measured:
    """Evidence that says so, of ``many`` rows; ``half`` an interval to either side."""
    return Measured(DIGEST, figures, 1000, NOW, "a machine", Spread(figures, half, many))


def named(pattern: str) -> str:
    """A figure that a rule's pattern matches; the names themselves are their own."""
    return pattern.replace("*", "any")
