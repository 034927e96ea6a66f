"""The writes of many models: in order for each, several models at once, stopped in time, failures kept apart."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.errors import Conflict, Unavailable
from promotion.registry.interface import Rejected
from promotion.writing import STRIKES, Pace, write


@dataclass(frozen=True)
class One:
    model: str
    step: int


def steps(models: int, each: int = 2) -> list[One]:
    return [One(f"m{model:03}", step) for model in range(models) for step in range(each)]


def pace(width: int) -> Pace:
    """A pace that stays at one width."""
    found = Pace(1)
    found.width = width
    return found


def ignore(*_: object) -> None:
    pass


class Registry:
    """Notes what is sent, by whom, and how much is under way; fails as told."""

    def __init__(self, failures=None, together: int = 1) -> None:
        self.failures = failures or {}
        self.sent: list[One] = []
        self.under_way: Counter[str] = Counter()
        self.threads: set[int] = set()
        self.worst = 0
        self.meeting = threading.Barrier(together, timeout=20) if together > 1 else None
        self.lock = threading.Lock()

    def send(self, one: One) -> None:
        with self.lock:
            self.sent.append(one)
            self.under_way[one.model] += 1
            self.threads.add(threading.get_ident())
            self.worst = max(self.worst, self.under_way[one.model])
        if self.meeting:
            self.meeting.wait()
        with self.lock:
            self.under_way[one.model] -= 1
        if one in self.failures:
            raise self.failures[one]


@given(
    models=st.integers(1, 12),
    each=st.integers(1, 4),
    width=st.sampled_from([1, 4, 8]),
    broken=st.dictionaries(st.tuples(st.integers(0, 11), st.integers(0, 3)), st.booleans(), max_size=6),
)
def test_each_model_gets_its_writes_in_order_up_to_its_first_failure(models, each, width, broken):
    kinds = {True: Rejected("no"), False: Unavailable("unknown")}
    failures = {One(f"m{model:03}", step): kinds[rejected] for (model, step), rejected in broken.items()}
    registry = Registry(failures)
    sent = write(steps(models, each), registry.send, pace(width), check=ignore, report=ignore)
    assert Counter(sent.written) == Counter(registry.sent)
    assert registry.worst == 1, "never two writes of one model at once"
    assert set(sent.missing) | set(sent.written) == set(steps(models, each))
    ended = sum(not isinstance(error, Rejected) for error in sent.failures.values()) >= STRIKES
    for model in {one.model for one in steps(models, each)}:
        done = [one.step for one in registry.sent if one.model == model]
        assert done == list(range(len(done)))
        first = next((step for step in range(each) if One(model, step) in failures), None)
        if first is None:
            assert len(done) == each or ended
            assert model not in sent.failures
        elif model in sent.failures:
            assert done[-1] == first
            assert sent.failures[model] is failures[One(model, first)]
        else:
            assert ended


@pytest.mark.parametrize("width", [4, 8])
def test_so_many_models_are_written_at_once(width):
    registry = Registry(together=width)  # nobody passes the barrier unless so many are under way
    sent = write(steps(width, 3), registry.send, pace(width), check=ignore, report=ignore)
    assert len(sent.written) == 3 * width
    assert len(registry.threads) == width
    assert sent.missing == ()


def test_a_refusal_of_one_model_does_not_stop_the_others():
    failures = {One(f"m{number:03}", 0): Rejected("HTTP 403") for number in range(5)}
    registry = Registry(failures)
    sent = write(steps(9), registry.send, pace(1), check=ignore, report=ignore)
    assert sorted(sent.failures) == [f"m{number:03}" for number in range(5)]
    assert len(sent.written) == 5 + 4 * 2
    assert [one.model for one in sent.missing] == [f"m{number:03}" for number in range(5) for _ in range(2)]


@pytest.mark.parametrize("width", [1, 4])
def test_a_registry_that_is_down_is_not_asked_for_every_model(width):
    failures = {one: Unavailable("does not answer") for one in steps(100)}
    registry = Registry(failures)
    sent = write(steps(100), registry.send, pace(width), check=ignore, report=ignore)
    assert STRIKES <= len(sent.written) < STRIKES + width
    assert len(sent.missing) == 200


@pytest.mark.parametrize("width", [1, 4])
def test_the_deadline_is_looked_at_before_every_write(width):
    registry = Registry()
    left = iter([None] * 7)

    def check() -> None:
        if next(left, "over") == "over":
            raise Conflict("the lease ran out before the last write")

    with pytest.raises(Conflict):
        write(steps(50), registry.send, pace(width), check=check, report=ignore)
    assert len(registry.sent) == 7
    assert not any(registry.under_way.values()), "what was under way was waited for"


def test_an_error_of_our_own_is_not_swallowed():
    registry = Registry({One("m001", 1): RuntimeError("a fault")})
    with pytest.raises(RuntimeError):
        write(steps(4), registry.send, pace(4), check=ignore, report=ignore)


def learned(most: int, rates: dict[int, float]) -> Pace:
    """A pace that was told these rates, in writes a second, at each width."""
    found = Pace(most)
    while not found.settled:
        found.models(1000)
        found.learn(100, 100 / rates[found.width])
    return found


@pytest.mark.parametrize(
    ("rates", "width"),
    [
        ({1: 180, 4: 185}, 1),  # SQLite, one worker: one write at a time, whoever asks
        ({1: 180, 4: 90}, 1),
        ({1: 77, 4: 104, 8: 102}, 4),  # SQLite, several workers
        ({1: 72, 4: 138, 8: 160}, 8),  # PostgreSQL
        ({1: 72, 4: 138, 8: 134}, 4),
    ],
)
def test_the_pace_is_what_was_clearly_faster(rates, width):
    assert learned(8, rates).width == width


def test_one_slow_turn_does_not_decide():
    found = Pace(4)
    for seconds in (1.0, 9.0, 1.0, 0.5):  # one, four, one, four
        assert not found.settled
        found.models(1000)
        found.learn(100, seconds)
    assert (found.settled, found.width, found.models(1000)) == (True, 4, 1000)


def test_a_registry_that_takes_one_write_at_a_time_is_not_tried():
    found = Pace(1)
    assert (found.settled, found.width, found.models(1000)) == (True, 1, 1000)


def test_a_few_models_are_written_one_by_one():
    registry = Registry()
    found = Pace(8)
    write(steps(Pace.FIRST), registry.send, found, check=ignore, report=ignore)
    assert registry.threads == {threading.get_ident()}


def test_the_pace_is_kept_between_rounds_and_every_model_is_written_once():
    found = Pace(8)
    registry = Registry()
    write(steps(200, 1), registry.send, found, check=ignore, report=ignore)
    assert found.settled
    width = found.width
    write(steps(200, 1), registry.send, found, check=ignore, report=ignore)
    assert found.width == width
    assert Counter(registry.sent) == Counter(dict.fromkeys(steps(200, 1), 2))
