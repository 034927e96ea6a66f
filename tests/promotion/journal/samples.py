"""Entries and memories for tests."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from promotion.changes import ChangeKind
from promotion.domain import AppliedBinding, AppliedModel, Bound, Passed, VersionIdentity
from promotion.journal import Entry, EntryKind, RecordedChange
from promotion.verdicts import Status

START = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
IDENTITY = VersionIdentity(1_700_000_000_000, "models:/m-1", "run1")


def digest(number: int) -> str:
    return f"{number:064x}"


def entry(commit: str, *, kind: EntryKind = EntryKind.OUTCOME, minutes: float = 0, by: str = "Job <job@example.org>") -> Entry:
    at = START + timedelta(minutes=minutes)
    return Entry(
        kind=kind,
        id=uuid.uuid4().hex,
        commit=commit,
        author="Ada <ada@example.org>",
        subject="Promote m to staging",
        at=at,
        by=by,
        tool="0.1",
        registry="http://localhost:5000",
        plan=digest(77),
        policies=digest(78),
        changes=(),
        refusals=(),
        lease_until=at + timedelta(minutes=5) if kind is EntryKind.INTENT else None,
        takes_over=None,
        recorded=None if kind is EntryKind.INTENT else commit,
    )


def memory(model: str, version: int, commit: str, at: datetime = START, environment: str = "staging") -> AppliedModel:
    bound = Bound(version, digest(version))
    binding = AppliedBinding(bound, None, IDENTITY, (digest(900),), commit, at, "Job <job@example.org>")
    return AppliedModel(model, {environment: binding}, {environment: {bound.digest: Passed(version, at, commit, (digest(900),))}})


def promoting(base: Entry, model: str, version: int, before: int | None = None, environment: str = "staging") -> Entry:
    old = None if before is None else Bound(before, digest(before))
    change = RecordedChange(ChangeKind.PROMOTE, model, environment, old, Bound(version, digest(version)), (digest(900),), Status.PASSED)
    return replace(base, changes=(*base.changes, change))
