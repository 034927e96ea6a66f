"""What is bound is looked at anew: as readers find it, measured in a fresh process, against the rules in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promotion.errors import Exit, UsageError
from promotion.render import json, markdown, text
from promotion.repository import working
from promotion.verdicts import Status
from promotion.verify import Verified, verdict, verify
from tests.promotion.reconcile.test_drift import replace_file
from tests.scene import NAMING, Scene

Served = Callable[[int], Scene]
BOUND = NAMING + "  - gate: bound\n    metric: f1\n    min: {least}\n"


@pytest.fixture
def bound(served: Served) -> Scene:
    found = served(2)
    found.measure()
    for environment in ("staging", "production"):
        found.rule(environment, BOUND.format(least=0.5))
    found.declare(staging=2, production=1)
    assert found.reconcile().exit_code is Exit.DONE
    return found


def look(scene: Scene, **chosen: Any) -> tuple[Verified, ...]:
    workspace = scene.workspace()
    found = verify(workspace, working(workspace.git, workspace.layout), **chosen)
    for render in (text.verify, markdown.verify, json.verify):
        assert render(found)
    return found


def verdicts(found: Verified) -> dict[str, Status]:
    return {one.gate: one.status for one in found.judged.verdicts}


def test_what_was_applied_and_is_unchanged_is_verified(bound: Scene) -> None:
    found = look(bound)
    assert [(one.judged.change.environment, one.bound.version) for one in found] == [("staging", 2), ("production", 1)]
    for one in found:
        assert verdicts(one) == dict.fromkeys(
            ("readers", "evidence", "digest", "hold", "quarantine", "formats", "policy", "naming", "bound"), Status.PASSED
        )
        assert (one.fresh[0].artifact, one.stale) == (one.bound.digest, {})
    assert verdict(found) is Exit.DONE
    assert bound.workspace().journal.verify() == ()


def test_one_environment_is_chosen_and_what_was_never_applied_is_told(bound: Scene) -> None:
    assert len(look(bound, environment="production")) == 1
    with pytest.raises(UsageError, match="production of nobody"):
        look(bound, name="nobody", environment="production")


def test_readers_who_get_another_version_fail_it(bound: Scene) -> None:
    bound.client.set_registered_model_alias(bound.name, "production", "2")
    (found,) = look(bound, environment="production")
    assert verdicts(found)["readers"] is Status.FAILED
    assert verdict((found,)) is Exit.FAILED


def test_bytes_that_changed_are_not_measured(bound: Scene) -> None:
    replace_file(bound, 1)
    (found,) = look(bound, environment="production")
    assert (verdicts(found)["evidence"], verdicts(found)["digest"]) == (Status.ERRORED, Status.FAILED)
    assert verdict((found,)) is Exit.ERRORED


def test_an_evaluator_that_changed_is_told_and_its_figures_are_judged(bound: Scene) -> None:
    with (bound.folder / "judge" / "evaluator.py").open("a") as file:
        file.write("\n# another evaluator\n")
    bound.commit("another evaluator")
    (found,) = look(bound, environment="production")
    assert verdicts(found)["evidence"] is Status.WARNED
    assert "its evaluator changed since evidence" in found.stale["rows"]
    assert "no longer covered by evidence" in text.verify((found,))
    assert verdict((found,)) is Exit.DONE


def test_rules_that_are_stricter_now_fail_what_is_in_service(bound: Scene) -> None:
    bound.rule("production", BOUND.format(least=1.0) + "  - gate: staging_first\n")
    bound.commit("stricter")
    (found,) = look(bound, environment="production")
    assert verdicts(found)["bound"] is Status.FAILED
    assert "staging_first" not in verdicts(found), "how it got there is not asked again"
    assert verdict((found,)) is Exit.FAILED


def test_a_model_that_measures_otherwise_than_its_evidence_says_fails(served: Served) -> None:
    scene = served(1)
    scene.measure()
    source = scene.folder / "judge" / "evaluator.py"
    # The same evaluator by its hash, and another answer: what a changed library or machine would do.
    source.write_text(source.read_text().replace("scores > 0.5", "scores > float(data.with_name('rate').read_text())"))
    (scene.folder / "rate").write_text("0.5")
    scene.declare(production=1)
    assert scene.reconcile().exit_code is Exit.DONE
    (scene.folder / "rate").write_text("0.9")
    (found,) = look(scene)
    assert verdicts(found)["evidence"] is Status.FAILED
    assert "figures differ" in text.verify((found,))
