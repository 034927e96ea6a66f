"""When the check after a promotion fails: registry back, hold, revert on origin; or the version stays, and that is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from promotion import orders
from promotion.domain import Bound
from promotion.errors import Conflict, Exit, UsageError
from promotion.failed import Answered, answer, read
from promotion.judging import ordered
from promotion.reconcile import Options
from promotion.render import json, markdown, text
from promotion.repository import working
from promotion.restore import rollback
from promotion.rollback import NoPredecessor
from promotion.survey import survey
from promotion.verdicts import Status
from promotion.verify import Verified, refs, verdict, verify
from tests.promotion.reconcile.test_drift import replace_file
from tests.scene import NAMING, Scene

Served = Callable[[int], Scene]
BOUND = NAMING + "  - gate: bound\n    metric: f1\n    min: {least}\n"
ORIGIN = Options(remote="origin", measure=False)


@pytest.fixture
def promoted(served: Served) -> Scene:
    """Versions 1 and then 2 in production, in a clone of a bare origin."""
    scene = served(2)
    origin = scene.folder.parent / "origin.git"
    scene.git("init", "-q", "--bare", "-b", "main", str(origin))
    scene.git("remote", "add", "origin", str(origin))
    scene.measure()
    scene.rule("production", BOUND.format(least=0.5))
    for version in (1, 2):
        scene.declare(production=version)
        scene.git("push", "-q", "origin", "main")
        assert scene.reconcile().exit_code is Exit.DONE
    return scene


def look(scene: Scene, *, since: str | None = None, evidence: Path | None = None, measure: bool = False) -> tuple[Verified, ...]:
    workspace = scene.workspace(evidence=evidence)
    return verify(workspace, working(workspace.git, workspace.layout), since=since, measure=measure)


def respond(scene: Scene, found: tuple[Verified, ...]) -> tuple[Answered, ...]:
    """As ``verify --out FILE`` and ``rollback --failed FILE --push`` do."""
    file = scene.folder.parent / "verified.json"
    file.write_text(json.verify(found))
    answered = answer(scene.workspace(), ORIGIN, read(file), push=True)
    for render in (text.answered, markdown.answered, json.answered):
        assert render(answered)
    return answered


def head(scene: Scene) -> str:
    found = scene.workspace().journal.read().head
    assert found is not None
    return found


def heads(scene: Scene) -> dict[str, str]:
    rows = scene.git("ls-remote", "--heads", "origin").splitlines()
    return {row.split("\t")[1].removeprefix("refs/heads/"): row.split("\t")[0] for row in rows}


def test_what_was_applied_after_an_entry_is_fetched_measured_and_verified_in_three_steps(promoted: Scene) -> None:
    before = head(promoted)
    promoted.declare(staging=1, production=2)
    promoted.git("push", "-q", "origin", "main")
    promoted.reconcile()
    workspace = promoted.workspace()
    commit = promoted.git("rev-parse", "HEAD")
    found = survey(workspace, working(workspace.git, workspace.layout))
    folder = promoted.folder.parent / "bound"
    own = ((commit, found.declaration.policies, workspace.git.root),)
    made = orders.fetch(workspace, refs(workspace, found, name=None, since=before), own, folder, commit=commit, sources=())
    assert [(one.model, one.version) for one in made.orders] == [(promoted.name, 1)], "measured anew although it has its evidence"

    assert verdict(look(promoted, since=before, evidence=folder)) is Exit.ERRORED, "nobody measured it yet"
    with ordered(workspace.git, workspace.layout, orders.read(folder)) as wanted:
        (done,) = orders.measure(folder, wanted, folder, jobs=1, by="ci", now=workspace.now, report=lambda _: None)
    assert done.failure is None
    (one,) = look(promoted, since=before, evidence=folder)
    assert (one.judged.change.environment, one.judged.status) == ("staging", Status.PASSED)
    assert look(promoted, since=head(promoted), evidence=folder) == ()
    assert len(look(promoted, since="none", evidence=folder)) == 2
    with pytest.raises(UsageError, match="no entry 0123"):
        look(promoted, since="0123", evidence=folder)


def test_bytes_that_were_replaced_are_rolled_back_and_the_revert_is_on_origin(promoted: Scene) -> None:
    replace_file(promoted, 2)
    found = look(promoted)
    assert verdict(found) is Exit.ERRORED, "it could not be measured either; that does not hide that it failed"
    (one,) = respond(promoted, found)
    assert one.restored is not None
    assert one.exit_code is Exit.DONE
    assert promoted.shown()["stages"][1] == "Production"
    assert one.restored.hold is not None
    assert "The check after the promotion failed. digest: " in one.restored.hold.reason
    assert one.restored.branch == "main"
    assert heads(promoted)["main"] == one.restored.commit == promoted.git("rev-parse", "HEAD")
    assert "use: 1" in (promoted.folder / "environments.yaml").read_text()
    assert promoted.reconcile(ORIGIN).exit_code is Exit.DONE
    assert promoted.workspace().journal.verify() == ()


def test_what_could_not_be_measured_is_no_failure_and_stays(promoted: Scene) -> None:
    found = look(promoted)
    assert verdict(found) is Exit.ERRORED
    before = heads(promoted)
    assert respond(promoted, found) == ()
    assert heads(promoted) == before


def other_push(scene: Scene, change: Callable[[Path], None]) -> str:
    """A commit of somebody else that origin has, on no branch yet."""
    other = scene.folder.parent / "other"
    scene.git("clone", "-q", str(scene.folder.parent / "origin.git"), str(other))
    for name, value in (("user.name", "Ben"), ("user.email", "ben@example.org")):
        scene.git("config", name, value, folder=other)
    change(other)
    scene.git("add", "-A", folder=other)
    scene.git("commit", "-q", "-m", "meanwhile", folder=other)
    scene.git("push", "-q", "origin", "HEAD:refs/heads/waiting", folder=other)
    return scene.git("rev-parse", "HEAD", folder=other)


def hook(scene: Scene, script: str) -> None:
    path = scene.folder.parent / "origin.git" / "hooks" / "update"
    path.write_text(dedent(script))
    path.chmod(0o755)


MEANWHILE = """\
    #!/bin/sh
    # The first push to main finds that somebody else was faster.
    if [ "$1" = refs/heads/main ] && [ ! -e once ]; then touch once; git update-ref refs/heads/main {commit}; exit 1; fi
"""


def test_the_revert_goes_on_top_of_what_others_pushed_meanwhile(promoted: Scene) -> None:
    def note(folder: Path) -> None:
        (folder / "NOTES").write_text("x\n")

    commit = other_push(promoted, note)
    hook(promoted, MEANWHILE.format(commit=commit))
    replace_file(promoted, 2)
    (one,) = respond(promoted, look(promoted))
    assert one.restored is not None
    assert one.restored.branch == "main"
    assert promoted.git("rev-parse", "HEAD~1") == commit
    assert heads(promoted)["main"] == one.restored.commit


def test_a_later_change_of_the_same_line_is_not_run_over(promoted: Scene) -> None:
    def redeclare(folder: Path) -> None:
        file = folder / "environments.yaml"
        file.write_text(file.read_text().replace("use: 2", "use: none"))

    hook(promoted, MEANWHILE.format(commit=other_push(promoted, redeclare)))
    replace_file(promoted, 2)
    (one,) = respond(promoted, look(promoted))
    assert one.restored is None
    assert isinstance(one.stayed, Conflict)
    assert "does not go on top of" in one.stayed.message
    assert promoted.shown()["stages"][1] == "Production", "the registry is back all the same"
    assert promoted.git("status", "--porcelain") == ""


def test_where_main_takes_no_push_the_revert_waits_on_a_branch(promoted: Scene) -> None:
    hook(promoted, "#!/bin/sh\n[ \"$1\" != refs/heads/main ] || { echo 'protected branch' >&2; exit 1; }\n")
    main = heads(promoted)["main"]
    replace_file(promoted, 2)
    (one,) = respond(promoted, look(promoted))
    assert one.restored is not None
    assert one.restored.outcome.entry is not None
    assert one.restored.branch == f"rollback-{one.restored.outcome.entry[:12]}"
    assert (heads(promoted)["main"], heads(promoted)[one.restored.branch]) == (main, one.restored.commit)
    assert promoted.git("rev-parse", "HEAD") == main, "another rollback can begin at main again"


def test_without_a_predecessor_it_stays_on_hold(served: Served) -> None:
    scene = served(1)
    scene.declare(production=1)
    scene.reconcile()
    replace_file(scene, 1)
    file = scene.folder.parent / "verified.json"
    file.write_text(json.verify(look(scene)))
    (one,) = answer(scene.workspace(), Options(), read(file), push=True)
    assert isinstance(one.stayed, NoPredecessor)
    assert one.exit_code is Exit.FAILED
    state = scene.workspace().journal.read()
    assert [(hold.model, hold.version) for hold in state.holds()] == [(scene.name, 1)]
    assert one.held == state.head
    assert "it stays in service" in text.answered((one,))


def test_a_file_about_what_is_no_longer_applied_brings_nothing_back(promoted: Scene) -> None:
    replace_file(promoted, 2)
    found = look(promoted)
    rollback(promoted.workspace(), ORIGIN, promoted.name, "production", reason="by hand", push=True)
    before = (heads(promoted), promoted.shown())
    (one,) = respond(promoted, found)
    assert isinstance(one.stayed, Conflict)
    assert "production of" in one.stayed.message
    assert (heads(promoted), promoted.shown()) == before


@pytest.mark.parametrize(
    "content", ["", "{}", '{"schema": "promotion/verify/v1"}', '{"schema": "promotion/plan/v1", "bindings": []}', "[" * 9999]
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "file.json"
    file.write_text(content)
    with pytest.raises(UsageError, match="cannot be used"):
        read(file)


def test_only_the_version_that_failed_is_brought_back(promoted: Scene) -> None:
    other = Bound(2, "0" * 64)
    with pytest.raises(Conflict, match="by now, not version 2"):
        rollback(promoted.workspace(), ORIGIN, promoted.name, "production", reason="x", push=False, only=other)
