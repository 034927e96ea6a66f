"""Rounds of writing and reading back, against a registry that loses writes, refuses some, or is changed by somebody else meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promotion import converge as converging
from promotion import writing
from promotion.changes import Operation, SetAlias, SetStage, SetVersionTag
from promotion.converge import ROUNDS, Converged, converge
from promotion.domain import Declared, Desired, Environment, Observed, Place
from promotion.errors import Conflict, Unavailable
from promotion.plan import plan
from promotion.registry.interface import Rejected, Unanswered
from promotion.registry.memory import MemoryRegistry
from promotion.survey import Workspace
from promotion.writing import Pace

NOW = datetime(2026, 10, 2, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=2)
NAMES = ("alpha", "beta", "gamma")
STAGING = Environment("staging", "Staging", "staging")
LOST = Unavailable("the answer did not arrive")


class Odd(MemoryRegistry):
    """``odd`` is called before each write, and may raise; ``after`` behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: Callable[[Operation], None] = lambda _: None
        self.after: Callable[[Operation], None] = lambda _: None
        self.sent: list[Operation] = []
        self.asked: list[tuple[str, ...]] = []
        for name in NAMES:
            for version in (1, 2):
                self.add_version(name, {"MLmodel": b"%d" % version})

    def observe(self, names: Collection[str]) -> Observed:
        self.asked.append(tuple(names))
        return super().observe(names)

    def apply(self, operation: Operation) -> None:
        self.sent.append(operation)
        self.odd(operation)
        super().apply(operation)
        self.after(operation)

    def stages(self) -> dict[str, tuple[int, ...]]:
        return {name: model.in_stage("Staging") for name, model in self.observe(NAMES).models.items()}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Odd:
    monkeypatch.setattr(converging, "_PAUSES", (0.0,) * ROUNDS)
    return Odd()


def desired(version: int = 1) -> Desired:
    bound = (Declared(name, "staging", version, None, Place("environments.yaml", 3 + 4 * at, 12)) for at, name in enumerate(NAMES))
    return Desired((STAGING,), tuple(bound))


def run(registry: Odd, *, told: list[str] | None = None, now: datetime = NOW, tags: tuple[Operation, ...] = ()) -> Converged:
    nothing: Any = None
    workspace = Workspace(nothing, nothing, registry, nothing, None, "ci", lambda: now, ([] if told is None else told).append)
    judged = registry.observe(NAMES)
    operations = (*plan(desired(), judged, {}).operations, *tags)
    return converge(workspace, desired(), {}, judged, operations, LATER, Pace(1))


def once(action: Callable[[Operation], None], *, at: str = "beta") -> Callable[[Operation], None]:
    """Do it at the first write of one model alone."""
    left = [at]

    def odd(operation: Operation) -> None:
        if operation.model in left:
            left.clear()
            action(operation)

    return odd


def raising(error: BaseException) -> Callable[[Operation], None]:
    def odd(_: Operation) -> None:
        raise error

    return odd


def only(errors: Mapping[str, BaseException]) -> Callable[[Operation], None]:
    def odd(operation: Operation) -> None:
        if operation.model in errors:
            raise errors[operation.model]

    return odd


def test_every_write_is_sent_once_where_nothing_goes_wrong(registry: Odd) -> None:
    told: list[str] = []
    end = run(registry, told=told)
    assert end.written == tuple(registry.sent)
    assert sorted(registry.sent, key=str) == sorted(
        [*(SetStage(name, 1, "Staging", archive_existing=True) for name in NAMES), *(SetAlias(name, "staging", 1) for name in NAMES)],
        key=str,
    )
    assert (dict(end.refused), told) == ({}, [])
    assert {name: model.aliases for name, model in registry.observe(NAMES).models.items()} == {name: {"staging": 1} for name in NAMES}


def test_a_write_that_was_lost_is_sent_again_and_both_are_told(registry: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    slept: list[float] = []
    monkeypatch.setattr("promotion.converge.time.sleep", slept.append)
    registry.odd = once(raising(LOST))
    end = run(registry, told=told)
    assert slept == [0.0], "one that failed is not under way: no longer pause than that of its round"
    assert registry.stages() == dict.fromkeys(NAMES, (1,))
    assert end.written == tuple(registry.sent)
    assert [str(one) for one in end.written].count("set beta/1 to stage Staging, archiving the others there") == 2
    assert told == ["reading back: 2 writes are missing, trying again"]


def test_a_write_that_was_not_answered_in_time_may_land_before_it_is_read_back(registry: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way: list[Operation] = []
    slept: list[float] = []

    def unanswered(operation: Operation) -> None:
        under_way.append(operation)
        raise Unanswered("no answer within 10 s")

    def lands(seconds: float) -> None:
        slept.append(seconds)
        for one in under_way:
            MemoryRegistry.apply(registry, one)

    registry.odd = once(unanswered)
    monkeypatch.setattr("promotion.converge.time.sleep", lands)
    ended = run(registry)
    assert len(slept) == 1
    assert slept[0] >= 1.0
    assert registry.stages() == dict.fromkeys(NAMES, (1,))
    assert sorted(map(str, registry.sent)) == sorted(set(map(str, registry.sent))), "it is not sent beside itself"
    assert not ended.refused


def test_a_model_that_the_registry_refuses_does_not_keep_the_others_waiting(registry: Odd) -> None:
    no = Rejected("HTTP 403")
    registry.odd = only({"beta": no})
    end = run(registry)
    assert (registry.stages(), dict(end.refused)) == ({"alpha": (1,), "beta": (), "gamma": (1,)}, {"beta": no})
    assert sum(one.model == "beta" for one in registry.sent) == ROUNDS, "it is asked in every round, in vain"


def test_one_that_does_not_answer_beside_one_that_refuses_is_what_is_raised(registry: Odd) -> None:
    registry.odd = only({"alpha": Rejected("HTTP 403"), "gamma": LOST})
    with pytest.raises(Unavailable, match="the answer did not arrive"):
        run(registry)
    assert registry.stages()["beta"] == (1,)


def test_somebody_who_keeps_changing_a_model_is_told_of(registry: Odd) -> None:
    def meddling(operation: Operation) -> None:
        if operation.model == "beta":
            MemoryRegistry.apply(registry, SetStage("beta", 2, "Staging", archive_existing=True))

    registry.after = meddling
    with pytest.raises(Unavailable) as caught:
        run(registry)
    assert caught.value.message == (
        "somebody else keeps changing beta: set beta/1 to stage Staging, archiving the others there is still missing"
    )
    assert caught.value.hint == "find out who (promotion drift), then run promotion reconcile again"


def test_all_models_that_somebody_keeps_changing_are_named(registry: Odd) -> None:
    def meddling(operation: Operation) -> None:
        if operation.model != "alpha":
            MemoryRegistry.apply(registry, SetStage(operation.model, 2, "Staging", archive_existing=True))

    registry.after = meddling
    with pytest.raises(Unavailable, match=r"^somebody else keeps changing beta, gamma: "):
        run(registry)


def test_how_far_a_long_round_is_is_told(registry: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_TELL", -1.0)
    told: list[str] = []
    run(registry, told=told)
    assert told == [f"written: {number} of 3 models, 1 at once" for number in (1, 2, 3)]


@pytest.mark.parametrize(("now", "stops"), [(LATER - timedelta(microseconds=1), False), (LATER, True), (LATER + timedelta(1), True)])
def test_nothing_is_written_from_the_deadline_on(registry: Odd, now: datetime, stops: bool) -> None:
    if not stops:
        assert run(registry, now=now).written
        return
    with pytest.raises(Conflict) as caught:
        run(registry, now=now)
    assert (caught.value.message, caught.value.hint, registry.sent) == (
        "the lease ran out before the last write",
        "run promotion reconcile again: it completes what is missing",
        [],
    )


def test_a_version_that_is_made_again_meanwhile_is_not_bound_and_stays_refused(registry: Odd) -> None:
    """Also in the rounds after the one that found it, when it is no longer compared."""

    def remade(_: Operation) -> None:
        registry.delete_model("beta")
        registry.add_version("beta", {"MLmodel": b"other"})
        raise LOST

    lost = once(raising(LOST), at="gamma")
    again = once(remade)

    def odd(operation: Operation) -> None:
        again(operation)
        lost(operation)

    registry.odd = odd
    end = run(registry)
    assert registry.stages() == {"alpha": (1,), "beta": (), "gamma": (1,)}
    assert {name: (error.message, error.hint) for name, error in end.refused.items()} == {
        "beta": (
            "beta/1 was deleted and made again since it was judged",
            "run promotion reconcile again: it judges what is there now",
        )
    }


def test_models_that_are_deleted_or_made_again_at_once_are_each_refused(registry: Odd) -> None:
    """Whichever comes first in the file: what is said of one keeps nobody from looking at the next."""

    def away(_: Operation) -> None:
        registry.delete_model("alpha")
        registry.delete_model("beta")
        registry.add_version("beta", {"MLmodel": b"other"})
        raise LOST

    registry.odd = once(away, at="gamma")
    end = run(registry)
    assert {name: error.message for name, error in end.refused.items()} == {
        "alpha": "the registry has no model 'alpha'",
        "beta": "beta/1 was deleted and made again since it was judged",
    }
    assert registry.stages() == {"beta": (), "gamma": (1,)}


def test_a_version_that_is_deleted_meanwhile_is_refused_with_its_place(registry: Odd) -> None:
    def deleted(_: Operation) -> None:
        registry.delete_version("beta", 1)
        raise LOST

    registry.odd = once(deleted)
    end = run(registry, tags=(SetVersionTag("beta", 1, "note", "x"),))
    assert registry.stages() == {"alpha": (1,), "beta": (), "gamma": (1,)}
    assert list(end.refused) == ["beta"]
    assert (end.refused["beta"].message, end.refused["beta"].hint) == ("'beta' has no version 1", "its newest version is 2")


def test_a_tag_that_was_not_acknowledged_is_set_again(registry: Odd) -> None:
    tag = SetVersionTag("alpha", 1, "note", "x")
    lost = [tag]

    def odd(operation: Operation) -> None:
        if operation in lost:
            lost.clear()
            raise LOST

    registry.odd = odd
    end = run(registry, tags=(tag,))
    assert registry.observe(NAMES).models["alpha"].versions[1].tags["note"] == "x"
    assert end.written.count(tag) == 2


def test_models_that_are_not_to_be_written_are_left_alone(registry: Odd) -> None:
    nothing: Any = None
    workspace = Workspace(nothing, nothing, registry, nothing, None, "ci", lambda: NOW, lambda _: None)
    judged = registry.observe(NAMES)
    operations = tuple(one for one in plan(desired(), judged, {}).operations if one.model == "beta")
    registry.asked.clear()
    end = converge(workspace, desired(), {}, judged, operations, LATER, Pace(1))
    assert (set(registry.asked), dict(end.refused)) == ({("beta",)}, {}), "nor are they read back"
    assert registry.stages() == {"alpha": (), "beta": (1,), "gamma": ()}
