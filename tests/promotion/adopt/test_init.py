"""init on a real server: what is in service is declared and adopted, nothing changes, and what is not clear is left alone."""

from __future__ import annotations

import pytest

from promotion.changes import ChangeKind
from promotion.config.load import Source, load_desired
from promotion.journal import EntryKind
from tests.models import register_version
from tests.promotion.adopt.conftest import Team, declared, state


def test_the_first_plan_is_empty_and_reconcile_applies_nothing(team: Team) -> None:
    name = team.clear()
    before = team.shown(name)
    printed = team.init()
    assert declared(team) == {name: {"staging": 3, "production": 2}}
    assert "Next:" in printed
    assert team.promotion("validate").startswith("valid: 2 bindings of 1 model")
    team.commit("Declare what is in service")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")
    outcome = team.json("reconcile")
    assert (outcome["written"], outcome["done"], outcome["refused"]) == ([], [], [])
    assert team.shown(name) == before
    assert team.json("reconcile")["entry"] is None, "recorded once"
    assert team.promotion("journal", "verify").startswith("2 entries")
    assert team.promotion("drift", "--bytes").startswith("no drift")


def test_the_journal_says_adopted_with_digest_and_identity(team: Team) -> None:
    name = team.clear()
    before = team.git("rev-parse", "HEAD")
    team.init()
    found = state(team)
    assert found.entry is not None
    assert (found.entry.kind, found.entry.commit, found.entry.recorded) == (EntryKind.ADOPTED, before, None)
    assert [(one.kind, one.environment, one.before) for one in found.entry.changes] == [
        (ChangeKind.ADOPT, "staging", None),
        (ChangeKind.ADOPT, "production", None),
    ]
    memory = found.applied(name)
    assert memory is not None
    assert memory.passed == {}, "it proves neither staging nor quality"
    version = team.client.get_model_version(name, "2")
    binding = memory.bindings["production"]
    assert binding.adopted
    assert binding.identity is not None
    assert (binding.identity.created, binding.identity.run_id) == (version.creation_timestamp, version.run_id)
    assert team.client.get_registered_model(name).tags["promotion.journal"] == f"{found.root}/{found.head}"
    history = team.promotion("history")
    assert f"adopt    {name} production none → 2@{binding.bound.digest[:12]}  not judged" in history


def test_what_was_in_staging_when_it_was_adopted_goes_on_to_production(team: Team) -> None:
    name = team.clear()
    team.init()
    team.commit("Declare what is in service")
    team.promotion("reconcile")
    team.promotion("propose", name, "production=3")
    team.commit("Promote what is in staging")
    judged = team.json("reconcile")["decision"]["judged"]
    assert "which this rule counts" in str(judged)
    assert team.shown(name)[1]["production"] == "3"
    team.promotion("propose", name, "production=1")
    team.commit("Version 1 was never in staging")
    team.promotion("reconcile", good=4)


def test_an_adopted_version_is_rolled_back_to_unverified_and_proves_no_staging(team: Team) -> None:
    name = team.clear()
    team.init()
    rules = team.folder / "policies" / "production.yaml"
    rules.write_text(rules.read_text().replace("    adopted: true\n", ""))
    team.commit("Declare what is in service")
    team.promotion("reconcile")
    team.promotion("propose", name, "production=3")
    team.commit("Adopted in staging is no proof")
    refused = team.json("reconcile", good=4)
    assert ["staging_first" in str(one["verdicts"]) for one in refused["decision"]["judged"]] == [True]
    assert team.shown(name)[1]["production"] == "2"
    team.git("revert", "--no-edit", "HEAD")
    team.folder.joinpath("policies", "production.yaml").write_text("version: 1\nenvironment: production\nrules:\n  - gate: formats\n")
    team.commit("Trust production less")
    team.promotion("reconcile")
    team.promotion("propose", name, "production=1")
    team.commit("Promote 1")
    # The rules of the last applied commit judged as well; now those are the weak ones.
    team.promotion("reconcile")
    assert team.shown(name)[1]["production"] == "1"
    team.promotion("rollback", name)
    assert team.shown(name)[1]["production"] == "2"
    memory = state(team).applied(name)
    assert memory is not None
    assert (memory.bindings["production"].bound.version, memory.bindings["production"].unverified) == (2, True)


def test_ambiguous_models_stand_commented_out_with_the_reason(team: Team) -> None:
    clear = team.clear()
    two = team.model("two-in-production", 2, stages={1: "Production", 2: "Production"}, aliases={"production": 2})
    apart = team.model("stage-and-alias", 2, stages={1: "Production"}, aliases={"production": 2})
    half = team.model("no-alias", 1, stages={1: "Production"})
    printed = team.init()
    assert list(declared(team)) == [clear]
    text = (team.folder / "environments.yaml").read_text()
    assert "  # versions 1 and 2 are both in stage Production.\n" in text
    assert f"  # {two}:\n  #   production:\n  #     use: 2\n" in text
    assert f"commented out  {apart}: stage Production has 1, but alias production has 2" in printed
    assert f"commented out  {half}: stage Production has 1, but there is no alias production" in printed
    assert "--by stage" in printed
    assert set(state(team).applied_all()) == {clear}
    # Uncommenting gives a file that is valid.
    kept = [line.replace("# ", "", 1) if line.startswith(("  # team-", "  #  ")) else line for line in text.splitlines()]
    (team.folder / "environments.yaml").write_text("\n".join(kept) + "\n")
    assert set(declared(team)) == {clear, two, apart, half}


def test_a_team_that_uses_stages_alone_or_aliases_alone(team: Team) -> None:
    staged = team.model("staged-model", 2, stages={1: "Production", 2: "Staging"})
    team.init()
    assert (
        "environments:\n  staging: {stage: Staging}\n  production: {stage: Production}\n" in (team.folder / "environments.yaml").read_text()
    )
    assert declared(team) == {staged: {"staging": 2, "production": 1}}
    team.commit("Declare")
    assert team.promotion("plan").startswith("nothing to do")


def test_other_names_of_aliases(team: Team) -> None:
    name = team.model("aliased-model", 3, aliases={"champion": 2, "challenger": 3})
    team.init("--alias", "production=champion", "--alias", "staging=challenger")
    assert "  production: {alias: champion}\n" in (team.folder / "environments.yaml").read_text()
    assert declared(team) == {name: {"staging": 3, "production": 2}}
    team.commit("Declare")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")
    assert "reserved by MLflow" in Team(team.folder, team.url, team.prefix).init("--alias", "production=latest", good=2)


def test_the_same_version_in_both(team: Team) -> None:
    name = team.model("same-version", 1, stages={1: "Production"}, aliases={"staging": 1, "production": 1})
    team.init()
    assert declared(team) == {name: {"staging": 1, "production": 1}}
    team.commit("Declare")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")


def test_what_is_in_no_environment_is_not_managed(team: Team) -> None:
    name = team.model("in-production", 1, stages={1: "Production"}, aliases={"production": 1})
    idle = team.model("never-promoted", 1)
    printed = team.init()
    assert declared(team) == {name: {"production": 1}}, "an environment that shows nothing is not declared as none"
    assert f"1 model ({idle})" in printed
    assert f"In no environment, so not managed yet: {idle}" in (team.folder / "environments.yaml").read_text()


def test_nothing_in_service_begins_with_an_empty_declaration(team: Team) -> None:
    team.model("never-promoted", 1)
    team.init()
    assert declared(team) == {}
    assert state(team).head is None, "nothing to journal"
    assert team.promotion("validate").startswith("valid: 0 bindings")


def test_bytes_that_cannot_be_read_are_not_adopted(team: Team) -> None:
    name = team.clear("with-bytes")
    lost, elsewhere = f"{team.prefix}-lost-bytes", f"{team.prefix}-elsewhere"
    run = team.client.create_run("0")
    for one, source in ((lost, f"{run.info.artifact_uri}/model"), (elsewhere, "s3://other-bucket/0/model")):
        team.client.create_registered_model(one)
        team.client.create_model_version(one, source, run.info.run_id if one == lost else None, await_creation_for=0)
        team.move(one, stages={1: "Production"}, aliases={"production": 1})
    printed = team.init()
    assert list(declared(team)) == [name]
    assert f"commented out  {lost}: the bytes of version 1 cannot be read" in printed
    assert "lies at s3://other-bucket/0/model, outside the server's artifact root" in printed


def test_names_that_yaml_or_the_file_cannot_have(team: Team) -> None:
    odd = [f"{team.prefix}#x", f"{team.prefix}-模型", f"{team.prefix}-é", f"{team.prefix}-{{a}}", f"{team.prefix}-[b]", f"{team.prefix}-&c"]
    for full in odd:
        register_version(team.url, full)
        team.move(full, stages={1: "Production"}, aliases={"production": 1})
    for bad in (f"{team.prefix}-a b", f"{team.prefix}-it's", f'{team.prefix}-"q"'):
        team.client.create_registered_model(bad)
    printed = team.promotion("init", "--model", f"{team.prefix}*")
    assert set(declared(team)) == set(odd)
    assert printed.count("left out") == 3
    assert "must not contain ' '" in printed
    team.commit("Declare")
    assert team.promotion("plan", "--detailed-exitcode").startswith("nothing to do")


@pytest.mark.parametrize(
    "name", ["on", "no", "12", "1.0", "010", "null", "~", "-", "true", "1e3", ".nan", "a#b", "0x1F", "=", "2026-01-01", "*a", "!b"]
)
def test_a_name_is_quoted_unless_every_reader_takes_it_for_text(name: str) -> None:
    import yaml

    from promotion.inservice import InService
    from promotion.starting import declaration

    content = declaration(None, [InService(name, {"production": 1})], [])
    assert load_desired([Source("e.yaml", content)]).models == (name,)
    assert list(yaml.safe_load(content)["models"]) == [name], "and a reader of YAML 1.1 as well"


def test_no_file_is_written_over(team: Team) -> None:
    team.clear()
    file = team.folder / "environments.yaml"
    file.write_text("mine\n")
    assert "environments.yaml is there already: nothing was changed" in team.init(good=2)
    assert file.read_text() == "mine\n"
    file.unlink()
    rules = team.folder / "policies" / "production.yaml"
    rules.parent.mkdir()
    rules.write_text("version: 1\nenvironment: staging\nrules:\n  - gate: formats\n")
    assert "policies/production.yaml is there already: nothing was changed" in team.init(good=2)
    assert sorted(path.name for path in team.folder.iterdir()) == [".git", "policies"]
    assert state(team).head is None


def test_a_dry_run_writes_nothing(team: Team) -> None:
    name = team.clear()
    printed = team.init("--dry-run")
    assert f"  {name}:\n    staging:\n      use: 3\n" in printed
    assert "dry run: nothing was written" in printed
    assert [path.name for path in team.folder.iterdir()] == [".git"]
    assert state(team).head is None
    assert "promotion.journal" not in team.client.get_registered_model(name).tags
