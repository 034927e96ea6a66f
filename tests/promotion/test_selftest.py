"""The self-test of gates: it passes for gates that can refuse, whatever the policy's values, and fails for one that cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promotion.cli import root as command
from promotion.cli.ending import run
from promotion.config.load import Source, load_policies
from promotion.gates import GATES
from promotion.gates.interface import Ruling
from promotion.gates.known import KNOWN
from promotion.git import Git
from promotion.policies import Policies
from promotion.repository import Layout, working
from promotion.selftest import selftest
from promotion.verdicts import Status
from tests.scene import Scene

HERE = Path(__file__).parents[2]
ENVIRONMENTS = ("staging", "production")
RULES = {
    "naming": "  - gate: naming\n",
    "naming by a pattern": '  - gate: naming\n    pattern: "moe-[a-z]+"\n    examples: [moe-flows]\n',
    "naming without an example": "  - gate: naming\n    pattern: ^zz-[0-9]+$\n",
    "metadata": "  - gate: metadata\n",
    "metadata of little": "  - gate: metadata\n    description: false\n    tags: []\n",
    "metadata of much": "  - gate: metadata\n    tags: [owner]\n    params: [a, b]\n    metrics: [x]\n",
    "lineage": "  - gate: lineage\n",
    "formats": "  - gate: formats\n    allow: [onnx]\n    loaders: [mlflow.onnx]\n",
    "freeze": "  - gate: freeze\n    timezone: Europe/Berlin\n    windows: [{days: [fri], hours: 16:10-16:20}, {days: [sat, sun]}]\n",
    "freeze of one past day": "  - gate: freeze\n    timezone: UTC\n    windows: [{first: 2025-12-24, last: 2025-12-24}]\n",
    "approval": "  - gate: approval\n    count: 2\n    signers: [bob@example.org, eve@example.org]\n",
    "lineage elsewhere": "  - gate: lineage\n    repository: https://git.example.org/train\n",
    "signature": "  - gate: signature\n    allow_added: [flow_*]\n",
    "min": "  - gate: bound\n    metric: f1\n    min: 0.95\n",
    "min of zero": "  - gate: bound\n    metric: f1\n    min: 0\n",
    "max": "  - gate: bound\n    metric: false_alarm_rate\n    max: -3.5e300\n",
    "both": "  - gate: bound\n    metric: f1\n    min: 0.5\n    max: 0.5\n    evaluation: flows\n",
    "lower end": "  - gate: bound\n    metric: f1\n    min: 0.95\n    of: lower\n",
    "upper end": "  - gate: bound\n    metric: false_alarm_rate\n    max: 0.01\n    of: upper\n    confidence: 0.9\n",
    "classes": "  - gate: bound\n    metric: class.*.recall\n    min: 0.7\n    min_support: 50\n",
    "one class": "  - gate: bound\n    metric: class.DDoS.recall\n    min: 0.7\n    of: lower\n    min_support: 50\n",
    "age": "  - gate: bound\n    metric: age_days\n    max: 30\n",
    "size": "  - gate: bound\n    metric: size_bytes\n    max: 50000000\n",
    "latency": "  - gate: bound\n    metric: seconds_per_row\n    max: 1.5\n    against: production\n    first: pass\n",
    "latency, unnamed": "  - gate: bound\n    metric: seconds_per_row\n    max: 1.5\n    against: production\n",
    "ratio": "  - gate: bound\n    metric: tabular.f1\n    min: 0.5\n    relative_to: f1\n",
    "distance": "  - gate: bound\n    metric: f1\n    max: 0.05\n    evaluation: flows\n    spread: other\n",
    "not worse": "  - gate: compare\n    metric: f1\n    margin: 0.01\n    first: pass\n",
    "not worse, unnamed": "  - gate: compare\n    metric: f1\n    margin: 0\n",
    "better": "  - gate: compare\n    metric: f1\n    margin: 0.02\n    require: superior\n    first: fail\n",
    "fewer alarms": "  - gate: compare\n    metric: false_alarm_rate\n    margin: 0.01\n    better: lower\n    evaluation: flows\n",
    "each class": "  - gate: compare\n    metric: class.*.recall\n    margin: 0.05\n    min_support: 50\n    baseline: xgboost-*\n",
    "only shown": "  - gate: bound\n    metric: f1\n    min: 0.95\n    mode: observe\n",
    "of some models": '  - gate: bound\n    metric: f1\n    min: 0.95\n    models: ["moe-??-*"]\n',
}
LATER = {"staging_first": "  - gate: staging_first\n", "soak": "  - gate: staging_first\n    soak: 1d12h\n"}
EVALUATION = b"""version: 1
evaluations:
  flows:
    models: ["*"]
    evaluator: a:b
    sources: [a.py]
    dataset: {path: rows.csv, sha256: ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff}
  other:
    models: ["*"]
    evaluator: a:b
    sources: [a.py]
    dataset: {path: other.csv, sha256: ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff}
"""


def policies(rules: str, environment: str = "staging") -> Policies:
    text = f"version: 1\nenvironment: {environment}\nrules:\n{rules}".encode()
    return load_policies((Source("policies/some.yaml", text), Source("policies/evaluations.yaml", EVALUATION)))


@pytest.fixture
def broken(monkeypatch):
    """Let a gate say something else."""

    def let(name: str, status: Status) -> None:
        monkeypatch.setattr(type(GATES[name]), "judge", lambda *_: Ruling(status, "anything", "whatever it is"))

    return let


def test_this_repositorys_own_rules_can_refuse():
    """Every gate of ``policies/`` is shown what it must refuse, in every run of these tests."""
    declaration = working(Git(HERE), Layout())
    tried = selftest(declaration.policies, [one.name for one in declaration.desired.environments], declaration.desired.models)
    assert {one.gate for one in tried} >= {rule.gate for rule in declaration.policies.rules}
    assert [(one.gate, one.place, one.faults) for one in tried if one.status is not Status.PASSED] == []


@pytest.mark.parametrize("name", RULES)
def test_whatever_its_values_a_rule_refuses_what_it_must(name):
    tried = selftest(policies(RULES[name]), ENVIRONMENTS, ())
    assert [(one.gate, one.faults) for one in tried if one.status is not Status.PASSED] == []
    assert all(one.shown for one in tried)


@pytest.mark.parametrize("name", LATER)
def test_a_rule_about_what_comes_before(name):
    tried = selftest(policies(LATER[name], "production"), ENVIRONMENTS, ("moe-flows",))
    assert [(one.gate, one.faults) for one in tried if one.status is not Status.PASSED] == []


def test_every_gate_has_known_inputs():
    assert set(KNOWN) == set(GATES)


@pytest.mark.parametrize("name", sorted(GATES))
def test_a_gate_that_passes_everything_is_found(broken, name):
    broken(name, Status.PASSED)
    rules = "".join([*RULES.values(), *LATER.values()])
    tried = [one for one in selftest(policies(rules, "production"), ENVIRONMENTS, ()) if one.gate == name]
    assert tried
    assert {one.status for one in tried} == {Status.FAILED}
    assert all("where it must be" in fault for one in tried for fault in one.faults)


@pytest.mark.parametrize("status", [Status.FAILED, Status.ERRORED])
def test_a_gate_that_refuses_everything_is_no_proof(broken, status):
    broken("bound", status)
    (tried,) = [one for one in selftest(policies(RULES["min"]), ENVIRONMENTS[:1], ()) if one.gate == "bound"]
    assert tried.status is Status.ERRORED
    assert any("nothing is wrong" in fault for fault in tried.faults)


def test_a_gate_that_nothing_is_known_of_is_errored(monkeypatch):
    monkeypatch.setattr("promotion.selftest.KNOWN", {name: make for name, make in KNOWN.items() if name != "bound"})
    (tried,) = [one for one in selftest(policies(RULES["min"]), ENVIRONMENTS[:1], ()) if one.gate == "bound"]
    assert (tried.status, tried.shown) == (Status.ERRORED, ())


def test_a_pattern_that_matches_every_name_is_found():
    (tried,) = [
        one for one in selftest(policies("  - gate: naming\n    pattern: '(?s).*'\n"), ENVIRONMENTS[:1], ()) if one.gate == "naming"
    ]
    assert tried.status is Status.FAILED


def test_a_decision_that_forgets_a_verdict_is_found(monkeypatch):
    monkeypatch.setattr("promotion.decide._may_block", lambda *_: False)
    tried = selftest(policies(RULES["min"]), ENVIRONMENTS[:1], ())
    assert {one.status for one in tried} == {Status.FAILED}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path / "models", "http://127.0.0.1:9", name="moe-flows")
    made.start()
    made.rule("production", LATER["soak"] + RULES["naming"] + RULES["only shown"])
    made.rule("staging", RULES["naming"])
    made.declare(staging=1)
    return made


def ask(scene: Scene, *arguments: str) -> int:
    return run(command, ["-C", str(scene.folder), "--no-color", *arguments])


def test_the_command_tells_what_it_tried(scene, capsys, broken):
    assert ask(scene, "gates", "selftest") == 0
    told = capsys.readouterr().out
    assert "policies/production.yaml:4:5" in told
    assert "known-bad inputs" in told.splitlines()[-1]
    broken("naming", Status.PASSED)
    assert ask(scene, "gates", "selftest", "--format", "json") == 4
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["passed"]) == ("promotion/selftest/v1", False)
    assert {one["gate"] for one in found["tried"] if one["status"] == "FAILED"} == {"naming"}
    broken("naming", Status.ERRORED)
    assert ask(scene, "gates", "selftest", "--format", "markdown") == 5
    assert "🛑 naming" in capsys.readouterr().out


def test_the_command_tells_what_judges_and_where_it_comes_from(scene, capsys):
    assert ask(scene, "gates", "show", "moe-flows", "production") == 0
    told = capsys.readouterr().out.splitlines()
    rows = {tuple(line.split()[:3]) for line in told}
    assert rows >= {
        ("staging_first", "enforce", "policies/production.yaml:4:5"),
        ("naming", "enforce", "policies/production.yaml:6:5"),
        ("bound", "observe", "policies/production.yaml:7:5"),
        ("digest", "enforce", "built"),
        ("formats", "enforce", "built"),
    }
    assert "applied in staging with passing evidence for at least 1d12h" in "\n".join(told)
    assert ask(scene, "gates", "show", "moe-flows", "production", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    (shown,) = [one for one in found["rules"] if one["gate"] == "bound"]
    assert shown == {
        "gate": "bound", "asks": "f1 ≥ 0.95", "enforced": False, "built_in": False,
        "place": {"file": "policies/production.yaml", "line": 7, "column": 5},
    }  # fmt: skip
    assert ask(scene, "gates", "show", "moe-flows", "staging", "--format", "markdown") == 0
    assert "| naming | enforce | policies/staging.yaml:4:5 |" in capsys.readouterr().out


def test_exceptions_are_shown_with_what_judges(scene, capsys):
    (scene.folder / "policies" / "waivers.yaml").write_text(
        "version: 1\nwaivers:\n"
        "  - {gate: naming, model: moe-flows, version: 3, environment: staging, owner: ada, reason: A pilot., expires: 2030-01-31}\n"
        "  - {gate: naming, model: moe-flows, version: 1, environment: staging, owner: ada, reason: A pilot., expires: 2020-01-31}\n"
    )
    (scene.folder / "policies" / "quarantine.yaml").write_text(
        "version: 1\nquarantine:\n  - {model: moe-flows, version: 2, reason: It leaks., by: ben}\n"
    )
    assert ask(scene, "gates", "show", "moe-flows", "staging") == 0
    told = capsys.readouterr().out
    assert "naming is waived for version 3 until 2030-01-31 by ada (policies/waivers.yaml:3:5): A pilot." in told
    assert "naming was waived for version 1 until 2020-01-31 by ada" in told
    assert "version 2 in quarantine by ben (policies/quarantine.yaml:3:5): It leaks." in told
    assert ask(scene, "gates", "show", "moe-flows", "production", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["waivers"], [one["version"] for one in found["quarantine"]]) == ([], [2])
    assert ask(scene, "gates", "show", "moe-flows", "staging", "--format", "markdown") == 0
    assert "- naming is waived for version 3" in capsys.readouterr().out


def test_a_name_that_is_not_declared_or_no_environment_is_told(scene, capsys):
    assert ask(scene, "gates", "show", "another-model", "staging") == 0
    assert "no file declares another-model" in capsys.readouterr().out
    assert ask(scene, "gates", "show", "moe-flows", "prodution") == 2
    assert "did you mean 'production'?" in capsys.readouterr().err
    assert ask(scene, "gates", "show", "moe-flows") == 2
    assert ask(scene, "gate", "--model", "moe-flow", "--base", "HEAD") == 2
    assert "did you mean 'moe-flows'?" in capsys.readouterr().err
