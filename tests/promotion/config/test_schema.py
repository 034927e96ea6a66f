"""The JSON Schemas accept what loads and refuse what does not, as far as a schema can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # check-jsonschema brings it
import pytest
import yaml

from promotion.config.schema import json_schema
from promotion.gates import BUILT_IN, GATES

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "tests" / "examples"
SAMPLES = {
    "environments": [
        ROOT / "environments.yaml",
        *(f for f in (EXAMPLES / "valid").glob("*.yaml") if f.name not in {"rules.yaml", "evaluations.yaml"}),
    ],
    "policy": [ROOT / "policies" / "staging.yaml", ROOT / "policies" / "production.yaml", EXAMPLES / "valid" / "rules.yaml"],
    "evaluations": [ROOT / "policies" / "evaluations.yaml", EXAMPLES / "valid" / "evaluations.yaml"],
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
    ],
)
def test_what_is_wrong_does_not_fit(kind: str, values: Any) -> None:
    assert check(kind, values)


def test_every_gate_that_a_policy_may_name_is_known() -> None:
    rules = json_schema("policy")["$defs"]["RuleEntry"]["oneOf"]
    assert {rule["properties"]["gate"]["const"] for rule in rules} == set(GATES) - BUILT_IN


def test_there_is_no_other_kind() -> None:
    with pytest.raises(KeyError):
        json_schema("waivers")
