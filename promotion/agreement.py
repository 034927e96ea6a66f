"""Pure: a plan that somebody agreed on, and what changed since where it is not the one that would be applied now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promotion.changes import Plan
from promotion.errors import Conflict

_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Agreed:
    """What ``plan --out`` wrote: the plan's digest, and what it was made from."""

    digest: str
    basis: Mapping[str, str]


def check_agreed(made: Plan, agreed: Agreed | None) -> None:
    """Raise Conflict (exit 6), telling what changed, unless this is the plan that was agreed (None: any)."""
    if agreed is None or agreed.digest == made.digest:
        return
    lines = differences(agreed.basis, made.basis) or ["nothing that it is made from: another release of promotion made it"]
    shown = lines[:_MOST_SHOWN] + ([f"and {len(lines) - _MOST_SHOWN} more"] if len(lines) > _MOST_SHOWN else [])
    told = "\n".join(f"  - {line}" for line in shown)
    raise Conflict(
        f"the plan is {made.digest[:12]}, but {agreed.digest[:12]} was agreed. Changed since:\n{told}",
        hint="look at the new plan (promotion plan --out FILE) and agree on it",
    )


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What changed, a line each, sorted."""
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name) and not _implied(name, before, now))
    return [f"{name} was {before.get(name, 'absent')}, is {now.get(name, 'absent')}" for name in names]


def _implied(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether it is the identity of a version that is declared on one side alone: the file's own line tells that."""
    return name.startswith("registry: ") and "/" in name and (name in before) != (name in now)
