"""Frozen values that everything else shares; no logic beyond their text form.

Words (one word, one meaning): *desired* is what git declares, *observed* what the registry shows, *applied* what the
journal says was last applied. A *binding* is how an environment shows in the registry: a stage, an alias, or both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_REF = re.compile(r"(?P<name>[^/:@\s]+)/(?P<version>[1-9][0-9]*)(?:@sha256:(?P<digest>[0-9a-f]{64}))?")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file; line and column count from 1, column in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one file.

    ``source`` is the text of the line at ``place``, for the caret; ``rule`` is a short stable name in kebab case.
    """

    place: Place
    message: str
    rule: str
    hint: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class ModelVersionRef:
    """``name/version`` or ``name/version@sha256:<64 hex digits>``; the text form round-trips."""

    name: str
    version: int
    digest: str | None = None

    def __str__(self) -> str:
        pin = f"@sha256:{self.digest}" if self.digest else ""
        return f"{self.name}/{self.version}{pin}"

    @classmethod
    def parse(cls, text: str) -> ModelVersionRef:
        """Read the text form; raises ValueError with the expected form when it is another."""
        match = _REF.fullmatch(text)
        if match is None:
            msg = f"{text!r} is not NAME/VERSION or NAME/VERSION@sha256:DIGEST"
            raise ValueError(msg)
        return cls(match["name"], int(match["version"]), match["digest"])


@dataclass(frozen=True, slots=True)
class Environment:
    """One step on the way to users; ``stage`` or ``alias`` may be absent, not both."""

    name: str
    stage: str | None
    alias: str | None


@dataclass(frozen=True, slots=True)
class Declared:
    """One binding as a file declares it; ``version`` None is the explicit ``none``."""

    model: str
    environment: str
    version: int | None
    digest: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one reconcile may change (blast radius).

    ``max_changes`` counts changes; ``max_share`` is a share of the managed models, 0 < share ≤ 1, and counts only
    where more than ten models are managed; 1 holds nothing back. Emptying production counts double in both.
    """

    max_changes: int = 20
    max_share: float = 0.2


@dataclass(frozen=True, slots=True)
class Desired:
    """What git declares: environments in the order of promotion, bindings sorted by model and environment."""

    environments: tuple[Environment, ...]
    bindings: tuple[Declared, ...]
    limits: Limits = field(default_factory=Limits)

    def of(self, model: str) -> tuple[Declared, ...]:
        """The bindings of one model, in the order of promotion."""
        return tuple(binding for binding in self.bindings if binding.model == model)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the managed models, sorted, each once."""
        return tuple(dict.fromkeys(binding.model for binding in self.bindings))


@dataclass(frozen=True, slots=True)
class VersionIdentity:
    """The registry's own identity of a version: another one under the same number was re-created.

    ``created`` is in milliseconds since 1970 (UTC), as the registry says.
    """

    created: int
    source: str
    run_id: str | None


@dataclass(frozen=True, slots=True)
class ObservedVersion:
    """One version as the registry shows it; ``updated`` in milliseconds since 1970 (UTC)."""

    version: int
    stage: str
    identity: VersionIdentity
    updated: int
    status: str = "READY"
    user: str | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedModel:
    """One registered model: every version by number, and its alias map (alias → version)."""

    name: str
    versions: Mapping[int, ObservedVersion]
    aliases: Mapping[str, int]
    tags: Mapping[str, str] = field(default_factory=dict)

    def in_stage(self, stage: str) -> tuple[int, ...]:
        """Numbers of the versions that bear the stage, ascending; more than one is a fault that plan repairs."""
        return tuple(sorted(number for number, version in self.versions.items() if version.stage == stage))


@dataclass(frozen=True, slots=True)
class Observed:
    """What a registry shows of the models asked for; a model that does not exist is absent from ``models``.

    ``registry`` is the registry's address without credentials: the identity of the target.
    """

    registry: str
    models: Mapping[str, ObservedModel]


@dataclass(frozen=True, slots=True)
class Bound:
    """A version with its digest, as the journal remembers a binding."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class AppliedBinding:
    """What was applied last in one environment of one model.

    ``bound`` None: the environment was emptied by an explicit ``none``. ``previous`` is the immediate predecessor, which a
    rollback may return to. ``evidence`` holds digests of statements. ``adopted``: found in service, never judged here.
    ``unverified``: brought back by a rollback, not measured again yet. ``tags``: the version's tags then, None where an older entry
    did not keep them.
    """

    bound: Bound | None
    previous: Bound | None
    identity: VersionIdentity | None
    evidence: tuple[str, ...]
    commit: str
    at: datetime
    by: str
    adopted: bool = False
    unverified: bool = False
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """Proof that a digest was applied in an environment with passing evidence."""

    version: int
    at: datetime
    commit: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppliedModel:
    """The journal's memory of one model: environment → binding, and environment → digest → proof."""

    name: str
    bindings: Mapping[str, AppliedBinding]
    passed: Mapping[str, Mapping[str, Passed]]
