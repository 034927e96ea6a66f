"""The rules in force, as values: what ``policies/*.yaml`` says once it is read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

    from promotion.domain import Place
    from promotion.verdicts import Barred, Waiver


EVERY = "*"
"""In place of an environment's name: rules for every environment, beside its own."""


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a model's name matches one of the shell patterns (``*``, ``?``, ``[…]``; case counts)."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pinned rows: a path relative to the repository, the sha256 of its bytes, and the command that gets it, if given."""

    path: str
    sha256: str
    get: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How models that match are measured: evaluator, the source files it is made of, dataset, limits, settings.

    ``evaluator`` is ``package.module:function``; ``sources`` are shell patterns relative to the repository whose files'
    hash is the evaluator's identity. ``timeout`` in seconds, ``memory`` in bytes.
    """

    name: str
    models: tuple[str, ...]
    evaluator: str
    sources: tuple[str, ...]
    dataset: Dataset
    timeout: float
    memory: int
    settings: Mapping[str, object]
    place: Place
    builtin: str | None = None
    """The evaluator of ``promotion``'s own that measures; it has no ``sources``."""
    lock: str | None = None
    """The file that pins the libraries it runs with, relative to the repository: its hash is part of the evaluator's identity."""

    pickles: tuple[str, ...] = ()
    """Models whose pickles may be loaded, as the rules about formats name them."""

    @property
    def files(self) -> tuple[str, ...]:
        """Everything of the repository that the evaluator's identity covers, as patterns."""
        return self.sources if self.lock is None else (*self.sources, self.lock)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a policy: a gate with its parameters, for one environment and the models that match.

    ``environment`` may be ``EVERY``. ``enforce`` False: its verdicts are shown and never block.
    """

    gate: str
    environment: str
    models: tuple[str, ...]
    parameters: BaseModel
    enforce: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Policies:
    """All rules and evaluations, with a digest over the bytes of the files they came from (sha256 in hex)."""

    rules: tuple[Rule, ...]
    evaluations: tuple[Evaluation, ...]
    digest: str
    barred: tuple[Barred, ...] = ()
    """What is in quarantine."""
    waivers: tuple[Waiver, ...] = ()
    """Exceptions, in the order of the files."""

    def rules_for(self, environment: str, model: str) -> tuple[Rule, ...]:
        """The rules that judge this model on its way into this environment, in the order of the files."""
        return tuple(r for r in self.rules if r.environment in {environment, EVERY} and matches(model, r.models))

    def evaluations_for(self, model: str) -> tuple[Evaluation, ...]:
        """The evaluations that measure this model."""
        return tuple(e for e in self.evaluations if matches(model, e.models))

    def waivers_for(self, environment: str, model: str, version: int | None) -> tuple[Waiver, ...]:
        """The exceptions for one version in one environment."""
        return tuple(w for w in self.waivers if (w.environment, w.model, w.version) == (environment, model, version))
