"""A sample of ``make kills``: faults at writes and pushes of a plan that promotes, rolls back, retires, heals, swaps and begins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proof.cast import Cast, crowd
from tests.proof.kills import Matrix
from tests.proof.proxy import Proxy
from tests.server import Server

WRITES = (
    *(("kill before", 2), ("kill after", 9), ("kill before", 16), ("kill after", 22)),
    *(("answer lost", 5), ("answer cut", 14), ("request twice", 12), ("answer twice", 3), ("answer twice, late", 4)),
    *(("half-open", 7), ("delivered late", 15), ("503 although", 19), ("429 instead", 13), ("disk full", 8)),
)
PUSHES = (("push: killed before", 1), ("push: killed after", 2), ("push: all killed before", 2), ("push: answer lost", 1))


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("crowded")
    with Server(folder / "server") as server, Proxy(server.url) as proxy:
        cast = Cast(folder / "cast", server.url, signed=True, parts=crowd(4))
        cast.prepare()
        yield Matrix(cast, proxy, server)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("kills")
    with Server(folder / "server") as server, Proxy(server.url) as proxy:
        cast = Cast(folder / "cast", server.url)
        cast.prepare()
        yield Matrix(cast, proxy, server)


def test_without_a_fault_every_write_is_sent_once_and_readers_always_find_one(matrix: Matrix) -> None:
    writes = matrix.writes()
    assert len(writes) == 27
    assert {one.partition(" ")[2] for one in writes} == {
        "model-versions/transition-stage",
        "registered-models/alias",
        "registered-models/set-tag",
    }


@pytest.mark.parametrize(("kind", "index"), WRITES)
def test_after_a_fault_at_a_write_the_next_run_converges(matrix: Matrix, kind: str, index: int) -> None:
    cell = matrix.write(kind, index)
    assert not cell.problems, str(cell)
    assert cell.samples >= 20, "the readers were asked after every write"


@pytest.mark.parametrize(("kind", "index"), PUSHES)
def test_after_a_fault_at_a_push_the_next_run_converges(matrix: Matrix, kind: str, index: int) -> None:
    cell = matrix.push(kind, index)
    assert not cell.problems, str(cell)


@pytest.mark.parametrize(("kind", "index"), [("kill before", 60), ("answer lost", 70), ("disk full", 50)])
def test_after_a_fault_while_several_models_are_written_at_once_the_next_run_converges(crowded: Matrix, kind: str, index: int) -> None:
    cell = crowded.write(kind, index)
    assert not cell.problems, str(cell)
