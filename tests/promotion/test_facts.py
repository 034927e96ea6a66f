"""Facts: everything that can be had is, everything else is Unknown with its reason; a version is downloaded once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from promotion.changes import ChangeKind, Plan
from promotion.decide import decide
from promotion.domain import AppliedModel, Bound, Place
from promotion.errors import Unavailable, UsageError
from promotion.evidence import read
from promotion.facts import Collector
from promotion.gates import GATES
from promotion.gates.interface import Format, Lineage, Measured, Unknown
from promotion.kept import FolderEvidence
from promotion.policies import Dataset, Evaluation, Policies, Rule
from promotion.registry.interface import Run
from promotion.registry.memory import MemoryRegistry
from promotion.verdicts import Status
from tests.models import tiny_booster
from tests.promotion.gates.samples import NAME, applied, binding, change

COMMIT = "c" * 40
TAGS = {"data_version": "v1.0.0", "data_digest": "a" * 64, "git_commit": COMMIT, "run_id": "run1"}
ROWS = b"1,attack\n"
SCORING = """
def evaluate(model, dataset, settings):
    if settings.get("fails"): raise ValueError("it cannot be scored")
    return {"schema": "promotion/counts/v1", "rows": 1, "seconds": 0.1, "positive": "attack",
            "parts": {"model": {"labels": ["attack", "benign"], "confusion": [[1, 0], [0, 0]]}}}
"""
MLMODEL = b"flavors:\n  python_function:\n    data: model.json\n    loader_module: mlflow.xgboost\n"


@dataclass(frozen=True)
class Hold:
    model: str
    environment: str
    digest: str
    reason: str


class Counting(MemoryRegistry):
    """Counts downloads, keeps what is reported; refuses the versions in ``out_of_reach``."""

    def __init__(self) -> None:
        super().__init__()
        self.downloads: list[tuple[str, int]] = []
        self.told: list[str] = []
        self.out_of_reach: set[int] = set()

    def download(self, name, version, folder, *, source=""):
        self.downloads.append((name, version))
        if version in self.out_of_reach:
            raise Unavailable("the store does not answer", hint="try again")
        return super().download(name, version, folder, source=source)


@pytest.fixture(scope="session")
def files():
    return {"MLmodel": MLMODEL, "model.json": bytes(tiny_booster(0).save_raw("json"))}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "scoring.py").write_text(SCORING)
    (folder / "rows.csv").write_bytes(ROWS)
    return folder


@pytest.fixture
def registry(files):
    made = Counting()
    for _ in range(4):
        made.add_version(NAME, files, run_id="run1", tags=TAGS, description="what it is")
    made.add_run(Run("run1", "FINISHED", "ci", {"lr": "1"}, {"f1": 0.5}, TAGS))
    return made


def policies(**given) -> Policies:
    place = Place("policies/evaluations.yaml", 3, 5)
    values = {"settings": {}, "evaluator": "scoring:evaluate", "dataset": Dataset("rows.csv", hashlib.sha256(ROWS).hexdigest())}
    evaluation = Evaluation(
        name="flows", models=("*",), sources=("scoring.py",), timeout=30.0, memory=1 << 30, place=place, **{**values, **given}
    )
    rule = Rule(
        "bound", "staging", ("*",), GATES["bound"].parameters.model_validate({"metric": "f1", "min": 0.9}), enforce=True, place=place
    )
    lineage = Rule("lineage", "*", ("*",), GATES["lineage"].parameters(), enforce=False, place=place)
    return Policies((rule, lineage), (evaluation,), "0" * 64)


def collector(registry, root, **given) -> Collector:
    values = {
        "registry": registry,
        "root": root,
        "observed": registry.observe([NAME]),
        "applied": {},
        "holds": (),
        "environments": ("staging", "production"),
        "policies": (policies(),),
        "sources": (),
        "folder": None,
        "in_history": lambda commit: commit == COMMIT,
        "now": datetime(2026, 10, 2, 12, tzinfo=UTC),
        "by": "ci",
        "measure": True,
        "report": registry.told.append,
    }
    return Collector(**{**values, **given})


def measurings(registry) -> int:
    return sum(line.startswith("measuring ") for line in registry.told)


def test_all_that_can_be_had(registry, root, tmp_path):
    digest = registry.artifact(NAME, 4).digest
    holds = (Hold(NAME, "production", digest, "F1 fell"), Hold(NAME, "staging", "0" * 64, "x"), Hold("other", "production", "0" * 64, "x"))
    made = collector(registry, root, holds=holds, folder=tmp_path / "evidence")
    facts = made.collect(change())

    assert facts.artifact == registry.artifact(NAME, 4)
    assert facts.format == Format("mlflow.xgboost", "xgboost", ())
    assert facts.lineage == Lineage("v1.0.0", "a" * 64, COMMIT, "run1", ())
    assert facts.run == registry.run("run1")
    assert facts.version == registry.model(NAME).versions[4]
    assert facts.stages_before == ("staging",)
    assert facts.holds == {digest: "F1 fell"}
    measured = facts.evidence["flows"]
    assert isinstance(measured, Measured)
    assert (measured.figures["f1"], measured.rows) == (1, 1)
    assert facts.evidence_applied == facts.evidence
    statement = read(made.statements[measured.digest])
    assert statement.artifact == digest
    assert FolderEvidence(tmp_path / "evidence").find(statement.key) == (statement.to_bytes(),)


def test_a_version_is_downloaded_and_measured_once(registry, root):
    made = collector(registry, root, policies=(policies(), policies()))
    first = made.collect(change(environment="staging"))
    second = made.collect(change(environment="production"))

    assert registry.downloads == [(NAME, 4)]
    assert measurings(registry) == 1
    assert first.evidence == second.evidence


def test_one_that_fails_is_not_tried_again(registry, root):
    made = collector(registry, root, policies=(policies(settings={"fails": True}),) * 2)
    facts = made.collect(change(environment="staging"))
    made.collect(change(environment="production"))

    assert isinstance(facts.evidence["flows"], Unknown)
    assert "ValueError: it cannot be scored" in facts.evidence["flows"].reason
    assert measurings(registry) == 1


OUTCOMES = """
from pathlib import Path
def evaluate(model, dataset, settings):
    right = len(list(Path(model).iterdir())) == 2
    truth = [number % 2 for number in range(400)]
    said = truth if right else [*truth[:300], *[1 - one for one in truth[300:]]]
    yield {"schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.1,
           "index": list(range(400)), "truth": truth, "parts": {"model": {"predicted": said}}}
"""


def comparing(**given) -> Policies:
    place = Place("policies/staging.yaml", 3, 5)
    parameters = GATES["compare"].parameters.model_validate({"metric": "f1", "margin": 0.05, **given})
    return replace(policies(), rules=(Rule("compare", "staging", ("*",), parameters, enforce=True, place=place),))


def serving(registry, name=NAME, version=3) -> dict[str, AppliedModel]:
    return {name: replace(applied(bindings={"production": binding(Bound(version, registry.artifact(name, version).digest))}), name=name)}


def judged(made: Collector, rules: Policies):
    asked = change(environment="staging")
    (one,) = decide(Plan("", (asked,), (), (), ""), rules, None, {(NAME, "staging"): made.collect(asked)}).judged
    (found,) = [verdict for verdict in one.verdicts if verdict.gate == "compare"]
    return found.status, found.got


def test_what_is_in_service_is_measured_once_as_well_to_compare_with(registry, root, files, tmp_path):
    (root / "scoring.py").write_text(OUTCOMES)
    registry.add_version(NAME, {**files, "notes.txt": b"which makes it worse"})
    rules, worse = comparing(), serving(registry, version=5)
    made = collector(registry, root, policies=(rules,), applied=worse, folder=tmp_path)

    assert judged(made, rules)[0] is Status.PASSED
    assert measurings(registry) == 2
    assert len(made.statements) == len(made.replicates) == 2
    again = collector(registry, root, policies=(rules,), applied=worse, folder=tmp_path, measure=False)
    status, got = judged(again, rules)
    assert (status, measurings(registry)) == (Status.PASSED, 2)
    assert "f1 = 1, moe-cybersecurity-cicids/5 has 0.75: difference 0.25" in got


def test_a_worse_version_than_the_one_in_service_is_refused(registry, root, files):
    (root / "scoring.py").write_text(OUTCOMES)
    registry.add_version(NAME, {**files, "notes.txt": b"which makes it worse"})
    rules, asked = comparing(), change(environment="staging", after=5)
    made = collector(registry, root, policies=(rules,), applied=serving(registry))
    (one,) = decide(Plan("", (asked,), (), (), ""), rules, None, {(NAME, "staging"): made.collect(asked)}).judged
    assert [verdict.status for verdict in one.verdicts if verdict.gate == "compare"] == [Status.FAILED]


def test_a_reference_that_cannot_be_had_is_errored(registry, root, files):
    (root / "scoring.py").write_text(OUTCOMES)
    registry.add_version(NAME, {**files, "notes.txt": b"of other bytes"})
    rules, there = comparing(), serving(registry, version=5)
    registry.out_of_reach = {5}
    assert judged(collector(registry, root, policies=(rules,), applied=there), rules)[0] is Status.ERRORED
    assert judged(collector(registry, root, policies=(rules,), applied=there, measure=False), rules)[0] is Status.ERRORED
    assert judged(collector(registry, root, policies=(rules,)), rules) == (
        Status.ERRORED,
        "nothing is applied in 'production' to compare with",
    )


def test_a_baseline_is_the_one_other_model_that_matches_and_is_applied(registry, root, files):
    (root / "scoring.py").write_text(OUTCOMES)
    registry.add_version("xgboost-baseline-a", files)
    registry.add_version("xgboost-baseline-b", files)
    rules = comparing(baseline="xgboost-baseline-*")
    one = serving(registry, "xgboost-baseline-a", 1)
    assert judged(collector(registry, root, policies=(rules,), applied=one), rules)[0] is Status.PASSED
    both = {**one, **serving(registry, "xgboost-baseline-b", 1)}
    assert judged(collector(registry, root, policies=(rules,), applied=both), rules) == (
        Status.ERRORED,
        "several models match 'xgboost-baseline-*': xgboost-baseline-a, xgboost-baseline-b",
    )
    status, got = judged(collector(registry, root, policies=(rules,)), rules)
    assert (status, "is applied anywhere" in got) == (Status.ERRORED, True)


def test_evidence_at_hand_is_not_measured_again_until_something_changes(registry, root, tmp_path):
    folder = tmp_path / "evidence"
    first = collector(registry, root, folder=folder).collect(change()).evidence["flows"]
    again = collector(registry, root, folder=folder).collect(change()).evidence["flows"]
    elsewhere = collector(registry, root, sources=(FolderEvidence(folder),), measure=False).collect(change()).evidence["flows"]
    assert first == again == elsewhere
    assert measurings(registry) == 1

    (root / "scoring.py").write_text(SCORING + "\n# another evaluator")
    assert isinstance(collector(registry, root, folder=folder, measure=False).collect(change()).evidence["flows"], Unknown)
    collector(registry, root, folder=folder).collect(change())
    assert measurings(registry) == 2


def test_corrupt_evidence_is_missing_with_the_reason(registry, root, tmp_path):
    folder = tmp_path / "evidence"
    collector(registry, root, folder=folder).collect(change())
    (kept,) = folder.glob("evidence/*/*.json")
    kept.write_bytes(kept.read_bytes()[:-9])
    found = collector(registry, root, folder=folder, measure=False).collect(change()).evidence["flows"]

    assert isinstance(found, Unknown)
    assert "does not hold what its name says" in found.reason


@pytest.mark.parametrize("kind", [ChangeKind.ROLLBACK, ChangeKind.HEAL])
def test_bringing_back_is_not_kept_waiting_by_measuring(registry, root, kind):
    made = collector(registry, root)
    facts = made.collect(change(kind=kind))
    assert isinstance(facts.evidence["flows"], Unknown)
    assert facts.format == Format("mlflow.xgboost", "xgboost", ())
    assert measurings(registry) == 0

    promoted = made.collect(change(environment="staging"))
    assert isinstance(promoted.evidence["flows"], Measured)


def test_emptying_looks_at_no_bytes(registry, root):
    facts = collector(registry, root).collect(change(kind=ChangeKind.RETIRE, after=None))
    assert registry.downloads == []
    assert isinstance(facts.artifact, Unknown)


def test_what_cannot_be_read_is_unknown_and_the_next_goes_on(registry, root):
    registry.out_of_reach.add(4)
    made = collector(registry, root)
    bad, good = made.collect(change(environment="staging")), made.collect(change(environment="staging", after=3))

    assert bad.artifact == bad.format == bad.evidence["flows"] == Unknown("the store does not answer", "try again")
    assert isinstance(good.evidence["flows"], Measured)


@pytest.mark.parametrize("missing", [change(after=9), change(model="nobody")])
def test_what_does_not_exist_is_unknown(registry, root, missing):
    facts = collector(registry, root).collect(missing)
    assert isinstance(facts.version, Unknown)
    assert isinstance(facts.artifact, Unknown)


def test_a_damaged_archive_is_unknown_not_refused(registry, root, files):
    registry.replace_files(NAME, 4, {**files, "model.pt2": b"PK\x03\x04 and nothing more"})
    facts = collector(registry, root).collect(change())
    assert isinstance(facts.format, Unknown)
    assert "cannot be read" in facts.format.reason
    assert measurings(registry) == 0


def test_the_applied_policies_measure_with_their_own_evaluator(registry, root, tmp_path):
    before = tmp_path / "before"
    before.mkdir()
    for name, text in {
        "scoring.py": SCORING.replace("[[1, 0], [0, 0]]", "[[0, 1], [0, 0]]"),
        "rows.csv": ROWS.decode(),
    }.items():
        (before / name).write_text(text)
    facts = collector(registry, root, policies=(policies(), policies()), root_applied=before).collect(change(environment="staging"))

    found = [facts.evidence["flows"], facts.evidence_applied["flows"]]
    assert [one.figures["f1"] for one in found if isinstance(one, Measured)] == [1, 0]
    plan = Plan("memory://", (facts.change,), (), (), "1" * 64)
    decision = decide(plan, policies(), policies(), {(NAME, "staging"): facts})
    assert decision.status is Status.FAILED


@pytest.mark.parametrize(
    ("tags", "run", "words"),
    [
        ({"data_version": ""}, {}, "no tag data_version"),
        ({"git_commit": ""}, {}, "no tag git_commit"),
        ({"run_id": ""}, {}, "no tag run_id"),
        ({"run_id": "run2"}, {}, "the tag run_id says run2, the registry run1"),
        ({"data_digest": "b" * 64}, {}, "data_digest is"),
        ({"git_commit": "d" * 40}, {"git_commit": "d" * 40}, "is not in this repository's history"),
        ({"git_commit": "main"}, {"git_commit": "main"}, "is not in this repository's history"),
        ({"git_commit": "--all"}, {"git_commit": "--all"}, "is not in this repository's history"),
        ({}, {"data_version": None}, "the run does not say its data_version"),
        ({}, None, "the run run1 does not exist"),
        ({}, "FAILED", "the run ended as FAILED"),
    ],
)
def test_every_break_in_the_lineage_is_told(files, root, tags, run, words):
    registry = Counting()
    registry.add_version(NAME, files, run_id="run1", tags={**TAGS, **tags})
    if run is not None:
        said = {name: value for name, value in {**TAGS, **(run if isinstance(run, dict) else {})}.items() if value is not None}
        registry.add_run(Run("run1", run if isinstance(run, str) else "FINISHED", None, {}, {}, said))
    lineage = collector(registry, root, measure=False).collect(change(after=1)).lineage

    assert isinstance(lineage, Lineage)
    assert [one for one in lineage.breaks if words in one], lineage.breaks


def test_the_run_is_asked_for_only_where_a_rule_looks_at_it(files, root, monkeypatch):
    registry = Counting()
    registry.add_version(NAME, files, run_id="run1", tags=TAGS)
    monkeypatch.setattr(registry, "run", lambda name: pytest.fail(f"{name} was asked for"))
    rules = policies()
    facts = collector(registry, root, measure=False, policies=(replace(rules, rules=rules.rules[:1]),)).collect(change(after=1))
    assert facts.run == facts.lineage == Unknown("no rule asks for the run")


def test_no_run_at_all_is_a_break(files, root):
    registry = Counting()
    registry.add_version(NAME, files, tags=TAGS)
    facts = collector(registry, root, measure=False).collect(change(after=1))
    assert isinstance(facts.lineage, Lineage)
    assert "registered without a run" in "; ".join(facts.lineage.breaks)
    assert isinstance(facts.run, Unknown)


def test_a_history_that_cannot_tell_is_unknown(registry, root):
    def shallow(commit):
        raise UsageError("a shallow clone cannot tell", hint="git fetch --unshallow")

    lineage = collector(registry, root, measure=False, in_history=shallow).collect(change()).lineage
    assert lineage == Unknown("a shallow clone cannot tell", "git fetch --unshallow")


def test_wrong_sources_are_unknown_with_the_reason(registry, root):
    made = policies()
    (one,) = made.evaluations
    broken = replace(made, evaluations=(replace(one, sources=("nothing/*.py",)),))
    found = collector(registry, root, policies=(broken,)).collect(change()).evidence["flows"]
    assert isinstance(found, Unknown)
    assert "no file matches" in found.reason


def test_a_commit_is_looked_for_in_the_repository_that_a_rule_names(registry, root):
    where = "https://git.example.org/train"
    parameters = GATES["lineage"].parameters.model_validate({"repository": where})
    rule = Rule("lineage", "production", ("*",), parameters, enforce=True, place=change().place)
    sets = (replace(policies(), rules=(rule,), evaluations=()),)
    asked = {"policies": sets, "in_history": lambda _: False, "measure": False}

    found = collector(registry, root, **asked, in_history_of=lambda at, sha: (at, sha) == (where, COMMIT)).collect(change())
    assert found.lineages == {where: Lineage("v1.0.0", "a" * 64, COMMIT, "run1", ())}
    assert isinstance(found.lineage, Lineage)
    assert "not in this repository's history" in found.lineage.breaks[0]
    assert isinstance(collector(registry, root, **asked).collect(change()).lineages[where], Unknown)
