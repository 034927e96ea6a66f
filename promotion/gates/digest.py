"""digest: the bytes are those that were declared, and those that were applied before. Built in: no policy can leave it out.

- Always: the artifact's digest, computed anew from its bytes, can be had.
- A declared pin (``use: 3@sha256:…``) must equal it.
- A rollback must equal what the journal says was applied; a healing too, with the registry's own identity of the version.
- A promotion of a version that the journal knows under the same registry identity must have the same bytes as then:
  an artifact that was replaced after registration is refused.

Passes: the pin agrees, or there is none and the journal knows nothing else.
Fails: version 3 was deleted and created again, or its file was replaced.
"""

from __future__ import annotations

from typing import ClassVar

from promotion.changes import ChangeKind
from promotion.domain import AppliedBinding, Bound
from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling, Unknown
from promotion.verdicts import Status


class Parameters(interface.Parameters):
    """Nothing to set."""


class Digest:
    """Compares the computed digest with the pin and with the journal."""

    name: ClassVar[str] = "digest"
    summary: ClassVar[str] = "the bytes are those declared, and those applied before"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = True

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED when no digest can be computed, FAILED when it is another one."""
        del rule
        expected = _expected(facts)
        if isinstance(facts.artifact, Unknown):
            return Ruling(Status.ERRORED, expected, f"digest unknown: {facts.artifact.reason}", facts.artifact.hint)
        if isinstance(facts.version, Unknown):
            return Ruling(Status.ERRORED, expected, f"version unknown: {facts.version.reason}", facts.version.hint)
        digest = facts.artifact.digest
        got = f"sha256:{digest}"
        pin = facts.change.digest
        if pin is not None and pin != digest:
            return Ruling(
                Status.FAILED,
                expected,
                got,
                "the artifact is not the one that was pinned; if the new one is meant, review it and pin it anew",
            )
        refusal = _known_otherwise(facts, digest)
        if refusal is not None:
            status, hint = refusal
            return Ruling(status, expected, got, hint)
        return Ruling(Status.PASSED, expected, got)


def _binding(facts: Facts) -> AppliedBinding | None:
    return facts.applied.bindings.get(facts.change.environment) if facts.applied is not None else None


def _remembered(facts: Facts) -> Bound | None:
    """What the journal says was applied, where the change only brings that back."""
    binding = _binding(facts)
    if binding is None:
        return None
    remembered = {ChangeKind.ROLLBACK: binding.previous, ChangeKind.HEAL: binding.bound, ChangeKind.VERIFY: binding.bound}
    return remembered.get(facts.change.kind)


def _expected(facts: Facts) -> str:
    remembered = _remembered(facts)
    if facts.change.digest is not None:
        return f"the pinned sha256:{facts.change.digest}"
    if remembered is not None:
        return f"sha256:{remembered.digest} as applied before"
    return "a digest over the bytes, the same as ever"


def _known_otherwise(facts: Facts, digest: str) -> tuple[Status, str] | None:
    """Whether the journal remembers this version with other bytes or under another identity, and what to do then."""
    change = facts.change
    if change.kind in {ChangeKind.ROLLBACK, ChangeKind.HEAL, ChangeKind.VERIFY}:
        remembered = _remembered(facts)
        if remembered is None or remembered.version != change.after:
            return Status.ERRORED, f"the journal has no entry of {change.model}/{change.after} in {change.environment} to bring back"
        if remembered.digest != digest:
            return Status.FAILED, "the artifact was replaced since it was applied: restore it, or promote it as a new version"
        binding = _binding(facts)
        if change.kind is not ChangeKind.ROLLBACK and binding is not None and _recreated(facts, binding):
            return Status.FAILED, "the version was deleted and created again since it was applied: promote it as a new one"
        return None
    for environment, binding in sorted(facts.applied.bindings.items()) if facts.applied is not None else ():
        known = binding.bound
        if known is None or known.version != change.after or known.digest == digest or _recreated(facts, binding):
            continue
        return (
            Status.FAILED,
            f"{environment} applied it as sha256:{known.digest}: the artifact was replaced after registration; register a new version",
        )
    return None


def _recreated(facts: Facts, binding: AppliedBinding) -> bool:
    return not isinstance(facts.version, Unknown) and binding.identity is not None and binding.identity != facts.version.identity
