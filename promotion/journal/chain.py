"""The branch as a chain: each commit's parents, time, signature and entry, many in one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from promotion.errors import JournalError
from promotion.git.signing import has_signature
from promotion.journal.codec import decode_entry
from promotion.journal.fields import Malformed

if TYPE_CHECKING:
    from promotion.git import Git, Object
    from promotion.journal.model import Entry

ENTRY = "entry.json"


@dataclass(frozen=True, slots=True)
class Link:
    """One commit of the journal. ``at`` is git's time (seconds); ``says_root`` is what its entry gives as the first commit.

    ``entry`` is None when it is malformed, and ``fault`` says how.
    """

    sha: str
    parents: tuple[str, ...]
    at: datetime
    signed: bool
    entry: Entry | None
    says_root: str | None
    fault: str | None

    @property
    def root(self) -> str:
        """The journal's first commit: its identity."""
        return self.says_root or self.sha

    @property
    def sound(self) -> Entry:
        """The entry; raises JournalError when it is malformed."""
        if self.entry is None:
            raise JournalError(
                f"the journal's entry {self.sha[:12]} is malformed: {self.fault}",
                hint="promotion journal verify shows every fault; if a newer promotion wrote it, update this one",
            )
        return self.entry


def links(git: Git, names: Sequence[str]) -> tuple[Link | None, ...]:
    """The commits that these expressions name, None for each that does not exist; one process."""
    found = git.objects([part for name in names for part in (f"{name}^{{commit}}", f"{name}:{ENTRY}")])
    return tuple(None if commit is None else _link(commit, entry) for commit, entry in zip(found[::2], found[1::2], strict=True))


def _link(commit: Object, entry: Object | None) -> Link:
    headers = commit.content.partition(b"\n\n")[0].split(b"\n")
    parents = tuple(line[7:].decode() for line in headers if line.startswith(b"parent "))
    committer = next(line for line in headers if line.startswith(b"committer "))
    at = datetime.fromtimestamp(int(committer.split(b" ")[-2]), UTC)
    found, root, fault = _entry(entry)
    if fault is None and (root is None) != (not parents):
        found, fault = None, "root: only the first entry has none"
    return Link(commit.sha, parents, at, has_signature(commit.content), found, root, fault)


def _entry(blob: Object | None) -> tuple[Entry | None, str | None, str | None]:
    if blob is None or blob.kind != "blob":
        return None, None, f"it has no {ENTRY}"
    try:
        entry, root = decode_entry(blob.content)
    except Malformed as error:
        return None, None, str(error)
    return entry, root, None
