"""Fixtures: a scene, with as many registered versions as a test needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.memory import MemoryScene
from tests.scene import Scene


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    """Over a real server; with ``SCENE=memory`` over the registry in memory, which is how mutants are tried."""
    folder = tmp_path / "models"
    made = (
        MemoryScene(folder, "memory://") if os.environ.get("SCENE") == "memory" else Scene(folder, request.getfixturevalue("mlflow_server"))
    )
    made.start()
    return made


@pytest.fixture
def served(scene: Scene) -> Callable[[int], Scene]:
    """A scene with this many registered versions."""

    def make(count: int) -> Scene:
        scene.register(count)
        return scene

    return make
