"""Views for a pull request or a job summary. What comes from registry or files is untrusted: it is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from promotion.changes import Change, ChangeKind, Plan
from promotion.domain import Problem
from promotion.render import beside as besides
from promotion.render import comparing, reports, rules, text
from promotion.render.problem import render_error
from promotion.render.style import harmless
from promotion.verdicts import Decision, Judged, Status, Verdict

if TYPE_CHECKING:
    from promotion.beside import Beside
    from promotion.comparison import Compared
    from promotion.drift import Drift, Drifted
    from promotion.errors import PromotionError
    from promotion.inforce import InForce
    from promotion.reconcile import Outcome
    from promotion.selftest import Tried
    from promotion.verify import Verified

ICONS = {Status.PASSED: "✅", Status.WARNED: "⚠️", Status.INCONCLUSIVE: "❔", Status.FAILED: "❌", Status.ERRORED: "🛑"}
_ANSI = re.compile("\x1b\\[[0-9;]*m")


def escape(value: object) -> str:
    """Text that shows as it is, on one line, wherever it stands: no markup, no mention, no table cell broken."""
    line = harmless(" ".join(str(value).split()))
    return (
        re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", line)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("@", "&#64;")
    )


def nothing(sentence: str) -> str:
    """A result that is one sentence."""
    return escape(sentence)


def plan(made: Plan, *, signed: bool = True) -> str:
    """The changes as a table, then the writes."""
    rows = [f"| {_what(change)} | {_step(change)} | {escape(change.place)} |" for change in made.changes]
    lines = ["### Plan", ""]
    lines += ["| change | from → to | declared at |", "|---|---|---|", *rows, ""] if rows else ["Nothing to do.", ""]
    lines += [*_problems(made.problems), *_unsigned(signed=signed)]
    if made.changes:
        lines += ["**When this is on main**, the same gates judge again there, and what they let pass is written to the registry:", ""]
        lines += [f"{number}. {escape(operation)}" for number, operation in enumerate(made.operations, 1)] or ["Nothing is left to write."]
        lines += ["", "Then it is measured again as readers find it; what fails is brought back by itself.", "", "**How to get back**", ""]
        lines += [f"- {_back(change)}" for change in made.changes]
    return "\n".join(lines)


def decision(judged: Decision, *, signed: bool = True) -> str:
    """Each change with its verdicts as a table."""
    blocks = [_judged(one) for one in judged.judged] or ["No binding changes: nothing to judge."]
    return "\n".join(["### Gates", "", *blocks, *_waived(judged), *_problems(judged.plan.problems), *_unsigned(signed=signed)])


def outcome(result: Outcome) -> str:
    """What reconcile judged and did."""
    return "\n".join([decision(result.decision), "", "### Reconcile", "", fence(reports.done(result))])


def verify(found: Sequence[Verified]) -> str:
    """Each binding with its verdicts as a table."""
    reasons = [(one.judged.change.model, why) for one in found for why in one.stale.values()]
    stale = [f"- no longer covered by evidence: {escape(name)}: {escape(why)}" for name, why in reasons]
    return "\n".join(["### Verify", "", *(_judged(one.judged) for one in found), *stale])


def drift(found: Drifted) -> str:
    """What the registry shows otherwise than it was applied, as a table."""
    rows = [
        f"| {one.kind} | {escape(one.model)} | {escape(one.environment)} | {escape(one.expected)} | {escape(one.got)} | {_since(one)} | "
        f"{escape(one.hint or '')} |"
        for one in found.drifts
    ]
    head = ["| kind | model | environment | applied | shown | changed at | what to do |", "|---|---|---|---|---|---|---|"]
    return "\n".join(["### Drift", "", *([*head, *rows] if rows else ["No drift."]), *_problems(found.survey.plan.problems)])


def in_force(found: InForce) -> str:
    """What judges one model in one environment, as a table."""
    rows = [f"| {escape(one.gate)} | {rules.mode(one)} | {escape(rules.origin(one))} | {escape(one.asks)} |" for one in found.asked]
    measured = [f"- measured by {escape(one.name)} ({escape(one.place)}): {escape(one.evaluator)}" for one in found.evaluations]
    head = f"### What judges {escape(found.model)} on its way into {escape(found.environment)}"
    note = [f"- {escape(line)}" for line in rules.exceptions(found)] + ([] if found.declared else ["- no file declares it"])
    return "\n".join([head, "", "| gate | mode | from | asks for |", "|---|---|---|---|", *rows, "", *measured, *note])


def selftest(tried: Sequence[Tried]) -> str:
    """Whether each gate refused what it must, as a table."""
    rows = [
        f"| {ICONS[one.status]} {escape(one.gate)} | {escape(one.environment)} | {escape(one.place or 'built in')} | "
        f"{escape('; '.join(one.faults) or f'refused {rules.refused(one)}')} |"
        for one in tried
    ]
    table = ["| gate | environment | from | known-bad inputs |", "|---|---|---|---|", *rows]
    summary = rules.summary(tried)
    if all(one.status is Status.PASSED for one in tried):
        return "\n".join([f"<details><summary>{ICONS[Status.PASSED]} {escape(summary)}</summary>", "", *table, "", "</details>"])
    return "\n".join(["### Gates, tried", "", *table, "", summary])


def compared(found: Sequence[Compared]) -> str:
    """Two versions side by side, a table for each evaluation."""
    blocks = []
    for one in found:
        lines = (comparing.columns(one), *comparing.rows(one))
        first, *rest = (f"| {' | '.join(map(escape, line))} |" for line in lines)
        note = ["", escape(one.note)] if one.note else []
        blocks.append("\n".join([f"### {escape(comparing.head(one))}", "", first, "| :-- | --: | --: | --: | :-- |", *rest, *note]))
    return "\n\n".join(blocks)


def beside(found: Sequence[Beside]) -> str:
    """Each version beside what is in service: the main figures drawn, all of them in a table that is folded away."""
    return "\n".join(
        block for what, several in besides.groups(found) for block in (f"#### Figures: {escape(what)}", "", *map(_beside, several))
    )


def _beside(one: Beside) -> str:
    with_what = f"version {one.version} in {one.environment}" if one.environment else "nothing"
    head = f"Version {one.change.after} beside {with_what}, by {one.evaluation}: {one.rows} rows of {one.dataset}, 95 % intervals."
    drawn = [fence(drawing), ""] if (drawing := besides.drawing(one)) else []
    table = [f"| {' | '.join(map(escape, row))} |" for row in (besides.columns(one), *besides.rows(one))]
    ruler = "|" + "---|" * len(besides.columns(one))
    note = [escape(f"{one.note[:1].upper()}{one.note[1:]}."), ""] if one.note else []
    folded = ["<details><summary>All figures</summary>", "", table[0], ruler, *table[1:], "", "</details>", ""]
    return "\n".join([escape(head), "", *note, *drawn, *folded])


def _back(change: Change) -> str:
    """How to return from a change, once it is applied."""
    where = f"{escape(change.environment)} of {escape(change.model)}"
    if change.kind is ChangeKind.HEAL:
        return f"{where}: what was applied last is restored; nothing is new, so there is nothing to get back to."
    if change.before is None:
        return f"{where}: nothing was there before. Declare `use: none`, or another version, by a pull request."
    # Not between backticks: nothing can be escaped there.
    command = f"<code>promotion rollback {escape(change.model)} {escape(change.environment)}</code>"
    quick = f"{command} or the workflow rollback: the registry first, in seconds"
    return f"{where}, back to version {change.before}: revert this pull request; or, when there is no time, {quick}."


def _since(one: Drift) -> str:
    return reports.moment(one.since) if one.since else "not told"


def error(failure: PromotionError) -> str:
    """An error: what happened, where, and what to do next."""
    return "\n".join(["### Error", "", fence(render_error(failure))])


def fence(content: str) -> str:
    """Text as it is, in a block that its own backticks cannot end."""
    plain = _ANSI.sub("", content)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    return f"{ticks}text\n{plain}\n{ticks}"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a view of the same name
    """Every other view is the text of a terminal, in a block."""
    if name.startswith("_"):
        raise AttributeError(name)
    view = getattr(text, name)
    return lambda *values, **facts: fence(view(*values, **facts))


def _what(change: Change) -> str:
    emptied = " ⚠️ **empties it**" if change.after is None else ""
    return f"**{change.kind}** {escape(change.model)} {escape(change.environment)}{emptied}"


def _step(change: Change) -> str:
    if change.kind is ChangeKind.HEAL:
        return f"shows {escape(change.shown)}, applied is {escape(change.after)}"
    return f"{escape('none' if change.before is None else change.before)} → {escape('none' if change.after is None else change.after)}"


def _judged(one: Judged) -> str:
    ordered = sorted(one.verdicts, key=lambda verdict: -verdict.status.severity)
    head = f"#### {ICONS[one.status]} {one.status}: {_what(one.change)} {_step(one.change)}"
    return "\n".join([head, "", "| gate | expected | got | what to do |", "|---|---|---|---|", *(_verdict(v) for v in ordered), ""])


def _verdict(verdict: Verdict) -> str:
    where = f" ({escape(verdict.place)})" if verdict.place and verdict.status.severity else ""
    told = "; ".join(part for part in (str(verdict.waiver) if verdict.waiver else None, verdict.hint) if part)
    hint = escape(told) if verdict.status.severity else ""
    return f"| {ICONS[verdict.status]} {escape(verdict.gate)} | {escape(verdict.expected)} | {escape(verdict.got)} | {hint}{where} |"


def _waived(judged: Decision) -> list[str]:
    """Every waiver that something was let through by, counted."""
    if not judged.waived:
        return []
    head = f"⚠️ **{len(judged.waived)} waiver{'s' if len(judged.waived) > 1 else ''} used**"
    return [head, "", *(f"- {escape(one.model)} {escape(one.environment)}: {escape(one.gate)} {escape(one)}" for one in judged.waived), ""]


def _problems(problems: tuple[Problem, ...]) -> list[str]:
    return [f"- 🛑 {escape(problem.place)}: {escape(problem.message)}. {escape(problem.hint or '')}" for problem in problems]


def _unsigned(*, signed: bool) -> list[str]:
    return [] if signed else ["", f"> ⚠️ {reports.UNSIGNED}"]
