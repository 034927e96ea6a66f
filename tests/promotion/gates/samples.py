"""Facts of a change that every gate passes; tests spoil one thing at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from promotion.changes import Change, ChangeKind, Shown
from promotion.domain import AppliedBinding, AppliedModel, Bound, ObservedModel, ObservedVersion, Passed, Place, VersionIdentity
from promotion.gates.interface import Column, Facts, Format, Lineage, Measured, Signature, Unknown
from promotion.registry.interface import Artifact, Run

NOW = datetime(2026, 10, 2, 12, 0, tzinfo=UTC)
DIGEST = "d" * 64
OTHER = "e" * 64
NAME = "moe-cybersecurity-cicids"
PLACE = Place("environments.yaml", 7, 12)
IDENTITY = VersionIdentity(1_700_000_000_000, "models:/m-1", "run1")
OUT_OF_REACH = Unknown("the registry does not answer", "start it")


def change(**given: Any) -> Change:
    values = {
        "kind": ChangeKind.PROMOTE,
        "model": NAME,
        "environment": "production",
        "before": 3,
        "after": 4,
        "shown": Shown((3,), 3),
        "digest": None,
        "place": PLACE,
    }
    return Change(**{**values, **given})


def binding(bound: Bound | None, **given: Any) -> AppliedBinding:
    values = {
        "previous": None,
        "identity": IDENTITY,
        "evidence": ("f" * 64,),
        "commit": "c" * 40,
        "at": NOW - timedelta(days=1),
        "by": "ci",
    }
    return AppliedBinding(bound=bound, **{**values, **given})


def passed(hours: float = 48, evidence: tuple[str, ...] = ("f" * 64,)) -> Passed:
    return Passed(4, NOW - timedelta(hours=hours), "c" * 40, evidence)


def applied(**given: Any) -> AppliedModel:
    values = {"bindings": {"staging": binding(Bound(4, DIGEST))}, "passed": {"staging": {DIGEST: passed()}}}
    return AppliedModel(NAME, **{**values, **given})


def measured(rows: int = 4000, **figures: float) -> Measured:
    return Measured("f" * 64, figures or {"f1": 0.97, "recall": 0.95, "class.DDoS.recall": 0.9}, rows, NOW)


def facts(**given: Any) -> Facts:
    version = ObservedVersion(
        4,
        "Staging",
        IDENTITY,
        1_700_000_000_001,
        description="what it is",
        tags={"dataset": "CICIDS", "architecture": "MoE", "date": "2026-10-01"},
    )
    values: dict[str, Any] = {
        "change": change(),
        "now": NOW,
        "model": ObservedModel(NAME, {4: version}, {}),
        "version": version,
        "run": Run("run1", "FINISHED", "ci", {"lr": "1e-3"}, {"f1": 0.99}, {}),
        "artifact": Artifact(DIGEST, ()),
        "format": Format("mlflow.pytorch", "pt2", ()),
        "lineage": Lineage("v1.0.0", "a" * 64, "c" * 40, "run1", ()),
        "applied": applied(),
        "evidence": {"flows": measured()},
        "evidence_applied": {"flows": measured()},
        "signature": Signature((Column("duration", "double"), Column("bytes", "long")), (Column(None, "float"),)),
        "holds": {},
        "barred": (),
        "stages_before": ("staging",),
    }
    return Facts(**{**values, **given})


def with_version(**given: Any) -> Facts:
    made = facts()
    assert isinstance(made.version, ObservedVersion)
    return replace(made, version=replace(made.version, **given))
