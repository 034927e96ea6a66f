"""``promotion report`` over a real server, repository and journal."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace

import pytest

from promotion.cli import root
from promotion.cli.ending import run
from promotion.journal import EntryKind, Refusal
from promotion.report.declared import patches
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


def test_of_a_journal_in_which_evidence_was_damaged_no_page_is_written(scene, capsys):
    scene.measure()
    scene.rule("staging", "  - gate: bound\n    metric: f1\n    min: 0.5\n")
    scene.declare(staging=2, production="none")
    assert scene.reconcile().refused == ()
    found = written(scene)
    (digest,) = found["models"][0]["environments"]["staging"]["applied"]["evidence"]
    assert list(found["evidence"]) == [digest]
    assert (found["unreadable"], found["models"][0]["faults"]) == ({}, [])

    page = (scene.folder / "site" / "report.json").read_bytes()
    path = next(one for one in scene.git("ls-tree", "-r", "--name-only", "promotion-journal").splitlines() if digest in one)
    damage(scene, path, b"{}")
    assert run(root, ["report", "-C", str(scene.folder), "--tracking-uri", scene.url, "--out", str(scene.folder / "site")]) == 6
    assert "evidence is only ever added" in capsys.readouterr().err
    assert (scene.folder / "site" / "report.json").read_bytes() == page


def damage(scene: Scene, path: str, content: bytes) -> None:
    """Append an entry to the journal which puts other bytes into one of its files, and says nothing of it."""
    index = {"GIT_INDEX_FILE": str(scene.folder / ".git" / "damaged"), "PATH": os.environ["PATH"]}

    def git(*arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(["git", *arguments], cwd=scene.folder, env=index, input=stdin, capture_output=True, check=True)
        return done.stdout.decode().strip()

    head, tree = scene.git("rev-parse", "promotion-journal"), scene.git("rev-parse", "promotion-journal^{tree}")
    text = scene.git("cat-file", "commit", "promotion-journal").replace(scene.git("rev-parse", "promotion-journal^"), head)
    git("read-tree", "promotion-journal")
    git("update-index", "--cacheinfo", f"100644,{git('hash-object', '-w', '--stdin', stdin=content)},{path}")
    made = git("hash-object", "-w", "-t", "commit", "--stdin", stdin=(text.replace(tree, git("write-tree")) + "\n").encode())
    git("update-ref", "refs/heads/promotion-journal", made)


def test_each_entry_tells_what_was_declared_since_the_one_before(scene):
    scene.declare(staging=2, production="none")
    scene.commit("Something else")
    scene.reconcile()
    scene.declare(staging=2, production=1)
    scene.commit("Something else again")
    scene.reconcile()
    (scene.folder / "policies" / "deeper").mkdir()
    third, second, first = written(scene, "-C", str(scene.folder / "policies" / "deeper"))["entries"]
    assert "patch" not in first, "its commit is the first of all"
    for entry, old, new in ((second, 1, 2), (third, "none", 1)):
        lines = entry["patch"].splitlines()
        assert (lines[0], lines[1][:2]) == ("environments.yaml", "@@")
        assert [line for line in lines if line.startswith("-")] == [f"-      use: {old}"]
        assert [line for line in lines if line.startswith("+")] == [f"+      use: {new}"]
    workspace = scene.workspace()
    newest, *older = (one for one in workspace.journal.entries() if one.entry.kind is not EntryKind.INTENT)
    after = replace(newest, sha="a" * 40)
    refusal = Refusal(scene.name, "production", 1, ("bound FAILED",))
    before = replace(newest, sha="b" * 40, entry=replace(newest.entry, changes=(), refusals=(refusal,)))
    found = patches(workspace.git, workspace.layout.files, (after, newest, before, *older))
    assert after.sha not in found, "a rollback of what was applied: nothing was declared in between"
    assert found[newest.sha] == found[before.sha] == third["patch"], "refused first, then applied"


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
