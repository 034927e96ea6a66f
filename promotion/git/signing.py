"""Who signed a commit, by SSH keys alone."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from promotion.git.objects import Objects

# Only SSH signatures count: with OpenPGP or X.509, git would ask the keyring of whoever runs this, and trust it.
_PROGRAMS = ("gpg.ssh.program=ssh-keygen", "gpg.program=false", "gpg.openpgp.program=false", "gpg.x509.program=false")
SSH_ALONE = tuple(part for program in _PROGRAMS for part in ("-c", program))
_FORM = "--format=%H%x00%G?%x00%GS%x00%GF"


@dataclass(frozen=True, slots=True)
class Signature:
    """What git says of a commit's signature.

    ``status`` is git's letter: ``G`` good, ``U`` by a key that is not among the signers, ``N`` none, ``B`` bad, ``E`` cannot be
    checked. ``principal`` is the signer's name in the list of allowed signers, ``fingerprint`` the key's.
    """

    status: str
    principal: str
    fingerprint: str

    @property
    def good(self) -> bool:
        """Whether an allowed signer made it."""
        return self.status == "G" and bool(self.principal)


class Signing(Objects):
    """Signatures."""

    __slots__ = ()

    def show_signer(self, sha: str, signers: bytes) -> Signature:
        """Who signed a commit, judged by a list in the format of ``ssh-keygen``'s allowed signers."""
        return self.show_signers((sha,), signers)[sha]

    def show_signers(self, shas: Sequence[str], signers: bytes) -> dict[str, Signature]:
        """As ``show_signer`` for many commits, in one git process (and two of ssh-keygen for each commit)."""
        if not shas:
            return {}
        with tempfile.NamedTemporaryFile(prefix="allowed-signers-") as file:
            file.write(signers)
            file.flush()
            config = (*SSH_ALONE, "-c", f"gpg.ssh.allowedSignersFile={file.name}")
            limit = self.local_timeout + len(shas)
            names = "".join(f"{sha}\n" for sha in shas).encode()
            answer = self.run(*config, "log", "--no-walk=unsorted", "--no-show-signature", _FORM, "--stdin", stdin=names, timeout=limit)
        rows = (row.split("\0") for row in answer.text.splitlines())
        return {sha: Signature(status, principal, fingerprint) for sha, status, principal, fingerprint in rows}

    def signed(self, head: str) -> tuple[str, ...]:
        """The commits of a branch that bear a signature, whoever made it, newest first: no key is looked at."""
        shas = self.run("rev-list", "--first-parent", head).text.splitlines()
        return tuple(one.sha for one in self.objects(shas) if one and has_signature(one.content))


def has_signature(commit: bytes) -> bool:
    """Whether the bytes of a commit hold a signature."""
    return any(line.startswith((b"gpgsig ", b"gpgsig-sha256 ")) for line in commit.partition(b"\n\n")[0].splitlines())
