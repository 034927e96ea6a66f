"""Fixtures: a scene, with as many registered versions as a test needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scene import Scene


@pytest.fixture
def scene(tmp_path: Path, mlflow_server: str) -> Scene:
    made = Scene(tmp_path / "models", mlflow_server)
    made.start()
    return made


@pytest.fixture
def served(scene: Scene) -> Callable[[int], Scene]:
    """A scene with this many registered versions."""

    def make(count: int) -> Scene:
        scene.register(count)
        return scene

    return make
