"""``status`` and ``history``: what stands where, who holds the lock, and what was applied at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from promotion.cli import root
from promotion.errors import JournalError, Unavailable
from promotion.journal import EntryKind
from tests.scene import Scene
from tests.server import free_port

Served = Callable[[int], Scene]
FIRST = datetime(2026, 10, 1, 9, 0, tzinfo=UTC)
SECOND = datetime(2026, 10, 1, 15, 30, tzinfo=UTC)


def told(scene: Scene, *arguments: str) -> str:
    done = CliRunner().invoke(root, [*arguments, "-C", str(scene.folder), "--tracking-uri", scene.url, "--no-color"], standalone_mode=False)
    assert done.exception is None, done.output
    return done.stdout


def document(scene: Scene, *arguments: str) -> Any:
    return json.loads(told(scene, *arguments, "--format", "json"))


@pytest.fixture
def twice(served: Served) -> Scene:
    """Version 1 in production since nine o'clock, version 2 since half past three."""
    scene = served(2)
    for version, at in ((1, FIRST), (2, SECOND)):
        scene.declare(production=version)
        scene.reconcile(now=lambda at=at: at)
    return scene


TIMES = (
    ("2026-10-01T08:59Z", None),
    ("2026-10-01T09:00Z", 1),
    ("2026-10-01T12:00Z", 1),
    ("2026-10-01T15:29:59", 1),
    ("2026-10-01T17:30+02:00", 2),
    ("2026-12-31", 2),
)


def test_what_was_where_at_a_time(twice: Scene) -> None:
    begin(twice, SECOND + timedelta(hours=1))  # an intent changes nothing of it
    for moment, version in TIMES:
        found = document(twice, "history", "--at", moment)["models"]
        assert (found[twice.name]["production"]["bound"]["version"] if found else None) == version, moment
    assert "nothing was applied at 2026-10-01 08:59:00Z" in told(twice, "history", "--at", "2026-10-01T08:59Z")
    assert "production   1@" in told(twice, "history", twice.name, "--at", "2026-10-01T12:00Z")
    assert document(twice, "history", "another-model", "--at", "2026-12-31")["models"] == {}


def begin(scene: Scene, at: datetime, takes_over: str | None = None) -> None:
    """A reconcile that got as far as its intent."""
    workspace = scene.workspace()
    state = workspace.journal.read()
    assert state.entry is not None
    intent = replace(
        state.entry,
        kind=EntryKind.INTENT,
        id=("e" if takes_over else "f") * 32,
        at=at,
        lease_until=at + timedelta(minutes=5),
        takes_over=takes_over,
    )
    workspace.journal.append(state, intent)


def test_status_tells_who_holds_the_lock_and_when_it_was_left_behind(twice: Scene) -> None:
    assert "lock" not in told(twice, "status")
    assert document(twice, "status")["journal"]["lease"] == "none"
    now = datetime.now(UTC).replace(microsecond=0)
    begin(twice, now - timedelta(hours=1))
    assert told(twice, "status").splitlines()[-1].endswith("; it was left behind: the next reconcile completes what it began")
    assert document(twice, "status")["journal"]["lease"] == "expired"
    begin(twice, now, takes_over="f" * 32)
    until = (now + timedelta(minutes=5)).strftime("until %Y-%m-%d %H:%M:%SZ")
    assert told(twice, "status").splitlines()[-1].startswith("lock      Ada <ada@example.org> since ")
    assert f", {until}, for commit {twice.git('rev-parse', 'HEAD')[:12]}\n" in told(twice, "status")
    lock = document(twice, "status")["journal"]
    assert (lock["lease"], lock["lock"]["by"]) == ("held", "Ada <ada@example.org>")


def test_what_takes_a_while_is_told_on_the_side(twice: Scene) -> None:
    done = CliRunner().invoke(root, ["status", "-v", "-C", str(twice.folder), "--tracking-uri", twice.url], standalone_mode=False)
    assert done.stderr == f"  … reading the journal and the registry at {twice.url}; declared models: 1\n"
    assert done.stdout.startswith("model ")


def test_status_puts_declared_applied_and_shown_side_by_side(twice: Scene) -> None:
    def states() -> dict[str, str]:
        return {one["declared"]["environment"]: one["state"] for one in document(twice, "status")["bindings"]}

    assert states() == {"production": "in sync"}
    twice.declare(staging=1, production=2)
    assert states() == {"staging": "pending", "production": "in sync"}
    twice.declare(production=2)
    twice.move(1, "Production")
    assert states() == {"production": "drifted"}
    (row,) = [line for line in told(twice, "status").splitlines() if line.startswith(twice.name)]
    assert "stage 1, alias 2" in row
    assert row.endswith("2026-10-01 15:30:00Z by Ada <ada@example.org>")


def test_so_many_entries_are_told_as_were_asked_for(twice: Scene) -> None:
    twice.declare(production=1)
    twice.reconcile()
    found = [document(twice, "history", "-n", str(number))["entries"] for number in (1, 2, 9)]
    assert [len(entries) for entries in found] == [1, 2, 3], "intents that were completed do not count"
    assert [one["entry"]["kind"] for one in found[2]] == ["outcome"] * 3
    assert found[1] == found[2][:2]


def verify(scene: Scene, *arguments: str, url: str | None = None) -> Any:
    named = ("--tracking-uri", url) if url else ()
    return CliRunner().invoke(root, ["journal", "verify", "-C", str(scene.folder), *named, *arguments], standalone_mode=False)


def test_an_entry_that_was_removed_shows_by_what_the_registry_remembers(twice: Scene) -> None:
    assert "the branch has what 1 model of the registry remembers of it" in verify(twice, url=twice.url).stdout
    assert json.loads(verify(twice, "--format", "json", url=twice.url).stdout)["compared"] == 1
    twice.git("update-ref", "refs/heads/promotion-journal", "promotion-journal~2")
    for arguments, url in (((), None), (("--offline",), twice.url)):
        done = verify(twice, *arguments, url=url)
        assert (done.return_value, done.exception) == (0, None)
        assert "no registry was asked which entries it remembers" in done.stdout
    cut = verify(twice, url=twice.url)
    assert isinstance(cut.exception, JournalError)
    assert "the journal was cut: the registry remembers entry" in cut.exception.message
    assert "git push origin" in str(cut.exception.hint)
    # Where nothing is left of the journal, the models that are declared tell.
    twice.git("update-ref", "-d", "refs/heads/promotion-journal")
    assert isinstance(verify(twice, url=twice.url).exception, JournalError)


def test_a_registry_that_does_not_answer_is_no_proof_that_nothing_was_removed(twice: Scene) -> None:
    done = verify(twice, url=f"http://127.0.0.1:{free_port()}")
    assert isinstance(done.exception, Unavailable)
    assert verify(twice, "--offline", url="http://127.0.0.1:9").exception is None
