"""Where the branch lives: at a remote, or in this repository; and what this clone saw of it before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promotion.errors import Conflict, JournalError, Unavailable
from promotion.journal.chain import links
from promotion.journal.lease import held
from promotion.journal.trust import descends

if TYPE_CHECKING:
    from promotion.git import Git

_PUSHES = 3
_ALL = 2**31 - 2
"""A depth that reaches every first entry. The next number is special to git: it would make main complete as well."""


@dataclass(frozen=True, slots=True)
class Found:
    """The branch's newest commit, main's at the remote (None without one), and the newest entry that this clone saw verified."""

    head: str | None
    main: str | None
    seen: str | None


class Place:
    """The journal's branch at ``remote``, kept in refs of our own: no branch, index or tracking ref of the user moves."""

    def __init__(self, git: Git, remote: str | None, branch: str, main: str) -> None:
        self._git = git
        self._remote = remote
        self._local = f"refs/heads/{branch}"
        own = f"refs/promotion/{remote}"
        self._fetched, self._seen, self._main = f"{own}/fetched", f"{own}/journal", f"{own}/main"
        self._wanted = {self._local: self._fetched, f"refs/heads/{main}": self._main}

    def fetch(self) -> Found:
        """The branch as it is now. Raises Unavailable; JournalError when it is gone, or not a continuation of what was seen."""
        if self._remote is None:
            return self.known()
        self._git.fetch_refs(self._remote, self._wanted)
        found = self._look()
        if found.head is None:
            self._refuse_loss(found)
        elif found.seen not in {None, found.head} and not descends(self._git, found.seen or "", found.head):
            raise JournalError(
                f"the journal of {self._git.named(self._remote)} does not continue what this clone saw of it: "
                f"it is at {found.head[:12]}, which does not descend from {(found.seen or '')[:12]}",
                hint=f"{self.repair(found.seen)}; if it was replaced on purpose: git update-ref -d {self._seen}",
            )
        return found

    def complete(self) -> None:
        """Fetch all of the branch where a clone with a depth cut it off; main stays as shallow as it is. Raises Unavailable."""
        if self._remote is not None:
            self._git.fetch(self._remote, f"--depth={_ALL}", f"+{self._local}:{self._fetched}")

    def known(self) -> Found:
        """The branch as this clone knows it, without asking anybody."""
        if self._remote is None:
            return Found(self._git.refs(self._local).get(self._local), None, None)
        found = self._look()
        return Found(found.seen, found.main, found.seen)

    def saw(self, found: Found, head: str) -> None:
        """Remember an entry that verified. When another command of this clone was faster, its memory stays."""
        if self._remote is not None and found.seen != head:
            self._git.update_ref(self._seen, head, found.seen)

    def publish(self, sha: str, parent: str | None) -> None:
        """Make ``sha`` the newest entry if ``parent`` still is. Raises Conflict, or Unavailable when nobody can tell."""
        if self._remote is None:
            if not self._git.update_ref(self._local, sha, parent):
                self._lost(self._git.refs(self._local).get(self._local))
            return
        reason = ""
        for _ in range(_PUSHES):
            try:
                pushed = self._git.push(self._remote, sha, self._local, expected=parent)
                accepted, reason = pushed.accepted, pushed.reason
            except Unavailable as error:  # time-outs mean "unknown": the push may have arrived
                accepted, reason = False, error.message
            if accepted or self._arrived(sha, parent, reason):
                self._git.update_ref(self._seen, sha, parent)
                return
        raise Unavailable(
            f"{self._git.named(self._remote)} does not take the journal's entry: {reason}",
            hint=f"let this job push to {self._local}: a protected branch must allow it (but nobody to force)",
        )

    def repair(self, good: str | None) -> str:
        """What a person does to bring the branch back to an entry that is good."""
        if good is None:
            return f"find out who wrote {self._local}, and restore it from a clone that has the right one"
        if self._remote is None:
            return f"find out who wrote it, then restore the last good entry: git update-ref {self._local} {good}"
        return f"find out who wrote it, then restore the last good entry: git push --force {self._remote} {good}:{self._local}"

    def _arrived(self, sha: str, parent: str | None, reason: str) -> bool:
        """Whether the remote has ``sha`` after all; False when it stands where it stood. Raises Conflict, or Unavailable."""
        assert self._remote is not None
        try:
            tip = self._git.fetch_refs(self._remote, {self._local: self._fetched}).get(self._fetched)
        except Unavailable as error:
            raise Unavailable(
                f"it is not known whether the journal's entry {sha[:12]} arrived: {reason}; then: {error.message}",
                hint="run this again when the remote answers: it looks, and completes what is missing",
            ) from error
        if tip is not None and (tip == sha or descends(self._git, sha, tip)):
            return True
        if tip != parent:
            self._lost(tip)
        return False

    def _lost(self, winner: str | None) -> None:
        link = links(self._git, (winner,))[0] if winner else None
        if link is not None and link.entry is not None:
            raise held(link.entry)
        raise Conflict("the journal's branch was changed by somebody else meanwhile", hint="run promotion journal verify, then this again")

    def _look(self) -> Found:
        refs = self._git.refs(self._fetched, self._main, self._seen)
        return Found(refs.get(self._fetched), refs.get(self._main), refs.get(self._seen))

    def _refuse_loss(self, found: Found) -> None:
        """A journal that was there, and is not at the remote any more, is not a journal that begins."""
        branch = self._local.removeprefix("refs/heads/")
        if found.seen is not None:
            raise JournalError(
                f"{self._git.named(self._remote or '')} had a branch {branch} when this clone saw it last, and has none now",
                hint=f"{self.repair(found.seen)}; if it was removed on purpose: git update-ref -d {self._seen}",
            )
        if self._local in self._git.refs(self._local):
            raise JournalError(
                f"this clone has a branch {branch}, but {self._git.named(self._remote or '')} has none: beginning another would lose it",
                hint=f"publish it: git push {self._remote} {branch}; or, if it was a trial: git branch -D {branch}",
            )
