"""The whole way once, for real: the same story that ``make demo`` narrates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.stage import Stage
from tests.acceptance.story import tell
from tests.server import Server


@pytest.mark.timeout(600)
def test_the_story_from_training_to_revert(tmp_path: Path) -> None:
    server = Server(tmp_path / "server")
    server.start()
    try:
        tell(Stage(tmp_path, server.url, quiet=True))
    finally:
        server.stop()
