"""Rulings on what people decided: holds, quarantine, freezes, approvals, rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from promotion.changes import ChangeKind
from promotion.domain import Place
from promotion.gates.interface import (
    Approval,
    Approvals,
    Facts,
)
from promotion.verdicts import Barred, Status
from tests.promotion.gates.rows import ERRORED, FAILED, HEAL, PASSED, ROLLBACK, Rows
from tests.promotion.gates.samples import (
    DIGEST,
    NAME,
    NOW,
    OTHER,
    OUT_OF_REACH,
    change,
    facts,
)

HOLD: Rows = [
    ({}, facts(), PASSED, "no holds"),
    ({}, facts(holds={OTHER: "F1 fell"}), PASSED, "no hold on this"),
    ({}, facts(holds={DIGEST: "F1 fell"}), FAILED, "F1 fell"),
    ({}, facts(holds={OTHER: "F1 fell", "f" * 64: "again"}), FAILED, "2 versions are on hold here"),
    ({}, facts(holds={OTHER: "F1 fell", "f" * 64: "again"}, change=change(kind=ChangeKind.ROLLBACK)), PASSED, "no hold on this"),
    ({}, facts(holds={OTHER: "F1 fell"}, artifact=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(holds=OUT_OF_REACH), ERRORED, "does not answer"),
]
BARRED = Barred(NAME, 4, None, "rows of the test month", "ada@example.org", Place("policies/quarantine.yaml", 3, 5))
QUARANTINE: Rows = [
    ({}, facts(), PASSED, "nothing is in quarantine"),
    ({}, facts(barred=(replace(BARRED, version=3), replace(BARRED, version=None, digest=OTHER))), PASSED, "not on the list"),
    ({}, facts(barred=(BARRED,)), FAILED, "by ada@example.org: rows of the test month (policies/quarantine.yaml:3:5)"),
    ({}, facts(barred=(BARRED,), artifact=OUT_OF_REACH), FAILED, "rows of the test month"),
    ({}, facts(barred=(replace(BARRED, model="another"),)), PASSED, "not on the list"),
    # Bytes are barred under every name and number; a version that was created again under a barred number with a digest is another one.
    ({}, facts(barred=(replace(BARRED, model="another", version=9, digest=DIGEST),)), FAILED, "rows of the test month"),
    ({}, facts(barred=(replace(BARRED, digest=OTHER),)), PASSED, "not on the list"),
    ({}, facts(barred=(replace(BARRED, digest=DIGEST),), change=ROLLBACK), FAILED, "rows of the test month"),
    ({}, facts(barred=(replace(BARRED, digest=OTHER),), artifact=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(barred=OUT_OF_REACH), ERRORED, "does not answer"),
]
# 2026-10-02, a Friday, 12:00 in London is 13:00: these windows are judged in Berlin, where it is 14:00.
BERLIN = {"timezone": "Europe/Berlin"}


def shut(*windows: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {**BERLIN, "windows": list(windows), **given}


FREEZE: Rows = [
    (shut({"days": ["sat", "sun"]}), facts(), PASSED, "open at 2026-10-02T14:00+02:00"),
    (shut({"days": ["fri"], "reason": "nobody looks until Monday"}), facts(), FAILED, "shut (fri: nobody looks until Monday)"),
    (shut({"hours": "14:00-15:00"}), facts(), FAILED, "14:00"),
    (shut({"hours": "13:00-14:00"}), facts(), PASSED, "open"),
    (shut({"days": ["thu"], "hours": "22:00-15:00"}), facts(), FAILED, "thu 22:00-15:00"),
    (shut({"days": ["fri"], "hours": "22:00-15:00"}), facts(), PASSED, "open"),
    (shut({"hours": "16:00-24:00"}), facts(now=NOW + timedelta(hours=9, minutes=59)), FAILED, "23:59"),
    (shut({"hours": "16:00-24:00"}), facts(now=NOW + timedelta(hours=10)), PASSED, "2026-10-03T00:00"),
    (shut({"first": "2026-10-02", "last": "2026-10-02"}), facts(), FAILED, "from 2026-10-02 to 2026-10-02"),
    (shut({"first": "2026-10-03"}), facts(), PASSED, "open"),
    (shut({"last": "2026-10-01"}), facts(), PASSED, "open"),
    (shut({"first": "2026-10-03"}), facts(now=NOW + timedelta(hours=10)), FAILED, "from 2026-10-03"),
    (shut({"days": ["mon"], "first": "2026-10-01"}), facts(), PASSED, "open"),
    # Summer time ends on 2026-10-25: 15:00 UTC is 17:00 in Berlin the day before, and 16:00 on it.
    (shut({"hours": "17:00-18:00"}), facts(now=datetime(2026, 10, 24, 15, tzinfo=UTC)), FAILED, "+02:00"),
    (shut({"hours": "17:00-18:00"}), facts(now=datetime(2026, 10, 25, 15, tzinfo=UTC)), PASSED, "+01:00"),
    (shut({"days": ["fri"]}), facts(change=ROLLBACK), PASSED, "which a rollback passes"),
    (shut({"days": ["fri"]}), facts(change=HEAL), PASSED, "which a heal passes"),
    (shut({"days": ["fri"]}, emergency=["heal"]), facts(change=ROLLBACK), FAILED, "shut (fri)"),
]
TWO = {"signers": ["bob@example.org", "eve@example.org"], "count": 2}
ONE = {"signers": ["bob@example.org"]}
SIGNED = Approval("a/bob", ("bob@example.org", "bob-b"), "1" * 64, "r" * 40, "sqlite:", "2" * 64, None, DIGEST, (), NOW + timedelta(days=1))
EVES = replace(SIGNED, tag="a/eve", principals=("eve@example.org",))
ASKED = Approvals(("1" * 64,), "r" * 40, "sqlite:", "2" * 64, None, ("ada@example.org",), ())


def approved(*found: Approval, **given: Any) -> Facts:
    return facts(approvals=replace(ASKED, found=found, **given))


APPROVAL: Rows = [
    (ONE, approved(SIGNED), PASSED, "approved by bob"),
    (ONE, approved(replace(SIGNED, evidence=("f" * 64,))), PASSED, "approved by bob"),
    (TWO, approved(SIGNED, EVES), PASSED, "approved by bob-b, eve@example.org"),
    (ONE, approved(SIGNED, plans=("0" * 64, "1" * 64)), PASSED, "approved"),
    (ONE, facts(approvals=replace(ASKED, found=(SIGNED,)), touched=()), Status.WARNED, "asked for on main"),
    (ONE, approved(), FAILED, "nobody has approved"),
    (TWO, approved(SIGNED), FAILED, "approved by bob-b"),
    (TWO, approved(SIGNED, replace(SIGNED, tag="again", principals=("bob-b", "bob@example.org"))), FAILED, "approved by bob-b"),
    (ONE, approved(EVES), FAILED, "eve@example.org is not among the signers"),
    (ONE, approved(SIGNED, authors=("BOB@example.org",)), FAILED, "promotes it, and cannot approve it"),
    (ONE, approved(SIGNED, authors=("bob-b",)), FAILED, "promotes it, and cannot approve it"),
    (ONE, approved(replace(SIGNED, fault="not signed")), FAILED, "not signed"),
    (ONE, approved(replace(SIGNED, plan="0" * 64)), FAILED, "for another plan"),
    (ONE, approved(replace(SIGNED, repository="")), FAILED, "for another repository"),
    (ONE, approved(replace(SIGNED, registry="sqlite:///other")), FAILED, "for another registry"),
    (ONE, approved(replace(SIGNED, policies="3" * 64)), FAILED, "for other rules"),
    (ONE, approved(replace(SIGNED, before=OTHER)), FAILED, "for another version in service"),
    (ONE, approved(replace(SIGNED, after=OTHER)), FAILED, "for other bytes"),
    (ONE, approved(replace(SIGNED, evidence=("0" * 64,))), FAILED, "for other evidence"),
    (ONE, approved(replace(SIGNED, expires=NOW - timedelta(seconds=1))), FAILED, "expired"),
    (ONE, approved(SIGNED, used="b" * 40), FAILED, "used already"),
    (ONE, approved(SIGNED, authors=OUT_OF_REACH), ERRORED, "the author is unknown"),
    (ONE, facts(approvals=OUT_OF_REACH), ERRORED, "does not answer"),
    (ONE, replace(approved(SIGNED), artifact=OUT_OF_REACH), ERRORED, "digest unknown"),
]
POLICY: Rows = [({"rules": 3}, facts(), PASSED, "3 rules"), ({"rules": 0}, facts(), ERRORED, "no enforced rule")]
