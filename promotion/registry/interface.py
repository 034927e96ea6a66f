"""What promotion needs of a model registry, whichever client speaks to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from promotion.changes import Operation
from promotion.domain import Observed, ObservedModel
from promotion.errors import Unavailable


class Rejected(Unavailable):
    """The registry answered and said no: nothing was written. Any other failure of a write leaves it unknown."""


class Unanswered(Unavailable):
    """There was no answer in time: a write may still be on its way, or be under way in the registry."""


@dataclass(frozen=True, slots=True)
class Run:
    """A training run: what lineage and metadata gates look at. ``metrics`` are what somebody logged, never proof."""

    run_id: str
    status: str
    user: str | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """One file of a model's artifact: POSIX path relative to the model folder, size in bytes, sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """The files of one version, sorted by path, and the digest over them (sha256 in hex)."""

    digest: str
    files: tuple[ArtifactFile, ...]


class Registry(Protocol):
    """A registry. Every method raises ``errors.Unavailable`` when it does not answer in time, and tells the address.

    Writes are sent once and never retried blindly: after a time-out the caller reads back.
    """

    @property
    def address(self) -> str:
        """The address without credentials: the identity of the target."""
        ...

    @property
    def writers(self) -> int:
        """How many writes, of different models, may be under way at once."""
        ...

    def rejections(self, operations: Collection[Operation]) -> Mapping[str, Unavailable]:
        """The models that this user may not write as these operations do, each with why; asked without writing anything.

        A registry that tells users apart is asked for every model, any other once. A registry that cannot be asked names none: there
        the first write tells.
        """
        ...

    def observe(self, names: Collection[str]) -> Observed:
        """Everything about these models in as few calls as possible; models that do not exist are left out.

        A model that is hidden from this user (403) raises Unavailable: it is not "absent".
        """
        ...

    def names(self) -> tuple[str, ...]:
        """The names of all registered models, sorted."""
        ...

    def model(self, name: str) -> ObservedModel | None:
        """One model, or None when it does not exist."""
        ...

    def run(self, run_id: str) -> Run | None:
        """One run, or None when it does not exist."""
        ...

    def artifact(self, name: str, version: int) -> Artifact:
        """List and hash the version's files, streaming, without keeping them.

        Raises Unavailable when a file cannot be read, UsageError when the source lies outside the server's artifact root.
        """
        ...

    def download(self, name: str, version: int, folder: Path, *, source: str = "") -> Artifact:
        """Fetch the version's files into ``folder``, which must be empty or absent, and hash what was written. Raises as ``artifact``.

        ``source``, where it is known from ``observe``, may spare the question where the files lie.
        """
        ...

    def apply(self, operation: Operation) -> None:
        """One write, sent once."""
        ...

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of the registered model."""
        ...

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        """Set a tag of one version."""
        ...
