"""Documents of any size for the page, with real evidence, names and people of one's choosing."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

from promotion.changes import ChangeKind, Shown
from promotion.classification.counts import Counts
from promotion.domain import AppliedBinding, Bound, Declared, ObservedModel, ObservedVersion, Place, VersionIdentity
from promotion.drift import Drift, DriftKind
from promotion.evidence import Evaluator, Evidence
from promotion.intervals import Interval
from promotion.journal import Entry, EntryKind, Hold, Recorded, RecordedChange, RecordedVerdict, Refusal
from promotion.report.document import Seen
from promotion.status import Row, State
from promotion.verdicts import Status, Waiver

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PLACE = Place("environments.yaml", 3, 5)
ENVIRONMENTS = ("staging", "production")


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def counts(version: int) -> Counts:
    wrong = 60 - 9 * min(version, 5)
    parts = {"model": wrong, "tabular": wrong + 14, "sequence": wrong + 22}
    value: dict[str, Any] = {"schema": "promotion/counts/v1", "rows": 2000, "seconds": 1.5, "positive": "attack", "classes": {}, "sums": {}}
    value["parts"] = {
        name: {"labels": ["benign", "attack"], "confusion": [[1400 - one, one], [one // 2, 600 - one // 2]]} for name, one in parts.items()
    }
    return Counts.model_validate(value)


def evidence(name: str, version: int) -> Evidence:
    return Evidence(
        evaluation="held-out",
        subject=f"{name}/{version}",
        artifact=digest(name, version),
        dataset_path="data/flows.csv",
        dataset=digest("flows"),
        evaluator=Evaluator("judge.evaluator:evaluate", digest("evaluator")),
        settings={},
        counts=counts(version),
        isolation="network and files",
        versions={},
        hardware={},
        started=AT,
        finished=AT + timedelta(minutes=version),
        by="Ada",
    )


def intervals(found: Evidence) -> dict[str, Interval]:
    """Of every part's shares, two hundredths around the figure: the upper end may lie beyond 1, as that of few rows does."""
    names = ("f1", "recall", "tabular.f1")
    return {name: Interval(found.figures[name] - 0.02, found.figures[name] + 0.02) for name in names} | {
        "precision": Interval(0.9, math.inf)
    }


def _version(version: int) -> ObservedVersion:
    tags = {"data_version": "2026-10", "git_commit": digest("commit", version)[:40]}
    identity = VersionIdentity(1_790_000_000_000 + version * 86_400_000, "models:/m", digest("run", version)[:32])
    return ObservedVersion(version, "None", identity, 0, user="Grace", tags=tags)


def _entry(name: str, number: int, versions: int, by: str) -> Recorded:
    environment = ENVIRONMENTS[number % 2]
    before, after = (number // 2) % versions, (number // 2) % versions + 1
    refused = number % 7 == 5
    change = RecordedChange(
        ChangeKind.ROLLBACK if after < before else ChangeKind.PROMOTE,
        name,
        environment,
        Bound(before, digest(name, before)) if before else None,
        Bound(after, digest(name, after)),
        (evidence(name, after).digest,) if number < 12 else (),
        Status.WARNED,
        (
            RecordedVerdict("digest", Status.PASSED, "computed", f"sha256:{digest(name, after)[:12]}…"),
            RecordedVerdict(
                "bound", Status.WARNED, "f1 ≥ 0.95", "f1 = 0.9312", f"policies/{environment}.yaml:4:5", "Grace until 2026-12-01: new data"
            ),
        ),
    )
    refusal = Refusal(name, environment, after, ("bound FAILED: expected f1 ≥ 0.95, got 0.9312",))
    sha = digest(name, number)[:40]
    entry = Entry(
        kind=EntryKind.OUTCOME,
        id=digest(sha)[:32],
        commit=digest("main", sha)[:40],
        author="Ada <ada@example.org>",
        subject=f"Promote {name} {after} to {environment}",
        at=AT - timedelta(days=60) + timedelta(days=number),
        by=by,
        tool="1",
        registry="http://127.0.0.1:5000",
        plan=digest("plan", sha),
        policies=digest("policies"),
        changes=() if refused else (change,),
        refusals=(refusal,) if refused else (),
        lease_until=None,
        takes_over=None,
        recorded=None,
        writes=() if refused else (f"point alias {name}@{environment} at version {after}",),
    )
    return Recorded(sha, entry)


def seen(names: list[str], *, entries: int = 12, versions: int = 5, measured: bool = True, by: str = "Ada (CI)") -> Seen:
    """Every third model from the second is pending, every fifth from the third is drifted, held and waived."""
    rows, drifts, waivers, holds, recorded = [], [], [], [], []
    for index, name in enumerate(names):
        state = State.DRIFTED if index % 5 == 2 else State.PENDING if index % 3 == 1 else State.IN_SYNC
        recorded += [_entry(name, number, versions, by) for number in range(entries)]
        for order, environment in enumerate(ENVIRONMENTS):
            version = versions - order
            bound = Bound(version, digest(name, version))
            proof = (evidence(name, version).digest,) if measured else ()
            last = AppliedBinding(bound, None, None, proof, digest("main", name)[:40], AT - timedelta(days=index % 90 + order), by)
            kind = state if environment == "production" else State.IN_SYNC
            rows.append(Row(Declared(name, environment, version, None, PLACE), last, Shown((version,), version), kind))
        if state is State.DRIFTED:
            drifts.append(Drift(DriftKind.POINTER, name, "production", versions - 1, "4", "stage 2, alias 4", AT - timedelta(hours=3)))
            holds.append(Hold(name, "production", versions, digest(name, versions), "alarms at night", AT - timedelta(days=2), by))
            waivers.append(Waiver("bound", name, versions - 1, None, "production", "grace", "new data", date(2026, 11, 27), PLACE))
    recorded.sort(key=lambda one: one.entry.at, reverse=True)
    return Seen(
        environments=ENVIRONMENTS,
        rows=tuple(rows),
        models={name: ObservedModel(name, {one: _version(one) for one in range(1, versions + 1)}, {}) for name in names},
        drifts=tuple(drifts),
        waivers=tuple(waivers),
        holds=tuple(holds),
        entries=tuple(recorded),
        patches={
            one.sha: f"environments.yaml\n@@ -4,3 +4,3 @@ models:\n     production:\n-      use: 1\n+      use: {one.entry.id[0]}"
            for one in recorded[:100]
        },
        signers={one.sha: "ci" for one in recorded},
        signed=True,
        evidence={one.digest: one for name in names if measured for one in (evidence(name, v) for v in range(1, versions + 1))},
        intervals={one.digest: intervals(one) for name in names if measured for one in (evidence(name, v) for v in range(1, versions + 1))},
        unreadable={},
        registry="http://127.0.0.1:5000",
        commits="https://example.org/team/models/commit/",
        at=AT,
    )
