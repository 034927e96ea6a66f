"""Pure: what happened that people want to be told, from the journal's entries, from drift and from waivers.

Every happening has an ``id`` that depends on what happened alone, so that a receiver that is told twice can see it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from promotion.changes import ChangeKind
from promotion.journal import EntryKind
from promotion.verdicts import SOON

if TYPE_CHECKING:
    from promotion.domain import Bound
    from promotion.drift import Drift
    from promotion.journal import Hold, Recorded, RecordedChange
    from promotion.verdicts import Waiver


class What(StrEnum):
    """The kinds of happenings, as receivers choose them by name."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    ROLLED_BACK = "rolled-back"
    RETIRED = "retired"
    HEALED = "healed"
    HELD = "held"
    RELEASED = "released"
    DRIFTED = "drifted"
    EXPIRING = "expiring"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to one model in one environment.

    ``before`` and ``after`` are versions, None for none or where it does not apply; ``reasons`` are sentences. ``entry`` is the journal's
    entry that tells it, ``commit`` main's commit that it is about; None for what no entry tells. ``at`` is aware. ``by`` may be unknown.
    """

    what: What
    id: str
    model: str
    environment: str
    at: datetime
    before: int | None = None
    after: int | None = None
    reasons: tuple[str, ...] = ()
    by: str | None = None
    commit: str | None = None
    subject: str | None = None
    entry: str | None = None

    @property
    def sentence(self) -> str:
        """What happened, on one line, without why."""
        where = f"{self.model} {self.environment}"
        old, new = _version(self.before), _version(self.after)
        match self.what:
            case What.PROMOTED | What.ROLLED_BACK:
                return f"{where}: {old} → {new}, {self.what.value.replace('-', ' ')}"
            case What.REFUSED:
                return f"{where}: {new} refused, the environment stays as it was"
            case What.RETIRED:
                return f"{where}: {old} retired, nothing is in service"
            case What.HEALED:
                return f"{where}: {new} restored, as it was applied"
            case What.HELD | What.RELEASED:
                return f"{where}: {new} {'held, it must not be applied again' if self.what is What.HELD else 'released from its hold'}"
            case What.DRIFTED:
                return f"{where}: the registry no longer shows {new} as it was applied"
            case What.EXPIRING:
                return f"{where}: the waiver for {new} expires"


_CHANGES = {
    ChangeKind.PROMOTE: What.PROMOTED,
    ChangeKind.ROLLBACK: What.ROLLED_BACK,
    ChangeKind.RETIRE: What.RETIRED,
    ChangeKind.HEAL: What.HEALED,
}
_HOLDS = {EntryKind.HOLD: What.HELD, EntryKind.RELEASE: What.RELEASED}


def recorded(entries: Iterable[Recorded], holds: Collection[Hold] = ()) -> tuple[Happening, ...]:
    """What entries tell, oldest first. An intent happens only with its outcome; what was adopted did not change.

    ``holds`` are those in force: a rollback places its own with its outcome, which does not name it.
    """
    return tuple(one for each in sorted(entries, key=lambda each: each.entry.at) for one in _told(each, holds))


def drifted(drifts: Iterable[Drift], now: datetime) -> tuple[Happening, ...]:
    """Differences between the registry and what was applied; the same difference has the same id while it lasts."""
    return tuple(
        Happening(
            what=What.DRIFTED,
            id=_id(What.DRIFTED, one.model, one.environment, one.kind, one.expected, one.got, one.tag or "", str(one.since)),
            model=one.model,
            environment=one.environment,
            after=one.version,
            reasons=(f"{one.kind}: applied {one.expected}, shown {one.got}",),
            at=one.since or now,
        )
        for one in drifts
    )


def expiring(waivers: Iterable[Waiver], now: datetime) -> tuple[Happening, ...]:
    """Waivers that end within ``SOON``, or have ended and still stand in the file."""
    return tuple(
        Happening(
            what=What.EXPIRING,
            id=_id(What.EXPIRING, one.model, one.environment, one.gate, str(one.version), one.expires.isoformat()),
            model=one.model,
            environment=one.environment,
            after=one.version,
            reasons=(f"gate {one.gate}, {_when(one.expires, now.date())}, owner {one.owner} ({one.place}): {one.reason}",),
            at=now,
        )
        for one in waivers
        if one.expires - now.date() <= SOON
    )


def _told(recorded: Recorded, holds: Collection[Hold]) -> Iterator[Happening]:
    entry = recorded.entry
    if entry.kind in _HOLDS:
        for one in entry.changes:
            yield _of(recorded, _HOLDS[entry.kind], one.model, one.environment, after=_number(one.after))
    elif entry.kind is EntryKind.OUTCOME:
        for one in entry.changes:
            if one.kind in _CHANGES:
                told = _of(recorded, _CHANGES[one.kind], one.model, one.environment, after=_number(one.after))
                yield replace(told, before=_number(one.before))
            for hold in holds:
                # What is on hold is not promoted, so the one rollback from it that is not older than the hold has placed it.
                if one.kind is ChangeKind.ROLLBACK and _from_held(one, hold) and hold.at <= entry.at:
                    told = _of(recorded, What.HELD, one.model, one.environment, after=hold.version)
                    yield replace(told, reasons=(hold.reason,))
        for refusal in entry.refusals:
            told = _of(recorded, What.REFUSED, refusal.model, refusal.environment, after=refusal.version)
            yield replace(told, reasons=refusal.reasons)


def _from_held(change: RecordedChange, hold: Hold) -> bool:
    """Whether a change leaves what is on hold."""
    left = change.before
    return left is not None and (change.model, change.environment, left.digest) == (hold.model, hold.environment, hold.digest)


def _of(recorded: Recorded, what: What, model: str, environment: str, *, after: int | None) -> Happening:
    entry = recorded.entry
    return Happening(
        what=what,
        id=_id(what, recorded.sha, model, environment),
        model=model,
        environment=environment,
        after=after,
        at=entry.at,
        by=entry.by,
        commit=entry.commit,
        subject=entry.subject,
        entry=recorded.sha,
    )


def _number(bound: Bound | None) -> int | None:
    return bound.version if bound else None


def _when(end: date, today: date) -> str:
    return f"expired on {end}" if end < today else f"until {end}"


def _id(*key: str) -> str:
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]


def _version(number: int | None) -> str:
    return "none" if number is None else f"version {number}"
