"""What stands on the registry beside the bindings: the journal's head, at each model or at enough of them, and who approved."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from promotion import writing
from promotion.domain import Observed, ObservedModel
from promotion.errors import Unavailable
from promotion.registry.interface import Rejected
from promotion.registry.memory import MemoryRegistry
from promotion.remembered import JOURNAL_TAG
from promotion.telling import REMEMBERING, _remembering, tell_approvals, tell_head
from promotion.verdicts import Status
from promotion.writing import STRIKES, Pace


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


class Refusing(MemoryRegistry):
    """Takes no tag of some models."""

    def __init__(self, *names: str, refuses: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._refuses = refuses
        for name in names:
            self.add_version(name, {"MLmodel": b"1"})

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        if name in self._refuses:
            raise Unavailable("HTTP 503")
        super().set_model_tag(name, key, value)

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        if name in self._refuses:
            raise Rejected("HTTP 403")
        super().set_version_tag(name, version, key, value)


def done(name: str, *verdicts: tuple[str, Status, str], after: int | None = 1) -> Any:
    judged = tuple(SimpleNamespace(gate=gate, status=status, got=got) for gate, status, got in verdicts)
    return SimpleNamespace(change=SimpleNamespace(model=name, environment="staging", after=after), verdicts=judged)


def at(registry: MemoryRegistry) -> Any:
    return SimpleNamespace(registry=registry, report=lambda _: None)


def test_each_model_is_told_the_head_and_those_that_do_not_take_it_are_named_in_order() -> None:
    registry = Refusing("alpha", "beta", "gamma", "delta", refuses=("gamma", "beta"))
    found: Any = SimpleNamespace(observed=registry.observe(("alpha", "beta", "gamma", "delta")))
    state: Any = SimpleNamespace(root="root", head="head")
    changed = tuple(done(name) for name in ("gamma", "alpha", "beta", "delta", "alpha"))
    assert tell_head(at(registry), found, state, changed, Pace(1)) == tuple(
        f"{name}: the registry does not remember this entry: HTTP 503" for name in ("beta", "gamma")
    )
    models = registry.observe(("alpha", "beta", "gamma", "delta")).models
    assert {name: model.tags for name, model in models.items()} == {
        "alpha": {JOURNAL_TAG: "root/head"},
        "beta": {},
        "gamma": {},
        "delta": {JOURNAL_TAG: "root/head"},
    }


def test_who_approved_stands_on_the_version_alone_and_who_takes_no_tag_keeps_nobody_from_the_others() -> None:
    names = ("refuses", "emptied", "unasked", "failed", "approved")
    registry = Refusing(*names, refuses=("refuses",))
    passed = ("approval", Status.PASSED, "approved by bob@example.org")
    changed = (
        done("refuses", passed),
        done("emptied", passed, after=None),
        done("unasked", ("naming", Status.PASSED, "unasked")),
        done("failed", ("approval", Status.WARNED, "nobody has approved this plan")),
        done("approved", ("naming", Status.PASSED, "approved"), passed),
    )
    assert tell_approvals(at(registry), changed) == ("refuses/1 does not say who approved it: HTTP 403",)
    tags = {name: model.versions[1].tags for name, model in registry.observe(names).models.items()}
    assert tags == {**{name: {} for name in names}, "approved": {"promotion.approval.staging": "Approved by bob@example.org"}}


def test_a_registry_that_does_not_answer_is_not_asked_for_each_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_TELL", -1.0)
    names = tuple(f"m{number}" for number in range(STRIKES + 1))
    registry, lines = Refusing(*names, refuses=names), list[str]()
    found: Any = SimpleNamespace(observed=registry.observe(names))
    state: Any = SimpleNamespace(root="root", head="head")
    workspace: Any = SimpleNamespace(registry=registry, report=lines.append)
    notes = tell_head(workspace, found, state, tuple(map(done, names)), Pace(1))
    reasons = ["HTTP 503"] * STRIKES + ["it was not asked, since it did not answer for others"]
    assert notes == tuple(
        f"{name}: the registry does not remember this entry: {reason}" for name, reason in zip(names, reasons, strict=True)
    )
    assert lines[0] == f"written: 1 of {len(names)} models, 1 at once"
