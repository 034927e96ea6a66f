"""Reconcile against a real server and a real repository: what it applies, records, refuses and survives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promotion.changes import ChangeKind, Operation, SetAlias
from promotion.drift import DriftKind, look
from promotion.errors import Conflict, Exit, Unavailable
from promotion.journal import EntryKind
from promotion.reconcile import Options
from promotion.repository import working
from promotion.verdicts import Status
from tests.scene import NAMING, Scene

Served = Callable[[int], Scene]


class Flaky:
    """A real registry whose writes go wrong as told: ``lost`` are sent and then reported as unknown, ``dead`` raise before."""

    def __init__(self, registry: Any, *, lost: set[int] = frozenset(), dead: int | None = None) -> None:  # type: ignore[assignment]
        self._registry, self._lost, self._dead, self.count = registry, lost, dead, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def apply(self, operation: Operation) -> None:
        self.count += 1
        if self._dead is not None and self.count >= self._dead:
            raise KeyboardInterrupt
        self._registry.apply(operation)
        if self.count in self._lost:
            raise Unavailable("the answer did not arrive")


def test_a_promotion_is_applied_by_stage_and_alias_and_recorded(served: Served) -> None:
    scene = served(1)
    commit = scene.declare(staging=1, production="none", subject="Try it")
    outcome = scene.reconcile()
    assert outcome.exit_code is Exit.DONE
    shown = scene.shown()
    assert (shown["stages"], shown["aliases"]) == ({1: "Staging"}, {"staging": "1"})
    state = scene.workspace().journal.read()
    assert state.entry is not None
    assert (outcome.entry, outcome.signed, outcome.notes, outcome.unwritten) == (state.head, False, (), ())
    assert (state.entry.kind, state.entry.commit, state.entry.subject, state.entry.author) == (
        EntryKind.OUTCOME,
        commit,
        "Try it",
        "Ada <ada@example.org>",
    )
    assert shown["tags"]["promotion.journal"] == f"{state.root}/{state.head}"
    (change,) = state.entry.changes
    judged = {one.gate: (one.status, one.expected, one.got, one.rule) for one in change.verdicts}
    assert judged["naming"] == (Status.PASSED, "a name like ^[a-z0-9-]+$", scene.name, "policies/staging.yaml:4:5")
    assert judged["digest"][3] is None, "it is asked without a rule"
    assert state.entry.writes == tuple(map(str, outcome.written))
    assert len(state.entry.writes) == 2
    memory = state.applied(scene.name)
    assert memory is not None
    assert memory.bindings["staging"].bound is not None
    assert memory.bindings["staging"].bound.digest == scene.workspace().registry.artifact(scene.name, 1).digest


def test_a_second_reconcile_of_the_same_commit_writes_nothing(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    scene.reconcile()
    before = (scene.shown(), scene.journal())
    outcome = scene.reconcile()
    assert (outcome.entry, outcome.written, outcome.exit_code) == (None, (), Exit.DONE)
    assert (scene.shown(), scene.journal()) == before


def test_a_commit_that_changes_nothing_is_recorded_without_a_write(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    scene.reconcile()
    before = scene.shown()
    commit = scene.commit("unrelated")
    assert scene.reconcile().written == ()
    assert scene.workspace().journal.read().recorded == commit
    assert scene.shown()["updated"] == before["updated"]


def test_evidence_is_kept_in_the_journal_whether_something_had_to_be_written_or_not(served: Served) -> None:
    """What the registry shows already is gated like a promotion: its evidence is as new."""
    scene = served(2)
    scene.measure()
    for environment in ("staging", "production"):
        scene.rule(environment, NAMING + "  - gate: bound\n    metric: f1\n    min: 0.5\n")
    scene.declare(staging=1)
    assert scene.reconcile(Options(measure=False)).exit_code is Exit.ERRORED, "no model code is run here, and there is no evidence at hand"
    assert scene.reconcile().exit_code is Exit.DONE
    scene.move(2, "Production")
    scene.workspace().registry.apply(SetAlias(scene.name, "production", 2))
    scene.declare(staging=1, production=2)
    assert scene.reconcile().written == ()
    state = scene.workspace().journal.read()
    memory = state.applied(scene.name)
    assert memory is not None
    for binding in memory.bindings.values():
        (digest,) = binding.evidence
        assert state.evidence(digest) is not None, binding


def test_the_replaced_version_is_archived_and_a_revert_brings_it_back(served: Served) -> None:
    scene = served(2)
    scene.declare(production=1)
    scene.reconcile()
    scene.declare(production=2)
    assert [one.change.kind for one in scene.reconcile().done] == [ChangeKind.PROMOTE]
    assert scene.shown()["stages"] == {1: "Archived", 2: "Production"}
    scene.git("revert", "--no-edit", "HEAD")
    assert [one.change.kind for one in scene.reconcile().done] == [ChangeKind.ROLLBACK]
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived"}
    scene.git("revert", "--no-edit", "HEAD")
    assert [one.change.kind for one in scene.reconcile().done] == [ChangeKind.PROMOTE], "a revert of a revert is judged like a promotion"


def test_a_hand_made_move_is_healed_under_the_same_commit(served: Served) -> None:
    scene = served(2)
    scene.declare(production=1)
    scene.reconcile()
    scene.move(2, "Production")
    assert [one.change.kind for one in scene.reconcile().done] == [ChangeKind.HEAL]
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived"}


def test_a_refused_model_stays_as_it_was_and_is_healed_to_that(served: Served) -> None:
    scene = served(2)
    scene.declare(production=1)
    scene.reconcile()
    applied = scene.journal("promotion-journal:applied")
    scene.rule("production", NAMING + "  - gate: staging_first\n")
    scene.declare(production=2)
    scene.move(2, "Production")
    outcome = scene.reconcile()
    assert outcome.exit_code is Exit.FAILED
    assert [one.change.after for one in outcome.refused] == [2]
    assert scene.shown()["stages"][1] == "Production", "healing restores what was applied last, never what was refused"
    assert scene.journal("promotion-journal:applied") == applied
    state = scene.workspace().journal.read()
    assert state.entry is not None
    assert [(one.environment, one.version) for one in state.entry.refusals] == [("production", 2)]
    head = scene.journal()
    assert scene.reconcile().exit_code is Exit.FAILED
    assert scene.journal() == head, "the same refusal is written once"


def test_a_version_that_does_not_exist_leaves_its_model_alone(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=7)
    outcome = scene.reconcile()
    assert outcome.exit_code is Exit.USAGE
    assert [problem.rule for problem in outcome.decision.plan.problems] == ["no-such-version"]
    assert scene.shown()["stages"] == {1: "None"}


def test_the_models_behind_one_that_cannot_be_fulfilled_are_applied_all_the_same(served: Served) -> None:
    scene = served(1)
    own, scene.name = scene.name, f"{scene.name}-behind"
    scene.register(1)
    uses = (f"  {name}:\n    staging:\n      use: {version}" for name, version in ((own, 7), (scene.name, 1)))
    (scene.folder / "environments.yaml").write_text("\n".join(["version: 1", "models:", *uses]) + "\n")
    scene.commit("one of two")
    outcome = scene.reconcile(Options(max_changes=9))
    assert (outcome.exit_code, [one.change.model for one in outcome.done]) == (Exit.USAGE, [scene.name])
    assert scene.shown()["stages"] == {1: "Staging"}


def test_a_lost_answer_is_read_back_and_not_sent_twice(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    flaky = Flaky(scene.workspace().registry, lost={1})
    outcome = scene.reconcile(registry=flaky)
    assert outcome.exit_code is Exit.DONE
    assert flaky.count == 2, "the stage arrived, so only the alias is written after the read-back"


@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_killed_at_any_write_the_next_run_completes_it(served: Served, write: int) -> None:
    scene = served(3)
    scene.declare(staging=2, production=1)
    scene.reconcile()
    scene.declare(staging=3, production=2)
    with pytest.raises(KeyboardInterrupt):
        scene.reconcile(registry=Flaky(scene.workspace().registry, dead=write))
    with pytest.raises(Conflict, match="holds the lock"):
        scene.reconcile()
    later = datetime.now(UTC) + timedelta(minutes=10)
    outcome = scene.reconcile(now=lambda: later)
    assert outcome.takes_over is not None
    assert scene.shown()["stages"] == {1: "Archived", 2: "Production", 3: "Staging"}
    assert tuple(scene.workspace().journal.verify()) == ()
    assert scene.reconcile(now=lambda: later).entry is None


def test_a_tag_that_somebody_edits_meanwhile_is_drift_and_not_what_was_judged(served: Served) -> None:
    scene = served(1)
    scene.workspace().registry.set_version_tag(scene.name, 1, "data_version", "v7")
    scene.declare(staging=1)

    class Edited(Flaky):
        def apply(self, operation: Operation) -> None:
            super().apply(operation)
            self._registry.set_version_tag(scene.name, 1, "data_version", "forged")

    assert scene.reconcile(registry=Edited(scene.workspace().registry)).exit_code is Exit.DONE
    workspace = scene.workspace()
    (drift,) = look(workspace, working(workspace.git, workspace.layout)).drifts
    assert (drift.kind, drift.got) == (DriftKind.METADATA, "tag data_version is 'forged'")


@pytest.mark.parametrize(("seconds", "stops"), [(284, False), (285, True), (3600, True)])
def test_the_owner_stops_a_margin_before_its_lease_ends(served: Served, seconds: float, stops: bool) -> None:
    scene = served(1)
    scene.declare(staging=1)
    began = datetime.now(UTC)
    late: list[timedelta] = []

    def report(line: str) -> None:
        if line.startswith("recording the intent"):
            late.append(timedelta(seconds=seconds))

    with pytest.raises(Conflict, match="lease ran out") if stops else nullcontext():
        scene.reconcile(Options(lease=300, margin=15), report=report, now=lambda: began + sum(late, timedelta()))
    assert scene.shown()["stages"] == {1: "None" if stops else "Staging"}
    entry = scene.workspace().journal.read().entry
    assert entry is not None
    assert entry.at == began + timedelta(seconds=seconds), "an entry is of the time when it was written"


def test_somebody_who_moves_the_stage_meanwhile_is_repaired_in_the_same_run(served: Served) -> None:
    scene = served(2)
    scene.declare(production=1)

    class Meddled(Flaky):
        def apply(self, operation: Operation) -> None:
            super().apply(operation)
            if self.count == 1:
                scene.move(2, "Production")

    outcome = scene.reconcile(registry=Meddled(scene.workspace().registry))
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived"}
    stage = f"set {scene.name}/1 to stage Production, archiving the others there"
    assert [str(one) for one in outcome.written].count(stage) == 2, "every write that was sent is told"
    entry = scene.workspace().journal.read().entry
    assert entry is not None
    assert entry.writes == tuple(map(str, outcome.written))


def test_two_at_once_one_wins_and_the_other_says_who(served: Served) -> None:
    scene = served(1)
    scene.declare(staging=1)
    barrier = threading.Barrier(2)

    class Waiting(Flaky):
        def observe(self, names: Any) -> Any:
            found = self._registry.observe(names)
            if not self.count:
                self.count = 1
                barrier.wait(timeout=30)
            return found

    results: list[object] = []

    def run() -> None:
        try:
            results.append(scene.reconcile(registry=Waiting(scene.workspace().registry)).exit_code)
        except Conflict as error:
            results.append(error.message)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won, lost = sorted(results, key=lambda one: isinstance(one, str))
    assert won is Exit.DONE
    assert "Ada" in str(lost), "the loser says who was faster"
