"""A sample of ``make races``: simultaneous reconciles from clones at different commits, with a reader all along."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proof.races import MEDDLED, PLAIN, STOPPED, Rounds, playing


@pytest.fixture(scope="module")
def rounds(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    with playing(mlflow_server, tmp_path_factory.mktemp("races"), seed=7) as prepared:
        yield prepared(0, 9)


@pytest.mark.parametrize(("kind", "count"), [(PLAIN, 4), (STOPPED, 3), (MEDDLED, 2)])
def test_readers_always_find_one_version_and_the_newest_commit_wins(rounds: Rounds, kind: str, count: int) -> None:
    for _ in range(count):
        rounds.round(kind)
    rounds.over()
    counts = rounds.reader.counts
    assert not rounds.tally.violations
    assert (counts.none, counts.two) == (0, 0), rounds.reader.log.read_text()
    assert counts.samples > 0
    if kind == STOPPED:
        assert rounds.tally.events["late write"] + rounds.tally.events["stopped between writes"] > 0
        assert rounds.tally.take_overs > 0
