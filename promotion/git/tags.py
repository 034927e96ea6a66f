"""Signed annotated tags: made by an SSH key, and read back with who signed them."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from promotion.errors import UsageError
from promotion.git.command import checked
from promotion.git.objects import Identity
from promotion.git.signing import SSH_ALONE, Signature, Signing

_GOOD = re.compile(r'^Good "git" signature for (?P<principal>.+) with \S+ key (?P<fingerprint>SHA256:\S+)$', re.MULTILINE)
_SIGNED = b"-----BEGIN SSH SIGNATURE-----"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag object: its hash, its own name (a ref may point at it under another), what it tags, and its message."""

    sha: str
    name: str
    target: str
    message: str


class Tags(Signing):
    """Tags."""

    __slots__ = ()

    def make_tag(self, name: str, target: str, message: str, *, who: Identity, at: datetime, key: Path) -> str:
        """Make a signed tag in this repository; returns the tag object. Raises UsageError where it exists, or the key cannot sign."""
        person = {"GIT_COMMITTER_NAME": who.name, "GIT_COMMITTER_EMAIL": who.mail, "GIT_COMMITTER_DATE": f"{int(at.timestamp())} +0000"}
        signing = ("-c", "gpg.format=ssh", "-c", "gpg.ssh.program=ssh-keygen", "-c", f"user.signingKey={key}")
        arguments = (*signing, "tag", "--sign", "--cleanup=verbatim", "--file=-", checked(name), checked(target))
        answer = self.run(*arguments, stdin=message.encode(), environment=person, good=range(256))
        if answer.code != 0 and "already exists" in answer.reason:
            raise UsageError(
                f"there is a tag {name} already",
                hint=f"git show {name} tells what it says; to make it anew, delete it first: git tag -d {name}",
            )
        if answer.code != 0:
            raise UsageError(
                f"the tag {name} could not be made: {answer.reason}",
                hint="the key must be an SSH key without a passphrase, or a public key whose private half is in the agent",
            )
        return self.refs(f"refs/tags/{name}")[f"refs/tags/{name}"]

    def delete_tag(self, name: str) -> None:
        """Remove a tag of this repository if it is there."""
        self.delete_ref(f"refs/tags/{name}")

    def tags(self, prefix: str) -> dict[str, Tag | None]:
        """The annotated tags below a full ref, by ref; None for a ref that points at something else."""
        names = self.run("for-each-ref", "--format=%(refname)", prefix).text.splitlines()
        found = self.objects(names) if names else ()
        return {
            name: _read(one.sha, one.content) if one is not None and one.kind == "tag" else None
            for name, one in zip(names, found, strict=True)
        }

    def show_tagger(self, sha: str, signers: bytes) -> Signature:
        """Who signed a tag object, judged by a list of allowed signers."""
        with tempfile.NamedTemporaryFile(prefix="allowed-signers-") as file:
            file.write(signers)
            file.flush()
            config = (*SSH_ALONE, "-c", f"gpg.ssh.allowedSignersFile={file.name}")
            answer = self.run(*config, "verify-tag", checked(sha), good=range(256))
        match = _GOOD.search(answer.err)
        if answer.code != 0 or match is None:
            return Signature("N" if "no signature" in answer.err else "U", "", "")
        return Signature("G", match["principal"], match["fingerprint"])


def _read(sha: str, content: bytes) -> Tag | None:
    head, _, body = content.partition(b"\n\n")
    fields = dict(line.split(b" ", 1) for line in head.splitlines() if b" " in line)
    if not {b"object", b"tag"} <= fields.keys():
        return None
    message = body.partition(_SIGNED)[0].decode("utf-8", "replace")
    return Tag(sha, fields[b"tag"].decode("utf-8", "replace"), fields[b"object"].decode("ascii", "replace"), message)
