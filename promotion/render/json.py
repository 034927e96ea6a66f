"""Every view as one JSON document with a ``schema`` field."""

from __future__ import annotations

import json as standard
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promotion.agreement import Agreed
from promotion.changes import Change, Plan
from promotion.domain import ModelVersionRef
from promotion.errors import InvalidFiles, PromotionError, UsageError
from promotion.journal.lease import open_intent
from promotion.render.document import document, plain
from promotion.verdicts import Decision, Status

if TYPE_CHECKING:
    from promotion.calling.setup import Checked, Installed
    from promotion.comparison import Compared
    from promotion.domain import AppliedModel
    from promotion.drift import Drifted
    from promotion.evidence import Evidence
    from promotion.failed import Answered
    from promotion.gates.interface import Gate, Lineage
    from promotion.inforce import InForce
    from promotion.journal import Fault, Hold, Recorded, State
    from promotion.notifying.delivery import Delivery
    from promotion.notifying.happenings import Happening
    from promotion.orders import Done, Orders
    from promotion.pin import Pinned
    from promotion.reconcile import Outcome
    from promotion.repository import Declaration
    from promotion.restore import Restored
    from promotion.selftest import Tried
    from promotion.start import Started
    from promotion.statement import Examined
    from promotion.status import Row
    from promotion.taking import Taken
    from promotion.verdicts import Waiver
    from promotion.verify import Verified

PLAN = "promotion/plan/v1"


def nothing(text: str) -> str:
    """A result that is one sentence; it lists no changes."""
    return document("promotion/message/v1", {"message": text, "changes": []})


def unsaid(text: str) -> str:
    """What was not sent for want of a token."""
    return nothing(text)


def valid(declaration: Declaration) -> str:
    """What was found valid."""
    desired = declaration.desired
    return document(
        "promotion/declaration/v1", {"environments": desired.environments, "bindings": desired.bindings, "limits": desired.limits}
    )


def plan(made: Plan, *, signed: bool = True) -> str:
    """A plan; ``plan --out`` writes it and ``reconcile --plan`` reads it back."""
    return document(PLAN, {**_plan(made), "basis": made.basis, "signed": signed})


def agreed(name: str, content: bytes) -> Agreed:
    """What ``plan`` wrote, read back; raises UsageError for anything else."""
    try:
        found = standard.loads(content)
        if found["schema"] != PLAN:
            reason = f"its schema is {found['schema']!r}"
        elif not isinstance(found["digest"], str) or not all(isinstance(value, str) for value in found["basis"].values()):
            reason = "digest and basis are not as they must be"
        else:
            return Agreed(found["digest"], found["basis"])
    except KeyError as error:
        reason = f"it has no {error}"
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error)
    raise UsageError(f"{name} is not a plan: {reason}", hint="write one with: promotion plan --out FILE")


def decision(judged: Decision, *, signed: bool = True) -> str:
    """A decision with every verdict."""
    return document("promotion/decision/v1", {**_decision(judged), "signed": signed})


def outcome(result: Outcome) -> str:
    """What reconcile judged and did."""
    return document("promotion/outcome/v1", _outcome(result))


def rollback(result: Restored) -> str:
    """What a rollback judged and did."""
    return document("promotion/rollback/v1", _restored(result))


def answered(found: Sequence[Answered]) -> str:
    """What followed for each binding that failed its check."""
    bindings = [
        {
            "failed": one.failed,
            "restored": None if one.restored is None else _restored(one.restored),
            "stayed": None if one.stayed is None else {"message": one.stayed.message, "hint": one.stayed.hint},
            "held": one.held,
        }
        for one in found
    ]
    return document("promotion/answered/v1", {"bindings": bindings})


def verify(found: Sequence[Verified]) -> str:
    """What was verified: verdicts, what was measured, and which evidence no longer counts."""
    bindings = [
        {
            "change": _change(one.judged.change),
            "status": one.judged.status,
            "bound": one.bound,
            "unverified": one.unverified,
            "verdicts": one.judged.verdicts,
            "figures": {fresh.evaluation: fresh.figures for fresh in one.fresh},
            "stale": one.stale,
        }
        for one in found
    ]
    return document("promotion/verify/v1", {"bindings": bindings})


def started(result: Started) -> str:
    """What ``init`` found, wrote and journaled; files as text."""
    names = (
        "registry",
        "file",
        "environments",
        "declared",
        "adopted",
        "unclear",
        "left_out",
        "idle",
        "entry",
        "signed",
        "dry_run",
        "notes",
    )
    files = {name: content.decode() for name, content in result.files.items()}
    return document("promotion/init/v1", {"files": files, **{name: getattr(result, name) for name in names}})


def pinned(result: Pinned, *, check: bool = False) -> str:
    """The pins that were written, or would be."""
    return document("promotion/pins/v1", {"bindings": result.bindings, "already": result.already, "written": not check})


def workflows_written(done: Installed) -> str:
    """The files by which this repository calls the workflows."""
    return document("promotion/workflows/v1", {"source": str(done.source), "written": done.written, "already": done.already})


def workflows_checked(found: Checked) -> str:
    """Whether they are as written, and what is protected; ``protections`` is null when nobody looked."""
    facts = {"files": found.files, "faults": found.faults, "protections": found.protections}
    return document("promotion/workflows-check/v1", {"source": None if found.source is None else str(found.source), **facts})


def taken(result: Taken) -> str:
    """What ``drift --adopt`` took as it is."""
    names = ("adopted", "tags", "refused", "diffs", "entry", "signed", "notes")
    return document("promotion/adoption/v1", {name: getattr(result, name) for name in names})


def fetched(made: Orders, folder: Path) -> str:
    """What was fetched, and what was not."""
    return document("promotion/orders/v1", {"commit": made.commit, "orders": made.orders, "left_out": made.left_out, "folder": folder})


def measured(done: Sequence[Done]) -> str:
    """What became of each order."""
    found = [
        {
            "order": one.order,
            "evidence": None if one.evidence is None else one.evidence.digest,
            "figures": None if one.evidence is None else one.evidence.figures,
            "failure": None if one.failure is None else one.failure.message,
        }
        for one in done
    ]
    return document("promotion/measured/v1", {"measured": found})


def drift(found: Drifted) -> str:
    """What the registry shows otherwise than it was applied, and the plan that heals its pointers."""
    return document("promotion/drift/v1", {**_plan(found.survey.plan), "drifts": found.drifts, "bytes_read": found.read})


def notified(told: Sequence[Happening], sent: Sequence[Delivery], *, declared: int, dry_run: bool) -> str:
    """What webhooks were told; of a receiver its format and host alone."""
    receivers = [{"receiver": str(one.receiver), "posts": one.total, "accepted": one.accepted, "fault": one.fault} for one in sent]
    found = {"happenings": told, "receivers": receivers, "declared": declared, "dry_run": dry_run}
    return document("promotion/notified/v1", found)


def status(rows: Sequence[Row], state: State, made: Plan, waivers: Sequence[Waiver], *, now: datetime) -> str:
    """Declared, applied and shown side by side."""
    lock = open_intent(state, now)
    journal = {"head": state.head, "recorded": state.recorded, "signed": state.signed, "lock": lock.entry, "lease": lock.lease}
    exceptions = {"holds": state.holds(), "waivers": waivers}
    return document("promotion/status/v1", {"bindings": rows, "journal": journal, **exceptions, "problems": made.problems})


def history(entries: Iterable[Recorded], *, signers: Mapping[str, str], signed: bool) -> str:
    """Entries of the journal, newest first."""
    found = [{"journal": one.sha, "signer": signers.get(one.sha), "entry": one.entry} for one in entries]
    return document("promotion/history/v1", {"entries": found, "signed": signed})


def applied(models: Mapping[str, AppliedModel], *, at: datetime) -> str:
    """What was applied at a time."""
    return document("promotion/applied/v1", {"at": at, "models": {name: model.bindings for name, model in models.items()}})


def lineage(ref: ModelVersionRef, chain: Lineage) -> str:
    """The chain from a version back to its data."""
    links = {"data_version": chain.data_version, "data_digest": chain.data_digest, "commit": chain.commit, "run": chain.run_id}
    return document("promotion/lineage/v1", {"version": str(ref), **links, "breaks": chain.breaks})


def verified(state: State, faults: Sequence[Fault], *, entries: int, unsigned: int = 0, compared: int | None = None) -> str:
    """What verifying the journal found."""
    found = {"head": state.head, "signed": state.signed, "entries": entries, "unsigned": unsigned, "faults": faults, "compared": compared}
    return document("promotion/verification/v1", found)


def holds(found: Sequence[Hold]) -> str:
    """The holds in force."""
    return document("promotion/holds/v1", {"holds": found})


def evidence(measured: Sequence[Evidence]) -> str:
    """The statements themselves, by their names."""
    return document("promotion/evidence/v1", {"statements": {one.digest: one.statement() for one in measured}})


def compared(found: Sequence[Compared]) -> str:
    """Two versions side by side; an undefined figure and an end that is not known are null."""
    values = [
        {
            "evaluation": one.evaluation,
            "model": one.first.name,
            "versions": [one.first.version, one.second.version],
            "evidence": one.evidence,
            "rows": one.rows,
            "dataset": one.dataset,
            "confidence": one.confidence,
            "note": one.note,
            "figures": {
                line.figure: {"first": line.first, "second": line.second, "difference": line.apart, "told": line.told} for line in one.lines
            },
        }
        for one in found
    ]
    return document("promotion/compared/v1", {"evaluations": values})


def examined(found: Examined) -> str:
    """One statement, and everything that was looked at; ``statement`` is null where it is none."""
    statement = None if found.evidence is None else found.evidence.statement()
    values = {"digest": found.digest, "status": found.status, "checks": found.checks, "statement": statement}
    return document("promotion/examined/v1", values)


def gates(found: Sequence[Gate[Any]]) -> str:
    """The gates and the JSON Schema of their parameters."""
    described = [{"name": one.name, "summary": one.summary, "parameters": one.parameters.model_json_schema()} for one in found]
    return document("promotion/gates/v1", {"gates": described})


def gate(found: Gate[Any]) -> str:
    """One gate."""
    return gates([found])


def in_force(found: InForce) -> str:
    """What judges one model in one environment."""
    evaluations = [{"name": one.name, "evaluator": one.evaluator, "dataset": one.dataset, "place": one.place} for one in found.evaluations]
    asked = [
        {"gate": one.gate, "asks": one.asks, "enforced": one.enforced, "place": one.place, "built_in": one.place is None}
        for one in found.asked
    ]
    values = {"model": found.model, "environment": found.environment, "declared": found.declared}
    return document(
        "promotion/rules/v1", {**values, "rules": asked, "evaluations": evaluations, "waivers": found.waivers, "quarantine": found.barred}
    )


def selftest(tried: Sequence[Tried]) -> str:
    """Whether each gate refused what it must."""
    return document("promotion/selftest/v1", {"passed": all(one.status is Status.PASSED for one in tried), "tried": tried})


def error(failure: PromotionError) -> str:
    """An error, with every problem of every file."""
    problems = failure.problems if isinstance(failure, InvalidFiles) else ()
    values = {"message": failure.message, "hint": failure.hint, "place": failure.place, "problems": problems}
    return document("promotion/error/v1", {**values, "exit_code": int(failure.exit_code)})


def _plan(made: Plan) -> dict[str, object]:
    return {
        "target": made.target,
        "digest": made.digest,
        "changes": [_change(change) for change in made.changes],
        "operations": [str(operation) for operation in made.operations],
        "problems": made.problems,
        "unmanaged": made.unmanaged,
    }


def _change(change: Change) -> object:
    found = plain(change)
    assert isinstance(found, dict)
    return {**found, "place": str(change.place)}


def _decision(judged: Decision) -> dict[str, object]:
    changes = [
        {"change": _change(one.change), "status": one.status, "digest": one.digest, "evidence": one.evidence, "verdicts": one.verdicts}
        for one in judged.judged
    ]
    return {"status": judged.status, "judged": changes, "waived": judged.waived, "plan": _plan(judged.plan)}


def _restored(result: Restored) -> dict[str, object]:
    names = ("model", "environment", "before", "to", "hold", "commit", "pushed", "branch")
    return {**{name: getattr(result, name) for name in names}, "outcome": _outcome(result.outcome)}


def _outcome(result: Outcome) -> dict[str, object]:
    return {
        "commit": result.commit,
        "decision": _decision(result.decision),
        "done": [_change(one.change) for one in result.done],
        "refused": [_change(one.change) for one in result.refused],
        "written": [str(operation) for operation in result.written],
        "entry": result.entry,
        "signed": result.signed,
        "takes_over": result.takes_over,
        "dry_run": result.dry_run,
        "notes": result.notes,
        "unwritten": result.unwritten,
    }
