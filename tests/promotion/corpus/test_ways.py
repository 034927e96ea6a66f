"""Bad ways into production: each is a story of commits, of writes to the registry and of the journal, refused by the gate meant for it."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from promotion.errors import InvalidFiles
from promotion.reconcile import Options
from promotion.restore import rollback
from tests.promotion.corpus.approvals import APPROVALS
from tests.promotion.corpus.bindings import BINDINGS
from tests.promotion.corpus.rules import RULES
from tests.promotion.corpus.statements import STATEMENTS
from tests.promotion.corpus.stops import STOPPED
from tests.promotion.corpus.way import FREEZE, PRODUCTION, TOMORROW, Bad, Way, waived_before
from tests.promotion.corpus.world import refusals, refused_by, said, telling
from tests.promotion.journal.conftest import make_key, signer_line

BAD = [*BINDINGS, *RULES, *STATEMENTS, *APPROVALS]


@pytest.fixture(scope="module")
def began(tmp_path_factory: pytest.TempPathFactory) -> Way:
    """Version 1 in staging and in production, all of it signed."""
    folder = tmp_path_factory.mktemp("way")
    key = make_key(folder, "job")
    way = Way(folder / "models", "memory://", name="flows-way", shared={"signing_key": key})
    way.begin()
    (way.folder / "policies" / "allowed_signers").write_text(signer_line("job@example.org", key))
    way.set_out()
    return way


@pytest.fixture
def way(began: Way, tmp_path: Path) -> Way:
    """A copy of repository and registry, to go on from."""
    shutil.copytree(began.folder, tmp_path / "models")
    return replace(began, folder=tmp_path / "models", registry=copy.deepcopy(began.registry))


@pytest.mark.parametrize("bad", BAD, ids=[one.name for one in BAD])
def test_it_is_refused_by_the_gate_meant_for_it(way: Way, bad: Bad) -> None:
    options = bad.does(way)
    before = way.bound(bad.environment)
    # A job that is started again must not find it good because it was recorded meanwhile.
    for _ in range(2 if bad.policy else 1):
        outcome = way.reconcile(options)
        verdicts = said(outcome, way.name, bad.environment)
        refusing = [one for one in verdicts if bad.policy in {None, one.policy}]
        assert refused_by(refusing, bad.gate, bad.status, bad.words), refusals(verdicts)
        assert outcome.exit_code in {4, 5}
    # What was bound by hand is healed to what was applied last; nothing else moves.
    assert way.bound(bad.environment) in {before, 1}
    memory = way.workspace().journal.read().applied(way.name)
    assert memory is not None
    binding = memory.bindings[bad.environment].bound
    assert binding is not None
    assert binding.version == 1


@pytest.mark.parametrize("name", STOPPED)
def test_it_is_stopped_before_anything_is_judged(way: Way, name: str) -> None:
    does, kind, words = STOPPED[name]
    does(way)
    with pytest.raises(kind) as caught:
        way.reconcile()
    told = [caught.value.message, *(problem.message for problem in getattr(caught.value, "problems", ()))]
    assert any(words in one for one in told), told
    assert caught.value.hint or isinstance(caught.value, InvalidFiles)
    assert way.bound("production") == 1


def test_what_is_good_enters(way: Way) -> None:
    """The same repository lets a version through that takes no short cut."""
    way.to(staging=2, production=1)
    way.to(staging=2, production=2)
    assert way.bound("production") == 2
    assert way.workspace().journal.verify() == ()


def test_what_is_waived_in_time_enters_and_is_told(way: Way) -> None:
    waived_before(way, expires=TOMORROW)
    outcome = way.reconcile()
    assert outcome.exit_code == 0
    assert [one.reason for one in outcome.decision.waived] == ["A pilot."]


def test_a_rollback_passes_a_freeze(way: Way) -> None:
    way.to(staging=2, production=1)
    way.to(staging=2, production=2)
    way.rule("production", PRODUCTION + FREEZE)
    way.to(staging=2, production=2)
    rollback(way.workspace(), Options(), way.name, "production", reason="alarms", push=False)
    assert way.bound("production") == 1


def test_a_policy_that_is_lowered_by_itself_counts_afterwards(way: Way) -> None:
    """Not in the commit that promotes: in one of its own, which was applied."""
    way.add(telling(50))
    way.lower("staging")
    way.to(staging=1, production=1)
    way.to(staging=3, production=1)


def test_what_is_measured_again_tells_why(way: Way) -> None:
    """Version 2 was measured for staging; the evaluator and the data are others when it is declared in production."""
    way.to(staging=2, production=1)
    with (way.folder / "judge" / "told.py").open("a") as file:
        file.write("# another evaluator\n")
    way.evaluations(("rows", "*", "told", b"other rows\n", {}))
    way.commit("measure otherwise")
    assert way.reconcile().exit_code == 0
    way.declare(staging=2, production=2)
    lines: list[str] = []
    assert way.reconcile(report=lines.append).exit_code == 0
    told = [one for one in lines if one.startswith("measuring")]
    assert told == [f"measuring {way.name}/2 by rows, again: its data and its evaluator changed"], lines
