"""drift --adopt on a real server: the file then declares what is shown, the journal has it as adopted, and what is not clear is refused."""

from __future__ import annotations

import pytest

from promotion.journal import EntryKind
from tests.promotion.adopt.conftest import Team, state


@pytest.fixture
def applied(team: Team) -> tuple[Team, str]:
    name = team.clear("clear-model", 4)
    team.init()
    team.commit("Declare what is in service")
    team.promotion("reconcile")
    return team, name


def text(team: Team) -> str:
    return (team.folder / "environments.yaml").read_text()


def test_what_was_moved_by_hand_is_declared_and_journaled(applied: tuple[Team, str]) -> None:
    team, name = applied
    before = text(team)
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    printed = team.promotion("drift", "--adopt")
    assert text(team) == before.replace("use: 2\n", "use: 4\n")
    assert "-      use: 2\n+      use: 4\n" in printed
    assert "Commit this and bring it to main soon" in printed
    memory = state(team).applied(name)
    assert memory is not None
    binding = memory.bindings["production"]
    assert (binding.adopted, binding.bound.version, binding.previous.version) == (True, 4, 2)
    assert memory.bindings["staging"].previous is None, "the other binding stands as it was"
    assert state(team).entry.kind is EntryKind.ADOPTED
    assert team.promotion("drift").startswith("no drift")
    team.commit("Adopt 4")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")
    assert team.json("reconcile")["written"] == []
    assert team.shown(name)[1] == {"staging": "3", "production": "4"}
    team.promotion("rollback", name)
    assert team.shown(name)[1] == {"staging": "3", "production": "2"}
    assert team.promotion("journal", "verify").startswith("6 entries")


def test_a_pin_stays_a_pin(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.promotion("pin")
    team.commit("Pin")
    team.promotion("reconcile")
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    team.promotion("drift", "--adopt")
    assert text(team).count("use: 4@sha256:") == 1
    team.commit("Adopt 4")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")


def test_what_was_emptied_is_declared_as_none(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.move(name, stages={3: "Archived"})
    team.client.delete_registered_model_alias(name, "staging")
    team.promotion("drift", "--adopt")
    assert "    staging:\n      use: none\n" in text(team)
    team.commit("Adopt nothing")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")


def test_what_is_not_clear_is_refused_with_the_reason_and_the_others_go_on(applied: tuple[Team, str]) -> None:
    team, name = applied
    other = team.clear("other-model", 4)
    team.promotion("--file", "environments.yaml", "--file", "other.yaml", "init", "--model", other)
    team.commit("Other")
    files = ("--file", "environments.yaml", "--file", "other.yaml")
    team.promotion(*files, "reconcile")
    team.move(name, aliases={"production": 4})
    team.move(other, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    code, out, _ = team.run(*files, "drift", "--adopt")
    assert code == 4
    assert f"refused   {name} production: stage Production has 2, but alias production has 4" in out
    assert "use: 2" in text(team)
    assert "use: 4\n" in (team.folder / "other.yaml").read_text()
    memory = state(team).applied_all()
    assert (memory[name].bindings["production"].bound.version, memory[other].bindings["production"].bound.version) == (2, 4)


def test_a_declaration_that_is_pending_is_for_reconcile(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.promotion("propose", name, "production=3")
    team.commit("Pending")
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    before = text(team)
    code, out, _ = team.run("drift", "--adopt")
    assert code == 4
    assert "the file declares 3, which was not applied yet: promotion reconcile judges it" in out
    assert text(team) == before


def test_other_bytes_are_never_adopted(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.replace(name, 3)
    team.move(name, stages={2: "Archived", 3: "Production"}, aliases={"production": 3})
    code, out, _ = team.run("drift", "--adopt")
    assert code == 4
    assert "staging applied version 3 as sha256:" in out
    assert "they were replaced" in out
    assert "use: 2" in text(team)


def test_a_model_that_was_made_again_is_not_adopted(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.remake(name, 3)
    team.move(name, stages={3: "Staging", 2: "Production"}, aliases={"staging": 3, "production": 2})
    code, out, _ = team.run("drift", "--adopt")
    assert code == 4
    assert out.count("was deleted and made again: declare it anew, so that it is judged") == 2


def test_edited_tags_are_remembered_anew_and_what_was_proved_stays(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.client.set_model_version_tag(name, "2", "owner", "somebody else")
    before = text(team)
    assert team.run("drift")[0] == 0, "a tag that was added is no drift"
    printed = team.promotion("drift", "--adopt")
    assert f"adopted   the tags of {name}" in printed
    assert text(team) == before
    assert state(team).applied(name).bindings["production"].tags["owner"] == "somebody else"
    team.client.set_model_version_tag(name, "2", "owner", "yet another")
    assert team.run("drift")[0] == 3
    team.promotion("drift", "--adopt")
    assert team.run("drift")[0] == 0
    assert team.promotion("drift", "--adopt").startswith("nothing to adopt")


def test_before_anything_was_reconciled(team: Team) -> None:
    name = team.clear("clear-model", 4)
    team.init()
    team.commit("Declare what is in service")
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    team.promotion("drift", "--heal")
    assert team.shown(name)[1]["production"] == "2"
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    team.promotion("drift", "--adopt")
    team.commit("Adopt 4")
    team.promotion("rollback", name)
    assert team.shown(name)[1]["production"] == "2"
    assert team.json("reconcile")["written"] == []


def test_rollback_of_what_was_adopted_before_anything_was_reconciled(team: Team) -> None:
    name = team.clear("clear-model", 4)
    team.init()
    team.commit("Declare what is in service")
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    team.promotion("drift", "--adopt")
    team.commit("Adopt 4")
    assert state(team).recorded is None
    team.promotion("rollback", name)
    assert team.shown(name)[1]["production"] == "2"
    assert "use: 2" in text(team)


def test_a_dirty_or_old_checkout_and_two_opposites_are_refused(applied: tuple[Team, str]) -> None:
    team, name = applied
    assert "are opposites" in team.promotion("drift", "--adopt", "--heal", good=2)
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    team.promotion("propose", name, "staging=none")
    assert "differ from commit" in team.promotion("drift", "--adopt", good=2)


def test_when_the_journal_does_not_take_it_the_file_is_as_before(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    before = text(team)
    (team.folder / "policies" / "allowed_signers").write_text(
        'ada@example.org namespaces="git" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBx2B0hWq4v1b1O0b1v1v1v1v1v1v1v1v1v1v1v1v1v1\n'
    )
    team.commit("Trust a key that nobody has here")
    assert "the journal must be signed" in team.promotion("drift", "--adopt", good=2)
    assert text(team) == before


def test_a_rollback_to_a_version_that_was_deleted_changes_nothing(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    team.promotion("drift", "--adopt")
    team.commit("Adopt 4")
    team.promotion("reconcile")
    team.client.delete_model_version(name, "2")
    before = (team.git("rev-parse", "HEAD"), state(team).head, text(team))
    assert "has no version 2" in team.promotion("rollback", name, good=2)
    assert (team.git("rev-parse", "HEAD"), state(team).head, text(team)) == before
    assert state(team).holds() == ()


def test_every_form_of_output(applied: tuple[Team, str]) -> None:
    team, name = applied
    pins = team.json("pin", "--check", good=3)
    assert [(one["model"], one["environment"], one["version"]) for one in pins["bindings"]] == [
        (name, "staging", 3),
        (name, "production", 2),
    ]
    team.move(name, stages={2: "Archived", 4: "Production"}, aliases={"production": 4})
    printed = team.promotion("--format", "markdown", "drift", "--adopt")
    assert printed.startswith("```text\n--- a/environments.yaml")
    team.move(name, stages={4: "Archived", 2: "Production"}, aliases={"production": 2})
    team.commit("Adopt 4")
    adopted = team.json("drift", "--adopt")
    assert [(one["environment"], one["before"]["version"], one["after"]["version"]) for one in adopted["adopted"]] == [("production", 4, 2)]
    (team.folder / "environments.yaml").unlink()
    begun = team.json("init", "--dry-run", "--model", name)
    assert begun["schema"] == "promotion/init/v1"
    assert begun["declared"] == [{"name": name, "bindings": {"staging": 3, "production": 2}, "unclear": []}]
    assert "use: 2" in begun["files"]["environments.yaml"]
    assert begun["dry_run"]
