"""Changes and verdicts as lines for a terminal: columns that line up, the worst verdict first, what passed in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from unicodedata import east_asian_width

from promotion.changes import Change, ChangeKind, Operation
from promotion.render.style import Paint, alarm, bold, dim, green, harmless, red, yellow
from promotion.verdicts import Judged, Status, Verdict

COLOURS: Mapping[Status, Paint] = {
    Status.PASSED: green,
    Status.WARNED: yellow,
    Status.INCONCLUSIVE: yellow,
    Status.FAILED: red,
    Status.ERRORED: red,
}
WIDTH = 120
"""Columns of a terminal that texts of verdicts are folded to; changes are never folded, so that they can be searched."""
_HASH = re.compile(r"\b[0-9a-f]{40,64}\b")
_LABEL = max(len(status) for status in Status)


def lines(changes: Sequence[Change]) -> list[str]:
    """One line for each change, with its place; bold and red where it empties an environment."""
    rows = [_cells(change) for change in changes]
    widths = [max(map(_wide, column)) for column in zip(*rows, strict=True)]
    found = []
    for change, (*left, before, after) in zip(changes, rows, strict=True):
        cells = [_left(cell, width) for cell, width in zip(left, widths, strict=False)]
        cells.append(f"{_right(before, widths[3])} → {_left(after, widths[4])}")
        paint, emptied = (alarm, "  EMPTIES IT") if change.after is None else (bold, "")
        found.append(f"{paint('  '.join(cells) + emptied)}   {dim(harmless(change.place))}")
    return found


def writes(operations: Iterable[Operation]) -> list[str]:
    """The registry writes, numbered in their order."""
    return [f"{dim(f'{number:>4}')}  {harmless(operation)}" for number, operation in enumerate(operations, 1)]


def judged(one: Judged) -> str:
    """One change with its verdicts."""
    ordered = sorted(one.verdicts, key=lambda verdict: -verdict.status.severity)
    widest = max((len(verdict.gate) for verdict in ordered), default=0)
    blocks = [_verdict(verdict, widest) for verdict in ordered]
    return "\n".join([f"{lines([one.change])[0]}   {COLOURS[one.status](one.status)}", *blocks])


def _verdict(verdict: Verdict, widest: int) -> str:
    """One line for what passed; for all else what was expected, what was got, where the rule stands and what to do."""
    head = f"  {COLOURS[verdict.status](_left(verdict.status, _LABEL))}  {_left(harmless(verdict.gate), widest)}  "
    asked = "" if verdict.policy in {"HEAD", "both"} else f", by the rules of the {verdict.policy} commit"
    margin = _LABEL + widest + 6
    if verdict.status is Status.PASSED:
        return head + _folded(verdict.got + asked, margin)
    parts = [("expected", verdict.expected + asked), ("got", verdict.got)]
    parts += [("waiver", str(verdict.waiver))] if verdict.waiver else []
    parts += [("rule", str(verdict.place))] if verdict.place else []
    parts += [("hint", verdict.hint)] if verdict.hint else []
    told = [f"{dim(_left(f'{name}:', 9))} {_folded(text, margin + 10)}" for name, text in parts]
    return head + f"\n{' ' * margin}".join(told)


def _folded(text: str, margin: int) -> str:
    """Text in lines that fit, each below the first; digests are cut to their start, a word that is too long stays whole."""
    short = _HASH.sub(lambda match: f"{match[0][:12]}…", harmless(text).replace("\n", " "))
    parts = wrap(short, WIDTH - margin, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * margin}".join(parts)


def _cells(change: Change) -> tuple[str, str, str, str, str]:
    """Kind, model, environment, from, to. A healing comes from what the registry shows, all else from what was applied last."""
    before = str(change.shown) if change.kind is ChangeKind.HEAL else _version(change.before)
    return change.kind.value, harmless(change.model), harmless(change.environment), before, _version(change.after)


def _version(version: int | None) -> str:
    return "none" if version is None else str(version)


def _wide(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _left(text: str, width: int) -> str:
    return text + " " * (width - _wide(text))


def _right(text: str, width: int) -> str:
    return " " * (width - _wide(text)) + text
