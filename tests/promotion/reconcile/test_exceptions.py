"""Waivers and the quarantine, as they stand in git: what counts is what stood there before the change that would use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from promotion.errors import Exit, InvalidFiles
from promotion.reconcile import Options, Outcome
from promotion.render import json as as_json
from promotion.render import text
from promotion.repository import working
from promotion.restore import rollback
from promotion.status import rows
from promotion.survey import survey
from promotion.verdicts import Status
from tests.scene import NAMING, Scene

Served = Callable[[int], Scene]
METADATA = "  - gate: metadata\n    params: [nobody_logged_this]\n"


def waive(scene: Scene, version: int = 1, *, days: int = 1, owner: str = "ada@example.org") -> None:
    expires = (datetime.now(UTC) + timedelta(days=days)).date()
    (scene.folder / "policies" / "waivers.yaml").write_text(
        f"version: 1\nwaivers:\n  - gate: metadata\n    model: {scene.name}\n    version: {version}\n    environment: staging\n"
        f"    owner: {owner}\n    reason: A pilot.\n    expires: {expires}\n"
    )


def metadata(outcome: Outcome) -> tuple[Status, str]:
    """The worst that was said of the metadata, and what was advised."""
    (judged,) = outcome.decision.judged
    worst = max((one for one in judged.verdicts if one.gate == "metadata"), key=lambda one: one.status.severity)
    return worst.status, worst.hint or ""


@pytest.fixture
def strict(served: Served) -> Scene:
    """Two versions that lack what staging asks for; a commit that declares neither was applied."""
    scene = served(2)
    scene.rule("staging", NAMING + METADATA)
    scene.declare(staging="none")
    scene.reconcile()
    return scene


def test_a_waiver_counts_from_the_change_after_the_one_that_brought_it(strict: Scene) -> None:
    waive(strict)
    strict.commit("waive it")
    assert strict.reconcile().exit_code is Exit.DONE
    strict.declare(staging=1)
    outcome = strict.reconcile()

    assert metadata(outcome)[0] is Status.WARNED
    assert outcome.exit_code is Exit.DONE
    assert [one.owner for one in outcome.decision.waived] == ["ada@example.org"]
    assert strict.shown()["stages"][1] == "Staging"


@pytest.mark.parametrize(("days", "told"), [(1, "until"), (-1, "expired on")])
def test_status_names_every_waiver(strict: Scene, days: int, told: str) -> None:
    waive(strict, days=days)
    workspace = strict.workspace()
    found = survey(workspace, working(workspace.git, workspace.layout))
    table = rows(found.desired, found.observed, found.applied, found.plan)
    (one,) = found.declaration.policies.waivers
    said = (table, found.state, found.plan, (one,))

    line = f"waiver    metadata for {strict.name}/1 in staging: A pilot. (ada@example.org, {told} {one.expires}, {one.place})"
    assert line in text.status(*said, now=workspace.now()).splitlines()
    (kept,) = json.loads(as_json.status(*said, now=workspace.now()))["waivers"]
    assert (kept["gate"], kept["version"], kept["expires"]) == ("metadata", 1, one.expires.isoformat())


@pytest.mark.parametrize("split", [False, True], ids=["in the same commit", "in the commit before it, pushed together"])
def test_a_waiver_that_comes_with_its_use_does_not_count_however_often_the_job_runs(strict: Scene, split: bool) -> None:
    waive(strict)
    if split:
        strict.commit("waive it")
    strict.declare(staging=1)

    for _ in range(2):
        outcome = strict.reconcile()
        assert outcome.exit_code is Exit.FAILED
        assert metadata(outcome)[0] is Status.FAILED
        assert "came with this change" in metadata(outcome)[1]
    assert strict.shown()["stages"][1] == "None"


def test_a_waiver_in_the_first_commit_of_all_does_not_count(served: Served) -> None:
    scene = served(1)
    scene.rule("staging", NAMING + METADATA)
    scene.declare(staging=1, commit=False)
    waive(scene)
    scene.commit("everything at once")
    for _ in range(2):
        assert scene.reconcile().exit_code is Exit.FAILED


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda scene: waive(scene, days=-1), "expired on"),
        (lambda scene: waive(scene, 2), ""),
    ],
    ids=["expired", "of another version"],
)
def test_a_waiver_that_does_not_fit_waives_nothing(strict: Scene, spoil: Callable[[Scene], None], words: str) -> None:
    spoil(strict)
    strict.commit("waive it")
    strict.reconcile()
    strict.declare(staging=1)
    outcome = strict.reconcile()
    assert metadata(outcome)[0] is Status.FAILED
    assert words in metadata(outcome)[1]


def test_a_policy_that_is_weakened_beside_its_promotion_does_not_count_however_often_the_job_runs(strict: Scene) -> None:
    strict.rule("staging", NAMING)
    strict.declare(staging=1)
    for _ in range(2):
        assert strict.reconcile().exit_code is Exit.FAILED
    assert strict.shown()["stages"][1] == "None"
    strict.commit("another day")
    assert strict.reconcile().exit_code is Exit.DONE


def test_what_is_in_quarantine_is_refused_and_not_rolled_back_to(served: Served) -> None:
    scene = served(2)
    scene.declare(production=1)
    scene.reconcile()
    scene.declare(production=2)
    scene.reconcile()
    (scene.folder / "policies" / "quarantine.yaml").write_text(
        f"version: 1\nquarantine:\n  - {{model: {scene.name}, version: 1, reason: It leaks., by: ada@example.org}}\n"
    )
    scene.commit("bar it")
    assert scene.reconcile().exit_code is Exit.DONE

    result = rollback(scene.workspace(), Options(), scene.name, "production", reason="F1 fell", push=False)
    assert result.outcome.exit_code is Exit.FAILED
    (judged,) = result.outcome.decision.judged
    assert [one.gate for one in judged.verdicts if one.status.blocks] == ["quarantine"]
    assert scene.shown()["stages"] == {1: "Archived", 2: "Production"}

    # Lifting the bar and using it in one change does not count either.
    (scene.folder / "policies" / "quarantine.yaml").unlink()
    scene.declare(production=1)
    assert scene.reconcile().exit_code is Exit.FAILED


def test_a_waiver_for_a_model_that_is_not_declared_is_an_error(strict: Scene) -> None:
    waive(strict)
    file = strict.folder / "policies" / "waivers.yaml"
    file.write_text(file.read_text().replace(strict.name, f"{strict.name}x").replace("staging", "stagin"))
    strict.commit("a slip")
    with pytest.raises(InvalidFiles) as caught:
        strict.reconcile()
    assert [(one.rule, one.place.line) for one in caught.value.problems] == [("unknown-model", 4), ("unknown-environment", 6)]
