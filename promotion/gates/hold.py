"""hold: nobody put this digest on hold in this environment. Built in: no policy can leave it out.

A rollback puts a hold on what it took out of service; it blocks every later commit and every healing that would bring that
digest back, until a person releases it.

Two promotions that were taken back one after the other stop the line: while two versions of a model are on hold in an environment, no
further one is promoted there, until a person has looked and released one. Rollbacks and healings go on.

Passes: the journal has no hold on this digest here, and for a promotion no two holds on others.
Fails: it has one, or two on others; the verdict says why.
"""

from __future__ import annotations

from typing import ClassVar

from promotion.changes import ChangeKind
from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling, Unknown
from promotion.verdicts import Status

STOPS = 2
"""Versions on hold in one environment that stop further promotions there."""


class Parameters(interface.Parameters):
    """Nothing to set."""


class Hold:
    """Keeps out what was taken out of service for cause."""

    name: ClassVar[str] = "hold"
    summary: ClassVar[str] = "the digest is not on hold in this environment"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = True

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED when the holds, or the digest that they speak of, are unknown; FAILED when held."""
        del rule
        expected = "not on hold"
        if isinstance(facts.holds, Unknown):
            return Ruling(Status.ERRORED, expected, facts.holds.reason, facts.holds.hint)
        if not facts.holds:
            return Ruling(Status.PASSED, expected, "no holds here")
        if isinstance(facts.artifact, Unknown):
            return Ruling(
                Status.ERRORED, expected, f"there are holds here and the digest is unknown: {facts.artifact.reason}", facts.artifact.hint
            )
        reason = facts.holds.get(facts.artifact.digest)
        change = facts.change
        if reason is None and change.kind is ChangeKind.PROMOTE and len(facts.holds) >= STOPS:
            return Ruling(
                Status.FAILED,
                "the line is not stopped",
                f"{len(facts.holds)} versions are on hold here: the promotions before this one failed",
                f"find out why, then release one: promotion hold list shows those on {change.model} {change.environment}",
            )
        if reason is None:
            return Ruling(Status.PASSED, expected, "no hold on this digest")
        return Ruling(
            Status.FAILED,
            expected,
            f"on hold: {reason}",
            f"declare another version, or let a person release the hold on {change.model} {change.environment}",
        )
