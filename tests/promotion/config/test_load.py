"""Files together: order, several files, what only declarations and policies together can tell, and the project's own files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from promotion.config.load import Source, load, load_desired, load_policies
from promotion.domain import Declared, Environment, Limits, Place
from promotion.errors import InvalidFiles

ROOT = Path(__file__).parents[3]
DIGEST = "9f2c4be1a0d7c35e8f6b1a2d3c4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f506"


def text(name: str, content: str) -> Source:
    return Source(name, content.encode())


def declare(models: dict[str, dict[str, object]], name: str = "environments.yaml", head: str = "") -> Source:
    lines = ["version: 1", *head.splitlines(), "models:" if models else "models: {}"]
    for model, bindings in models.items():
        lines.append(f"  {model}:")
        for environment, use in bindings.items():
            lines += [f"    {environment}:", f"      use: {use}"]
    return text(name, "\n".join(lines) + "\n")


def rules(environment: str, *more: str, name: str | None = None) -> Source:
    lines = ["version: 1", f"environment: {environment}", "rules:", "  - gate: naming", *more]
    return text(name or f"policies/{environment}.yaml", "\n".join(lines) + "\n")


def told(declarations: list[Source], policies: list[Source]) -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        load(declarations, policies)
    return [f"{problem.place}: {problem.message} [{problem.rule}] {problem.hint or ''}" for problem in caught.value.problems]


BOTH = [rules("staging"), rules("production")]


def test_values_and_places() -> None:
    desired = load_desired([declare({"b-b": {"production": f"3@sha256:{DIGEST}", "staging": 4}, "a-a": {"staging": "none"}})])
    assert desired.environments == (Environment("staging", "Staging", "staging"), Environment("production", "Production", "production"))
    assert desired.limits == Limits()
    assert desired.bindings == (
        Declared("a-a", "staging", None, None, Place("environments.yaml", 10, 12)),
        Declared("b-b", "staging", 4, None, Place("environments.yaml", 7, 12)),
        Declared("b-b", "production", 3, DIGEST, Place("environments.yaml", 5, 12)),
    )


def test_columns_count_characters_not_bytes() -> None:
    source = text("e.yaml", 'version: 1\nmodels: {"模型-検知": {"staging": {"use": 4}}}\n')
    assert load_desired([source]).bindings[0].place == Place("e.yaml", 2, 39)


def test_environments_and_limits_come_from_the_file() -> None:
    head = (
        "environments:\n  dev: {alias: dev}\n  staging: {stage: Staging}\n  live: {stage: Production, alias: live}\n"
        "limits: {max_changes: 3, max_share: 1}"
    )
    desired = load_desired([declare({"a-a": {"live": 1}}, head=head)])
    assert desired.environments == (
        Environment("dev", None, "dev"),
        Environment("staging", "Staging", None),
        Environment("live", "Production", "live"),
    )
    assert desired.limits == Limits(3, 1.0)


def test_the_order_of_models_and_files_does_not_matter() -> None:
    models: dict[str, dict[str, object]] = {f"model-{number}": {"staging": number + 1} for number in range(20)}
    shuffled = list(models)
    random.Random(1).shuffle(shuffled)
    one = load_desired([declare(models)])
    parts = [
        declare({name: models[name] for name in shuffled[:9]}, "a.yaml"),
        declare({name: models[name] for name in shuffled[9:]}, "b.yaml"),
    ]
    for sources in (parts, parts[::-1]):
        split = load_desired(sources)
        assert [(b.model, b.environment, b.version) for b in split.bindings] == [(b.model, b.environment, b.version) for b in one.bindings]


def test_a_model_environments_and_limits_stand_in_one_file() -> None:
    head = "environments:\n  staging: {alias: staging}\nlimits: {}"
    first, second = declare({"a-a": {"staging": 1}}, "a.yaml", head), declare({"a-a": {"staging": 2}}, "b.yaml", head)
    assert [line.partition(" [")[0] for line in told([first, second], [rules("staging")])] == [
        "b.yaml:2:1: environments are declared in a.yaml:2:1 already",
        "b.yaml:4:1: limits are set in a.yaml:4:1 already",
        "b.yaml:6:3: 'a-a' is declared in a.yaml:6:3 already",
    ]


def test_all_problems_of_all_files_at_once() -> None:
    found = told(
        [declare({"a-a": {"stagin": 1}}), text("more.yaml", "a: [1\n")],
        [text("policies/staging.yaml", "version: 1\nenvironment: staging\nrules:\n  - gate: bond\n"), text("policies/x.yaml", "{}")],
    )
    assert [line.split(": ")[0] for line in found] == [
        "environments.yaml:4:5",
        "more.yaml:1:4",
        "policies/staging.yaml:4:11",
        "policies/x.yaml:1:1",
    ]


def test_rules_are_for_environments_that_exist() -> None:
    found = told([declare({"a-a": {"staging": 1}})], [rules("staging"), rules("prodution")])
    assert found == ["policies/prodution.yaml:2:14: there is no environment 'prodution' [unknown-environment] did you mean 'production'?"]


def test_an_environment_that_is_used_has_rules() -> None:
    found = told([declare({"a-a": {"staging": 1, "production": 2}})], [rules("staging")])
    assert found == [
        (
            "environments.yaml:6:5: no policy has rules for 'production', so nothing could enter it [no-rules] "
            "add a file to the policies with: environment: production"
        )
    ]
    head = "environments:\n  staging: {alias: staging}\n  dev: {alias: dev}"
    assert told([declare({"a-a": {"staging": 1}}, head=head)], [rules("staging")])[0].startswith(
        "environments.yaml:4:3: no policy has rules for 'dev'"
    )


def test_an_environment_that_is_not_used_needs_none() -> None:
    assert load([declare({"a-a": {"staging": 1, "production": "none"}})], [rules("staging")])


def test_a_pattern_matches_a_model_once_there_are_models() -> None:
    policies = [rules("staging", '    models: ["a-*", "moe-*"]')]
    assert told([declare({"a-a": {"staging": 1}, "mo-e": {"staging": 1}})], policies) == [
        "policies/staging.yaml:5:21: 'moe-*' matches no declared model [pattern] did you mean 'mo-e'?"
    ]
    assert load([declare({})], policies)


def test_a_baseline_is_a_declared_model() -> None:
    rule = rules("staging", "  - {gate: compare, metric: f1, margin: 0.01, baseline: xgbost-*}")
    assert told([declare({"a-a": {"staging": 1}, "xgboost-a": {"staging": 1}})], [rule]) == [
        "policies/staging.yaml:5:57: 'xgbost-*' matches no declared model [pattern] did you mean 'xgboost-a'?"
    ]


def test_rules_name_evaluations_that_exist() -> None:
    bound = ["  - gate: bound", "    metric: f1", "    min: 0.5", "    evaluation: flow"]
    evaluations = text(
        "policies/evaluations.yaml",
        "version: 1\nevaluations:\n  flows:\n    models: ['*']\n    evaluator: a:b\n    sources: [a.py]\n"
        f"    dataset: {{path: d.csv, sha256: {DIGEST}}}\n",
    )
    assert told([declare({"a-a": {"staging": 1}})], [rules("staging", *bound), evaluations]) == [
        "policies/staging.yaml:8:17: there is no evaluation 'flow' [unknown-evaluation] did you mean 'flows'?"
    ]
    twice = Source("policies/more.yaml", evaluations.content)
    assert told([declare({"a-a": {"staging": 1}})], [rules("staging"), evaluations, twice]) == [
        "policies/more.yaml:3:3: the evaluation 'flows' stands in policies/evaluations.yaml:3:3 already [several-files] name each once"
    ]


def test_a_rule_has_its_gates_own_parameters() -> None:
    source = rules("production", "    mode: observe", "  - gate: bound", '    models: ["moe-*"]', "    metric: f1", "    min: 0.95")
    naming, bound = load_policies([source]).rules
    assert (naming.gate, naming.enforce, naming.models, naming.place.line) == ("naming", False, ("*",), 4)
    assert (bound.gate, bound.enforce, bound.models) == ("bound", True, ("moe-*",))
    said = bound.parameters.model_dump()
    assert {name: said[name] for name in bound.parameters.model_fields_set} == {"metric": "f1", "min": 0.95}
    assert (said["max"], said["evaluation"], said["of"]) == (None, None, "point")


def test_the_digest_is_over_names_and_bytes() -> None:
    one, other = rules("staging"), rules("production")
    digest = load_policies([one, other]).digest
    assert load_policies([other, one]).digest == digest
    assert load_policies([Source(one.name, one.content + b"# more\n"), other]).digest != digest
    assert load_policies([Source("policies/renamed.yaml", one.content), other]).digest != digest
    assert load_policies([one]).digest != digest
    # Bytes that move from one file to the next are another set of files.
    moved = [Source(one.name, one.content + b"#x\n"), other], [one, Source(other.name, b"#x\n" + other.content)]
    assert load_policies(moved[0]).digest != load_policies(moved[1]).digest


def test_the_projects_own_files() -> None:
    policies = [Source(f"policies/{file.name}", file.read_bytes()) for file in sorted((ROOT / "policies").glob("*.yaml"))]
    desired, found = load([Source("environments.yaml", (ROOT / "environments.yaml").read_bytes())], policies)
    assert "moe-cybersecurity-cicids" in desired.models
    gates = {
        environment: [rule.gate for rule in found.rules_for(environment, "moe-cybersecurity-cicids")]
        for environment in ("staging", "production")
    }
    assert set(gates["staging"]) >= {"naming", "metadata", "lineage", "formats", "bound"}
    assert set(gates["production"]) >= {*gates["staging"], "staging_first"}
    assert [one.evaluator for one in found.evaluations_for("moe-cybersecurity-cicids")] == ["train.evaluation:outcomes"]


def test_rules_for_every_environment_stand_beside_each_ones_own() -> None:
    defaults = text("policies/defaults.yaml", 'version: 1\nenvironment: "*"\nrules:\n  - gate: lineage\n    models: ["a-*"]\n')
    _, policies = load([declare({"a-a": {"staging": 4}, "b-b": {"staging": 4}})], [*BOTH, defaults])
    found = {model: [rule.gate for rule in policies.rules_for("production", model)] for model in ("a-a", "b-b")}
    assert found == {"a-a": ["lineage", "naming"], "b-b": ["naming"]}
    assert [rule.place.file for rule in policies.rules_for("staging", "a-a")] == ["policies/defaults.yaml", "policies/staging.yaml"]


def test_rules_for_every_environment_are_rules_for_each() -> None:
    defaults = text("policies/defaults.yaml", 'version: 1\nenvironment: "*"\nrules:\n  - gate: lineage\n')
    assert load([declare({"a-a": {"staging": 4}})], [defaults])[1].rules_for("staging", "a-a")


def test_no_rule_compares_with_an_environment_that_there_is_not() -> None:
    signature = rules("production", "  - gate: signature", '    against: "*"', "  - gate: signature", "    against: productoin")
    problems = told([declare({"a-a": {"staging": 4}})], [rules("staging"), signature])
    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "there is no environment '*' [unknown-environment] known: staging, production",
        "there is no environment 'productoin' [unknown-environment] did you mean 'production'?",
    ]


def test_rules_that_could_not_hold_are_told_before_they_judge() -> None:
    """formats blocks whatever its mode says, and nothing comes before the first environment; both were told only by the gate."""
    first = rules("staging", "  - gate: formats", "    mode: observe", "  - gate: staging_first", "  - gate: naming", "    mode: observe")
    last = rules("production", "  - gate: formats", "    mode: enforce", "  - gate: staging_first")
    model = declare({"m-m": {"staging": 1}})
    later = "[first-environment] use staging_first for a later environment"
    assert told([model], [first, last]) == [
        "policies/staging.yaml:6:11: formats always blocks, it cannot be observed alone [mandatory-gate] leave mode out",
        f"policies/staging.yaml:7:11: nothing comes before 'staging', so nothing could enter it {later}",
    ]
    every = rules('"*"', "  - gate: staging_first", name="policies/all.yaml")
    assert [one.partition(": ")[0] for one in told([model], [every])] == ["policies/all.yaml:5:11"]
    # What was applied before is read by itself: it may say so.
    assert len(load_policies([first]).rules) == 4
