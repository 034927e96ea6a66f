"""The same story on every kind of server: promote, retire, drift and heal, roll back; and users who may read but not write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from promotion.changes import ChangeKind
from promotion.drift import find, heal
from promotion.errors import Exit
from promotion.reconcile import Options
from promotion.registry.interface import Rejected
from promotion.repository import working
from promotion.restore import rollback
from promotion.survey import survey
from tests.guarded import ADMIN, EDITOR, READER, credentials, grant
from tests.postgres import Postgres
from tests.scene import Scene
from tests.server import Server


@pytest.fixture
def postgres_alone(postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """PostgreSQL behind one worker."""
    with Server(tmp_path / "server", store=postgres.database("alone")) as server:
        yield server.url


@pytest.fixture
def sqlite_of_four(tmp_path: Path) -> Iterator[str]:
    """SQLite, which takes one write at a time, behind four workers."""
    with Server(tmp_path / "server", workers=4) as server:
        yield server.url


@pytest.fixture(params=["postgres_server", "postgres_alone", "sqlite_of_four", "old_mlflow_server"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """PostgreSQL with four workers and with one; SQLite with four; MLflow 2.9 on SQLite. (Other tests have today's on SQLite with one.)"""
    made = Scene(tmp_path / "models", request.getfixturevalue(request.param))
    made.start()
    return made


def pending(scene: Scene) -> int:
    workspace = scene.workspace()
    return len(survey(workspace, working(workspace.git, workspace.layout)).plan.operations)


def aliases(scene: Scene) -> dict[str, int]:
    return {alias: int(version) for alias, version in scene.shown()["aliases"].items()}


def test_the_story(scene: Scene) -> None:
    scene.register(3)
    scene.declare(staging=2, production=1)
    assert scene.reconcile().exit_code is Exit.DONE
    assert scene.shown()["stages"] == {1: "Production", 2: "Staging", 3: "None"}
    assert aliases(scene) == {"staging": 2, "production": 1}
    scene.declare(staging=3, production=2)
    assert scene.reconcile().exit_code is Exit.DONE
    before = scene.shown()
    assert before["stages"] == {1: "Archived", 2: "Production", 3: "Staging"}
    assert scene.reconcile().written == ()
    assert scene.shown()["updated"] == before["updated"], "nothing is written where nothing differs"

    scene.move(1, "Production")  # somebody in the UI
    workspace = scene.workspace()
    declaration = working(workspace.git, workspace.layout)
    assert [change.kind for change in find(workspace, declaration).plan.changes] == [ChangeKind.HEAL]
    assert heal(workspace, Options(), declaration).exit_code is Exit.DONE
    assert scene.shown()["stages"] == before["stages"]

    result = rollback(scene.workspace(), Options(), scene.name, "production", reason="alarms", push=False)
    assert result.to.version == 1
    assert (scene.shown()["stages"][1], aliases(scene)["production"]) == ("Production", 1)

    scene.declare(staging="none", production=1)
    assert scene.reconcile().exit_code is Exit.DONE
    assert aliases(scene) == {"production": 1}
    assert "Staging" not in scene.shown()["stages"].values()
    assert pending(scene) == 0
    assert scene.workspace().journal.verify() == ()


@pytest.fixture
def guarded(guarded_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A scene on a server with basic-auth, with two versions that the administrator registered."""
    made = Scene(tmp_path / "models", guarded_server)
    made.start()
    become(ADMIN, monkeypatch)
    made.register(2)
    return made


def become(user: tuple[str, str], patch: pytest.MonkeyPatch) -> None:
    for name, value in credentials(user).items():
        patch.setenv(name, value)


def test_a_reader_plans_and_his_reconcile_is_refused_before_the_first_write(guarded: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded.declare(staging=1)
    become(READER, monkeypatch)
    assert pending(guarded) == 2
    with pytest.raises(Rejected, match="nothing was written") as caught:
        guarded.reconcile()
    assert caught.value.exit_code is Exit.ERRORED
    assert f"does not let this user write {guarded.name} (HTTP 403)" in caught.value.message
    assert f"EDIT on {guarded.name}" in str(caught.value.hint)
    assert guarded.journal() is None, "no intent was left open"
    become(ADMIN, monkeypatch)
    assert set(guarded.shown()["stages"].values()) == {"None"}
    assert guarded.reconcile().exit_code is Exit.DONE


def test_an_editor_promotes_and_may_not_take_an_alias_away(guarded: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    grant(guarded.url, EDITOR, guarded.name, "EDIT")
    become(EDITOR, monkeypatch)
    guarded.declare(staging=2)
    assert guarded.reconcile().exit_code is Exit.DONE
    guarded.declare(staging="none")
    head = guarded.journal()
    with pytest.raises(Rejected, match="nothing was written"):
        guarded.reconcile()
    assert guarded.journal() == head
    become(ADMIN, monkeypatch)
    assert (guarded.shown()["stages"][2], aliases(guarded)) == ("Staging", {"staging": 2})


def test_models_that_may_be_written_are_and_the_others_stand_as_refused(guarded: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Scene(guarded.folder, guarded.url, name=f"{guarded.name}-other")
    other.register(1)
    grant(guarded.url, EDITOR, other.name, "EDIT")
    guarded.declare(staging=1)
    with (guarded.folder / "environments.yaml").open("a") as file:
        file.write(f"  {other.name}:\n    staging:\n      use: 1\n")
    guarded.commit("both")
    become(EDITOR, monkeypatch)
    outcome = guarded.reconcile()
    assert (outcome.exit_code, outcome.unwritten) == (Exit.ERRORED, (guarded.name,))
    assert any("HTTP 403" in note and "EDIT" in note for note in outcome.notes)
    assert [one.change.model for one in outcome.done] == [other.name]
    journal = guarded.workspace().journal
    entry = journal.read().entry
    assert entry is not None
    assert [(one.model, one.version) for one in entry.refusals] == [(guarded.name, 1)]
    assert journal.verify() == ()
    with pytest.raises(Rejected, match="nothing was written"):
        guarded.reconcile()
    become(ADMIN, monkeypatch)
    assert (guarded.shown()["stages"][1], other.shown()["stages"][1]) == ("None", "Staging")
    assert guarded.reconcile().exit_code is Exit.DONE
    assert guarded.shown()["stages"][1] == "Staging"
