"""A repository in which version 1 went into production, and how a bad way from there is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from promotion.changes import SetAlias, SetStage
from promotion.git import Git
from promotion.reconcile import Options
from promotion.verdicts import Status
from tests.promotion.corpus.world import World, refusals, telling

FAILED, ERRORED, INCONCLUSIVE = Status.FAILED, Status.ERRORED, Status.INCONCLUSIVE
YESTERDAY, TOMORROW = (datetime.now(UTC).date() + timedelta(days=days) for days in (-1, 1))
STAGING = """  - gate: naming
    pattern: "[a-z0-9-]+"
  - gate: bound
    metric: f1
    min: 0.8
"""
PRODUCTION = "  - gate: staging_first\n" + STAGING + "  - gate: bound\n    metric: class.rare.recall\n    min: 0.9\n"
FREEZE = "  - gate: freeze\n    timezone: UTC\n    windows: [{days: [mon, tue, wed, thu, fri, sat, sun], reason: holidays}]\n"


@dataclass
class Way(World):
    """One model whose version 1 went through staging into production; version 2 is as good and registered alone."""

    keys: dict[str, Path] = field(default_factory=dict)
    """Of people, by their name."""

    def set_out(self) -> None:
        self.evaluations(("rows", "*", "told", b"rows\n", {}))
        self.rule("staging", STAGING)
        self.rule("production", PRODUCTION)
        self.add(telling())
        self.add(telling(96))
        self.to(staging=1)
        self.to(staging=1, production=1)

    def to(self, **bindings: Any) -> None:
        """Declare, reconcile, and see that it was applied."""
        self.declare(**bindings)
        outcome = self.reconcile()
        assert outcome.exit_code == 0, [refusals(list(one.verdicts)) for one in outcome.refused]

    def lower(self, environment: str = "production") -> None:
        """Lower a bound in a policy."""
        path = self.folder / "policies" / f"{environment}.yaml"
        path.write_text(path.read_text().replace("min: 0.8", "min: 0.1").replace("min: 0.9", "min: 0.1"))

    def by_hand(self, version: int, stage: str = "Production", alias: str = "production") -> None:
        """What somebody with rights to the registry does."""
        self.registry.apply(SetStage(self.name, version, stage, archive_existing=True))
        self.registry.apply(SetAlias(self.name, alias, version))

    @property
    def repository(self) -> Git:
        return Git(self.folder)

    def statement(self) -> bytes:
        """The newest statement of the journal."""
        found = self.repository.list("promotion-journal", "evidence", recursive=True)
        return self.repository.read("promotion-journal", found[0]) or b""


@dataclass(frozen=True)
class Bad:
    """A way, told by its name: what is done, and which gate refuses version 2 (or another) with which words."""

    name: str
    does: Callable[[Way], Options | None]
    gate: str
    status: Status
    words: str
    environment: str = "production"
    policy: str | None = None
    """Which set of rules refuses it: ``applied`` where a change tried to lower its own bar."""


def waive(way: Way, *, expires: date, version: int | str = 3, gate: str = "bound") -> None:
    (way.folder / "policies" / "waivers.yaml").write_text(
        f"version: 1\nwaivers:\n  - gate: {gate}\n    model: {way.name}\n    version: {version}\n    environment: staging\n"
        f"    owner: ada@example.org\n    reason: A pilot.\n    expires: {expires}\n"
    )


def waived_before(way: Way, **given: Any) -> None:
    """A bad version, and an exception that was applied before it is declared."""
    way.add(telling(50))
    waive(way, **given)
    way.to(staging=1, production=1)
    way.declare(staging=3, production=1)
