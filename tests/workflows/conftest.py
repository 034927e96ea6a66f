"""A scene of its own for each test: repositories and models; the registry's server is shared."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from tests.models import register_version
from tests.workflows.act import find
from tests.workflows.scene import Scene

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def act() -> str:
    """The command act. Without it a developer's tests are skipped; in CI they fail."""
    tool = find("act")
    if tool is None:
        reason = "act is not installed: make tools (needs Go)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return tool


@pytest.fixture
def scene(act: str, mlflow_server: str, tmp_path: Path) -> Scene:
    """A repository, two versions of a good model and one of a bad one; names of its own, since the server is shared."""
    number = next(_NUMBERS)
    good, bad = f"flow-trees-north-{number}", f"flow-trees-south-{number}"
    for name, seed in ((good, 1), (good, 2), (bad, 3)):
        register_version(mlflow_server, name, metrics={"f1": 0.99}, params={"depth": "2"}, seed=seed, description="Trees")
    made = Scene(tmp_path, mlflow_server, good, bad)
    made.prepare()
    return made
