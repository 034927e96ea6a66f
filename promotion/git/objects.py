"""Commits, trees and blobs: read them in few processes, write them without touching index or working tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from promotion.errors import UsageError
from promotion.git.command import Command, checked

_TRIES = 10
"""How often a ref is tried whose lock another process holds; git itself waits for it 0.1 s each time."""
_IDENTITY = re.compile(r"(?P<name>[^<>\n]*?)\s*(?:<(?P<mail>[^<>\s]*)>)?\s*")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who made a commit; the text form is ``Name <mail>``."""

    name: str
    mail: str

    def __str__(self) -> str:
        return f"{self.name} <{self.mail}>"

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read ``Name <mail>``, or a bare name, which gets an address that reaches nobody."""
        match = _IDENTITY.fullmatch(text)
        name, mail = (match["name"], match["mail"]) if match else (re.sub(r"[<>\n]", "", text), None)
        return cls(name.strip() or "unknown", mail or "nobody@promotion.invalid")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; ``at`` is when it was committed, in UTC, ``author`` as ``Name <mail>``."""

    sha: str
    parents: tuple[str, ...]
    author_name: str
    author_mail: str
    at: datetime
    subject: str
    body: str

    @property
    def author(self) -> str:
        """``Name <mail>``."""
        return f"{self.author_name} <{self.author_mail}>"


@dataclass(frozen=True, slots=True)
class Object:
    """One object: its hash, its kind (``blob``, ``tree``, ``commit``, ``tag``) and its bytes."""

    sha: str
    kind: str
    content: bytes


class Objects(Command):
    """Objects of one repository."""

    __slots__ = ()

    def resolve(self, ref: str) -> str:
        """The commit that a ref names; raises UsageError when there is none."""
        answer = self.run("rev-parse", "--verify", "--quiet", f"{checked(ref)}^{{commit}}", good=(0, 1, 128))
        if answer.code != 0:
            raise _unknown(ref)
        return answer.text

    def refs(self, *names: str) -> dict[str, str]:
        """The refs of these full names that exist, with the objects they point at."""
        lines = self.run("for-each-ref", "--format=%(refname) %(objectname)", *names).text.splitlines()
        found = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
        return {name: found[name] for name in names if name in found}

    def commit(self, ref: str) -> Commit:
        """One commit; raises UsageError when there is none."""
        form = "%H%x00%P%x00%an%x00%ae%x00%ct%x00%s%x00%b"
        answer = self.run("log", "-1", "--no-show-signature", f"--format={form}", self.resolve(ref))
        sha, parents, name, mail, seconds, subject, body = answer.text.split("\0", 6)
        return Commit(sha, tuple(parents.split()), name, mail, datetime.fromtimestamp(int(seconds), UTC), subject, body.rstrip("\n"))

    def contains(self, sha: str) -> bool:
        """Whether the repository has this commit."""
        return self.run("cat-file", "-e", f"{checked(sha)}^{{commit}}", good=(0, 1, 128)).code == 0

    def objects(self, names: Sequence[str]) -> tuple[Object | None, ...]:
        """The objects that these expressions name (``REF``, ``REF:path``), None for each that does not exist; one process."""
        askable = [name for name in names if "\n" not in name]
        answer = self.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in askable).encode("utf-8", "surrogateescape"))
        found = _parse_batch(answer.out)
        return tuple(None if "\n" in name else next(found) for name in names)

    def read(self, ref: str, path: str) -> bytes | None:
        """The bytes of a file in a commit, None when it has no such file; raises UsageError when there is no such commit."""
        return self.read_many(ref, (path,))[path]

    def read_many(self, ref: str, paths: Sequence[str]) -> dict[str, bytes | None]:
        """Several files of one commit in one process; raises as ``read``."""
        first, *rest = self.objects([f"{checked(ref)}^{{tree}}", *(f"{ref}:{path}" for path in paths)])
        if first is None:
            raise _unknown(ref)
        return {path: one.content if one and one.kind == "blob" else None for path, one in zip(paths, rest, strict=True)}

    def list(self, ref: str, folder: str, *, recursive: bool = False) -> tuple[str, ...]:
        """Paths of the files directly in a folder of a commit (or anywhere below it), sorted; empty when there is none.

        The folder ``""`` is the top one.
        """
        return tuple(self.blobs(ref, folder, recursive=recursive))

    def blobs(self, ref: str, folder: str, *, recursive: bool = False) -> dict[str, str]:
        """As ``list``, with the hash of each file."""
        options = ("-r",) if recursive else ()
        where = ("--", f"{folder.rstrip('/')}/") if folder else ()
        answer = self.run("ls-tree", "-z", "--full-tree", *options, checked(ref), *where, good=(0, 128))
        if answer.code != 0:
            raise _unknown(ref)
        found = {}
        for row in answer.out.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            meta, _, path = row.partition("\t")
            _, kind, sha = meta.split(" ")
            if kind == "blob":
                found[path] = sha
        return dict(sorted(found.items()))

    def write_blob(self, content: bytes) -> str:
        """Store bytes; returns their hash."""
        return self.run("hash-object", "-w", "--stdin", stdin=content).text

    def read_commit(self, sha: str) -> bytes:
        """The commit object itself, with its signature; raises UsageError when there is none."""
        (found,) = self.objects([checked(sha)])
        if found is None or found.kind != "commit":
            raise _unknown(sha)
        return found.content

    def write_commit(self, content: bytes) -> str:
        """Store a commit object as it is; returns its hash. Raises UsageError for what is no commit."""
        answer = self.run("hash-object", "-w", "-t", "commit", "--stdin", stdin=content, good=range(256))
        if answer.code != 0:
            raise UsageError(f"this is no commit: {answer.reason}")
        return answer.text

    def make_tree(self, base: str | None, changes: Mapping[str, bytes | None]) -> str:
        """The tree of commit ``base`` (None: an empty one) with files replaced, or removed where the value is None.

        One process whatever the number of files, and only the folders on the way are read: neither index nor working tree.
        """
        scratch = f"refs/promotion/scratch/{uuid4().hex}"
        stream = bytearray(f"commit {scratch}\ncommitter x <x> 0 +0000\ndata 0\n".encode())
        if base is not None:
            stream += f"from {checked(base)}\n".encode()
        for path, content in changes.items():
            name = _quoted(path)
            if content is None:
                stream += b"D %b\n" % name
            else:
                stream += b"M 100644 inline %b\ndata %d\n%b\n" % (name, len(content), content)
        try:
            self.run("fast-import", "--quiet", "--force", stdin=bytes(stream))
            return self.run("rev-parse", f"{scratch}^{{tree}}").text
        finally:
            self.run("update-ref", "-d", scratch)

    def commit_tree(self, tree: str, parents: Sequence[str], message: str, *, who: Identity, at: datetime, key: Path | None = None) -> str:
        """Make a commit object, signed when there is an SSH key (private, or public with an agent); no ref moves.

        Raises UsageError when the key cannot sign.
        """
        when = f"{int(at.timestamp())} +0000"
        person = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _parts(who, when)}
        signing = () if key is None else ("-c", "gpg.format=ssh", "-c", "gpg.ssh.program=ssh-keygen")
        sign = () if key is None else (f"-S{key}",)
        links = [part for parent in parents for part in ("-p", parent)]
        answer = self.run(*signing, "commit-tree", *sign, *links, tree, stdin=message.encode(), environment=person, good=range(256))
        if answer.code != 0 and key is not None:
            raise UsageError(
                f"the commit could not be signed with {key}: {answer.reason}",
                hint="the key must be an SSH key without a passphrase, or a public key whose private half is in the agent",
            )
        if answer.code != 0:
            raise UsageError(f"git commit-tree failed: {answer.reason}")
        return answer.text

    def update_ref(self, ref: str, new: str, old: str | None) -> bool:
        """Move a ref from ``old`` (None: it must not exist) to ``new``; False when it stood elsewhere, and nothing happened."""
        reason = ""
        for _ in range(_TRIES):
            answer = self.run("update-ref", ref, new, old or "", good=range(256))
            if answer.code == 0:
                return True
            if self.refs(ref).get(ref) != old:
                return False
            reason = answer.reason
        raise UsageError(f"git cannot move {ref}: {reason}", hint="another git command may hold it; remove a stale .lock file")

    def delete_ref(self, ref: str) -> None:
        """Remove a ref if it is there."""
        self.run("update-ref", "-d", ref)


def _unknown(ref: str) -> UsageError:
    return UsageError(f"there is no commit {ref!r} in this repository", hint="git fetch, or git fetch --unshallow in a shallow clone")


def _parts(who: Identity, when: str) -> tuple[tuple[str, str], ...]:
    return ("NAME", who.name), ("EMAIL", who.mail), ("DATE", when)


def _quoted(path: str) -> bytes:
    """A path for fast-import, quoted as in C."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.encode("utf-8", "surrogateescape")


def _parse_batch(out: bytes) -> Iterator[Object | None]:
    """Objects from the output of ``cat-file --batch``: ``<hash> <kind> <size>``, the bytes, a newline; or ``… missing``."""
    position = 0
    while position < len(out):
        end = out.index(b"\n", position)
        header = out[position:end]
        position = end + 1
        if header.endswith((b" missing", b" ambiguous")):
            yield None
            continue
        sha, kind, size = header.decode().split(" ")
        yield Object(sha, kind, out[position : position + int(size)])
        position += int(size) + 1
