"""Pure: the journal and what the registry shows → the document that the page is drawn from (``promotion/report/v1``)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from promotion.classification.counts import Counts
from promotion.status import State
from promotion.verdicts import SOON

if TYPE_CHECKING:
    from promotion.domain import AppliedBinding, Bound, ObservedModel, ObservedVersion
    from promotion.drift import Drift
    from promotion.evidence import Evidence
    from promotion.intervals import Interval
    from promotion.journal import Hold, Recorded, RecordedVerdict
    from promotion.status import Row
    from promotion.verdicts import Waiver

SCHEMA = "promotion/report/v1"
JUDGED = 1000
"""The newest so many changes bear their verdicts: those of fifty thousand would be a hundred megabytes for a browser to read."""
LINEAGE = ("data_version", "data_digest", "git_commit")


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that the page tells, read once.

    ``entries`` are the journal's, newest first; ``patches`` (how the declaration changed) and ``signers`` by an entry's commit.
    ``evidence``, the 95 % ``intervals`` of its figures and why one is ``unreadable`` by a statement's digest. ``commits`` is the
    address under which a commit's page is found by its hash, None where it is not known.
    """

    environments: tuple[str, ...]
    rows: tuple[Row, ...]
    models: Mapping[str, ObservedModel]
    drifts: tuple[Drift, ...]
    waivers: tuple[Waiver, ...]
    holds: tuple[Hold, ...]
    entries: tuple[Recorded, ...]
    patches: Mapping[str, str]
    signers: Mapping[str, str]
    signed: bool
    evidence: Mapping[str, Evidence]
    intervals: Mapping[str, Mapping[str, Interval]]
    unreadable: Mapping[str, str]
    registry: str
    commits: str | None
    at: datetime


def document(seen: Seen) -> dict[str, Any]:
    """Plain values as JSON has them; a figure that is not defined is null."""
    bindings: dict[str, dict[str, Any]] = {}
    for row in seen.rows:
        bindings.setdefault(row.declared.model, {})[row.declared.environment] = _binding(row)
    judged = _judged(seen.entries)
    web = seen.registry if seen.registry.startswith(("http://", "https://")) else None
    return {
        "schema": SCHEMA,
        "at": _time(seen.at),
        "registry": seen.registry,
        "mlflow": web.rstrip("/") if web else None,
        "commits": seen.commits,
        "signed": seen.signed,
        "environments": list(seen.environments),
        "models": [_model(seen, name, found) for name, found in sorted(bindings.items())],
        "entries": [_entry(one, seen.signers.get(one.sha), seen.patches.get(one.sha), judged=one.sha in judged) for one in seen.entries],
        "evidence": {digest: _evidence(one, seen.intervals.get(digest, {})) for digest, one in sorted(seen.evidence.items())},
        "unreadable": dict(sorted(seen.unreadable.items())),
    }


def _binding(row: Row) -> dict[str, Any]:
    return {"declared": row.declared.version, "shown": str(row.shown), "state": row.state.value, "applied": _applied(row.applied)}


def _applied(binding: AppliedBinding | None) -> dict[str, Any] | None:
    if binding is None:
        return None
    return {
        **(_bound(binding.bound) or {"version": None, "digest": None}),
        "at": _time(binding.at),
        "by": binding.by,
        "commit": binding.commit,
        "evidence": list(binding.evidence),
        "adopted": binding.adopted,
        "unverified": binding.unverified,
    }


def _model(seen: Seen, name: str, bindings: dict[str, Any]) -> dict[str, Any]:
    model = seen.models.get(name)
    return {
        "name": name,
        "environments": bindings,
        "versions": [_version(one) for _, one in sorted(model.versions.items(), reverse=True)] if model else [],
        "drift": [
            {"environment": one.environment, "kind": one.kind.value, "expected": one.expected, "got": one.got, "since": _time(one.since)}
            for one in seen.drifts
            if one.model == name
        ],
        "holds": [
            {"environment": one.environment, "version": one.version, "reason": one.reason, "at": _time(one.at), "by": one.by}
            for one in seen.holds
            if one.model == name
        ],
        "waivers": [_waiver(one, seen.at.date()) for one in seen.waivers if one.model == name],
        "faults": [
            {"environment": row.declared.environment, **fault}
            for row in seen.rows
            if row.declared.model == name
            for fault in _faults(seen, row)
        ],
    }


def _faults(seen: Seen, row: Row) -> list[dict[str, str]]:
    """Evidence that an applied binding rests on and that cannot be read."""
    named = () if row.applied is None else row.applied.evidence
    missing = {one: "the journal does not keep it" for one in named if one not in seen.evidence}
    return [{"evidence": one, "reason": reason} for one in named if (reason := seen.unreadable.get(one) or missing.get(one))]


def _waiver(waiver: Waiver, today: date) -> dict[str, Any]:
    left = waiver.expires - today
    return {
        "gate": waiver.gate,
        "environment": waiver.environment,
        "version": waiver.version,
        "owner": waiver.owner,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
        "state": "expired" if left < timedelta() else "expires soon" if left <= SOON else "in force",
    }


def _version(version: ObservedVersion) -> dict[str, Any]:
    links = {name: version.tags.get(name) for name in LINEAGE}
    made = {"version": version.version, "stage": version.stage, "created": version.identity.created, "user": version.user}
    return {**made, "run": version.identity.run_id, "description": version.description, **links}


def _judged(entries: tuple[Recorded, ...]) -> frozenset[str]:
    """The newest entries that together have ``JUDGED`` changes, or one more."""
    counts = accumulate(len(one.entry.changes) for one in entries)
    return frozenset(one.sha for one, count in zip(entries, counts, strict=True) if count - len(one.entry.changes) < JUDGED)


def _entry(recorded: Recorded, signer: str | None, patch: str | None, *, judged: bool) -> dict[str, Any]:
    entry = recorded.entry
    return {
        "sha": recorded.sha,
        "kind": entry.kind.value,
        "at": _time(entry.at),
        "by": entry.by,
        "author": entry.author,
        "subject": entry.subject,
        "commit": entry.commit,
        "plan": entry.plan,
        "policies": entry.policies,
        "signer": signer,
        **({} if patch is None else {"patch": patch}),
        **({"writes": list(entry.writes)} if judged else {}),
        "changes": [
            {
                "kind": one.kind.value,
                "model": one.model,
                "environment": one.environment,
                "before": _bound(one.before),
                "after": _bound(one.after),
                "evidence": list(one.evidence),
                "status": one.status.value,
                **({"verdicts": [_verdict(verdict) for verdict in one.verdicts]} if judged else {}),
            }
            for one in entry.changes
        ],
        "refusals": [
            {"model": one.model, "environment": one.environment, "version": one.version, "reasons": list(one.reasons)}
            for one in entry.refusals
        ],
    }


def _verdict(verdict: RecordedVerdict) -> dict[str, Any]:
    told = {"gate": verdict.gate, "status": verdict.status.value, "expected": verdict.expected, "got": verdict.got}
    return {**told, "rule": verdict.rule, "waiver": verdict.waiver}


def _evidence(evidence: Evidence, intervals: Mapping[str, Interval]) -> dict[str, Any]:
    told = evidence.counts.parts if isinstance(evidence.counts, Counts) else {}
    parts = {name: {"labels": list(one.labels), "confusion": one.confusion} for name, one in told.items()}
    return {
        "evaluation": evidence.evaluation,
        "artifact": evidence.artifact,
        "dataset": {"path": evidence.dataset_path, "sha256": evidence.dataset},
        "evaluator": evidence.evaluator.entry_point,
        "isolation": evidence.isolation,
        "finished": _time(evidence.finished),
        "by": evidence.by,
        "rows": evidence.counts.rows,
        "figures": {name: value if math.isfinite(value) else None for name, value in evidence.figures.items()},
        "intervals": {name: [_end(one.low), _end(one.high)] for name, one in intervals.items()},
        "parts": parts,
        "means": sorted(evidence.counts.sums),
    }


def _end(value: float) -> float | None:
    """Six digits, as verdicts show it; None where resamples do not tell."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _bound(bound: Bound | None) -> dict[str, Any] | None:
    return None if bound is None else {"version": bound.version, "digest": bound.digest}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def attention(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The models of a document to look at: not in sync, drifted, on hold, a waiver near its end, evidence that cannot be read."""
    return tuple(
        model["name"]
        for model in found["models"]
        if model["drift"]
        or model["holds"]
        or model["faults"]
        or any(one["state"] != "in force" for one in model["waivers"])
        or any(one["state"] != State.IN_SYNC.value for one in model["environments"].values())
    )
