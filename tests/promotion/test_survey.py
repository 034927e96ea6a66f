"""Whether a commit is in the history of another repository, by real git."""

from __future__ import annotations

import pytest

from promotion.errors import Unavailable
from promotion.git import Git
from promotion.judging import _head_of, in_history
from tests.promotion.journal.conftest import git


def test_the_history_of_another_repository(tmp_path):
    commits = {}
    for name in ("here", "there"):
        git(tmp_path, "init", "-q", str(tmp_path / name))
        git(tmp_path / name, "commit", "-q", "--allow-empty", "-m", name)
        commits[name] = git(tmp_path / name, "rev-parse", "HEAD")
    here, address = Git(tmp_path / "here"), f"file://{tmp_path}/there"

    assert in_history(here, commits["there"], _head_of(here, address))
    assert not in_history(here, commits["here"], _head_of(here, address))
    with pytest.raises(Unavailable):
        _head_of(here, f"file://{tmp_path}/nowhere")
