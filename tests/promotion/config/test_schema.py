"""The JSON Schemas accept what loads and refuse what does not, as far as a schema can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # check-jsonschema brings it
import pytest
import yaml

from promotion.config import declarations, rules, yamlsource
from promotion.config.document import Source, plain
from promotion.config.json_schema import json_schema
from promotion.config.scalars import Odd
from promotion.config.values import check_alias, check_model_name
from promotion.gates import BUILT_IN, GATES

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "tests" / "examples"
SAMPLES = {
    "environments": [
        ROOT / "environments.yaml",
        *(f for f in (EXAMPLES / "valid").glob("*.yaml") if not f.name.startswith(("evaluations", "rules"))),
    ],
    "policy": [ROOT / "policies" / "staging.yaml", ROOT / "policies" / "production.yaml", EXAMPLES / "valid" / "rules.yaml"],
    "waivers": [EXAMPLES / "valid" / "rules-waivers.yaml"],
    "quarantine": [EXAMPLES / "valid" / "rules-quarantine.yaml"],
    "evaluations": [ROOT / "policies" / "evaluations.yaml", *sorted((EXAMPLES / "valid").glob("evaluations*.yaml"))],
}


WAIVER = {
    "gate": "lineage",
    "model": "a-a",
    "version": 4,
    "environment": "production",
    "owner": "x",
    "reason": "y",
    "expires": "2026-12-24",
}


def check(kind: str, values: Any) -> list[str]:
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(values)]


CASES = [pytest.param(kind, file, id=f"{kind} {file.relative_to(ROOT)}") for kind, files in SAMPLES.items() for file in files]


@pytest.mark.parametrize(("kind", "file"), CASES)
def test_valid_files_fit(kind: str, file: Path) -> None:
    assert check(kind, yaml.safe_load(file.read_bytes())) == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("environments", {"version": 1}),
        ("environments", {"version": 2, "models": {}}),
        ("environments", {"version": 1, "models": {}, "owner": "me"}),
        ("environments", {"version": 1, "models": {"a-a": {"staging": 4}}}),
        *(
            ("environments", {"version": 1, "models": {"a-a": {"staging": {"use": use}}}})
            for use in ("4", "latest", 0, 1.5, None, "3@sha256:ab", True)
        ),
        ("policy", {"version": 1, "environment": "staging", "rules": []}),
        ("policy", {"version": 1, "environment": "staging", "rules": [{"gate": "bond"}]}),
        ("policy", {"version": 1, "environment": "staging", "rules": [{"gate": "digest"}]}),
        ("policy", {"version": 1, "environment": "staging", "rules": [{"gate": "bound", "metrik": "f1"}]}),
        ("policy", {"version": 1, "environment": "staging", "rules": [{"gate": "naming", "mode": "warn"}]}),
        ("evaluations", {"version": 1, "evaluations": {"flows": {}}}),
        ("waivers", {"version": 1, "waivers": [{"gate": "lineage"}]}),
        ("waivers", {"version": 1, "waivers": [{**WAIVER, "version": "none"}]}),
        ("waivers", {"version": 1, "waivers": [{**WAIVER, "expires": "soon"}]}),
        ("quarantine", {"version": 1, "quarantine": [{"model": "a-a", "reason": "x"}]}),
        ("quarantine", {"version": 1, "quarantine": [{"model": "a-a", "digest": "9f", "reason": "x", "by": "y"}]}),
    ],
)
def test_what_is_wrong_does_not_fit(kind: str, values: Any) -> None:
    assert check(kind, values)


def test_every_gate_that_a_policy_may_name_is_known() -> None:
    rules = json_schema("policy")["$defs"]["RuleEntry"]["oneOf"]
    assert {rule["properties"]["gate"]["const"] for rule in rules} == set(GATES) - BUILT_IN


def test_there_is_no_other_kind() -> None:
    with pytest.raises(KeyError):
        json_schema("signers")


BEYOND_A_SCHEMA = frozenset(
    {
        "ambiguous",  # a number that YAML's versions read differently is text or a number to a schema
        "ambiguous-name",
        "duplicate-key",
        "layout",
        "tab",
        "unknown-environment",  # the names may stand in another file
    }
)
WHOLE = {"version-fraction", "version-exponent"}
"""To a schema 4.0 is a whole number."""


def as_values(node: Any) -> Any:
    """What an editor's reader sees of a tree."""
    if isinstance(node, Odd):
        return node.text
    if isinstance(node, list):
        return [as_values(one) for one in node]
    return {key: as_values(one) for key, one in node.items()} if isinstance(node, dict) else node


def kind_of(file: Path, values: Any) -> str:
    if not file.name.startswith(("rules", "evaluations")):
        return "environments"
    kinds = ("evaluations", "waivers", "quarantine")
    return next((kind for kind in kinds if isinstance(values, dict) and kind in values), "policy")


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*valid/*.yaml")), ids=lambda file: f"{file.parent.name} {file.stem}")
def test_the_schema_and_the_loader_agree_on_every_example(file: Path) -> None:
    """Whatever the loader finds wrong with the form of a readable file, the schema refuses as well; and nothing else."""
    source = Source(file.name, file.read_bytes())
    root = yamlsource.read(source).root
    if root is None:
        assert file.parent.name == "invalid"
        return
    values = as_values(plain(root))
    kind = kind_of(file, values)
    read = declarations.read([source]) if kind == "environments" else rules.read([source])
    structural = {problem.rule for document in read.documents for problem in document.all_problems()} - BEYOND_A_SCHEMA
    assert bool(check(kind, values)) == bool(structural and file.stem not in WHOLE)


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "on",
        "模型-検知",
        "a.b",
        "...",
        "x" * 256,
        "a b",
        "a/b",
        "a:b",
        "it's",
        'q"q',
        "b`b",
        "b\\b",
        "a@b",
        ".",
        "..",
        "",
        "x" * 257,
        "a\tb",
        "a\x00b",
        "a\x7fb",
    ],
)
def test_names_of_models_are_the_same_to_both(name: str) -> None:
    values = {"version": 1, "models": {name: {"staging": {"use": 1}}}}
    assert bool(check("environments", values)) == (check_model_name(name) is not None)


@pytest.mark.parametrize("alias", ["champion", "v", "v1a", "A_b-9", "latest", "LATEST", "v12", "V1", "a b", "a.b", "", "x" * 256])
def test_aliases_are_the_same_to_both(alias: str) -> None:
    values = {"version": 1, "environments": {"live": {"alias": alias}}, "models": {}}
    assert bool(check("environments", values)) == (check_alias(alias) is not None)
