"""A scene over the registry in memory: the same tests a hundred times as fast, for proofs that run them a thousand times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from promotion.changes import SetStage
from promotion.cli import build
from promotion.cli.options import Shared
from promotion.registry.memory import MemoryRegistry
from promotion.survey import Workspace
from tests.models import tiny_booster
from tests.scene import Scene

MLMODEL = b"flavors:\n  python_function:\n    data: model.json\n    loader_module: mlflow.xgboost\n"


@dataclass
class MemoryScene(Scene):
    """As ``Scene``; git and the journal stay real."""

    registry: MemoryRegistry = field(default_factory=MemoryRegistry)

    def register(self, count: int = 1) -> None:
        for seed in range(count):
            self.registry.add_version(self.name, {"MLmodel": MLMODEL, "model.json": _booster(seed)})

    def workspace(self, **changes: Any) -> Workspace:
        shared = Shared(directory=self.folder, **self.shared)
        repository = build.git(shared)
        made = Workspace(
            git=repository,
            layout=build.layout(shared),
            registry=self.registry,
            journal=build.journal(repository, shared),
            evidence=shared.evidence,
            by=build.by(repository),
            now=build.now,
            report=build.report(shared),
        )
        return replace(made, **changes)

    def move(self, version: int, stage: str) -> None:
        self.registry.apply(SetStage(self.name, version, stage, archive_existing=stage in {"Staging", "Production"}))

    def shown(self) -> dict[str, Any]:
        model = self.registry.model(self.name)
        assert model is not None
        return {
            "aliases": {alias: str(version) for alias, version in model.aliases.items()},
            "stages": {number: version.stage for number, version in model.versions.items()},
            "updated": {number: version.updated for number, version in model.versions.items()},
            "tags": dict(model.tags),
        }


@lru_cache(maxsize=16)
def _booster(seed: int) -> bytes:
    return bytes(tiny_booster(seed).save_raw("json"))
