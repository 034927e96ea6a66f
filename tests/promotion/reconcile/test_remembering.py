"""Which models remember the journal's head: each its own journal, and enough of them the newest entry."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from promotion.domain import Observed, ObservedModel
from promotion.remembered import JOURNAL_TAG
from promotion.telling import REMEMBERING, _remembering


def remembering(known: int, new: int) -> list[str]:
    names = [f"m{number:03}" for number in range(known + new)]
    tags = [{JOURNAL_TAG: "root/head"} if number < known else {} for number in range(known + new)]
    models = {name: ObservedModel(name, {}, {}, held) for name, held in zip(names, tags, strict=True)}
    found: Any = SimpleNamespace(observed=Observed("memory://", models))
    done: Any = [SimpleNamespace(change=SimpleNamespace(model=name)) for name in names]
    return _remembering(found, done)


def test_as_many_as_usually_change_remember_every_entry() -> None:
    assert len(remembering(REMEMBERING, 0)) == REMEMBERING
    assert len(remembering(3, 4)) == 7


def test_of_many_that_know_their_journal_some_remember_its_head() -> None:
    assert remembering(500, 0) == [f"m{number:03}" for number in range(REMEMBERING)]


def test_a_model_that_does_not_know_its_journal_always_learns_it() -> None:
    assert set(remembering(500, 70)) == {f"m{number:03}" for number in (*range(REMEMBERING), *range(500, 570))}
