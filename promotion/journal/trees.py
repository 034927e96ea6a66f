"""What each entry changed in the journal's tree, compared with what it says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from promotion.journal.chain import ENTRY, Link
from promotion.journal.changes import disagreements
from promotion.journal.codec import decode_applied, decode_holds, file_name
from promotion.journal.fields import Malformed
from promotion.journal.model import EntryKind, Fault

if TYPE_CHECKING:
    from promotion.domain import AppliedModel
    from promotion.git import Git

T = TypeVar("T")
_KNOWN = re.compile(
    r"(?P<folder>applied|holds)/[^/]+\.yaml"
    r"|evidence/(?P<first>[0-9a-f]{2})/(?P=first)[0-9a-f]{62}/(?P<digest>[0-9a-f]{64})\.(json|replicates)"
)
_HOLDING = frozenset({EntryKind.HOLD, EntryKind.RELEASE, EntryKind.OUTCOME})


@dataclass(frozen=True, slots=True)
class Diff:
    """One file that a commit changed: its bytes before and after, None where there is no such file; ``mode`` after."""

    path: str
    before: bytes | None
    after: bytes | None
    mode: str


def tree_faults(git: Git, chain: Sequence[Link], fault: Callable[[str, str, str], Fault]) -> Iterator[Fault]:
    """Every file that an entry changed without saying so, or not as it says; two processes for the whole chain."""
    changed = _diffs(git, [link.sha for link in chain])
    for link in chain:
        if link.entry is None:
            continue
        for rule, message in _faults(link, changed.get(link.sha, ())):
            yield fault(link.sha, rule, message)


def _faults(link: Link, diffs: Sequence[Diff]) -> Iterator[tuple[str, str]]:
    entry = link.sound
    before: dict[str, AppliedModel] = {}
    after: dict[str, AppliedModel] = {}
    named = {change.model for change in entry.changes}
    for diff in diffs:
        match = _KNOWN.fullmatch(diff.path)
        if diff.path == ENTRY:
            continue
        if match is None or (diff.after is not None and diff.mode != "100644"):
            yield "foreign-file", f"it changes {diff.path}, which is no file of a journal"
        elif match["digest"]:
            yield from _evidence(diff, match["digest"])
        elif match["folder"] == "holds":
            yield from _holds(link, diff, named)
        else:
            yield from _collect(diff, before, after)
    if all(diff.path != ENTRY for diff in diffs):
        yield "repeated", "it has the same entry as the one before it"
    yield from (("memory", message) for message in disagreements(entry, before, after))


def _evidence(diff: Diff, digest: str) -> Iterator[tuple[str, str]]:
    if diff.before is not None:
        yield "evidence", f"it {'removes' if diff.after is None else 'changes'} {diff.path}: evidence is only ever added"
    elif diff.after is not None and hashlib.sha256(diff.after).hexdigest() != digest:
        yield "evidence", f"{diff.path} is not named by its content"


def _holds(link: Link, diff: Diff, named: set[str]) -> Iterator[tuple[str, str]]:
    try:
        holds = [hold for content in (diff.before, diff.after) if content is not None for hold in decode_holds(content, diff.path)]
    except Malformed as error:
        yield "malformed", f"{diff.path} is malformed: {error}"
        return
    files = {file_name(name) for name in named}
    if link.sound.kind not in _HOLDING or diff.path.rpartition("/")[2] not in files or any(hold.model not in named for hold in holds):
        yield "holds", f"it changes {diff.path}, and does not say so"


def _collect(diff: Diff, before: dict[str, AppliedModel], after: dict[str, AppliedModel]) -> Iterator[tuple[str, str]]:
    try:
        for content, found in ((diff.before, before), (diff.after, after)):
            if content is not None:
                model = decode_applied(content, diff.path)
                found[model.name] = model
    except Malformed as error:
        yield "malformed", f"{diff.path} is malformed: {error}"


def _diffs(git: Git, shas: Sequence[str]) -> dict[str, tuple[Diff, ...]]:
    raw = git.raw_diffs(shas)
    blobs = sorted({blob for rows in raw.values() for row in rows for blob in (row.before, row.after) if blob is not None})
    content = {name: one.content for name, one in zip(blobs, git.objects(blobs), strict=True) if one is not None}
    return {
        sha: tuple(Diff(row.path, content.get(row.before or ""), content.get(row.after or ""), row.mode) for row in rows)
        for sha, rows in raw.items()
    }
