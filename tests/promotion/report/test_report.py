"""``promotion report`` over a real server, repository and journal."""

from __future__ import annotations

import json

import pytest

from promotion.cli import root
from promotion.cli.ending import run
from tests.scene import Scene


@pytest.fixture
def scene(tmp_path, mlflow_server):
    made = Scene(tmp_path / "models", mlflow_server)
    made.start()
    made.register(2)
    made.declare(staging=1, production="none")
    made.reconcile()
    return made


def written(scene: Scene, *more: str):
    code = run(root, ["report", "-C", str(scene.folder), "--tracking-uri", scene.url, "--out", str(scene.folder / "site"), *more])
    assert code == 0
    assert (scene.folder / "site" / "index.html").is_file()
    return json.loads((scene.folder / "site" / "report.json").read_text())


def test_it_tells_what_is_applied_and_what_drifted(scene, capsys):
    found = written(scene, "--commits", "https://example.org/commit/")
    (model,) = found["models"]
    assert model["name"] == scene.name
    staging = model["environments"]["staging"]
    assert (staging["state"], staging["applied"]["version"]) == ("in sync", 1)
    assert staging["applied"]["commit"] == scene.git("rev-parse", "HEAD")
    assert found["commits"] == "https://example.org/commit/"
    assert [one["kind"] for one in found["entries"]] == ["outcome"]
    assert "1 models, 1 entries, 0 to look at" in capsys.readouterr().out

    scene.move(2, "Staging")
    (model,) = written(scene)["models"]
    assert [(one["kind"], one["environment"]) for one in model["drift"]] == [("pointer", "staging")]


def test_it_writes_nothing_into_the_registry_or_the_journal(scene):
    before = scene.shown(), scene.journal()
    written(scene)
    assert (scene.shown(), scene.journal()) == before


def test_an_address_of_commits_must_be_one(scene, capsys):
    arguments = ["report", "-C", str(scene.folder), "--tracking-uri", scene.url, "--out", str(scene.folder / "site")]
    assert run(root, [*arguments, "--commits", "javascript:alert(1)"]) == 2
    assert "--commits is not an http(s) address" in capsys.readouterr().err
    assert not (scene.folder / "site").exists()


def test_a_folder_that_cannot_be_written_is_told(scene, capsys):
    (scene.folder / "file").write_text("")
    arguments = ["report", "-C", str(scene.folder), "--tracking-uri", scene.url, "--out", str(scene.folder / "file" / "site")]
    assert run(root, arguments) == 5
    assert "the page cannot be written" in capsys.readouterr().err
