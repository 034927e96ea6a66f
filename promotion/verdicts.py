"""What the rules say of changes, and the exceptions that people made: the values that deciding gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from promotion.changes import Change, Plan
from promotion.domain import Place


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


class Status(StrEnum):
    """What a gate says; the later here wins. The last three block."""

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
