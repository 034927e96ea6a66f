"""A scene over a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scene import Scene


@pytest.fixture
def scene(tmp_path: Path, mlflow_server: str) -> Scene:
    made = Scene(tmp_path / "models", mlflow_server)
    made.start()
    return made
