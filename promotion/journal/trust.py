"""Who may sign an entry.

The signers of an entry are those that ``policies/allowed_signers`` names in the commit of main which the entry *before* it
recorded: no commit appoints its own signer. For the first entry, and where that commit names nobody yet, it is the commit
that the entry is about. What counts is main alone, as the remote has it: a commit that is not in its history (somebody's
branch, a rewritten main, a history cut off by a shallow clone) vouches for nobody, and main's newest commit is asked instead.
A file that was removed, or that no longer names any key, does not turn the signatures off: the newest version in main's
history that names a key stays in force.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from promotion.errors import UsageError

if TYPE_CHECKING:
    from promotion.git import Git, Signature
    from promotion.journal.chain import Link
    from promotion.journal.model import Entry

_KEY_TYPES = ("ssh-", "ecdsa-", "sk-")


@dataclass(frozen=True, slots=True)
class Signers:
    """A list of allowed signers, and the commit of main that it stands in."""

    content: bytes
    commit: str


class Trust:
    """Who may sign, in one repository. ``main`` is the newest commit of the remote's main; None without a remote."""

    def __init__(self, git: Git, path: str, main: str | None) -> None:
        self._git = git
        self.path = path
        self.main = main
        self._known: dict[str, Signers | None] = {}
        self._on_main: frozenset[str] | None = None

    def preload(self, commits: Iterable[str]) -> None:
        """Read what many commits say, in two processes."""
        git = self._git
        if self.main is not None:
            self._on_main = frozenset(git.log(self.main))
        asked = sorted(set(commits) - set(self._known))
        there = [commit for commit in asked if self._on_main is None or commit in self._on_main]
        known = git.objects([part for commit in there for part in (f"{commit}^{{tree}}", f"{commit}:{self.path}")])
        for commit, tree, file in zip(there, known[::2], known[1::2], strict=True):
            if tree is not None:
                self._known[commit] = _named(file.content if file and file.kind == "blob" else None, commit)

    def of(self, entry: Entry, before: Link | None) -> Signers | None:
        """Who may sign ``entry``, which follows ``before``; None where nobody is named, so that it must be unsigned."""
        if before is None:
            return self._at(entry.commit)
        first = before.sound.recorded or before.sound.commit
        if (found := self._at(first)) is not None:
            return found
        return (self._earlier(first) if before.signed else None) or self._at(entry.commit)

    def _at(self, commit: str) -> Signers | None:
        if commit not in self._known:
            self._known[commit] = self._look(commit)
        return self._known[commit]

    def _look(self, commit: str) -> Signers | None:
        source = commit
        if self.main is not None and not self._is_on_main(commit):
            source = self.main
        try:
            return _named(self._git.read(source, self.path), source)
        except UsageError:  # without a remote: a commit that is gone
            return _named(self._git.read("HEAD", self.path), "HEAD")

    def _is_on_main(self, commit: str) -> bool:
        assert self.main is not None
        if self._on_main is not None:
            return commit in self._on_main
        return commit == self.main or descends(self._git, commit, self.main)

    def _earlier(self, commit: str) -> Signers | None:
        """The newest version of the file that names a key, in the history of a commit (of main, where it is not on it)."""
        start = commit if self.main is None or self._is_on_main(commit) else self.main
        start = start if self._git.contains(start) else "HEAD"
        for version in self._git.log(start, self.path, first_parent=True):
            if (found := _named(self._git.read(version, self.path), version)) is not None:
                return found
        return None


def descends(git: Git, old: str, new: str) -> bool:
    """Whether ``new`` is known to descend from ``old``: an unknown commit or a shallow clone is a no."""
    try:
        return git.is_ancestor(old, new)
    except UsageError:
        return False


def complaint(path: str, signers: Signers | None, signature: Signature | None, *, signed: bool) -> tuple[str, str] | None:
    """What is wrong with an entry's signature: a short rule and a sentence; None when nothing is.

    ``signed``: it bears one; ``signature`` is what git says of it, judged by the signers.
    """
    if signers is None:
        return ("foreign-key", f"it is signed, but at that time no {path} of main named who may sign") if signed else None
    if signature is not None and signature.good:
        return None
    where = f"{path} of commit {signers.commit[:12]}"
    if signature is None:
        return "unsigned", f"it is not signed, although {where} names who may sign"
    if signature.status == "U":
        return "foreign-key", f"it is signed by the key {signature.fingerprint}, which {where} does not allow"
    if signature.status == "B":
        return "bad-signature", f"its signature does not fit its content, or is by a key that {where} does not allow (any more)"
    return "unverifiable", f"its signature is not one by an SSH key that {where} allows, or ssh-keygen is missing here"


def named_keys(content: bytes) -> dict[str, tuple[str, ...]]:
    """The names that a list of allowed signers gives to each key, by the key's fingerprint; patterns are no names."""
    found: dict[str, tuple[str, ...]] = {}
    for line in content.splitlines():
        if line.lstrip().startswith(b"#"):
            continue
        for kind, key in _pairs(line):
            if _is_key(kind, key):
                digest = base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).rstrip(b"=").decode()
                names = line.split()[0].decode("utf-8", "replace").strip('"').split(",")
                known = found.get(f"SHA256:{digest}", ())
                found[f"SHA256:{digest}"] = (*known, *(name for name in names if name and not set(name) & set("*?!")))
    return found


def names_a_key(content: bytes) -> bool:
    """Whether a list of allowed signers holds at least one SSH key."""
    return any(_is_key(kind, key) for line in content.splitlines() if not line.lstrip().startswith(b"#") for kind, key in _pairs(line))


def _pairs(line: bytes) -> Iterable[tuple[bytes, bytes]]:
    words = line.split()
    return pairwise(words)


def _is_key(kind: bytes, key: bytes) -> bool:
    """Whether two words are a key: its kind, and base64 that begins with the same kind and its length."""
    if not kind.startswith(tuple(prefix.encode() for prefix in _KEY_TYPES)):
        return False
    try:
        return base64.b64decode(key, validate=True).startswith(len(kind).to_bytes(4, "big") + kind)
    except binascii.Error:
        return False


def _named(content: bytes | None, commit: str) -> Signers | None:
    return Signers(content, commit) if content is not None and names_a_key(content) else None
