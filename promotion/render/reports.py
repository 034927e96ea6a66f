"""Text for people: what was done, how things stand, and what the journal tells."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from promotion.changes import ChangeKind
from promotion.journal.lease import Lease
from promotion.render.table import table

if TYPE_CHECKING:
    from promotion.domain import AppliedBinding, AppliedModel, Bound
    from promotion.drift import Drifted
    from promotion.evidence import Evidence
    from promotion.failed import Answered
    from promotion.gates.interface import Gate, Lineage
    from promotion.journal import Fault, Hold, Recorded, RecordedChange, State
    from promotion.journal.lease import OpenIntent
    from promotion.notifying.delivery import Delivery
    from promotion.notifying.happenings import Happening
    from promotion.reconcile import Outcome
    from promotion.restore import Restored
    from promotion.statement import Examined
    from promotion.status import Row
    from promotion.verdicts import Waiver

UNSIGNED = "The journal is unsigned: anybody who may push the branch can write it. Trust a key in policies/allowed_signers."


def done(outcome: Outcome) -> str:
    """What reconcile did, below the decision."""
    lines = [f"wrote     {operation}" for operation in outcome.written]
    if outcome.dry_run:
        lines = [f"would     {line.removeprefix('wrote     ')}" for line in lines] + ["dry run: nothing was written"]
    elif outcome.entry is None and (outcome.refused or outcome.unwritten):
        lines.append(f"recorded  nothing: the journal has commit {outcome.commit[:12]} already, and nothing of it was applied now")
    elif outcome.entry is None:
        lines.append(f"nothing to do: the registry shows what {outcome.commit[:12]} declares, and the journal says so")
    else:
        kept = "signed" if outcome.signed else "UNSIGNED"
        what = count(len(outcome.done), "change") if outcome.done else "no change"
        lines.append(f"recorded  {what} of commit {outcome.commit[:12]} as journal entry {outcome.entry[:12]} ({kept})")
    if outcome.takes_over:
        lines.append(f"completed what intent {outcome.takes_over[:12]} left unfinished")
    lines += [f"refused   {one.change.model} {one.change.environment} stays as it was applied last" for one in outcome.refused]
    lines += [f"note      {note}" for note in outcome.notes]
    return "\n".join([*lines, *([] if outcome.signed else [UNSIGNED])])


def returned(result: Restored) -> str:
    """What a rollback did."""
    lines = [done(result.outcome)]
    if result.hold is not None:
        held = f"{result.model}/{result.hold.version}@sha256:{result.hold.digest}"
        lines.append(
            f"held      {held} in {result.environment}, until: promotion hold release {held} --environment {result.environment} --reason …"
        )
    if result.commit is not None:
        told = f"pushed to {result.branch}" if result.branch else "not pushed yet: git push"
        lines.append(f"committed {result.commit[:12]} ({told})")
    elif result.outcome.entry is not None:
        lines.append("the file declares it already: nothing to commit")
    return "\n".join(lines)


def answered(found: Sequence[Answered]) -> str:
    """What followed for each binding that failed its check."""
    if not found:
        return "nothing failed: nothing was brought back"
    blocks = []
    for one in found:
        what = f"{one.failed.model} {one.failed.environment} {one.failed.bound.version}"
        lines = [f"failed    {what}: {'; '.join(one.failed.reasons)}"]
        if one.restored is not None:
            lines += [f"restored  version {one.restored.to.version}", returned(one.restored)]
        if one.held is not None:
            lines.append(f"held      it stays in service, and must not be applied again (journal {one.held[:12]})")
        if one.stayed is not None:
            lines += [f"STAYS     {one.stayed.message}", *([f"  hint: {one.stayed.hint}"] if one.stayed.hint else [])]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def notified(told: Sequence[Happening], sent: Sequence[Delivery], *, declared: int, dry_run: bool) -> str:
    """What was told, and which receivers took it."""
    if not declared and not dry_run:
        return "nobody is to be told: PROMOTION_WEBHOOKS names no receiver"
    lines = [line for one in told for line in (one.sentence, *(f"  {reason}" for reason in one.reasons))] or ["nothing to tell"]
    for one in sent:
        letters = count(one.total, "post")
        if dry_run:
            lines.append(f"would     tell {one.receiver} ({letters})")
        elif one.fault is None:
            lines.append(f"told      {one.receiver} ({letters})")
        else:
            lines.append(f"NOT TOLD  {one.receiver}: {one.fault} ({one.accepted} of {letters} taken)")
    return "\n".join(lines)


def status(rows: Sequence[Row], state: State, waivers: Sequence[Waiver], *, lock: OpenIntent, today: date) -> str:
    """Declared, applied and shown side by side, then holds and waivers; ``today`` in UTC."""
    cells = [
        (
            row.declared.model,
            row.declared.environment,
            "none" if row.declared.version is None else str(row.declared.version),
            "never" if row.applied is None else bound(row.applied.bound),
            str(row.shown),
            row.state.value,
            "" if row.applied is None else f"{moment(row.applied.at)} by {row.applied.by}{_marks(row.applied)}",
        )
        for row in rows
    ]
    lines = [
        table(("model", "environment", "declared", "applied", "shown", "state", "since"), cells) if cells else "no model is declared",
        "",
    ]
    if state.head is None:
        lines.append("journal   empty: nothing was applied yet")
    else:
        kept = "signed" if state.signed else "UNSIGNED"
        lines.append(f"journal   {state.head[:12]} ({kept}), records commit {(state.recorded or 'none')[:12]}")
    if lock.entry is not None and lock.entry.lease_until is not None:
        over = "" if lock.lease is Lease.HELD else "; it was left behind: the next reconcile completes what it began"
        told = f"since {moment(lock.entry.at)}, until {moment(lock.entry.lease_until)}, for commit {lock.entry.commit[:12]}{over}"
        lines.append(f"lock      {lock.entry.by} {told}")
    lines += [
        f"hold      {held.model}/{held.version} in {held.environment}: {held.reason} ({held.by}, {moment(held.at)})"
        for held in state.holds()
    ]
    lines += [
        f"waiver    {one.gate} for {one.model}/{one.version} in {one.environment}: {one.reason} "
        f"({one.owner}, {'expired on' if one.expires < today else 'until'} {one.expires}, {one.place})"
        for one in waivers
    ]
    return "\n".join(lines)


def drift(found: Drifted) -> str:
    """What differs from what was applied last, by kind, and what to do about it."""
    target = found.survey.plan.target
    looked = "pointers, tags and bytes" if found.read else "pointers and tags; --bytes reads the artifacts as well"
    if not found.drifts:
        return f"no drift: {target} shows what was applied last ({looked})"
    cells = [
        (
            one.kind.value,
            one.model,
            one.environment,
            _short(one.expected),
            _short(one.got),
            moment(one.since) if one.since else "the registry does not tell",
        )
        for one in found.drifts
    ]
    hints = dict.fromkeys(f"{one.kind.value}: {one.hint}" for one in found.drifts if one.hint)
    lines = [table(("kind", "model", "environment", "applied", "shown", "changed at"), cells), "", *hints]
    return "\n".join([*lines, f"{count(len(found.drifts), 'difference')} at {target} ({looked}); MLflow keeps no record of who"])


def _short(value: str) -> str:
    """A digest by its first digits."""
    return value[:19] if value.startswith("sha256:") else value


def history(entries: Iterable[Recorded], *, signers: Mapping[str, str], signed: bool) -> str:
    """Entries of the journal, newest first: who, when, why, which evidence, signed by whom."""
    blocks = [_entry(one, signers.get(one.sha)) for one in entries]
    if not blocks:
        return "the journal is empty: nothing was applied yet"
    return "\n\n".join([*blocks, *([] if signed else [UNSIGNED])])


def applied(models: Mapping[str, AppliedModel], *, at: datetime) -> str:
    """What was applied at a time."""
    cells = [
        (name, environment, bound(binding.bound), f"{moment(binding.at)} by {binding.by}{_marks(binding)}", binding.commit[:12])
        for name, model in sorted(models.items())
        for environment, binding in model.bindings.items()
    ]
    if not cells:
        return f"nothing was applied at {moment(at)}"
    return f"applied at {moment(at)}\n" + table(("model", "environment", "version", "since", "commit"), cells)


def lineage(name: str, chain: Lineage) -> str:
    """The chain from a version back to its data."""
    links = [
        ("version", name),
        ("run", chain.run_id or "missing"),
        ("commit", chain.commit or "missing"),
        ("data", f"{chain.data_version or 'missing'} (sha256 {chain.data_digest or 'missing'})"),
    ]
    lines = [f"{'  ' * index}{'└ ' if index else ''}{what:<8} {value}" for index, (what, value) in enumerate(links)]
    lines += [f"broken    {reason}" for reason in chain.breaks] or ["the chain holds: data version, commit, run and version agree"]
    return "\n".join(lines)


def verified(state: State, faults: Sequence[Fault], *, entries: int, unsigned: int = 0, compared: int | None = None) -> str:
    """What verifying the journal found; ``unsigned`` entries stand before anybody was named who may sign.

    ``compared`` models of the registry remember an entry, and the branch has it; None: no registry was asked.
    """
    if faults:
        return "\n".join([str(fault) for fault in faults] + [f"{count(len(faults), 'fault')} in {count(entries, 'entry')}"])
    kept = "UNSIGNED"
    if state.signed:
        kept = f"the first {unsigned} UNSIGNED, " if unsigned else ""
        kept += "every later one is signed by an allowed signer" if unsigned else "every one is signed by an allowed signer"
    memory = "no registry was asked which entries it remembers"
    if compared is not None:
        memory = f"the branch has what {count(compared, 'model')} of the registry remember{'s' if compared == 1 else ''} of it"
    return f"{count(entries, 'entry')}, {kept}; head {(state.head or 'none')[:12]}\n{memory}"


def holds(found: Sequence[Hold]) -> str:
    """The holds in force."""
    if not found:
        return "no holds"
    cells = [(f"{h.model}/{h.version}@sha256:{h.digest}", h.environment, h.reason, f"{h.by}, {moment(h.at)}") for h in found]
    return table(("version", "environment", "reason", "by"), cells)


def gates(found: Sequence[Gate[Any]]) -> str:
    """The gates, a line each."""
    return table(("gate", "what it checks"), [(one.name, one.summary) for one in found])


def documentation(found: Gate[Any]) -> str:
    """A gate's own documentation: the text at the top of its file."""
    return f"{found.name}: {found.summary}\n\n{(inspect.getdoc(inspect.getmodule(type(found))) or '').strip()}"


def evidence(measured: Sequence[Evidence]) -> str:
    """Figures of each evaluation, and the statement's name."""
    blocks = []
    for one in measured:
        figures = [(name, f"{value:.4f}" if math.isfinite(value) else "undefined") for name, value in one.figures.items()]
        head = (
            f"{one.subject} by {one.evaluation}: {one.counts.rows} rows of {one.dataset_path}, evidence {one.digest[:12]} ({one.isolation})"
        )
        blocks.append(f"{head}\n{table(('figure', 'measured'), figures)}")
    return "\n\n".join(blocks)


def examined(found: Examined) -> str:
    """One statement: what it says, then each check."""
    lines = [f"statement {found.digest}"]
    if (one := found.evidence) is not None:
        lines += [
            f"  {one.subject} by {one.evaluation}: {one.counts.rows} rows of {one.dataset_path}, sha256:{one.dataset}",
            f"  evaluator {one.evaluator.entry_point}, sha256:{one.evaluator.digest}",
            f"  measured {moment(one.finished)} by {one.by}; {one.isolation}",
        ]
    return "\n".join([*lines, "", table(("", "check", "found"), [(one.status, one.what, one.got) for one in found.checks])])


def moment(at: datetime) -> str:
    """A time for people: UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def bound(one: Bound | None) -> str:
    """A version with the start of its digest."""
    return "none" if one is None else f"{one.version}@{one.digest[:12]}"


def _entry(recorded: Recorded, signer: str | None) -> str:
    entry = recorded.entry
    signed = f", signed by {signer}" if signer else ", UNSIGNED"

    lines = [
        f"{moment(entry.at)}  {entry.kind:<8} {recorded.sha[:12]}  by {entry.by}{signed}",
        f"    commit   {entry.commit[:12]}  {entry.subject}  ({entry.author})",
    ]
    if entry.kind in {"hold", "release"}:
        lines += [f"    {entry.kind:<8} {one.model} {one.environment} {bound(one.after)}" for one in entry.changes]
    else:
        lines += [f"    {_change(change)}" for change in entry.changes]
    lines += [f"    refused  {one.model} {one.environment} → {one.version}: {'; '.join(one.reasons)}" for one in entry.refusals]
    if entry.takes_over:
        lines.append(f"    completes the unfinished intent {entry.takes_over[:12]}")
    if not entry.changes and not entry.refusals and entry.kind.value == "outcome":
        lines.append("    changes nothing")
    return "\n".join(lines)


def _change(change: RecordedChange) -> str:
    what = f"{change.kind:<8} {change.model} {change.environment} {bound(change.before)} → {bound(change.after)}"
    if change.kind is ChangeKind.ADOPT:
        return f"{what}  not judged"
    evidence = f"  evidence {', '.join(one[:12] for one in change.evidence)}" if change.evidence else ""
    return f"{what}  {change.status}{evidence}"


def _marks(binding: AppliedBinding) -> str:
    marks = [name for name, on in (("adopted", binding.adopted), ("UNVERIFIED", binding.unverified)) if on]
    return f" ({', '.join(marks)})" if marks else ""


def count(number: int, what: str) -> str:
    """A number with its noun, in the plural where it needs one."""
    plural = what if number == 1 else f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {plural}"
