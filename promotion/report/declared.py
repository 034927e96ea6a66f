"""How the declaration changed from one entry of the journal to the next, as a patch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
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

    ``entries`` are newest first. One whose commits this clone lacks, or whose files did not change, has none.
    """
    found = {}
    telling = ((index, one) for index, one in enumerate(entries) if one.entry.changes or one.entry.refusals)
    for index, one in islice(telling, LATEST):
        commit = one.entry.commit
        before = next((older.entry.commit for older in entries[index + 1 :] if older.entry.commit != commit), f"{commit}^")
        patch = git.difference(before, commit, files)
        if patch:
            found[one.sha] = _shortened(patch)
    return found


def _shortened(patch: str) -> str:
    lines = [line for line in patch.splitlines() if not line.startswith(_HEADING)]
    kept = [line.removeprefix("+++ b/") if line.startswith("+++ b/") else line for line in lines[:MOST_LINES]]
    return "\n".join([*kept, f"… and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else kept)
