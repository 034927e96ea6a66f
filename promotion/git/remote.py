"""Remotes: fetch into refs of our own, and push so that only one can win."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from promotion.errors import Unavailable
from promotion.git.command import Answer, checked, without_credentials
from promotion.git.history import History

# Nothing but what was asked for: no tags, no tracking refs, no FETCH_HEAD that another command may be reading.
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-gc", "--refmap=")
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a remote said to a push; ``reason`` is empty when it was accepted."""

    accepted: bool
    reason: str


class Remotes(History):
    """Fetch and push."""

    __slots__ = ()

    def remotes(self) -> tuple[str, ...]:
        """The names of the remotes, sorted."""
        return tuple(sorted(self.run("remote").text.split()))

    def address(self, remote: str) -> str:
        """Where a remote is, as it was given."""
        return self.run("remote", "get-url", remote).text.strip()

    def fetch(self, remote: str, *refspecs: str) -> None:
        """Fetch these refspecs and nothing else; raises Unavailable when the remote does not answer or has no such ref."""
        answer = self._fetch(remote, *refspecs)
        if answer.code != 0:
            raise self._refused(remote, answer)

    def fetch_refs(self, remote: str, wanted: Mapping[str, str]) -> dict[str, str]:
        """Fetch branches (full ref at the remote → full ref here); returns our refs of those that the remote has.

        One connection, or three when the remote lacks one of them. Refs of branches that it lacks are removed here. Works in
        shallow and in single-branch clones, and leaves their depth as it is. Raises Unavailable.
        """
        answer = self._fetch(remote, *(f"+{there}:{here}" for there, here in wanted.items()))
        if answer.code != 0 and "find remote ref" not in answer.err:
            raise self._refused(remote, answer)
        if answer.code != 0:
            has = {row.split("\t")[1] for row in self.ask(remote, "ls-remote", "--quiet", remote, *wanted).text.splitlines() if "\t" in row}
            for there, here in wanted.items():
                if there not in has:
                    self.delete_ref(here)
            if present := [f"+{there}:{here}" for there, here in wanted.items() if there in has]:
                self.fetch(remote, *present)
        return self.refs(*wanted.values())

    def fetch_tip(self, remote: str, branch: str) -> str | None:
        """The newest commit of a remote's branch, fetched; None when the remote has no such branch. Raises Unavailable."""
        here = f"refs/promotion/{remote}/heads/{branch}"
        return self.fetch_refs(remote, {f"refs/heads/{branch}": here}).get(here)

    def tip(self, remote: str, branch: str) -> str | None:
        """The newest commit of a remote's branch without fetching it; None when the remote has no such branch. Raises Unavailable."""
        ref = f"refs/heads/{branch}"
        rows = (row.split("\t") for row in self.ask(remote, "ls-remote", "--quiet", remote, ref).text.splitlines())
        return next((row[0] for row in rows if row[1:] == [ref]), None)

    def branches(self, remote: str) -> tuple[str, ...]:
        """The names of a remote's branches, sorted. Raises Unavailable."""
        rows = self.ask(remote, "ls-remote", "--quiet", "--heads", remote).text.splitlines()
        return tuple(sorted(row.split("\t")[1].removeprefix("refs/heads/") for row in rows if "\t" in row))

    def push(self, remote: str, commit: str, ref: str, *, expected: str | None) -> Pushed:
        """Move a remote's ref from ``expected`` (None: it must not exist) to a descendant: atomic, and only one can win.

        Raises Unavailable when the remote does not answer: whether the push arrived is then unknown, so look.
        """
        lease = f"--force-with-lease={ref}:{expected or ''}"
        options = ("--porcelain", "--no-follow-tags", "--no-signed", "--recurse-submodules=no", lease)
        answer = self.ask(remote, "push", *options, remote, f"{checked(commit)}:{ref}", good=(0, 1))
        if answer.code == 0:
            return Pushed(accepted=True, reason="")
        told = [row.split("\t")[-1] for row in answer.text.splitlines() if row.startswith("!")]
        told += [line.strip() for line in answer.err.splitlines() if line.startswith("remote:")]
        return Pushed(accepted=False, reason=without_credentials("; ".join(told) or answer.reason))

    def _fetch(self, remote: str, *refspecs: str) -> Answer:
        """Fetch; another process of this clone may hold the same ref for an instant, which is no fault of the remote."""
        for attempt in range(1, _TRIES):
            answer = self.ask(remote, *_FETCH, remote, *refspecs, good=range(256))
            if answer.code == 0 or not _locked(answer):
                return answer
            time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311 - jitter, not a secret
        return self.ask(remote, *_FETCH, remote, *refspecs, good=range(256))

    def _refused(self, remote: str, answer: Answer) -> Unavailable:
        hint = f"see whether git ls-remote {remote} works here, and which rights these credentials have"
        if _locked(answer):
            hint = "another git command holds this clone's ref; where none runs any more, one was killed: remove the .lock file it left"
        return Unavailable(f"{self.named(remote)} could not be read: {answer.reason}", hint=hint)


def _locked(answer: Answer) -> bool:
    """Whether a lock in this clone was in the way, and not the remote."""
    return "cannot lock ref" in answer.err or ".lock'" in answer.err
