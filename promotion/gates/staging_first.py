"""staging_first: the same bytes were applied, with passing evidence, in every environment that comes before.

The proof is a signed entry of the journal for this artifact's digest. Stages, aliases, tags, titles and git's history of the
file prove nothing, since anyone who may edit can set them; neither does an entry that was *adopted* from a registry, unless the
rule says ``adopted: true``: then what was found in service there counts as applied. Nobody judged it there, so let other rules
measure it here.
With ``soak``, the version must have been bound there that long, as the journal tells: seconds, or text such as ``90m``, ``24h``, ``1d12h``.
Time counts from the entry that bound it last until now, or until the entry that took it out; what the journal does not tell, such as
when it left after others came, does not count.

Sample (policies/production.yaml):
    rules:
      - gate: staging_first
        soak: 24h

Passes: the journal says sha256:9f2c… was applied in staging yesterday morning with evidence.
Fails: the version goes straight into production, or staging had other bytes under the same number.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling, Unknown
from promotion.verdicts import Status

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(?P<d>\d{1,5})d)?(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,8})m)?(?:(?P<s>\d{1,9})s)?")


def seconds(value: object) -> float:
    """Seconds from a number, or from text such as ``24h`` or ``1d12h30m``; raises ValueError on anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        msg = f"must be seconds or text such as 90m, 24h or 1d12h, however: {value!r}"
        raise ValueError(msg)
    return float(sum(int(match[unit] or 0) * size for unit, size in _UNITS.items()))


def spelled(span: timedelta) -> str:
    """A span of time as policies write it, to whole seconds: ``1d12h``, ``34s``; ``0s`` for one that ends before it begins."""
    left, parts = max(int(span.total_seconds()), 0), []
    for unit, size in _UNITS.items():
        many, left = divmod(left, size)
        parts += [f"{many}{unit}"] if many else []
    return "".join(parts) or "0s"


class Parameters(interface.Parameters):
    """``soak``: how long the version must have been in each earlier environment; 0 by default.

    ``adopted``: whether what was found there when the registry was adopted counts as applied there.
    """

    soak: Annotated[
        float, BeforeValidator(seconds, json_schema_input_type=float | str), Field(ge=0, allow_inf_nan=False, le=10 * 365 * 86_400)
    ] = 0.0
    adopted: bool = False


class StagingFirst:
    """Never skip staging: the journal must have the same digest in every environment before this one."""

    name: ClassVar[str] = "staging_first"
    summary: ClassVar[str] = "the same bytes were applied with passing evidence in every environment before"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED without a digest or an earlier environment, FAILED without proof, INCONCLUSIVE while the soak lasts."""
        soak = timedelta(seconds=rule.soak)
        expected = f"applied in {', '.join(facts.stages_before) or 'an earlier environment'} with passing evidence"
        if soak:
            expected += f" for at least {spelled(soak)}"
        if isinstance(facts.artifact, Unknown):
            return Ruling(Status.ERRORED, expected, f"digest unknown: {facts.artifact.reason}", facts.artifact.hint)
        if not facts.stages_before:
            return Ruling(
                Status.ERRORED, expected, f"nothing comes before {facts.change.environment}", "use this gate for a later environment"
            )
        got = []
        for environment in facts.stages_before:
            status, what, hint = _standing(environment, facts.artifact.digest, facts, rule)
            if status is not Status.PASSED:
                return Ruling(status, expected, what, hint)
            got.append(what)
        return Ruling(Status.PASSED, expected, "; ".join(got))


def _adopted(environment: str, digest: str, facts: Facts) -> datetime | None:
    """Since when these bytes are bound in an earlier environment as adopted, None where they are not."""
    binding = facts.applied.bindings.get(environment) if facts.applied is not None else None
    adopted = binding is not None and binding.adopted and binding.bound is not None and binding.bound.digest == digest
    return binding.at if binding is not None and adopted else None


def _standing(environment: str, digest: str, facts: Facts, rule: Parameters) -> tuple[Status, str, str]:
    """What one earlier environment proves of this digest, or why it proves nothing, and what to do."""
    proof = facts.applied.passed.get(environment, {}).get(digest) if facts.applied is not None else None
    adopted = _adopted(environment, digest, facts)
    if proof is not None and proof.evidence:
        since, told = proof.at, f"applied in {environment} on {proof.at.isoformat(timespec='minutes')} by commit {proof.commit[:12]}"
    elif adopted is not None and rule.adopted:
        since, told = adopted, f"adopted in {environment} on {adopted.isoformat(timespec='minutes')}, which this rule counts"
    elif proof is not None:
        hint = f"apply it in {environment} again under a policy that measures it"
        return Status.FAILED, f"applied in {environment} without evidence", hint
    else:
        hint = f"declare this version in {environment} first, let it be applied, then promote it"
        if adopted is not None:
            hint = "let the rule count it (adopted: true), in a change of the policy by itself; then promote it"
        return Status.FAILED, _missing(environment, digest, facts), hint
    soak = timedelta(seconds=rule.soak)
    return (_too_short(environment, digest, facts, since, soak) if soak else None) or (Status.PASSED, told, "")


def _too_short(environment: str, digest: str, facts: Facts, since: datetime, soak: timedelta) -> tuple[Status, str, str] | None:
    """Why the version was not in an earlier environment for long enough, or None where it was."""
    binding = facts.applied.bindings.get(environment) if facts.applied is not None else None
    bound = binding.bound if binding is not None else None
    if binding is None or (bound is not None and bound.digest == digest):
        # Brought back by a rollback, it is there since then: it had been taken out before.
        since = max(since, binding.at) if binding is not None else since
        soaked = facts.now - since
        hint = f"wait until {(since + soak).isoformat(timespec='minutes')}"
    elif binding.previous is not None and binding.previous.digest == digest:
        soaked, hint = binding.at - since, f"declare it in {environment} again, and leave it there for {spelled(soak)}"
        environment = f"{environment} until {binding.at.isoformat(timespec='minutes')}, and so there"
    else:
        told = f"taken out of {environment} at a time that the journal's newest entries do not tell"
        return Status.INCONCLUSIVE, told, f"declare it in {environment} again, and leave it there for {spelled(soak)}"
    return (Status.INCONCLUSIVE, f"in {environment} for {spelled(soaked)}", hint) if soaked < soak else None


def _missing(environment: str, digest: str, facts: Facts) -> str:
    """What the journal knows instead of a proof."""
    binding = facts.applied.bindings.get(environment) if facts.applied is not None else None
    if binding is not None and binding.bound is not None:
        if _adopted(environment, digest, facts) is not None:
            return f"adopted in {environment}, never judged there"
        if binding.bound.version == facts.change.after and binding.bound.digest != digest:
            known = f"sha256:{binding.bound.digest[:12]}…, not sha256:{digest[:12]}…"
            return f"{environment} had other bytes under version {binding.bound.version}: {known}"
    return f"the journal has no passing entry of sha256:{digest[:12]}… in {environment}"
