"""Declarations that the registry cannot fulfil: each is told with its place and what to do, and nothing else of its model is planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promotion.domain import Declared, Environment, Observed, ObservedModel, Place, Problem, VersionIdentity
from promotion.plan import plan
from tests.promotion.test_plan import PRODUCTION, STAGING, bound, declare, desired, memory, model

CANARY = Environment("canary", None, "canary")
PINNED = "9" * 64


def at(line: int) -> Place:
    return Place("environments.yaml", line, 12)


def pinned(environment: str, number: int, *, digest: str = PINNED, line: int = 1) -> Declared:
    return replace(declare("m", environment, number, line), digest=digest)


def problems(observed: Observed, *bindings: Declared, applied=None) -> tuple[Problem, ...]:
    environments = (STAGING, PRODUCTION, CANARY)
    made = plan(desired(*bindings, environments=environments), observed, applied or {})
    broken = {problem.place for problem in made.problems}
    assert {change.place for change in made.changes}.isdisjoint(broken)
    return made.problems


def test_all_models_and_versions_that_do_not_exist_are_told_at_once():
    observed = Observed("r", {"m": model("m", {2: "None", 11: "Staging"}, {}), "n": ObservedModel("n", {}, {})})
    bindings = (
        declare("absent", "staging", 1, 3),
        declare("absent", "production", 2, 4),
        declare("m", "staging", 11, 5),
        declare("m", "production", 12, 6),
        declare("n", "production", None, 7),
        declare("n", "staging", 1, 8),
    )
    absent = ("the registry has no model 'absent'", "no-such-model", "register it first, or correct the name")
    assert problems(observed, *bindings) == (
        Problem(at(4), *absent),
        Problem(at(3), *absent),
        Problem(at(6), "'m' has no version 12", "no-such-version", "its newest version is 11"),
        Problem(at(8), "'n' has no version 1", "no-such-version", "it has no versions yet"),
    )


def test_a_model_that_nobody_registered_may_be_declared_to_be_nowhere():
    made = plan(desired(declare("absent", "staging", None), declare("absent", "production", None)), Observed("r", {}), {})
    assert (made.problems, made.changes, made.operations, made.unmanaged) == ((), (), (), ())


def test_what_would_empty_an_environment_that_nobody_manages_is_told():
    observed = Observed("r", {"m": model("m", {1: "Production", 2: "None"}, {})})
    assert problems(observed, declare("m", "canary", 2, 3), declare("m", "staging", 1, 4)) == (
        Problem(
            at(4),
            "moving version 1 would leave 'production' of 'm' empty, which this file does not manage",
            "empties-unmanaged",
            "declare production of m too (a version, or none)",
        ),
    )


TOLD = Problem(
    at(3),
    f"m/1 is pinned as sha256:{PINNED}, but production has it as sha256:{1:064x}",
    "other-bytes",
    "correct the pin (promotion propose m staging=1, then promotion pin); other bytes are registered as a new version",
)
OTHERS = VersionIdentity(1, "models:/m-other", "run1")


@pytest.mark.parametrize(
    ("binding", "applied", "told"),
    [
        (pinned("staging", 1, line=3), memory("m", production=bound(1)), (TOLD,)),
        (pinned("staging", 1, line=3), memory("m", canary=bound(None), production=bound(1), staging=bound(1)), (TOLD,)),
        (pinned("staging", 1, line=3), memory("m", canary=bound(2), production=bound(1)), (TOLD,)),
        (pinned("staging", 1, line=3), memory("m", canary=replace(bound(1), identity=OTHERS), production=bound(1)), (TOLD,)),
        (pinned("staging", 1, digest=f"{1:064x}"), memory("m", production=bound(1)), ()),
        (pinned("staging", 1), memory("m", production=replace(bound(1), identity=OTHERS)), ()),
        (pinned("staging", 1), memory("m", production=bound(None, 1)), ()),
        (pinned("staging", 2), memory("m", production=bound(1)), ()),
        (declare("m", "staging", 1), memory("m", production=bound(1)), ()),
        (pinned("staging", 1), {}, ()),
    ],
    ids=[
        "told",
        "once, by the first environment",
        "behind one with another version",
        "behind one that was made again",
        "the same bytes",
        "made again since",
        "in service no more",
        "another version",
        "not pinned",
        "never applied",
    ],
)
def test_a_pin_that_contradicts_what_was_applied_of_the_same_version_is_told(binding, applied, told):
    observed = Observed("r", {"m": model("m", {1: "None", 2: "None"}, {})})
    assert problems(observed, binding, applied=applied) == told


def test_each_binding_that_is_pinned_otherwise_is_told():
    observed = Observed("r", {"m": model("m", {1: "None"}, {})})
    bindings = (pinned("staging", 1, line=3), declare("m", "canary", None, 5), pinned("production", 1, line=7))
    assert [str(one.place) for one in problems(observed, *bindings, applied=memory("m", staging=bound(1)))] == [
        "environments.yaml:7:12",
        "environments.yaml:3:12",
    ]
