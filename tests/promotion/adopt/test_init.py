"""init on a real server: what is in service is declared and adopted, nothing changes, and what is not clear is left alone."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promotion.changes import ChangeKind
from promotion.config.load import Source, load_desired
from promotion.errors import Conflict, Unavailable
from promotion.journal import EntryKind
from promotion.start import Options, start
from tests.models import register_version
from tests.promotion.adopt.conftest import Team


def declared(team: Team, file: str = "environments.yaml") -> dict[str, dict[str, int | None]]:
    desired = load_desired([Source(file, (team.folder / file).read_bytes())])
    found: dict[str, dict[str, int | None]] = {}
    for one in desired.bindings:
        found.setdefault(one.model, {})[one.environment] = one.version
    return found


def state(team: Team):
    from promotion.cli import build
    from promotion.cli.options import Shared

    return build.journal(build.git(Shared(directory=team.folder)), Shared(directory=team.folder)).read()


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
