"""init beside what is there already: other teams, another repository, a remote, signatures, somebody at the same time, a kill."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promotion.errors import Conflict, Unavailable
from promotion.start import Options, start
from tests.promotion.adopt.conftest import Team, declared, state


def test_a_repository_that_was_just_made(tmp_path: Path, mlflow_server: str) -> None:
    team = Team(tmp_path / "new", mlflow_server)
    team.begin(commit=False)
    name = team.clear()
    team.init("--dry-run")
    printed = team.init()
    assert "an empty first commit" in printed
    team.commit("Declare what is in service")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")
    assert team.json("reconcile")["written"] == []
    assert team.promotion("journal", "verify").startswith("2 entries")
    assert declared(team) == {name: {"staging": 3, "production": 2}}


def test_a_second_team_adds_its_file_and_leaves_the_first_ones_models(team: Team) -> None:
    first, second = team.clear("first-team"), team.clear("second-team")
    team.promotion("init", "--model", first)
    team.commit("First")
    team.promotion("reconcile")
    files = ("--file", "environments.yaml", "--file", "second.yaml")
    printed = team.promotion(*files, "init", "--model", f"{team.prefix}-*")
    assert f"left out       {first}: another file declares it" in printed
    assert list(declared(team, "second.yaml")) == [second]
    assert "--by and --alias are for a first file" in team.promotion(
        "--file", "environments.yaml", "--file", "x.yaml", "init", "--by", "stage", good=2
    )
    assert "wrote     policies" not in printed, "there are rules already"
    team.commit("Second")
    assert team.promotion(*files, "plan", "--detailed-exitcode").startswith("nothing to do")
    assert state(team).recorded is not None
    assert team.json(*files, "reconcile")["written"] == []


def test_what_the_journal_knows_is_not_adopted_again(team: Team) -> None:
    name = team.clear()
    team.init()
    head = state(team).head
    (team.folder / "environments.yaml").unlink()
    team.promotion("init", "--model", name)
    assert state(team).head == head, "it remembers exactly what is shown, so that only the file was missing"
    assert declared(team) == {name: {"staging": 3, "production": 2}}
    (team.folder / "environments.yaml").unlink()
    team.move(name, aliases={"production": 1}, stages={2: "Archived", 1: "Production"})
    printed = team.promotion("init", "--model", name)
    assert "the journal has it already, and remembers otherwise" in printed
    assert declared(team) == {}
    assert state(team).head == head


def test_a_model_of_another_repository_is_left_out(team: Team, tmp_path: Path) -> None:
    name = team.clear()
    team.init()
    other = Team(tmp_path / "other", team.url, team.prefix)
    other.begin()
    printed = other.init()
    assert f"left out       {name}: it belongs to another repository's journal" in printed
    assert declared(other) == {}


def test_a_journal_that_was_cut_is_not_continued(team: Team) -> None:
    first, second = team.clear("first-model"), team.clear("second-model")
    team.promotion("init", "--model", first)
    cut = state(team).head
    team.commit("Declare")
    team.promotion("reconcile")
    team.promotion("propose", first, "staging=none")
    team.commit("Empty staging")
    team.promotion("reconcile")
    team.git("update-ref", "refs/heads/promotion-journal", str(cut))
    (team.folder / "environments.yaml").unlink()
    assert "the journal was cut" in team.promotion("init", "--model", f"{team.prefix}-*", good=6)
    assert not (team.folder / "environments.yaml").exists(), second


def test_with_a_remote_the_entry_names_main_and_stays_valid_when_the_branch_is_squashed(team: Team, bare: Path) -> None:
    """init is run on a branch, with commits that main never gets: the entry must not hang on one of them."""
    name = team.clear()
    main = team.git("rev-parse", "HEAD")
    team.git("checkout", "-q", "-b", "adopt")
    team.git("commit", "-q", "--allow-empty", "-m", "never on main")
    team.init()
    found = state(team)
    assert found.entry is not None
    assert found.entry.commit == main
    key = team.folder.parent / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    (team.folder / "policies" / "allowed_signers").write_text(f'ada@example.org namespaces="git" {public}\n')
    team.commit("Declare, and trust a key")
    team.git("checkout", "-q", "main")
    team.git("merge", "-q", "--squash", "adopt")
    team.git("commit", "-q", "-m", "Squashed")
    team.git("push", "-q", "origin", "main")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")
    assert team.json("--signing-key", str(key), "reconcile")["signed"]
    assert team.promotion("journal", "verify").startswith("2 entries, the first 1 UNSIGNED, every later one is signed")
    assert team.json("status")["bindings"][0]["applied"]["adopted"], name


def test_a_journal_that_must_be_signed_is_signed_or_nothing_is_written(team: Team) -> None:
    name = team.clear()
    key = team.folder.parent / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    (team.folder / "policies").mkdir()
    (team.folder / "policies" / "allowed_signers").write_text(f'ada@example.org namespaces="git" {public}\n')
    team.commit("Trust a key")
    assert "there is no key" in team.init(good=2)
    assert not (team.folder / "environments.yaml").exists()
    assert "promotion.journal" not in team.client.get_registered_model(name).tags
    assert "(signed)" in team.init("--signing-key", str(key))
    assert team.promotion("journal", "verify").startswith("1 entry, every one is signed")


def test_a_pattern_that_matches_nothing_says_what_is_near(team: Team) -> None:
    name = team.clear()
    assert f"did you mean '{name}'" in team.promotion("init", "--model", f"{name}s", good=2)


class Meddled:
    """A real registry, some of whose methods do as told."""

    def __init__(self, registry: Any, **methods: Any) -> None:
        self._registry = registry
        self.__dict__ |= methods

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


def workspace(team: Team, **methods: Any):
    from promotion.cli import build
    from promotion.cli.options import Shared

    made = build.workspace(Shared(directory=team.folder, tracking_uri=team.url))
    return replace(made, registry=Meddled(made.registry, **methods))


def test_who_may_only_read_the_registry_can_begin_and_is_told_what_it_does_not_remember(team: Team) -> None:
    name = team.clear()

    def refuse(*_: object) -> None:
        raise Unavailable("the server says no (HTTP 403)")

    result = start(workspace(team, set_model_tag=refuse), Options(models=(name,)))
    assert result.notes == (f"{name}: the registry does not remember this entry: the server says no (HTTP 403)",)
    team.commit("Declare")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")


def test_killed_before_the_files_were_written_the_next_run_writes_them(team: Team) -> None:
    name = team.clear()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(workspace(team, set_model_tag=killed), Options(models=(name,)))
    head = state(team).head
    assert head is not None
    assert not (team.folder / "environments.yaml").exists()
    result = start(workspace(team), Options(models=(name,)))
    assert (result.adopted, state(team).head) == ((), head)
    team.commit("Declare")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")


def test_the_registry_is_searched_and_not_asked_model_by_model(team: Team) -> None:
    names = [team.clear(f"model-{number}", 3) for number in range(3)]
    asked: list[int] = []
    real = workspace(team).registry._registry

    def observe(wanted: Any) -> Any:
        asked.append(len(wanted))
        return real.observe(wanted)

    result = start(workspace(team, observe=observe, model=None, run=None), Options(models=(f"{team.prefix}-*",)))
    assert asked == [3]
    assert [one.name for one in result.declared] == names


def test_what_moves_while_it_is_read_is_told_by_the_next_plan(team: Team) -> None:
    name = team.clear("moving-model", 4)
    real = workspace(team).registry._registry

    def artifact(model: str, version: int) -> Any:
        if version == 2:
            team.move(model, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
        return real.artifact(model, version)

    start(workspace(team, artifact=artifact), Options(models=(name,)))
    team.commit("Declare")
    assert [one["kind"] for one in team.json("plan")["changes"]] == ["heal"]


def test_two_who_begin_at_once_one_wins(team: Team, bare: Path) -> None:
    name = team.clear()
    other = Team(team.folder.parent / "other", team.url, team.prefix)
    team.git("clone", "-q", str(bare), str(other.folder))
    real = workspace(team).registry._registry

    def artifact(model: str, version: int) -> Any:
        if version == 2:  # once: several are read at a time
            other.init()
        return real.artifact(model, version)

    with pytest.raises(Conflict, match="somebody was faster"):
        start(workspace(team, artifact=artifact), Options(models=(name,)))
    assert not (team.folder / "environments.yaml").exists()
    assert (other.folder / "environments.yaml").exists()


def test_while_a_reconcile_is_under_way_nothing_begins(team: Team) -> None:
    first, second = team.clear("first-model", 4), team.clear("second-model")
    team.promotion("init", "--model", first)
    (team.folder / "policies" / "production.yaml").write_text("version: 1\nenvironment: production\nrules:\n  - gate: formats\n")
    team.promotion("propose", first, "production=4")
    team.commit("Declare")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    from promotion.reconcile import Options as Applying
    from promotion.reconcile import reconcile

    with pytest.raises(KeyboardInterrupt):
        reconcile(workspace(team, apply=killed), Applying())
    (team.folder / "environments.yaml").rename(team.folder / "first.yaml")
    assert "another reconcile is under way" in team.promotion("init", "--model", second, good=6)
    assert not (team.folder / "environments.yaml").exists()
