"""Where statements of evidence are kept and how they are found: the newest valid one under a key, and why each other does not count."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from promotion import packing, replicates
from promotion.errors import PromotionError, Unavailable
from promotion.evidence import MAX_BYTES, Evidence, EvidenceError, read

_MOST = 200
"""Statements that are read for one key."""


class EvidenceSource(Protocol):
    """Where statements are kept: the journal, or a folder."""

    def find(self, key: str) -> Sequence[bytes]:
        """The bytes of every statement kept under this key; empty where there is none."""
        ...

    def resampled(self, key: str, digest: str) -> bytes | None:
        """The file of resamples with this sha256 (hex) beside the statements of a key; None when it is missing or another."""
        ...


@dataclass(frozen=True, slots=True)
class Search:
    """What was found under a key: the newest valid evidence if any, and why each other statement does not count."""

    evidence: Evidence | None
    rejected: tuple[str, ...]


def search(sources: Sequence[EvidenceSource], wanted: str) -> Search:
    """The newest valid statement under a key. One that is corrupt or of something else is missing, with the reason."""
    valid: list[Evidence] = []
    rejected: list[str] = []
    for place, data in [(source, data) for source in sources for data in source.find(wanted)][:_MOST]:
        try:
            evidence = read(data)
            if evidence.key != wanted:
                rejected.append(f"{evidence.digest[:12]}: is of another artifact, dataset, evaluator or other settings")
                continue
            valid.append(_complete(evidence, place))
        except PromotionError as error:
            rejected.append(f"{hashlib.sha256(data).hexdigest()[:12]}: {error.message}")
    return Search(max(valid, key=lambda one: (one.finished, one.digest), default=None), tuple(rejected))


def _complete(evidence: Evidence, source: EvidenceSource) -> Evidence:
    """The evidence with its resamples; raises PromotionError when the file that it names is missing or cannot be used."""
    if evidence.beside is None:
        return evidence
    data = source.resampled(evidence.key, evidence.beside)
    if data is None or hashlib.sha256(data).hexdigest() != evidence.beside:
        msg = f"the file of its resamples, {evidence.beside[:12]}, is missing or is not what its name says"
        raise EvidenceError(msg, hint="measure again")
    replicates.read(data, evidence.counts)
    return replace(evidence, resampled=data)


@dataclass(frozen=True, slots=True)
class FolderEvidence:
    """Statements in a folder: ``evidence/<key>/<digest>.json`` below it (the journal puts two digits of the key before it).

    The file of resamples is ``<sha256 of it>.replicates`` beside the statement that names it.
    """

    folder: Path

    def put(self, evidence: Evidence) -> Path:
        """Keep a statement, whole or not at all; raises Unavailable when the folder cannot be written."""
        data = evidence.to_bytes()
        place = self.folder / "evidence" / evidence.key
        path = place / f"{evidence.digest}.json"
        try:
            place.mkdir(parents=True, exist_ok=True)
            # What the statement names is there before it is.
            if evidence.resampled is not None:
                _write(place / f"{evidence.replicates}.replicates", evidence.resampled)
            _write(path, data)
        except OSError as error:
            msg = f"evidence cannot be kept in {self.folder}: {error.strerror or error}"
            raise Unavailable(msg, hint="give another folder with --evidence") from error
        return path

    def resampled(self, key: str, digest: str) -> bytes | None:
        """The file of resamples with this sha256 beside the statements of a key; None when it is missing or another."""
        data = _contents(self.folder / "evidence" / key / f"{digest}.replicates", packing.MAX_BYTES)
        return data if hashlib.sha256(data).hexdigest() == digest else None

    def find(self, key: str) -> Sequence[bytes]:
        """The bytes of the statements under a key. A file whose name is not its sha256 comes back and fails to be read."""
        place = self.folder / "evidence" / key
        try:
            names = sorted(entry.name for entry in os.scandir(place) if entry.name.endswith(".json"))[:_MOST]
        except OSError:
            return ()
        return tuple(_contents(place / name) for name in names)

    def get(self, digest: str) -> bytes | None:
        """The bytes of one statement by its name, or None when it is not here or is not what its name says."""
        for path in sorted((self.folder / "evidence").glob(f"*/{digest}.json")):
            data = _contents(path)
            if hashlib.sha256(data).hexdigest() == digest:
                return data
        return None


def _write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    # Reads by others (the job that decides) are the point of this file; NamedTemporaryFile keeps it to oneself.
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def _contents(path: Path, most: int = MAX_BYTES) -> bytes:
    """A regular file's bytes; what cannot be read, or is not what its name says, comes back as bytes that no reader accepts."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}".encode()
    if hashlib.sha256(data).hexdigest() != path.stem:
        return f"{path.name} does not hold what its name says".encode()
    return data
