"""Checks one statement of evidence offline: its form, its name, its subject, and the signed entry of the journal that brought it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promotion import packing, replicates
from promotion.errors import Exit, PromotionError, UsageError
from promotion.evidence import MAX_BYTES, Evidence, EvidenceError, read
from promotion.registry.artifacts import digest_folder
from promotion.verdicts import Status

if TYPE_CHECKING:
    from promotion.journal import Journal, State

_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_WHOLE = 64


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what, and what was found."""

    what: str
    status: Status
    got: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A statement's bytes by their digest, what they say (None: they are no statement), and every check."""

    digest: str
    evidence: Evidence | None
    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        """The worst check."""
        return max((one.status for one in self.checks), key=lambda status: status.severity)

    @property
    def exit_code(self) -> Exit:
        """CONFLICT where the journal does not vouch for it as it must, FAILED for any other fault, ERRORED for what cannot be told."""
        bad = {one.what for one in self.checks if one.status is Status.FAILED}
        if bad == {"signature"}:
            return Exit.CONFLICT
        if bad:
            return Exit.FAILED
        return Exit.ERRORED if self.status.blocks else Exit.DONE


def examine(journal: Journal, target: str, artifact: Path | None) -> Examined:
    """Check a statement in a file, or one of the journal by its digest (eight characters at least); nobody is asked over the network.

    With ``artifact``, a folder's bytes must be the statement's subject. Raises UsageError when there is no such file or statement, and
    JournalError when the journal's newest entry does not verify.
    """
    state = journal.read(fetch=False)
    data, named = _find(state, target)
    digest = hashlib.sha256(data).hexdigest()
    try:
        evidence: Evidence | None = read(data)
        form = Check("form", Status.PASSED, "canonical, nothing unknown, every figure follows from the counts")
    except EvidenceError as error:
        evidence, form = None, Check("form", Status.FAILED, error.message)
    checks = [form, *_name(digest, named)]
    if evidence is not None:
        checks += [*_resamples(evidence, state, Path(target)), _subject(evidence, artifact), *_origin(journal, state, evidence, digest)]
    return Examined(digest, evidence, tuple(checks))


def _find(state: State, target: str) -> tuple[bytes, str | None]:
    """The bytes, and the digest that they should have; None where the file's name says none."""
    path = Path(target)
    if path.is_file():
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        stem = path.name.partition(".")[0]
        return data, stem if len(stem) == _WHOLE and _DIGEST.fullmatch(stem) else None
    wanted = target.removeprefix("sha256:")
    if _DIGEST.fullmatch(wanted) is None:
        raise UsageError(f"{target!r} is neither a file nor a digest", hint="name the file, or eight characters of its digest at least")
    paths = state.git.list(state.head, "evidence", recursive=True) if state.head else ()
    found = sorted({one for one in paths if one.rpartition("/")[2].startswith(wanted)})
    if len(found) != 1:
        told = "no statement" if not found else f"{len(found)} statements"
        hint = "promotion journal verify fetches the journal; name a file for evidence that is in none" if not found else "name more of it"
        raise UsageError(f"the journal that this clone knows has {told} with the digest {wanted}", hint=hint)
    assert state.head is not None
    return state.git.read(state.head, found[0]) or b"", found[0].rpartition("/")[2].removesuffix(".json")


def _name(digest: str, named: str | None) -> Iterator[Check]:
    if named is not None:
        same = named == digest
        got = f"sha256:{digest}" if same else f"the bytes are sha256:{digest}, the name says {named}"
        yield Check("name", Status.PASSED if same else Status.FAILED, got)


def _resamples(evidence: Evidence, state: State, target: Path) -> Iterator[Check]:
    """Whether the file of resamples that the statement names is there, is what its name says, and fits the counts."""
    if evidence.beside is None:
        return
    data = state.resampled(evidence.key, evidence.beside)
    beside = target.with_name(f"{evidence.beside}.replicates")
    if data is None and target.is_file() and beside.is_file():
        with beside.open("rb") as file:
            data = file.read(packing.MAX_BYTES + 1)
    if data is None:
        yield Check("resamples", Status.ERRORED, f"{evidence.beside[:12]}.replicates is in neither the journal nor beside it")
    elif hashlib.sha256(data).hexdigest() != evidence.beside:
        yield Check("resamples", Status.FAILED, f"{beside.name} does not hold what its name says")
    else:
        try:
            replicates.read(data, evidence.counts)
        except packing.ReplicatesError as error:
            yield Check("resamples", Status.FAILED, error.message)
        else:
            yield Check("resamples", Status.PASSED, f"sha256:{evidence.beside}, {packing.RESAMPLES} of them, around the counts")


def _subject(evidence: Evidence, artifact: Path | None) -> Check:
    """Whether the statement is of these bytes."""
    said = f"{evidence.subject}, sha256:{evidence.artifact}"
    if artifact is None:
        return Check("subject", Status.WARNED, f"{said}; not compared with any bytes: --artifact FOLDER does")
    try:
        computed = digest_folder(artifact).digest
    except (PromotionError, OSError) as error:
        return Check("subject", Status.ERRORED, f"{artifact} cannot be read: {error}")
    if computed != evidence.artifact:
        return Check("subject", Status.FAILED, f"{said}, where {artifact} holds sha256:{computed}")
    return Check("subject", Status.PASSED, f"{said}, as {artifact} holds")


def _origin(journal: Journal, state: State, evidence: Evidence, digest: str) -> Iterator[Check]:
    """Which entry of the journal brought it, and who signed that."""
    origin = journal.origin(state, evidence.key, digest)
    if origin is None:
        yield Check("journal", Status.ERRORED, "no entry of the journal that this clone knows brought it: nobody vouches for it")
        return
    entry, sha = origin.recorded.entry, origin.recorded.sha
    yield Check("journal", Status.PASSED, f"brought by entry {sha[:12]}, {entry.at:%Y-%m-%d %H:%M:%S} UTC, for commit {entry.commit[:12]}")
    if origin.fault is not None:
        yield Check("signature", Status.FAILED, f"of entry {sha[:12]}: {origin.fault}")
    elif origin.signer is None:
        yield Check("signature", Status.WARNED, f"entry {sha[:12]} is unsigned: no allowed_signers said who may sign")
    else:
        yield Check("signature", Status.PASSED, f"entry {sha[:12]} is signed by {origin.signer}")
