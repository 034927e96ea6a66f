"""Pure: who holds the lock, which is the newest entry when that is an intent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from promotion.errors import Conflict
from promotion.journal.model import Entry, EntryKind

if TYPE_CHECKING:
    from promotion.journal.state import State

GRACE = timedelta(seconds=30)
"""How long after the end of its lease an owner is left alone: a request that it sent in time may still arrive."""


class Lease(StrEnum):
    """How the lock stands: nobody has it, somebody does, or somebody left it behind."""

    NONE = "none"
    HELD = "held"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """The lock; ``entry`` is the intent, None where nobody has it."""

    lease: Lease
    entry: Entry | None


def open_intent(state: State, now: datetime, *, grace: timedelta = GRACE) -> OpenIntent:
    """How the lock stands at a time."""
    entry = state.entry
    if entry is None or entry.kind is not EntryKind.INTENT or entry.lease_until is None:
        return OpenIntent(Lease.NONE, None)
    return OpenIntent(Lease.HELD if now < entry.lease_until + grace else Lease.EXPIRED, entry)


def check_free(state: State, now: datetime, *, break_lease: bool = False, grace: timedelta = GRACE) -> None:
    """Raise Conflict when somebody holds the lock, unless a person breaks the lease."""
    found = open_intent(state, now, grace=grace)
    if found.lease is Lease.HELD and found.entry is not None and not break_lease:
        raise held(found.entry)


def held(entry: Entry) -> Conflict:
    """The error that tells who was faster: the holder of the lock, or whoever wrote the newest entry."""
    if entry.kind is EntryKind.INTENT and entry.lease_until is not None:
        return Conflict(
            f"another reconcile is under way: {entry.by} holds the lock since {_time(entry.at)} until {_time(entry.lease_until)}"
            f", for commit {entry.commit[:12]}",
            hint="wait for it; if you know that it is dead, run this again with --break-lease",
        )
    return Conflict(
        f"somebody was faster: {entry.by} recorded the {_noun(entry.kind)} of commit {entry.commit[:12]} at {_time(entry.at)}",
        hint="run this again: it starts from what is recorded now",
    )


def _noun(kind: EntryKind) -> str:
    return "adoption" if kind is EntryKind.ADOPTED else kind.value


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
