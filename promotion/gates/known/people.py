"""What people decided, and what they must not: approvals, holds, quarantine, freezes, and changes of what judges."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from promotion.domain import Place
from promotion.gates import approval, freeze
from promotion.gates.interface import (
    Approval,
    Approvals,
    Facts,
    Parameters,
)
from promotion.gates.known.sound import DIGEST, NOW, OTHER, UNKNOWN, Bad, Known
from promotion.verdicts import Barred, Status


def known_approval(rule: approval.Parameters, facts: Facts) -> Known:
    """Enough signatures, one too few, and those that do not count."""
    right = Approvals((DIGEST,), OTHER, "sqlite:", OTHER, None, ("somebody else",), ())

    def signed(name: str) -> Approval:
        return Approval(name, (name,), DIGEST, OTHER, "sqlite:", OTHER, None, DIGEST, (), NOW + timedelta(days=1))

    def found(*approvals: Approval, among: Approvals = right) -> Facts:
        return replace(facts, touched=None, approvals=replace(among, found=approvals))

    enough = tuple(dict.fromkeys(rule.signers))[: rule.count]
    good = tuple(signed(name) for name in enough)
    return Known(
        found(*good),
        (
            Bad("no approval", found()),
            Bad("one approval too few", found(*good[1:])),
            *([] if rule.reviews else [Bad("reviews where they do not count", found(*(replace(one, review=True) for one in good)))]),
            Bad("an approval by the author", found(*good, among=replace(right, authors=enough[:1]))),
            Bad("an approval of another plan", found(*(replace(one, plan=OTHER) for one in good))),
            Bad("an approval of other bytes", found(*(replace(one, after=OTHER) for one in good))),
            Bad("an approval that was used", found(*good, among=replace(right, used=OTHER))),
            Bad("an approval that expired", found(*(replace(one, expires=NOW - timedelta(days=1)) for one in good))),
            Bad("an approval by a stranger", found(*(signed(f"stranger-{one.tag}") for one in good))),
            Bad("an author whom nobody knows", found(*good, among=replace(right, authors=UNKNOWN)), Status.ERRORED),
            Bad("approvals that cannot be read", replace(facts, touched=None, approvals=UNKNOWN), Status.ERRORED),
        ),
    )


def known_hold(_: Parameters, facts: Facts) -> Known:
    """Another digest on hold, this one, and holds that are unknown."""
    return Known(
        replace(facts, holds={OTHER: "another one"}),
        (
            Bad("a digest on hold", replace(facts, holds={DIGEST: "rolled back"})),
            Bad("a promotion after two that were taken back", replace(facts, holds={OTHER: "it failed", "f" * 64: "it failed too"})),
            Bad("holds that cannot be read", replace(facts, holds=UNKNOWN), Status.ERRORED),
            Bad("a digest that is unknown beside holds", replace(facts, holds={OTHER: "another one"}, artifact=UNKNOWN), Status.ERRORED),
        ),
    )


def known_policy(_: Parameters, facts: Facts) -> Known:
    """Rules, and none at all."""
    return Known(facts, (Bad("no rule at all", facts, Status.ERRORED, ruled=False),))


def known_quarantine(_: Parameters, facts: Facts) -> Known:
    """Another version barred, this one by number and by bytes, and a list that is unknown."""
    change = facts.change
    assert change.after is not None

    def barred(model: str, version: int | None, digest: str | None) -> Facts:
        return replace(facts, barred=(Barred(model, version, digest, "leaks", "ada", Place("quarantine.yaml", 1, 1)),))

    return Known(
        barred(change.model, change.after + 1, OTHER),
        (
            Bad("a version that is barred", barred(change.model, change.after, None)),
            Bad("bytes that are barred under another name", barred("another", 1, DIGEST)),
            Bad("a list that cannot be read", replace(facts, barred=UNKNOWN), Status.ERRORED),
            Bad("a digest that is unknown beside barred ones", replace(barred("another", 1, OTHER), artifact=UNKNOWN), Status.ERRORED),
        ),
    )


def known_freeze(rule: freeze.Parameters, facts: Facts) -> Known:
    """A time outside of every window, and one inside."""
    zone = ZoneInfo(rule.timezone)
    firsts = [one.first for one in rule.windows if one.first] + [one.last - timedelta(days=7) for one in rule.windows if one.last]
    # Every five minutes of eight days, from now on and around each window's dates; and every day of a year.
    starts = [NOW, *(datetime(day.year, day.month, day.day, tzinfo=zone) for day in firsts)]
    moments = [start + timedelta(minutes=5 * step) for start in starts for step in range(8 * 24 * 12)]
    moments += [NOW + timedelta(days=step) for step in range(366)]
    shut = [_shut(rule, at.astimezone(zone)) for at in moments]
    free = next((at for at, is_shut in zip(moments, shut, strict=True) if not is_shut), None)
    bad = next((at for at, is_shut in zip(moments, shut, strict=True) if is_shut), NOW)
    # A calendar that is never shut refuses nothing: shown now, the rule fails its test.
    asked = (Bad("a promotion while a window is shut", replace(facts, now=bad)),)
    return Known(None if free is None else replace(facts, now=free), asked)


def _shut(rule: freeze.Parameters, at: datetime) -> bool:
    return any(freeze.shuts(one, at.replace(tzinfo=None)) is not None for one in rule.windows)


def known_separate(_: Parameters, facts: Facts) -> Known:
    """A change that promotes alone, and one that lowers a bound beside."""
    return Known(facts, (Bad("a promotion beside a lowered bound", replace(facts, touched=("policies/production.yaml",))),))
