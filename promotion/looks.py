"""What is known of versions' bytes: each is downloaded once, and lies on the disk as long as somebody may need it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from promotion import formats, signatures
from promotion.attempt import attempt
from promotion.gates.interface import Format, Signature, Unknown

if TYPE_CHECKING:
    from promotion.domain import ObservedVersion
    from promotion.registry.interface import Artifact, Registry


@dataclass(slots=True)
class Look:
    """What is known of a version's bytes; ``folder`` is there until nothing more can be asked of them."""

    artifact: Artifact | Unknown
    format: Format | Unknown
    signature: Signature | Unknown
    folder: tempfile.TemporaryDirectory[str] | None

    @property
    def model(self) -> Path | None:
        """Where the bytes lie; None once they were dropped."""
        return None if self.folder is None else Path(self.folder.name)

    def drop(self) -> None:
        """Remove the bytes from the disk; what is known of them stays."""
        folder, self.folder = self.folder, None
        if folder is not None:
            folder.cleanup()


class Looks:
    """Looks at each version once, whoever asks, and from several threads at once."""

    def __init__(self, registry: Registry, report: Callable[[str], None]) -> None:
        self._registry = registry
        self._report = report
        self._known: dict[tuple[str, int], Look] = {}
        self._locks: dict[tuple[str, int], Lock] = {}

    def at(self, name: str, version: ObservedVersion) -> Look:
        """Download a version, the first time, and look at its bytes; what cannot be known is Unknown."""
        place = (name, version.version)
        with self._locks.setdefault(place, Lock()):
            if place not in self._known:
                self._report(f"reading {name}/{version.version}")
                temporary = tempfile.TemporaryDirectory(prefix="promotion-", ignore_cleanup_errors=True)
                folder = Path(temporary.name)
                artifact = attempt(lambda: self._registry.download(*place, folder, source=version.identity.source))
                parse = cache(formats.document)
                form = artifact if isinstance(artifact, Unknown) else attempt(lambda: formats.inspect(folder, parse))
                signature = artifact if isinstance(artifact, Unknown) else attempt(lambda: signatures.read(folder, parse))
                self._known[place] = Look(artifact, form, signature, temporary)
            return self._known[place]
