"""Rules in force, and whether their gates can refuse: tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from promotion.render.table import table
from promotion.verdicts import Status

if TYPE_CHECKING:
    from promotion.inforce import Asked, InForce
    from promotion.selftest import Tried


def in_force(found: InForce) -> str:
    """What judges, a line each, then how the model is measured."""
    lines = [f"{found.model} into {found.environment} is judged by:"]
    lines += [table(("gate", "mode", "from", "asks for"), [(one.gate, mode(one), origin(one), one.asks) for one in found.asked])]
    for one in found.evaluations:
        lines += ["", f"measured by {one.name} ({one.place}): {one.evaluator} on {one.dataset.path}, sha256:{one.dataset.sha256[:12]}"]
    lines += [] if found.evaluations else ["", "no evaluation measures it"]
    lines += ["", *exceptions(found)] if exceptions(found) else []
    lines += [] if found.declared else ["", f"no file declares {found.model}: this is what would judge it"]
    return "\n".join(lines)


def exceptions(found: InForce) -> list[str]:
    """What is waived and what is barred, a line each."""
    waived = [
        f"{one.gate} {'was' if one in found.expired else 'is'} waived for version {one.version} until {one.expires} "
        f"by {one.owner} ({one.place}): {one.reason}"
        for one in found.waivers
    ]
    barred = [
        f"{'these bytes' if one.version is None else f'version {one.version}'}"
        f"{f', sha256:{one.digest[:12]},' if one.digest else ''} in quarantine by {one.by} ({one.place}): {one.reason}"
        for one in found.barred
    ]
    return [*waived, *barred]


def mode(one: Asked) -> str:
    """``enforce`` or ``observe``, the words of policies."""
    return "enforce" if one.enforced else "observe"


def origin(one: Asked) -> str:
    """Where a rule stands."""
    return str(one.place) if one.place else "built in"


def selftest(tried: Sequence[Tried]) -> str:
    """Each rule with how much it was shown, then everything that is not as it must be."""
    rows = [(one.status, one.gate, one.environment, str(one.place or "built in"), f"refused {refused(one)}") for one in tried]
    faults = [f"{one.gate} in {one.environment} ({one.place or 'built in'}): {fault}" for one in tried for fault in one.faults]
    return "\n".join([table(("", "gate", "environment", "from", "known-bad inputs"), rows), *faults, summary(tried)])


def refused(one: Tried) -> str:
    """``5 of 5``; of one with faults only that there are some."""
    return f"{len(one.shown)} of {len(one.shown)}" if one.status is Status.PASSED else "not as it must"


def summary(tried: Sequence[Tried]) -> str:
    """The result in one sentence."""
    bad = sum(one.status is not Status.PASSED for one in tried)
    shown = sum(len(one.shown) for one in tried)
    if not tried:
        return "no rule is in force: nothing to try"
    return (
        f"{bad} of {len(tried)} rules did not prove that they can refuse"
        if bad
        else f"all {len(tried)} rules refused {shown} known-bad inputs"
    )
