"""What was read before the lock was won may be out of date: writes are planned from what is read under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from promotion.changes import Operation
from promotion.errors import Conflict, Exit
from promotion.reconcile import Options, reconcile
from tests.promotion.reconcile.test_reconcile import Flaky
from tests.scene import Scene

Served = Callable[[int], Scene]


class Watched(Flaky):
    """Notes after each write of ours which versions readers of Production find."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.workspace().registry)
        self._scene = scene
        self.seen: list[set[int]] = []

    def apply(self, operation: Operation) -> None:
        super().apply(operation)
        stages = self._scene.shown()["stages"]
        self.seen.append({version for version, stage in stages.items() if stage == "Production"})


def test_what_somebody_moved_before_the_first_write_does_not_empty_production(served: Served) -> None:
    scene = served(3)
    scene.declare(production=1)
    scene.reconcile()
    scene.declare(staging=2, production=3)
    watched = Watched(scene)

    def report(line: str) -> None:
        if line.startswith("recording the intent"):
            scene.move(2, "Production")

    assert scene.reconcile(registry=watched, report=report).exit_code is Exit.DONE
    assert [len(one) for one in watched.seen] == [1] * len(watched.seen), watched.seen
    assert scene.shown()["stages"] == {1: "Archived", 2: "Staging", 3: "Production"}


@pytest.mark.parametrize(
    ("then", "stages"),
    [
        ({"staging": 2, "production": 3}, {1: "Archived", 2: "Staging", 3: "Production"}),
        ({"production": 1}, {1: "Production", 2: "Archived", 3: "None"}),
    ],
)
def test_a_reconcile_that_ends_between_our_two_readings_is_seen(served: Served, then: dict[str, Any], stages: dict[int, str]) -> None:
    scene = served(3)
    origin = scene.folder.parent / "origin.git"
    scene.git("init", "-q", "--bare", "-b", "main", str(origin))
    scene.git("remote", "add", "origin", str(origin))
    scene.declare(production=1)
    scene.git("push", "-q", "origin", "main")
    scene.reconcile()
    scene.declare(production=2)
    scene.git("push", "-q", "origin", "main")
    other = replace(scene, folder=scene.folder.parent / "other")
    scene.git("clone", "-q", str(origin), str(other.folder))
    first = other.workspace()
    scene.declare(**then)
    observed, applied = Event(), Event()

    class Early(Watched):
        """Reads the registry before the other's writes, if it may."""

        def observe(self, names: Any) -> Any:
            found = super().__getattr__("observe")(names)
            observed.set()
            return found

    class Late:
        """Reads the journal after the other has recorded them."""

        def __init__(self, journal: Any) -> None:
            self._journal = journal

        def __getattr__(self, name: str) -> Any:
            return getattr(self._journal, name)

        def read(self, *, fetch: bool = True) -> Any:
            if not applied.is_set():
                observed.wait(1)
                assert reconcile(first, Options(remote="origin")).exit_code is Exit.DONE
                applied.set()
                scene.git("push", "-q", "origin", "main")
            return self._journal.read(fetch=fetch)

    workspace, watched = scene.workspace(), Early(scene)
    late: Any = Late(workspace.journal)
    outcome = reconcile(replace(workspace, registry=watched, journal=late), Options(remote=None))
    assert outcome.exit_code is Exit.DONE
    assert [len(one) for one in watched.seen] == [1] * len(watched.seen), watched.seen
    assert scene.shown()["stages"] == stages


def test_reconciles_that_end_while_we_read_are_no_sign_of_a_cut_journal(served: Served) -> None:
    scene = served(2)
    scene.declare(staging=1)
    scene.reconcile()
    scene.commit("ours")
    left = [2, 1, 2]

    class Busy(Flaky):
        def observe(self, names: Any) -> Any:
            if left:
                scene.declare(staging=left.pop())
                assert scene.reconcile().exit_code is Exit.DONE
            return self._registry.observe(names)

    with pytest.raises(Conflict, match="is older than"):
        scene.reconcile(registry=Busy(scene.workspace().registry))
    assert not left


def test_a_model_that_is_made_again_after_it_was_judged_is_not_bound(served: Served) -> None:
    scene = served(1)
    scene.declare(production=1)

    def report(line: str) -> None:
        if line.startswith("recording the intent"):
            scene.client.delete_registered_model(scene.name)
            scene.register()

    outcome = scene.reconcile(report=report)
    assert (outcome.exit_code, outcome.unwritten) == (Exit.ERRORED, (scene.name,))
    assert "made again" in " ".join(outcome.notes)
    assert scene.shown()["stages"] == {1: "None"}
    assert scene.workspace().journal.read().applied(scene.name) is None
    assert scene.workspace().journal.verify() == ()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_model_that_vanishes_is_told_and_is_no_internal_error(served: Served, moment: str) -> None:
    scene = served(1)
    scene.declare(production=1)

    class Vanishing(Flaky):
        def apply(self, operation: Operation) -> None:
            if moment == "after":
                super().apply(operation)
            if self.__dict__.setdefault("first", True):
                self.first = False
                scene.client.delete_registered_model(scene.name)
            if moment == "before":
                super().apply(operation)

    outcome = scene.reconcile(registry=Vanishing(scene.workspace().registry))
    assert (outcome.exit_code, outcome.unwritten) == (Exit.ERRORED, (scene.name,))
    assert scene.workspace().journal.verify() == ()
