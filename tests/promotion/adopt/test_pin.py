"""Pins on a real server: written from the bytes that are there, and then in the way of every other bytes under that number."""

from __future__ import annotations

import re

import pytest

from tests.promotion.adopt.conftest import Team


@pytest.fixture
def applied(team: Team) -> tuple[Team, str]:
    """A model that is declared, adopted and recorded."""
    name = team.clear()
    team.init()
    team.commit("Declare what is in service")
    team.promotion("reconcile")
    return team, name


def text(team: Team) -> str:
    return (team.folder / "environments.yaml").read_text()


def digest(team: Team, name: str, version: int) -> str:
    from promotion.registry.connect import connect

    return connect(team.url, None, {}).artifact(name, version).digest


def test_only_the_values_change(applied: tuple[Team, str]) -> None:
    team, name = applied
    before = text(team)
    printed = team.promotion("pin")
    production, staging = f"2@sha256:{digest(team, name, 2)}", f"3@sha256:{digest(team, name, 3)}"
    assert text(team) == before.replace("use: 3\n", f"use: {staging}\n").replace("use: 2\n", f"use: {production}\n")
    assert f"{name}  staging      {staging}" in printed
    assert team.promotion("pin") == "nothing to pin: 2 declared versions pinned already\n"
    assert team.promotion("pin", "--check").startswith("nothing to pin")
    team.commit("Pin")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do"), "the same bytes are applied"


def test_check_writes_nothing_and_tells(applied: tuple[Team, str]) -> None:
    team, _ = applied
    before = text(team)
    code, out, _ = team.run("pin", "--check")
    assert (code, text(team)) == (3, before)
    assert "would pin 2 versions" in out


def test_one_model_of_several_and_one_file_of_several(team: Team) -> None:
    one, other = team.clear("first-model"), team.clear("other-model")
    team.promotion("init", "--model", one)
    files = ("--file", "environments.yaml", "--file", "other.yaml")
    team.promotion(*files, "init", "--model", other)
    before = text(team)
    printed = team.promotion(*files, "pin", other)
    assert text(team) == before
    assert len(re.findall("@sha256:[0-9a-f]{64}\n", (team.folder / "other.yaml").read_text())) == 2
    assert "pinned 2 versions" in printed
    assert f"did you mean '{one}'" in team.promotion(*files, "pin", f"{one}x", good=2)


def test_what_was_applied_with_other_bytes_is_not_pinned(applied: tuple[Team, str]) -> None:
    team, name = applied
    then, before = digest(team, name, 2), text(team)
    team.replace(name, 2)
    told = team.promotion("pin", good=4)
    assert f"production applied {name}/2 as sha256:{then}, but its bytes are sha256:{digest(team, name, 2)}" in told
    assert f"environments.yaml:{text(team).splitlines().index('      use: 2') + 1}:12: " in told
    assert "its files were replaced since" in told
    assert text(team) == before, "nor is the other binding"


def test_a_pin_that_no_longer_fits_is_not_replaced(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.promotion("pin")
    before = text(team)
    team.replace(name, 3)
    told = team.promotion("pin", good=4)
    assert f"{name}/3 is pinned as sha256:" in told
    assert text(team) == before


def test_a_version_that_does_not_exist(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.promotion("propose", name, "staging=9")
    assert f"the registry has no {name}/9" in team.promotion("pin", good=2)


def test_reconcile_refuses_a_pinned_version_whose_files_were_replaced(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.promotion("propose", name, f"staging=1@sha256:{digest(team, name, 1)}")
    team.commit("Promote 1, pinned")
    team.replace(name, 1)
    before = team.shown(name)
    outcome = team.json("reconcile", good=4)
    [judged] = outcome["decision"]["judged"]
    assert [one["gate"] for one in judged["verdicts"] if one["status"] == "FAILED"] == ["digest"]
    assert team.shown(name) == before


def test_a_model_that_was_made_again_is_refused_by_its_pin_and_not_brought_into_service(applied: tuple[Team, str]) -> None:
    team, name = applied
    team.promotion("pin")
    team.commit("Pin")
    team.promotion("reconcile")
    team.remake(name, 3)
    plan = team.json("plan", "--detailed-exitcode", good=3)
    assert [(one["kind"], one["environment"]) for one in plan["changes"]] == [("promote", "staging"), ("promote", "production")]
    outcome = team.json("reconcile", good=4)
    for judged in outcome["decision"]["judged"]:
        assert "digest" in [one["gate"] for one in judged["verdicts"] if one["status"] == "FAILED"]
    assert outcome["written"] == []
    assert team.shown(name) == ({1: "None", 2: "None", 3: "None"}, {}), "what was refused is not healed back by its number"
    assert team.json("drift", "--heal", good=team.run("drift", "--heal")[0]) is not None
    assert team.shown(name) == ({1: "None", 2: "None", 3: "None"}, {})


def test_plan_refuses_a_pin_that_contradicts_what_was_applied(applied: tuple[Team, str]) -> None:
    """The same version of the same registry cannot have both digests: no download is needed to tell."""
    team, name = applied
    team.promotion("propose", name, f"production=2@sha256:{'0' * 64}")
    team.commit("A wrong pin")
    before = team.shown(name)
    plan = team.json("plan", good=2)
    [problem] = plan["problems"]
    assert problem["rule"] == "other-bytes"
    assert f"production has it as sha256:{digest(team, name, 2)}" in problem["message"]
    assert team.json("reconcile", good=2)["written"] == []
    assert team.shown(name) == before
