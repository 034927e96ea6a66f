"""What the registry refuses to write although it was let through: told, journaled as refused, and never the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promotion.changes import Operation
from promotion.errors import Exit, Unavailable
from promotion.journal import EntryKind, Refusal
from promotion.reconcile import Options
from promotion.registry.interface import Rejected
from promotion.restore import rollback
from tests.promotion.reconcile.test_reconcile import Flaky
from tests.scene import Scene

Served = Callable[[int], Scene]
NO = Rejected("HTTP 403", hint="ask for EDIT")


class Refusing(Flaky):
    """A real registry that takes no write of some models: ``asked`` says so when it is asked before, ``sent`` only when it is sent."""

    def __init__(self, registry: Any, *, asked: Collection[str] = (), sent: Collection[str] = (), tag: Unavailable | None = None) -> None:
        super().__init__(registry)
        self._asked, self._sent, self._tag = asked, sent, tag

    def rejections(self, operations: Collection[Operation]) -> Mapping[str, Unavailable]:
        return {one.model: NO for one in operations if one.model in self._asked}

    def apply(self, operation: Operation) -> None:
        if operation.model in {*self._asked, *self._sent}:
            raise NO
        super().apply(operation)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        if self._tag is not None:
            raise self._tag
        self._registry.set_model_tag(name, key, value)


def declared_both(scene: Scene) -> str:
    """A second model beside the scene's own, both declared in staging; returns its name."""
    own, name = scene.name, f"{scene.name}-other"
    scene.name = name
    scene.register(1)
    scene.name = own
    uses = (f"  {one}:\n    staging:\n      use: 1" for one in (own, name))
    (scene.folder / "environments.yaml").write_text("\n".join(["version: 1", "models:", *uses]) + "\n")
    scene.commit("both")
    return name


@pytest.mark.parametrize("when", ["asked", "sent"])
def test_the_others_are_written_and_this_one_stands_as_refused(served: Served, when: str) -> None:
    scene = served(1)
    other = declared_both(scene)
    given: dict[str, Any] = {when: {other}}
    outcome = scene.reconcile(Options(max_changes=9), registry=Refusing(scene.workspace().registry, **given))
    assert outcome.exit_code is Exit.ERRORED
    assert (outcome.unwritten, outcome.notes) == ((other,), (f"{other}: HTTP 403 (ask for EDIT)",))
    assert [one.change.model for one in outcome.done] == [scene.name]
    assert ({one.model for one in outcome.written} == {scene.name}) == (when == "asked"), "what was sent in vain is told as well"
    assert scene.shown()["aliases"] == {"staging": "1"}

    state = scene.workspace().journal.read()
    assert state.entry is not None
    assert state.entry.kind is EntryKind.OUTCOME
    assert [one.model for one in state.entry.changes] == [scene.name]
    assert state.entry.refusals == (Refusal(other, "staging", 1, ("HTTP 403",)),)
    assert set(state.applied_all()) == {scene.name}
    again = scene.reconcile(Options(max_changes=9))
    assert (again.exit_code, [one.change.model for one in again.done]) == (Exit.DONE, [other])


def test_where_nothing_may_be_written_nothing_is_and_no_intent_is_recorded(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    with pytest.raises(Rejected) as caught:
        scene.reconcile(registry=Refusing(scene.workspace().registry, asked={scene.name}))
    assert (caught.value.message, caught.value.hint) == ("HTTP 403; nothing was written", "ask for EDIT")
    assert scene.journal() is None


def test_a_registry_that_does_not_remember_the_entry_is_told_and_no_failure(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    outcome = scene.reconcile(registry=Refusing(scene.workspace().registry, tag=Unavailable("it does not answer")))
    assert outcome.exit_code is Exit.DONE
    assert outcome.notes == (f"{scene.name}: the registry does not remember this entry: it does not answer",)


def test_a_dry_run_tells_the_commit_and_writes_nothing(served: Served) -> None:
    scene = served(1)
    commit = scene.declare(staging=1)
    outcome = scene.reconcile(Options(dry_run=True))
    assert (outcome.commit, outcome.dry_run, outcome.entry, outcome.signed) == (commit, True, None, False)
    assert (scene.journal(), scene.shown()["aliases"]) == (None, {})


def test_the_lease_that_is_let_go_of_ends_now_in_an_entry_of_now(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    workspace = scene.workspace()
    began = workspace.now()
    with pytest.raises(KeyboardInterrupt):
        scene.reconcile(registry=Flaky(workspace.registry, dead=1))
    entry = scene.workspace().journal.read().entry
    assert entry is not None
    assert entry.lease_until is not None
    assert entry.kind is EntryKind.INTENT
    assert began < entry.at == entry.lease_until <= workspace.now()


def test_a_lease_that_is_over_is_not_made_longer_by_letting_go(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    began = scene.workspace().now()
    later: list[timedelta] = []

    class Late(Flaky):
        def apply(self, operation: Operation) -> None:
            later.append(timedelta(hours=1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.reconcile(registry=Late(scene.workspace().registry), now=lambda: datetime.now(UTC) + sum(later, timedelta()))
    entry = scene.workspace().journal.read().entry
    assert entry is not None
    assert entry.lease_until is not None
    assert entry.at >= began + timedelta(hours=1)
    assert entry.lease_until < began + timedelta(minutes=10)


def test_a_journal_that_cannot_be_reached_hides_no_failure(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    workspace = scene.workspace()
    append, count = workspace.journal.append, 0

    def once(*given: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count > 1:
            raise Unavailable("origin does not answer")
        return append(*given, **more)

    workspace.journal.append = once  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        scene.reconcile(registry=Flaky(workspace.registry, dead=1), journal=workspace.journal)
    assert count == 2


def test_what_could_not_be_brought_back_is_not_on_hold(served: Served) -> None:
    scene = served(2)
    for version in (1, 2):
        scene.declare(production=version)
        scene.reconcile()
    refusing = Refusing(scene.workspace().registry, sent={scene.name})
    result = rollback(scene.workspace(registry=refusing), Options(), scene.name, "production", reason="alarms", push=False)
    assert result.outcome.unwritten == (scene.name,)
    assert scene.shown()["aliases"] == {"production": "2"}
    state = scene.workspace().journal.read()
    assert state.holds() == ()
    assert state.entry is not None
    assert [one.model for one in state.entry.refusals] == [scene.name]
