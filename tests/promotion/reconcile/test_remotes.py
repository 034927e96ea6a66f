"""Remotes that are late, down, closed or rewritten, and clones that are cut: the command line says what is wrong and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from promotion.errors import Exit
from tests.scene import Scene

ROOT = Path(__file__).parents[3]


class Site:
    """A scene whose main lies at a bare origin."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.origin = scene.folder.parent / "origin.git"
        scene.git("init", "-q", "--bare", "-b", "main", str(self.origin))
        scene.git("remote", "add", "origin", str(self.origin))
        self.publish()

    def publish(self, *options: str) -> None:
        self.scene.git("push", "-q", *options, "origin", "main")

    def reconcile(
        self, *arguments: str, folder: Path | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        command = [sys.executable, "-m", "promotion", "reconcile", "--tracking-uri", self.scene.url, *arguments]
        return subprocess.run(
            command,
            cwd=folder or self.scene.folder,
            env={**kept, "PYTHONPATH": str(ROOT), **(environment or {})},
            check=False,
            capture_output=True,
            text=True,
        )

    def over_ssh(self, script: str) -> dict[str, str]:
        """Reach the origin by an ``ssh`` of our own; gives the variable that names it."""
        path = self.scene.folder.parent / "ssh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        self.scene.git("remote", "set-url", "origin", f"ssh://git.example.org{self.origin}")
        return {"GIT_SSH_COMMAND": str(path), "GIT_SSH_VARIANT": "simple"}

    def hook(self, name: str, script: str) -> None:
        path = self.origin / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def site(scene: Scene) -> Site:
    scene.register(2)
    scene.declare(production=1)
    return Site(scene)


def test_a_remote_that_never_answers_is_given_up_in_the_time_allowed(site: Site) -> None:
    ssh = site.over_ssh("sleep 3600")
    done = site.reconcile("--timeout", "2", environment=ssh)
    assert done.returncode == Exit.ERRORED, done.stderr
    assert "did not answer within 5 s" in done.stderr
    assert "hint:" in done.stderr
    assert site.scene.shown()["stages"][1] == "None"


def test_a_remote_that_answers_late_is_waited_for(site: Site) -> None:
    ssh = site.over_ssh('sleep 1; shift; exec sh -c "$*"')
    done = site.reconcile(environment=ssh)
    assert done.returncode == Exit.DONE, done.stderr
    assert site.scene.shown()["stages"][1] == "Production"


def test_where_main_has_moved_on_an_older_checkout_applies_nothing_and_is_red_unless_told_otherwise(site: Site) -> None:
    older = site.scene.git("rev-parse", "HEAD")
    site.scene.declare(production=2)
    site.publish()
    site.scene.git("checkout", "-q", "--detach", older)
    assert site.reconcile().returncode == Exit.CONFLICT
    done = site.reconcile("--if-newest")
    assert done.returncode == Exit.DONE, done.stderr
    assert done.stdout.startswith("nothing was done: this checkout is at ")
    assert (site.scene.shown()["stages"], site.scene.journal()) == ({1: "None", 2: "None"}, None)
    site.scene.git("checkout", "-q", "main")
    assert site.reconcile("--if-newest").returncode == Exit.DONE
    assert site.scene.shown()["stages"][2] == "Production"


def test_a_remote_that_goes_down_under_way_leaves_what_the_next_run_completes(site: Site) -> None:
    # The intent arrives; from then on nobody reaches the remote.
    site.hook("post-receive", f"chmod 000 '{site.origin}/refs' 2>/dev/null; mv '{site.origin}' '{site.origin}.gone'")
    done = site.reconcile()
    assert done.returncode == Exit.ERRORED, done.stdout + done.stderr
    assert "it is not known whether" in done.stderr
    gone = Path(f"{site.origin}.gone")
    (gone / "refs").chmod(0o755)
    gone.rename(site.origin)
    (site.origin / "hooks" / "post-receive").unlink()
    held = site.reconcile()
    assert held.returncode == Exit.CONFLICT, held.stderr
    assert "--break-lease" in held.stderr
    done = site.reconcile("--break-lease")
    assert done.returncode == Exit.DONE, done.stderr
    assert site.scene.shown()["stages"][1] == "Production"
    assert site.scene.workspace().journal.verify() == ()


def test_a_protected_branch_is_told_before_anything_is_written(site: Site) -> None:
    site.hook("pre-receive", "echo 'GH006: protected branch update failed' >&2; exit 1")
    done = site.reconcile()
    assert done.returncode == Exit.ERRORED, done.stderr
    assert "GH006: protected branch" in done.stderr
    assert "let this job push to refs/heads/promotion-journal" in done.stderr
    assert site.scene.shown()["stages"][1] == "None"


@pytest.mark.parametrize("lock", ["refs/promotion/origin/fetched", "refs/promotion/origin/journal", "refs/promotion/origin/main"])
def test_a_lock_that_a_killed_git_left_behind_is_named(site: Site, lock: str) -> None:
    assert site.reconcile().returncode == Exit.DONE
    site.scene.declare(production=2)
    site.publish()
    path = site.scene.folder / ".git" / f"{lock}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    done = site.reconcile()
    assert done.returncode not in {Exit.DONE, Exit.INTERNAL}, done.stdout
    assert f"{lock}.lock" in done.stderr
    assert "remove" in done.stderr.partition("hint:")[2], done.stderr
    path.unlink()
    done = site.reconcile("--break-lease")
    assert done.returncode == Exit.DONE, done.stderr
    assert site.scene.shown()["stages"] == {1: "Archived", 2: "Production"}


@pytest.mark.parametrize("options", [("--depth", "1"), ("--single-branch",), ("--depth", "1", "--no-single-branch")])
def test_cut_clones_apply_or_say_how_to_complete_them(site: Site, options: tuple[str, ...]) -> None:
    assert site.reconcile().returncode == Exit.DONE
    site.scene.commit("in between")
    site.scene.declare(production=2)
    site.publish()
    clone = site.scene.folder.parent / "cut"
    site.scene.git("clone", "-q", *options, f"file://{site.origin}", str(clone))
    done = site.reconcile(folder=clone)
    if "--depth" in options:
        assert done.returncode == Exit.CONFLICT, done.stderr
        assert "git fetch --unshallow" in done.stderr
        site.scene.git("fetch", "-q", "--unshallow", folder=clone)
        done = site.reconcile(folder=clone)
    assert done.returncode == Exit.DONE, done.stderr
    assert site.scene.shown()["stages"] == {1: "Archived", 2: "Production"}


def test_a_main_that_was_rewritten_is_explained(site: Site) -> None:
    base = site.scene.git("rev-parse", "HEAD")
    site.scene.declare(production=2)
    site.publish()
    assert site.reconcile().returncode == Exit.DONE
    site.scene.git("reset", "-q", "--hard", base)
    site.scene.declare(production=1, subject="rewritten")
    site.publish("--force")
    clone = site.scene.folder.parent / "fresh"
    site.scene.git("clone", "-q", str(site.origin), str(clone))
    for folder in (site.scene.folder, clone):
        done = site.reconcile(folder=folder)
        assert done.returncode == Exit.CONFLICT, done.stderr
        assert "main was force-pushed" in done.stderr
        assert "--allow-older" in done.stderr
    assert site.scene.shown()["stages"] == {1: "None", 2: "Production"}
    assert site.reconcile("--allow-older").returncode == Exit.DONE
    assert site.scene.shown()["stages"] == {1: "Production", 2: "Archived"}
