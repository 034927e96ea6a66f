"""How the declaration changed from one entry of the journal to the next, as a patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promotion.git import Git
    from promotion.journal import Recorded

LATEST = 100
"""Entries with a patch: each asks git once."""
MOST_LINES = 120
_HEADING = ("diff --git ", "index ", "--- ")


def patches(git: Git, files: Sequence[str], entries: Sequence[Recorded]) -> Mapping[str, str]:
    """By an entry's sha, of the newest that promoted or refused: what was declared since the entry before it (the first: by its commit).

    ``entries`` are newest first. One of a commit that was applied before it (a rollback, for example) has none, nor has one whose
    commits this clone lacks, or whose files did not change.
    """
    found = {}
    telling = ((index, one) for index, one in enumerate(entries) if one.entry.changes or one.entry.refusals)
    for index, one in islice(telling, LATEST):
        commit = one.entry.commit
        # Entries that refused this commit left it to be applied; one that applied it leaves nothing to a rollback or to healing.
        same = _of(commit, entries[index + 1 :])
        if any(older.entry.changes for older in same):
            continue
        older = entries[index + 1 + len(same) :][:1]
        patch = git.difference(older[0].entry.commit if older else f"{commit}^", commit, files)
        if patch:
            found[one.sha] = _shortened(patch)
    return found


def _of(commit: str, entries: Sequence[Recorded]) -> Sequence[Recorded]:
    """The newest entries, as far as they are of this commit."""
    return tuple(takewhile(lambda one: one.entry.commit == commit, entries))


def _shortened(patch: str) -> str:
    lines = [line for line in patch.splitlines() if not line.startswith(_HEADING)]
    kept = [line.removeprefix("+++ b/") if line.startswith("+++ b/") else line for line in lines[:MOST_LINES]]
    return "\n".join([*kept, f"… and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else kept)
