"""How long a run may take, and what it leaves behind when it cannot go on: a lock that the next run need not wait for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promotion.changes import Operation
from promotion.errors import Conflict, Exit, Unavailable
from promotion.journal import GRACE, open_intent
from tests.promotion.reconcile.test_reconcile import Flaky
from tests.scene import Scene

Served = Callable[[int], Scene]


class Gone(Flaky):
    """A server that answers reads and no write."""

    def apply(self, operation: Operation) -> None:
        raise Unavailable(f"no answer to: {operation}")


def test_a_run_that_gives_up_lets_go_of_the_lock(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    with pytest.raises(Unavailable, match="no answer"):
        scene.reconcile(registry=Gone(scene.workspace().registry))
    with pytest.raises(Conflict, match="holds the lock"):
        scene.reconcile()  # a write that was sent may still arrive: the usual grace is left
    soon = datetime.now(UTC) + GRACE + timedelta(seconds=1)
    outcome = scene.reconcile(now=lambda: soon)
    assert (outcome.exit_code, outcome.takes_over is not None) == (Exit.DONE, True)
    assert scene.workspace().journal.verify() == ()
    assert scene.shown()["stages"] == {1: "Staging"}


def test_a_run_that_is_interrupted_lets_go_of_the_lock(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    with pytest.raises(KeyboardInterrupt):
        scene.reconcile(registry=Flaky(scene.workspace().registry, dead=2))
    soon = datetime.now(UTC) + GRACE + timedelta(seconds=1)
    assert scene.reconcile(now=lambda: soon).exit_code is Exit.DONE
    assert scene.shown()["aliases"] == {"staging": "1"}
    assert scene.workspace().journal.verify() == ()


def test_a_run_that_stops_in_time_can_be_followed_at_once(served: Served) -> None:
    scene = served(2)
    scene.declare(staging=1, production=2)
    began = datetime.now(UTC)
    later: list[timedelta] = []

    class Slow(Flaky):
        def apply(self, operation: Operation) -> None:
            super().apply(operation)
            later.append(timedelta(minutes=1))

    def now() -> datetime:
        return datetime.now(UTC) + sum(later, timedelta())

    with pytest.raises(Unavailable, match="the time allowed ran out before the last write"):
        scene.reconcile(registry=Slow(scene.workspace().registry), now=now, until=began + timedelta(seconds=59))
    state = scene.workspace().journal.read()
    assert open_intent(state, now()).entry is not None, "what is unfinished is told"
    assert scene.reconcile(now=lambda: now() + GRACE).exit_code is Exit.DONE
    assert scene.shown()["stages"] == {1: "Staging", 2: "Production"}


def test_when_judging_took_all_the_time_nothing_is_written_and_no_intent_is_recorded(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    began = datetime.now(UTC)
    later: list[timedelta] = []

    class Long(Flaky):
        def download(self, *given: Any, **more: Any) -> Any:
            later.append(timedelta(hours=1))
            return self._registry.download(*given, **more)

    def now() -> datetime:
        return datetime.now(UTC) + sum(later, timedelta())

    with pytest.raises(Unavailable, match="the time allowed ran out before the first write"):
        scene.reconcile(registry=Long(scene.workspace().registry), now=now, until=began + timedelta(minutes=59))
    assert scene.journal() is None
    assert scene.shown()["stages"] == {1: "None"}


def test_without_any_time_left_nothing_is_written(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    with pytest.raises(Unavailable, match="the time allowed ran out before the gates were asked"):
        scene.reconcile(until=datetime.now(UTC))
    assert scene.journal() is None
    assert scene.shown()["stages"] == {1: "None"}
