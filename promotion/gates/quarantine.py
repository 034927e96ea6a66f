"""quarantine: people have not barred these bytes, nor this version. Built in: no policy can leave it out and no waiver opens it.

``policies/quarantine.yaml`` lists what nobody may serve, with who says so and why. It counts for everything that would bring a
version into service, rollbacks and healings too. A digest is barred under every name and number; a version without a digest is
barred by its number. What the last applied commit bars stays barred until a commit that lifts it was applied.

Sample (policies/quarantine.yaml):
    version: 1
    quarantine:
      - model: moe-cybersecurity-cicids
        version: 3
        digest: sha256:9f2c…
        reason: Trained on rows of the test month.
        by: ada@example.org

Passes: neither this digest nor this version is on the list.
Fails: one of them is; the verdict says who barred it and why.
"""

from __future__ import annotations

from typing import ClassVar

from promotion.changes import Change
from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling, Unknown
from promotion.verdicts import Barred, Status


class Parameters(interface.Parameters):
    """Nothing to set."""


class Quarantine:
    """Keeps out what people have barred."""

    name: ClassVar[str] = "quarantine"
    summary: ClassVar[str] = "people have barred neither these bytes nor this version"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = True

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """FAILED when barred; ERRORED when the list, or a digest that it speaks of, is unknown."""
        del rule
        expected = "not in quarantine"
        if isinstance(facts.barred, Unknown):
            return Ruling(Status.ERRORED, expected, facts.barred.reason, facts.barred.hint)
        by_number = next((one for one in facts.barred if one.digest is None and _names(one, facts.change)), None)
        if by_number is not None:
            return _refused(expected, by_number)
        digests = {one.digest: one for one in facts.barred if one.digest is not None}
        if not digests:
            return Ruling(Status.PASSED, expected, "not on the list" if facts.barred else "nothing is in quarantine")
        if isinstance(facts.artifact, Unknown):
            got = f"digests are barred and this one is unknown: {facts.artifact.reason}"
            return Ruling(Status.ERRORED, expected, got, facts.artifact.hint)
        found = digests.get(facts.artifact.digest)
        return Ruling(Status.PASSED, expected, "not on the list") if found is None else _refused(expected, found)


def _names(one: Barred, change: Change) -> bool:
    return (one.model, one.version) == (change.model, change.after)


def _refused(expected: str, one: Barred) -> Ruling:
    got = f"in quarantine by {one.by}: {one.reason} ({one.place})"
    return Ruling(Status.FAILED, expected, got, "declare another version; only a reviewed change of the quarantine lifts this")
