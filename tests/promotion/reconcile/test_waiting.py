"""Git hosting is down: a rollback takes the bad version out of service all the same, and its signed entry waits in the registry."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.drift import heal
from promotion.errors import Exit, JournalError, PromotionError, Unavailable, UsageError
from promotion.journal.fields import Malformed
from promotion.journal.waiting import NOTHING, TAG, pack, unpack, waits
from promotion.reconcile import Options
from promotion.registry.interface import Rejected
from promotion.repository import working
from promotion.restore import Restored, rollback
from tests.promotion.journal.conftest import make_key, signer_line
from tests.promotion.reconcile.test_unwritten import Refusing
from tests.scene import Scene

os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
ORIGIN = Options(remote="origin", measure=False)


@pytest.fixture
def promoted(scene: Scene) -> Scene:
    """Versions 1 and then 2 in production, signed, in a clone of a bare origin."""
    scene.register(2)
    origin = scene.folder.parent / "origin.git"
    scene.git("init", "-q", "--bare", "-b", "main", str(origin))
    scene.git("remote", "add", "origin", str(origin))
    keys = {name: make_key(scene.folder.parent, name) for name in ("job", "eve")}
    (scene.folder / "policies" / "allowed_signers").write_text(signer_line("job@example.org", keys["job"]))
    scene.shared["signing_key"] = keys["job"]
    for version in (1, 2):
        scene.declare(production=version)
        scene.git("push", "-q", "origin", "main")
        outcome = scene.reconcile()
        assert (outcome.exit_code, outcome.signed) == (Exit.DONE, True)
    return scene


def down(scene: Scene) -> None:
    (scene.folder.parent / "origin.git").rename(scene.folder.parent / "away.git")


def up(scene: Scene) -> None:
    (scene.folder.parent / "away.git").rename(scene.folder.parent / "origin.git")


def roll_back(scene: Scene) -> Restored:
    return rollback(scene.workspace(), ORIGIN, scene.name, "production", reason="alarms", push=True)


def test_the_registry_is_back_and_the_entry_waits_until_the_next_run_pushes_it(promoted: Scene) -> None:
    scene, before = promoted, promoted.journal("refs/promotion/origin/journal")
    down(scene)
    result = roll_back(scene)
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived"}
    assert scene.shown()["aliases"] == {"production": "1"}
    assert waits(scene.shown()["tags"])
    assert result.outcome.exit_code is Exit.DONE
    assert result.branch is None
    assert any("the entry waits in the registry" in note for note in result.outcome.notes)

    up(scene)
    scene.git("reset", "-q", "--hard", "origin/main")  # what CI has of main: the commit that declares the bad version
    outcome = scene.reconcile(ORIGIN)
    assert outcome.exit_code is Exit.FAILED, "main still declares what failed, and the hold bars it"
    assert [one.gate for refused in outcome.refused for one in refused.verdicts if one.status.blocks] == ["hold"]
    assert scene.shown()["stages"] == {1: "Production", 2: "Archived"}
    assert not waits(scene.shown()["tags"])
    journal = scene.workspace().journal
    entries = [one.sha for one in journal.entries()]
    assert entries.index(result.outcome.entry or "") < entries.index(before or ""), "it is in the journal"
    assert journal.verify() == ()
    assert scene.git("ls-remote", "origin", "refs/heads/promotion-journal").split()[0] == entries[0]


def test_healing_pushes_it_first_and_does_not_bring_back_what_failed(promoted: Scene) -> None:
    scene = promoted
    down(scene)
    result = roll_back(scene)
    up(scene)
    scene.git("reset", "-q", "--hard", "origin/main")
    workspace = scene.workspace()
    assert heal(workspace, ORIGIN, working(workspace.git, workspace.layout)).exit_code is Exit.DONE
    assert scene.shown()["aliases"] == {"production": "1"}
    assert result.outcome.entry in [one.sha for one in workspace.journal.entries()]


def test_a_run_that_was_killed_after_the_entry_was_left_is_completed_by_the_next(promoted: Scene) -> None:
    scene = promoted
    down(scene)
    workspace = scene.workspace()

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("promotion.waiting.converge", dies)
        with pytest.raises(KeyboardInterrupt):
            rollback(workspace, ORIGIN, scene.name, "production", reason="alarms", push=True)
    assert scene.shown()["aliases"] == {"production": "2"}
    assert waits(scene.shown()["tags"])
    up(scene)
    scene.reconcile(ORIGIN)
    assert scene.shown()["aliases"] == {"production": "1"}


def test_a_second_rollback_meanwhile_follows_the_first(promoted: Scene) -> None:
    """Staging fails as well: its entry goes on from the one that waits."""
    scene = promoted
    scene.register(1)
    for version in (1, 3):
        scene.declare(production=2, staging=version)
        scene.git("push", "-q", "origin", "main")
        assert scene.reconcile().exit_code is Exit.DONE
    other = replace_name(scene)
    down(scene)
    first = roll_back(scene)
    scene.git("reset", "-q", "--hard", "origin/main")
    second = rollback(scene.workspace(), ORIGIN, other, "production", reason="alarms", push=True)
    up(scene)
    scene.git("reset", "-q", "--hard", "origin/main")
    scene.reconcile(ORIGIN)
    journal = scene.workspace().journal
    entries = [one.sha for one in journal.entries()]
    assert entries.index(second.outcome.entry or "") + 1 == entries.index(first.outcome.entry or "")
    assert journal.verify() == ()


def replace_name(scene: Scene) -> str:
    """A second model beside the first, with versions 1 and then 2 in production."""
    name, lines = f"{scene.name}-b", (scene.folder / "environments.yaml").read_text()
    twin = replace(scene, name=name)
    twin.register(2)
    for version in (1, 2):
        (scene.folder / "environments.yaml").write_text(f"{lines}  {name}:\n    production:\n      use: {version}\n")
        scene.commit("declare the other")
        scene.git("push", "-q", "origin", "main")
        assert scene.reconcile().exit_code is Exit.DONE
    return name


def test_no_entry_waits_for_what_may_not_be_written(promoted: Scene) -> None:
    """The rights are asked for before it is left: else the next run would push a rollback that never was."""
    scene = promoted
    down(scene)
    refusing = Refusing(scene.workspace().registry, asked={scene.name})
    with pytest.raises(Rejected, match="nothing was written"):
        rollback(scene.workspace(registry=refusing), ORIGIN, scene.name, "production", reason="alarms", push=True)
    assert not waits(scene.shown()["tags"])


def test_what_a_person_brought_back_already_is_recorded_without_a_write(promoted: Scene) -> None:
    scene = promoted
    scene.move(1, "Production")
    scene.workspace().registry.apply(alias(scene.name, 1))
    down(scene)
    result = roll_back(scene)
    assert (result.outcome.exit_code, result.outcome.written) == (Exit.DONE, ())
    assert waits(scene.shown()["tags"])
    up(scene)
    scene.git("reset", "-q", "--hard", "origin/main")
    assert scene.reconcile(ORIGIN).exit_code is Exit.FAILED, "main still declares what failed, and the hold bars it"
    assert scene.shown()["aliases"] == {"production": "1"}


@pytest.fixture
def left(promoted: Scene) -> Iterator[Scene]:
    """An entry waits, and the host is back."""
    down(promoted)
    roll_back(promoted)
    up(promoted)
    promoted.git("reset", "-q", "--hard", "origin/main")
    yield promoted
    assert promoted.shown()["aliases"] == {"production": "1"}, "whatever was done to the tag, nobody brings back what failed"


def test_once_it_is_pushed_the_registry_is_read_after_the_journal_as_ever(left: Scene) -> None:
    """Else a reconcile that ends between the two readings would not be seen."""
    workspace, order = left.workspace(), list[str]()
    observe, read = workspace.registry.observe, workspace.journal.read

    def observing(names: Any) -> Any:
        order.append("registry")
        return observe(names)

    def reading(**given: Any) -> Any:
        state = read(**given)
        order.append("journal")
        return state

    workspace.registry.observe = observing  # type: ignore[method-assign]
    workspace.journal.read = reading  # type: ignore[method-assign]
    left.reconcile(replace(ORIGIN, dry_run=True), registry=workspace.registry, journal=workspace.journal)
    assert (order.count("registry"), order[-1]) == (2, "registry")


def test_an_entry_that_was_changed_is_not_pushed(left: Scene) -> None:
    workspace = left.workspace()
    model = workspace.registry.model(left.name)
    assert model is not None
    commit, files = unpack(model.tags)
    path = next(name for name in files if name.startswith("holds/"))
    for tags in (pack(commit, {**files, path: None}), pack(commit.replace(b"outcome", b"outcomes"), files), {TAG: "1:AAAA"}):
        for key, value in tags.items():
            workspace.registry.set_model_tag(left.name, key, value)
        with pytest.raises(JournalError, match="waits in the registry"):
            left.reconcile(ORIGIN)


def test_when_the_journal_went_on_without_it_nothing_is_applied_until_a_person_looked(left: Scene) -> None:
    tags = left.shown()["tags"]
    workspace = left.workspace()
    for key in [key for key in tags if key.startswith(TAG)]:
        workspace.registry.set_model_tag(left.name, key, NOTHING)
    left.move(2, "Production")
    workspace.registry.apply(alias(left.name, 2))
    left.declare(production=2, subject="another commit")
    left.git("push", "-q", "origin", "main")
    assert left.reconcile(ORIGIN).exit_code is Exit.DONE
    left.move(1, "Production")
    workspace.registry.apply(alias(left.name, 1))
    for key, value in tags.items():
        if key.startswith(TAG):
            workspace.registry.set_model_tag(left.name, key, value)
    with pytest.raises(JournalError, match="the journal went on without entry"):
        left.reconcile(ORIGIN)


def alias(name: str, version: int) -> Any:
    from promotion.changes import SetAlias

    return SetAlias(name, "production", version)


def test_nothing_waits_without_a_signature(served: Any) -> None:
    """Whoever may set a tag could write an unsigned journal."""
    scene = served(2)
    origin = scene.folder.parent / "origin.git"
    scene.git("init", "-q", "--bare", "-b", "main", str(origin))
    scene.git("remote", "add", "origin", str(origin))
    for version in (1, 2):
        scene.declare(production=version)
        scene.git("push", "-q", "origin", "main")
        scene.reconcile()
    down(scene)
    with pytest.raises(UsageError, match="an unsigned entry cannot wait"):
        roll_back(scene)
    assert scene.shown()["aliases"] == {"production": "2"}


def test_a_promotion_does_not_go_on_without_its_lock(promoted: Scene) -> None:
    promoted.declare(production=1)
    promoted.git("push", "-q", "origin", "main")
    down(promoted)
    with pytest.raises(Unavailable):
        promoted.reconcile(ORIGIN)
    assert promoted.shown()["aliases"] == {"production": "2"}


def test_a_clone_that_never_saw_the_journal_does_nothing(promoted: Scene, tmp_path: Path) -> None:
    fresh = replace(promoted, folder=tmp_path / "fresh")
    promoted.git("clone", "-q", str(promoted.folder.parent / "origin.git"), str(fresh.folder))
    fresh.git("config", "user.name", "Ada")
    fresh.git("config", "user.email", "ada@example.org")
    down(promoted)
    with pytest.raises(PromotionError):
        roll_back(fresh)
    assert promoted.shown()["aliases"] == {"production": "2"}


@given(
    st.binary(max_size=200).map(lambda raw: raw.hex().encode()), st.dictionaries(st.text(min_size=1), st.none() | st.text(max_size=9000))
)
def test_what_is_packed_is_unpacked(commit: bytes, files: dict[str, str | None]) -> None:
    given_files = {path: None if text is None else text.encode("utf-8", "replace") for path, text in files.items()}
    tags = pack(commit, given_files)
    assert all(len(value) <= 4010 for value in tags.values())
    assert list(tags)[-1] == TAG
    assert unpack(tags) == (commit, given_files)


@given(st.text(max_size=60))
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        unpack({TAG: text})
