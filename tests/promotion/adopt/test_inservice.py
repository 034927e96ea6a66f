"""What is in service, for every registry: a model is clear exactly when declaring what it shows changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promotion.adopt import Adopted, memory
from promotion.config.declarations import DEFAULT_ENVIRONMENTS
from promotion.config.load import Source, load_desired
from promotion.domain import Bound, Observed, ObservedModel, ObservedVersion, VersionIdentity
from promotion.inservice import By, in_service, in_use
from promotion.plan import plan, writes
from promotion.record import Stamp
from promotion.starting import declaration

STAGES = ("None", "Staging", "Production", "Archived")
STAMP = Stamp("c" * 40, datetime(2026, 11, 23, tzinfo=UTC), "Ada")


def version(number: int, stage: str) -> ObservedVersion:
    return ObservedVersion(number, stage, VersionIdentity(number, f"runs:/{number}/model", None), number)


def model(name: str, stages: dict[int, str], aliases: dict[str, int] | None = None) -> ObservedModel:
    return ObservedModel(name, {number: version(number, stage) for number, stage in stages.items()}, aliases or {})


@st.composite
def models(draw: st.DrawFn) -> list[ObservedModel]:
    """Up to four models with up to four versions; an alias may point at a version that is gone."""
    found = []
    for index in range(draw(st.integers(1, 4))):
        stages = draw(st.dictionaries(st.integers(1, 4), st.sampled_from(STAGES), max_size=4))
        aliases = draw(st.dictionaries(st.sampled_from(["staging", "production", "other"]), st.integers(1, 4), max_size=3))
        found.append(model(f"model-{index}", stages, aliases))
    return found


@settings(deadline=None)  # the first example also imports
@given(known=models(), by=st.sampled_from([None, *By]))
def test_what_is_clear_plans_nothing_and_what_is_not_would_change_something(known: list[ObservedModel], by: By | None) -> None:
    environments = in_use(DEFAULT_ENVIRONMENTS, known, by)
    shown = [in_service(environments, one) for one in known]
    by_name = {one.name: one for one in known}
    for one in shown:
        found = writes(environments, one.bindings, by_name[one.name])
        dangling = any(number not in by_name[one.name].versions for number in by_name[one.name].aliases.values())
        assert bool(one.unclear) == bool(found) or (one.unclear and dangling)
    clear = [one for one in shown if not one.unclear]
    observed = Observed("http://registry", by_name)
    adopted = [Adopted(one.name, env, None, Bound(number, "d" * 64)) for one in clear for env, number in one.bindings.items()]
    applied = memory({}, adopted, observed, [one.name for one in environments], STAMP)
    desired = load_desired([Source("environments.yaml", declaration(environments, shown, ["idle-model"]))])
    assert desired.environments == environments
    assert {(one.model, one.environment, one.version) for one in desired.bindings} == {
        (one.name, env, number) for one in clear for env, number in one.bindings.items()
    }
    made = plan(desired, observed, applied)
    assert (made.changes, made.operations, made.problems) == ((), (), ())


@settings(deadline=None)  # the first example also imports
@given(known=models(), by=st.sampled_from([None, *By]))
def test_nothing_that_is_in_service_is_overlooked(known: list[ObservedModel], by: By | None) -> None:
    environments = in_use(DEFAULT_ENVIRONMENTS, known, by)
    for one in known:
        shown = in_service(environments, one)
        for environment in environments:
            bearers = one.in_stage(environment.stage) if environment.stage else ()
            alias = one.aliases.get(environment.alias) if environment.alias else None
            if bearers or alias is not None:
                assert environment.name in shown.bindings or shown.unclear


@pytest.mark.parametrize(
    ("known", "ways"),
    [
        ([], [("Staging", "staging"), ("Production", "production")]),
        ([model("a", {1: "Production"})], [("Staging", "staging"), ("Production", None)]),
        ([model("a", {1: "None"}, {"production": 1})], [("Staging", "staging"), (None, "production")]),
        ([model("a", {1: "Production"}, {"production": 1})], [("Staging", "staging"), ("Production", "production")]),
        # One has the stage, another the alias: neither way can be left out.
        (
            [model("a", {1: "Production"}), model("b", {1: "None"}, {"production": 1})],
            [("Staging", "staging"), ("Production", "production")],
        ),
        # Its version is in production as well, which is why nobody sees the stage Staging.
        ([model("a", {1: "Production"}, {"staging": 1, "production": 1})], [("Staging", "staging"), ("Production", "production")]),
    ],
)
def test_the_ways_that_a_team_uses(known: list[ObservedModel], ways: list[tuple[str | None, str | None]]) -> None:
    assert [(one.stage, one.alias) for one in in_use(DEFAULT_ENVIRONMENTS, known, None)] == ways


@pytest.mark.parametrize(
    ("shown", "reasons"),
    [
        (model("a", {1: "Production", 2: "Production"}, {"production": 2}), ("versions 1 and 2 are both in stage Production",)),
        (
            model("a", dict.fromkeys((1, 2, 3), "Staging"), {"staging": 9}),
            ("alias staging points at version 9, which does not exist", "versions 1, 2 and 3 are all in stage Staging"),
        ),
        (model("a", {1: "Production", 2: "None"}, {"production": 2}), ("stage Production has 1, but alias production has 2",)),
        (model("a", {1: "None"}, {"production": 1}), ("stage Production has no version, but alias production has 1",)),
        (model("a", {1: "Production"}), ("stage Production has 1, but there is no alias production",)),
        (
            model("a", {1: "Production", 2: "Staging"}, {"production": 1, "staging": 1}),
            ("stage Staging has 2, but alias staging has 1",),
        ),
        (model("a", {1: "Production", 2: "Staging"}, {"production": 1, "staging": 2}), ()),
        (model("a", {1: "Archived"}), ()),
    ],
)
def test_the_reason_is_told(shown: ObservedModel, reasons: tuple[str, ...]) -> None:
    assert in_service(DEFAULT_ENVIRONMENTS, shown).unclear == reasons


def test_an_adoption_keeps_what_was_proved_and_who_came_before() -> None:
    observed = Observed("http://registry", {"a": model("a", {1: "None", 2: "Production"})})
    first = memory({}, [Adopted("a", "production", None, Bound(1, "1" * 64))], observed, ["production"], STAMP)
    second = memory(first, [Adopted("a", "production", Bound(1, "1" * 64), Bound(2, "2" * 64))], observed, ["production"], STAMP)
    emptied = memory(second, [Adopted("a", "production", Bound(2, "2" * 64), None)], observed, ["production"], STAMP)
    assert second["a"].bindings["production"].previous == Bound(1, "1" * 64)
    assert (emptied["a"].bindings["production"].bound, emptied["a"].bindings["production"].previous) == (None, Bound(2, "2" * 64))
    assert all(one.bindings["production"].adopted for one in (first["a"], second["a"], emptied["a"]))
