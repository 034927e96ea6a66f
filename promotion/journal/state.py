"""What the journal says at one entry; the tree is read when it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from promotion.errors import JournalError
from promotion.journal.codec import decode_applied, decode_holds, evidence_folder, file_name
from promotion.journal.fields import DIGEST, Malformed

if TYPE_CHECKING:
    from promotion.domain import AppliedModel
    from promotion.git import Git
    from promotion.journal.model import Entry, Hold

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State:
    """The journal at one entry; all None and empty when it has none yet.

    ``head`` is that entry's commit, ``root`` the first one (the journal's identity). ``signed``: an allowed signer made the entry,
    and ``signer`` is his name in the list of signers; every output tells when it is not signed. ``main`` is main's newest commit at
    the remote, None without a remote.
    """

    git: Git = field(repr=False, compare=False)
    head: str | None = None
    root: str | None = None
    entry: Entry | None = None
    signed: bool = False
    signer: str | None = None
    main: str | None = None

    @property
    def recorded(self) -> str | None:
        """The newest commit of main whose application is complete."""
        return self.entry.recorded if self.entry else None

    def applied(self, model: str) -> AppliedModel | None:
        """What was applied of one model, None when nothing ever was. Raises JournalError for a malformed file."""
        return self.applied_of((model,)).get(model)

    def applied_of(self, models: Iterable[str]) -> dict[str, AppliedModel]:
        """As ``applied`` for several models in one process; those without memory are left out."""
        if self.head is None:
            return {}
        found = self.git.read_many(self.head, [f"applied/{file_name(model)}" for model in models])
        memory = (self._decoded(path, content, decode_applied) for path, content in found.items() if content is not None)
        return {model.name: model for model in memory}

    def applied_all(self) -> dict[str, AppliedModel]:
        """What was applied of every model, by name, in two processes. Raises JournalError for a malformed file."""
        memory = (self._decoded(path, content, decode_applied) for path, content in self._files("applied"))
        return {model.name: model for model in sorted(memory, key=lambda model: model.name)}

    def holds(self) -> tuple[Hold, ...]:
        """Every hold, by model and environment. Raises JournalError for a malformed file."""
        return tuple(hold for path, content in self._files("holds") for hold in self._decoded(path, content, decode_holds))

    def find(self, key: str) -> tuple[bytes, ...]:
        """The statements that were measured from the inputs with this key; those whose bytes do not fit their name are left out."""
        if DIGEST.fullmatch(key) is None:
            return ()
        return tuple(content for path, content in self._files(evidence_folder(key), ".json") if _fits(path, content))

    def resampled(self, key: str, digest: str) -> bytes | None:
        """The file of resamples with this sha256 beside the statements of a key; None when it is missing or another."""
        if self.head is None or DIGEST.fullmatch(key) is None or DIGEST.fullmatch(digest) is None:
            return None
        content = self.git.read(self.head, f"{evidence_folder(key)}/{digest}.replicates")
        return content if content is not None and hashlib.sha256(content).hexdigest() == digest else None

    def evidence(self, digest: str) -> bytes | None:
        """The statement with this digest; None when it is not kept, or its bytes are not what its name says."""
        if self.head is None:
            return None
        paths = self.git.list(self.head, "evidence", recursive=True)
        content = next((self.git.read(self.head, path) for path in paths if path.endswith(f"/{digest}.json")), None)
        return content if content is not None and hashlib.sha256(content).hexdigest() == digest else None

    def _files(self, folder: str, suffix: str = "") -> list[tuple[str, bytes]]:
        if self.head is None:
            return []
        blobs = {path: blob for path, blob in self.git.blobs(self.head, folder).items() if path.endswith(suffix)}
        found = self.git.objects(tuple(blobs.values())) if blobs else ()
        return [(path, one.content) for path, one in zip(blobs, found, strict=True) if one is not None]

    def _decoded(self, path: str, content: bytes, decode: Callable[[bytes, str], T]) -> T:
        try:
            return decode(content, path)
        except Malformed as error:
            raise JournalError(
                f"{path} in the journal's entry {(self.head or '')[:12]} is malformed: {error}",
                hint="promotion journal verify shows every fault, and the entry that brought it",
            ) from error


def _fits(path: str, content: bytes) -> bool:
    return path.rpartition("/")[2] == f"{hashlib.sha256(content).hexdigest()}.json"
