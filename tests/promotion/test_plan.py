"""The planner's properties: what it promises of any observed state, any declaration and any memory."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from promotion.changes import ChangeKind, DeleteAlias, Operation, SetAlias, SetStage, Shown
from promotion.domain import (
    AppliedBinding,
    AppliedModel,
    Bound,
    Declared,
    Desired,
    Environment,
    Limits,
    Observed,
    ObservedModel,
    ObservedVersion,
    Place,
    VersionIdentity,
)
from promotion.plan import excess, expected, plan, shown

STAGING = Environment("staging", "Staging", "staging")
PRODUCTION = Environment("production", "Production", "production")
BOTH = (STAGING, PRODUCTION)
AT = datetime(2026, 10, 1, tzinfo=UTC)
SHARE = 10 if os.environ.get("SCENE") == "memory" else 1
"""Of the examples only a tenth where each mutant sees them (make mutants)."""


def version(number: int, stage: str = "None") -> ObservedVersion:
    return ObservedVersion(number, stage, VersionIdentity(1000 + number, f"models:/m-{number}", f"run{number}"), 0)


def model(name: str, stages: dict[int, str], aliases: dict[str, int]) -> ObservedModel:
    return ObservedModel(name, {number: version(number, stage) for number, stage in stages.items()}, aliases)


def apply(observed: Observed, operations: tuple[Operation, ...]) -> list[Observed]:
    """What the registry shows after each write, by the registry's own rules (one transition with archiving is atomic)."""
    states = []
    for operation in operations:
        old = observed.models[operation.model]
        versions, aliases = dict(old.versions), dict(old.aliases)
        if isinstance(operation, SetStage):
            if operation.archive_existing:
                for number, one in versions.items():
                    if one.stage == operation.stage and number != operation.version:
                        versions[number] = replace(one, stage="Archived")
            versions[operation.version] = replace(versions[operation.version], stage=operation.stage)
        elif isinstance(operation, DeleteAlias):
            del aliases[operation.alias]
        elif isinstance(operation, SetAlias):
            aliases[operation.alias] = operation.version
        observed = replace(observed, models={**observed.models, old.name: replace(old, versions=versions, aliases=aliases)})
        states.append(observed)
    return states


def bound(number: int | None, previous: int | None = None) -> AppliedBinding:
    def at(number: int | None) -> Bound | None:
        return None if number is None else Bound(number, f"{number:064x}")

    identity = None if number is None else version(number).identity
    return AppliedBinding(at(number), at(previous), identity, (), "c" * 40, AT, "somebody")


def declare(name: str, environment: str, number: int | None, line: int = 1) -> Declared:
    return Declared(name, environment, number, None, Place("environments.yaml", line, 12))


def desired(*bindings: Declared, environments: tuple[Environment, ...] = BOTH) -> Desired:
    return Desired(environments, tuple(sorted(bindings, key=lambda b: (b.model, b.environment))))


def memory(name: str, **bindings: AppliedBinding) -> dict[str, AppliedModel]:
    return {name: AppliedModel(name, bindings, {})}


NUMBERS = st.integers(1, 4)
STAGES = st.sampled_from(["None", "Staging", "Production", "Archived"])
ENVIRONMENTS = st.sampled_from(
    [
        BOTH,
        (STAGING, PRODUCTION, Environment("canary", None, "canary")),
        (Environment("staging", "Staging", None), Environment("production", "Production", None)),
        (Environment("staging", None, "staging"), Environment("production", None, "champion")),
    ]
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Desired, Observed, dict[str, AppliedModel]]:
    environments = draw(ENVIRONMENTS)
    bindings, models, applied = [], {}, {}
    for name in draw(st.lists(st.sampled_from(["alpha", "beta", "gamma"]), min_size=1, unique=True)):
        stages = {number: draw(STAGES) for number in range(1, 5)}
        aliases = draw(st.dictionaries(st.sampled_from(["staging", "production", "champion", "canary", "mine"]), NUMBERS))
        models[name] = model(name, stages, aliases)
        chosen = draw(st.dictionaries(st.sampled_from([e.name for e in environments]), st.none() | NUMBERS, min_size=1))
        bindings += [declare(name, environment, number) for environment, number in chosen.items()]
        past = draw(st.dictionaries(st.sampled_from([e.name for e in environments]), st.tuples(st.none() | NUMBERS, st.none() | NUMBERS)))
        if past:
            applied[name] = AppliedModel(name, {e: bound(*numbers) for e, numbers in past.items()}, {})
    return desired(*bindings, environments=environments), Observed("http://registry", models), applied


def remember(wanted: Desired, planned: set[str]) -> dict[str, AppliedModel]:
    """What the journal holds after these models were applied."""
    names = [name for name in wanted.models if name in planned]
    return {name: AppliedModel(name, {b.environment: bound(b.version) for b in wanted.of(name)}, {}) for name in names}


@given(situations())
@settings(max_examples=600 // SHARE, deadline=None)
def test_applying_a_plan_gives_the_desired_state_and_then_an_empty_plan(
    situation: tuple[Desired, Observed, dict[str, AppliedModel]],
) -> None:
    wanted, observed, applied = situation
    made = plan(wanted, observed, applied)
    after = [observed, *apply(observed, made.operations)][-1]
    broken = {problem.message.split("'")[-2] for problem in made.problems}
    for binding in wanted.bindings:
        if binding.model in broken:
            assert after.models[binding.model] == observed.models[binding.model], "a model with a problem is not touched"
            continue
        bindings = {one.environment: one.version for one in wanted.of(binding.model)}
        environment = next(one for one in wanted.environments if one.name == binding.environment)
        assert shown(environment, after.models[binding.model]) == expected(wanted.environments, bindings, binding.environment)
    healthy = desired(*(b for b in wanted.bindings if b.model not in broken), environments=wanted.environments)
    again = plan(healthy, after, remember(healthy, set(healthy.models)))
    assert (again.changes, again.operations, again.problems) == ((), (), ())


@given(situations())
@settings(max_examples=600 // SHARE, deadline=None)
def test_never_zero_and_never_two_at_any_write(situation: tuple[Desired, Observed, dict[str, AppliedModel]]) -> None:
    wanted, observed, applied = situation
    made = plan(wanted, observed, applied)
    states = [observed, *apply(observed, made.operations)]
    for name in wanted.models:
        bindings = {one.environment: one.version for one in wanted.of(name)}
        for environment in wanted.environments:
            if bindings.get(environment.name) is None:
                continue
            settled = expected(wanted.environments, bindings, environment.name)
            for before, now in pairwise(states):
                old, new = shown(environment, before.models[name]), shown(environment, now.models[name])
                assert old.alias is None or new.alias is not None, "an alias is never empty"
                assert len(new.stage) <= max(len(old.stage), 1), "no write adds a second version to a stage"
                if len(old.stage) == 1 and not new.stage:
                    assert environment.stage == "Staging", "only the stage Staging may be empty, by the named exceptions"
                    down, up = bindings.get("staging"), bindings.get("production")
                    swap = down in observed.models[name].in_stage("Production") and up in observed.models[name].in_stage("Staging")
                    assert settled.stage == () or swap


@given(situations())
@settings(max_examples=300 // SHARE, deadline=None)
def test_unmanaged_state_is_untouched_and_every_write_serves_a_change(situation: tuple[Desired, Observed, dict[str, AppliedModel]]) -> None:
    wanted, observed, applied = situation
    made = plan(wanted, observed, applied)
    after = [observed, *apply(observed, made.operations)][-1]
    changed = {change.model for change in made.changes}
    assert {operation.model for operation in made.operations} <= changed
    for name in wanted.models:
        managed = {binding.environment for binding in wanted.of(name)}
        for environment in wanted.environments:
            if environment.name in managed:
                continue
            old, new = shown(environment, observed.models[name]), shown(environment, after.models[name])
            assert new.alias == old.alias
            assert set(new.stage) <= set(old.stage)
            assert bool(new.stage) == bool(old.stage), "an unmanaged environment is never emptied"
        assert after.models[name].aliases.get("mine") == observed.models[name].aliases.get("mine")
    for change in made.changes:
        declared = next(b for b in wanted.bindings if (b.model, b.environment) == (change.model, change.environment))
        assert change.place == declared.place


@given(situations(), st.randoms(use_true_random=False))
@settings(max_examples=200 // SHARE, deadline=None)
def test_the_order_of_the_file_and_of_the_answer_does_not_matter(
    situation: tuple[Desired, Observed, dict[str, AppliedModel]], source: random.Random
) -> None:
    wanted, observed, applied = situation
    bindings, models = list(wanted.bindings), list(observed.models.items())
    source.shuffle(bindings)
    source.shuffle(models)
    assert plan(replace(wanted, bindings=tuple(bindings)), replace(observed, models=dict(models)), applied) == plan(
        wanted, observed, applied
    )


def test_promotion_with_a_new_staging_version_fills_staging_first() -> None:
    """mlflow.md, "Writing order that works": staging 4→5 and production 3→4 at once."""
    observed = Observed("r", {"m": model("m", {3: "Production", 4: "Staging", 5: "None"}, {"staging": 4, "production": 3})})
    applied = memory("m", staging=bound(4), production=bound(3))
    made = plan(desired(declare("m", "staging", 5), declare("m", "production", 4)), observed, applied)
    assert [str(operation) for operation in made.operations] == [
        "set m/5 to stage Staging, archiving the others there",
        "set m/4 to stage Production, archiving the others there",
        "point alias m@staging at version 5",
        "point alias m@production at version 4",
    ]
    assert [(change.kind, change.environment) for change in made.changes] == [
        (ChangeKind.PROMOTE, "staging"),
        (ChangeKind.PROMOTE, "production"),
    ]


def test_rollback_fills_production_first() -> None:
    observed = Observed("r", {"m": model("m", {3: "Archived", 4: "Production", 5: "Staging"}, {"staging": 5, "production": 4})})
    applied = memory("m", staging=bound(5, 4), production=bound(4, 3))
    made = plan(desired(declare("m", "staging", 4), declare("m", "production", 3)), observed, applied)
    assert [str(operation) for operation in made.operations][:2] == [
        "set m/3 to stage Production, archiving the others there",
        "set m/4 to stage Staging, archiving the others there",
    ]
    assert {change.kind for change in made.changes} == {ChangeKind.ROLLBACK}


def test_a_version_declared_in_both_needs_no_change_of_staging() -> None:
    observed = Observed("r", {"m": model("m", {3: "Production", 4: "Staging"}, {"staging": 4, "production": 3})})
    applied = memory("m", staging=bound(4), production=bound(3))
    made = plan(desired(declare("m", "staging", 4), declare("m", "production", 4)), observed, applied)
    assert [(change.kind, change.environment) for change in made.changes] == [(ChangeKind.PROMOTE, "production")]
    back = [observed, *apply(observed, made.operations)][-1]
    assert shown(STAGING, back.models["m"]) == Shown((), 4)
    returned = plan(
        desired(declare("m", "staging", 4), declare("m", "production", 3)), back, memory("m", staging=bound(4), production=bound(4, 3))
    )
    assert [(change.kind, change.environment) for change in returned.changes] == [(ChangeKind.ROLLBACK, "production")]
    assert shown(STAGING, apply(back, returned.operations)[-1].models["m"]) == Shown((4,), 4)


def test_production_moved_by_hand_and_then_declared_is_still_a_promotion() -> None:
    """Rule 7: nothing to write, yet it has to be judged."""
    observed = Observed("r", {"m": model("m", {1: "Archived", 2: "Production"}, {"production": 2})})
    made = plan(desired(declare("m", "production", 2)), observed, memory("m", production=bound(1)))
    assert made.operations == ()
    assert [change.kind for change in made.changes] == [ChangeKind.PROMOTE]


def test_a_re_created_version_is_judged_again() -> None:
    observed = Observed("r", {"m": model("m", {1: "Production"}, {"production": 1})})
    other = replace(bound(1), identity=VersionIdentity(1, "models:/m-other", "run1"))
    assert [c.kind for c in plan(desired(declare("m", "production", 1)), observed, memory("m", production=other)).changes] == [
        ChangeKind.PROMOTE
    ]


def test_a_moved_stage_is_healed_and_a_missing_version_is_a_problem_of_its_model_alone() -> None:
    observed = Observed(
        "r",
        {
            "m": model("m", {1: "Production", 2: "Production"}, {"production": 2}),
            "n": model("n", {1: "None"}, {}),
        },
    )
    made = plan(desired(declare("m", "production", 2), declare("n", "staging", 9, line=8)), observed, memory("m", production=bound(2)))
    assert [(change.kind, change.shown) for change in made.changes] == [(ChangeKind.HEAL, Shown((1, 2), 2))]
    assert [str(operation) for operation in made.operations] == ["set m/1 to stage Archived"]
    assert [(str(p.place), p.rule, p.hint) for p in made.problems] == [
        ("environments.yaml:8:12", "no-such-version", "its newest version is 1")
    ]


def test_an_unmanaged_environment_is_reported_and_not_emptied() -> None:
    observed = Observed("r", {"m": model("m", {1: "Production", 2: "Staging"}, {"production": 1})})
    made = plan(desired(declare("m", "production", 2)), observed, {})
    assert [problem.rule for problem in made.problems] == ["empties-unmanaged"]
    assert plan(desired(declare("m", "staging", 2)), observed, {}).unmanaged == ("m production shows 1 and is not declared",)


def test_blast_radius() -> None:
    names = [f"m{index}" for index in range(12)]
    observed = Observed("r", {name: model(name, {1: "None", 2: "None"}, {}) for name in names})
    wanted = desired(*(declare(name, "staging", 1) for name in names))
    made = plan(wanted, observed, {})
    assert excess(made, wanted, Limits(max_changes=12, max_share=1.0)) is None
    assert excess(made, wanted, Limits(max_changes=11, max_share=1.0)) == "12 changes, where at most 11 are allowed at once"
    assert (
        excess(made, wanted, Limits(max_changes=12, max_share=0.5))
        == "12 of 12 managed models change, where at most 50% are allowed at once"
    )
    one = plan(desired(declare("m0", "production", None)), Observed("r", {"m0": model("m0", {1: "Production"}, {})}), {})
    assert (
        excess(one, desired(declare("m0", "production", None)), Limits(max_changes=1)) == "2 changes, where at most 1 are allowed at once"
    )


def test_only_emptying_the_last_environment_counts_double() -> None:
    canary = Environment("canary", None, "canary")
    environments = (STAGING, PRODUCTION, canary)
    observed = Observed("r", {"m": model("m", {1: "Staging", 2: "Production", 3: "None"}, {"canary": 3})})
    for name, number, size in (("staging", None, 1), ("production", None, 1), ("canary", 1, 1), ("canary", None, 2)):
        wanted = desired(declare("m", name, number), environments=environments)
        made = plan(wanted, observed, {})
        assert excess(made, wanted, Limits(max_changes=size)) is None
        assert excess(made, wanted, Limits(max_changes=size - 1)) is not None


def test_a_share_counts_above_ten_models() -> None:
    for count, refused in ((10, False), (11, True)):
        names = [f"m{number}" for number in range(count)]
        wanted = desired(*(declare(name, "staging", 1) for name in names))
        made = plan(wanted, Observed("r", {name: model(name, {1: "None"}, {}) for name in names}), {})
        assert (excess(made, wanted, Limits(max_changes=99, max_share=0.5)) is not None) == refused


def test_emptying_production_counts_double_in_the_share_as_well() -> None:
    names = [f"m{number}" for number in range(20)]
    observed = Observed("r", {name: model(name, {1: "Production", 2: "Staging"}, {"production": 1, "staging": 2}) for name in names})
    past = {key: one for name in names for key, one in memory(name, production=bound(1), staging=bound(2)).items()}

    def moved(environment: str, version: int | None) -> str | None:
        bindings = [
            declare(name, key, version if number < 2 and key == environment else was)
            for number, name in enumerate(names)
            for key, was in (("staging", 2), ("production", 1))
        ]
        wanted = desired(*bindings)
        return excess(plan(wanted, observed, past), wanted, Limits(max_changes=99, max_share=0.1))

    assert moved("production", 2) is None
    assert moved("staging", None) is None
    assert (
        moved("production", None)
        == "2 of 20 managed models change (2 of them emptied, which counts double), where at most 10% are allowed at once"
    )


def test_a_share_of_all_holds_nothing_back() -> None:
    names = [f"m{number}" for number in range(12)]
    observed = Observed("r", {name: model(name, {1: "Production"}, {"production": 1}) for name in names})
    past = {key: one for name in names for key, one in memory(name, production=bound(1)).items()}
    wanted = desired(*(declare(name, "production", None) for name in names))
    made = plan(wanted, observed, past)
    assert excess(made, wanted, Limits(max_changes=24, max_share=1.0)) is None
    assert excess(made, wanted, Limits(max_changes=24, max_share=0.99)) is not None


def test_an_alias_takes_nothing_out_of_a_stage_that_nobody_manages() -> None:
    canary = Environment("canary", None, "canary")
    observed = Observed("r", {"m": model("m", {1: "Staging"}, {})})
    made = plan(desired(declare("m", "canary", 1), environments=(STAGING, canary)), observed, {})
    assert made.problems == ()
    assert [type(operation).__name__ for operation in made.operations] == ["SetAlias"]
