"""Pure: an entry that is about to be written: its files, its commit message, and whether it may follow the newest one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from promotion.errors import JournalError
from promotion.journal.audit import SKEW
from promotion.journal.chain import ENTRY
from promotion.journal.changes import disagreements
from promotion.journal.codec import (
    decode_applied,
    decode_entry,
    decode_holds,
    encode_applied,
    encode_entry,
    encode_holds,
    evidence_folder,
    file_name,
)
from promotion.journal.fields import DIGEST, Malformed, moment
from promotion.journal.lease import held
from promotion.journal.model import EntryKind

if TYPE_CHECKING:
    from promotion.domain import AppliedModel
    from promotion.journal.model import Entry, Hold, RecordedChange, Statement
    from promotion.journal.state import State

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def check(state: State, entry: Entry, memory: Mapping[str, AppliedModel]) -> None:
    """Raise Conflict for an entry that would end somebody's intent, JournalError for one that does not say what it changes."""
    last = state.entry
    if last is not None and last.kind is EntryKind.INTENT and last.id not in {entry.id, entry.takes_over}:
        raise held(last)
    if last is not None and entry.at < last.at - SKEW:
        raise JournalError(
            f"this entry would be of {moment(entry.at)}, but the newest one is of {moment(last.at)}",
            hint="set the clock of this machine, or find out whose clock was wrong",
        )
    for problem in disagreements(entry, state.applied_of(memory) if memory else {}, memory):
        raise JournalError(f"this entry does not fit what it changes: {problem}", hint="this is a fault of promotion: please report it")


def files(
    entry: Entry, root: str | None, memory: Mapping[str, AppliedModel], evidence: Iterable[Statement], holds: Mapping[str, tuple[Hold, ...]]
) -> dict[str, bytes | None]:
    """The files that the entry writes (None: removes). Raises JournalError when one of them could not be read again."""
    content = encode_entry(entry, root)
    applied = {f"applied/{file_name(name)}": encode_applied(model) for name, model in memory.items()}
    holding = {f"holds/{file_name(name)}": encode_holds(name, now) if now else None for name, now in holds.items()}
    try:
        _same(entry, decode_entry(content)[0])
        for (path, written), model in zip(applied.items(), memory.values(), strict=True):
            _same(model, decode_applied(written, path))
        for path, kept in holding.items():
            if kept is not None:
                decode_holds(kept, path)
        statements = {path: content for one in evidence for path, content in _statement_files(one)}
    except Malformed as error:
        raise JournalError(f"this entry would be malformed: {error}", hint="this is a fault of promotion: please report it") from error
    return {ENTRY: content, **applied, **holding, **statements}


def message(entry: Entry) -> str:
    """The commit message: what happened in one line, then who, why and for which commit, for people who read the branch."""
    lines = [
        f"{entry.kind}: {_summary(entry)}",
        "",
        *(_told(change) for change in entry.changes),
        *(f"refused {one.model} {one.environment} {one.version or 'none'}: {'; '.join(one.reasons)}" for one in entry.refusals),
        *([""] if entry.changes or entry.refusals else []),
        f"Commit: {entry.commit}",
        f"Subject: {entry.subject}",
        f"Author: {entry.author}",
        f"Run-By: {entry.by}",
        f"Registry: {entry.registry}",
        f"Entry: {entry.id}",
        *([f"Takes-Over: {entry.takes_over}"] if entry.takes_over else []),
        *([f"Lease-Until: {moment(entry.lease_until)}"] if entry.lease_until else []),
    ]
    return "\n".join(_CONTROL.sub(" ", line) for line in lines) + "\n"


def _same(value: object, again: object) -> None:
    if value != again:
        raise Malformed(f"{type(value).__name__} is another when it is read again: {value!r:.200}")


def _statement_files(statement: Statement) -> Iterator[tuple[str, bytes]]:
    if DIGEST.fullmatch(statement.key) is None:
        raise Malformed(f"evidence has the key {statement.key!r:.60}")
    for content, kind in ((statement.content, "json"), (statement.replicates, "replicates")):
        if content is not None:
            yield f"{evidence_folder(statement.key)}/{hashlib.sha256(content).hexdigest()}.{kind}", content


def _summary(entry: Entry) -> str:
    parts = []
    if entry.changes:
        rest = len(entry.changes) - 1
        parts.append(_told(entry.changes[0]) + (f" and {rest} more" if rest else ""))
    if entry.refusals:
        parts.append(f"{len(entry.refusals)} refused")
    return ", ".join(parts) or f"nothing to change for {entry.commit[:12]}"


def _told(change: RecordedChange) -> str:
    before, after = (str(bound.version) if bound else "none" for bound in (change.before, change.after))
    return f"{change.kind} {change.model} {change.environment} {before} → {after}"
