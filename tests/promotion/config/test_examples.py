"""Files as test cases: each in ``valid`` loads, each in ``invalid`` gives exactly the text beside it.

After a message changed on purpose: ``.venv/bin/python -m tests.promotion.config.test_examples`` writes all texts anew; review them by
``git diff``.
"""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from promotion.config.load import Source, load_desired, load_policies
from promotion.errors import InvalidFiles
from promotion.render.problem import render_error

EXAMPLES = Path(__file__).parents[2] / "examples"
VALID = sorted((EXAMPLES / "valid").glob("*.yaml"))
INVALID = sorted((EXAMPLES / "invalid").glob("*.yaml"))
POLICIES = ("rules", "evaluations")


def load_one(file: Path) -> object:
    """The one file as what its name says: a policy, or a declaration."""
    source = Source(file.name, file.read_bytes())
    return load_policies([source]) if file.name.startswith(POLICIES) else load_desired([source])


def told(file: Path) -> str:
    with pytest.raises(InvalidFiles) as caught:
        load_one(file)
    return click.unstyle(render_error(caught.value)) + "\n"


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_a_valid_file_loads(file: Path) -> None:
    assert load_one(file) is not None


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_an_invalid_file_gives_exactly_these_problems(file: Path) -> None:
    assert told(file) == file.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_text_belongs_to_a_file() -> None:
    assert {file.stem for file in (EXAMPLES / "invalid").glob("*.txt")} == {file.stem for file in INVALID}
    assert len(VALID) >= 8
    assert len(INVALID) >= 60


if __name__ == "__main__":
    for case in INVALID:
        case.with_suffix(".txt").write_text(told(case), encoding="utf-8")
