"""What act cannot show (permissions, triggers, concurrency, pins, credentials), read from the files themselves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflows.act import BY_HAND, PROJECT, WORKFLOW_OF

GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
PINNED = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<sha>[0-9a-f]{40}) # v\d+\.\d+\.\d+")

Yaml = dict[str, Any]


def load(file: Path) -> Yaml:
    """A file with every scalar as text, so that ``on`` is not a boolean."""
    loaded = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    assert isinstance(loaded, dict)
    return loaded


def jobs(file: Path) -> Iterator[tuple[str, Yaml]]:
    yield from load(file)["jobs"].items()


def steps(file: Path) -> Iterator[Yaml]:
    found = load(file)
    for holder in found.get("jobs", {"composite": found.get("runs")}).values():
        yield from holder["steps"]


def named(name: str) -> Path:
    return GITHUB / "workflows" / f"{name}.yml"


def test_there_is_something_to_check() -> None:
    assert {file.stem for file in WORKFLOWS} >= {"gate", "apply", "ci"}
    assert ACTIONS


def test_each_can_be_run_by_hand_under_act_but_the_one_that_is_a_command_itself() -> None:
    assert {*WORKFLOW_OF.values(), *(f"{name}.yml" for name in BY_HAND)} == {file.name for file in WORKFLOWS} - {"ci.yml"}
    for name in (*WORKFLOW_OF, *BY_HAND):
        assert name in (PROJECT / "README.md").read_text(encoding="utf-8").split("make act EVENT=pull_request", 1)[1], (
            "the README tells how"
        )
    for name in BY_HAND:
        assert "workflow_dispatch" in load(named(name))["on"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
class TestEveryWorkflow:
    def test_has_no_rights_but_what_a_job_asks_for(self, file: Path) -> None:
        assert load(file)["permissions"] == {}
        for name, job in jobs(file):
            assert "permissions" in job, f"{name} does not say which rights it needs"

    def test_never_runs_with_the_rights_of_main_on_the_code_of_a_stranger(self, file: Path) -> None:
        assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(load(file)["on"])

    def test_has_no_path_filter_behind_which_a_required_check_would_wait_for_ever(self, file: Path) -> None:
        triggers = load(file)["on"]
        for trigger in triggers.values() if {"pull_request", "merge_group"} & set(triggers) else ():
            assert not isinstance(trigger, dict) or not {"paths", "paths-ignore"} & set(trigger)

    def test_says_which_shell_it_means(self, file: Path) -> None:
        assert load(file)["defaults"]["run"]["shell"] == "bash"

    def test_ends_by_itself(self, file: Path) -> None:
        for name, job in jobs(file):
            assert 1 <= int(job["timeout-minutes"]) <= 60, name

    def test_a_pull_request_check_runs_in_the_merge_queue_as_well(self, file: Path) -> None:
        triggers = set(load(file)["on"])
        assert ("pull_request" in triggers) == ("merge_group" in triggers)

    def test_shares_steps_by_anchors_alone(self, file: Path) -> None:
        """GitHub knows anchors since September 2025, and no merge keys (its documentation, "Reusing workflow configurations")."""
        assert "<<" not in file.read_text(encoding="utf-8")

    def test_has_a_concurrency_group(self, file: Path) -> None:
        assert load(file)["concurrency"]["group"]

    def test_gives_secrets_only_to_jobs_of_an_environment(self, file: Path) -> None:
        for name, job in jobs(file):
            assert "secrets." not in str(job) or job.get("environment"), name
        assert "secrets." not in str({key: value for key, value in load(file).items() if key != "jobs"})

    def test_runs_on_what_act_maps(self, file: Path) -> None:
        mapped = {line.split()[1].split("=")[0] for line in (PROJECT / ".actrc").read_text().splitlines() if line.startswith("-P")}
        assert {job["runs-on"] for _, job in jobs(file)} <= mapped


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: str(file.relative_to(GITHUB)))
class TestEveryStep:
    def test_actions_are_pinned_by_commit_with_their_version_beside_it(self, file: Path) -> None:
        for line in file.read_text(encoding="utf-8").splitlines():
            if "uses:" in line and "uses: ./" not in line:
                assert PINNED.search(line), line

    def test_local_actions_exist(self, file: Path) -> None:
        for step in steps(file):
            if step.get("uses", "").startswith("./"):
                assert (PROJECT / step["uses"].removeprefix("./.promotion/") / "action.yml").is_file()

    def test_nothing_is_pasted_into_a_script(self, file: Path) -> None:
        for step in steps(file):
            assert "${{" not in step.get("run", ""), "pass it through env: instead"

    def test_checkouts_leave_no_token_behind(self, file: Path) -> None:
        for step in steps(file):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false"
                assert step["with"]["fetch-depth"] == "0", "a shallow clone cannot tell what was in staging"


@pytest.mark.parametrize("name", ["gate", "apply", "drift", "rollback"])
def test_what_others_call_brings_its_actions_along(name: str) -> None:
    """``./`` means the calling repository on GitHub, which has none of these actions."""
    found = load(named(name))
    assert "workflow_call" in found["on"]
    getting = []
    for about in found["jobs"].values():
        names = [step["name"] for step in about["steps"]]
        local = [step["uses"] for step in about["steps"] if step.get("uses", "").startswith("./")]
        assert all(used.startswith("./.promotion/.github/actions/") for used in local)
        if local:
            first = next(number for number, step in enumerate(about["steps"]) if step.get("uses", "").startswith("./"))
            assert names.index("Check out") < names.index("Get promotion") < first
            getting.append(about["steps"][names.index("Get promotion")])
    assert getting
    assert all(one == getting[0] for one in getting), "one and the same step"
    assert getting[0] == next(step for step in steps(named("gate")) if step["name"] == "Get promotion")
    called, by_hand = found["on"]["workflow_call"]["inputs"], found["on"].get("workflow_dispatch") or {}
    assert set(by_hand.get("inputs", called)) <= set(called), "whoever calls may say what a person may"


def test_who_calls_says_what_measuring_needs_and_nobody_else_s_rows_are_made() -> None:
    for name in ("gate", "apply", "drift"):
        for step in steps(named(name)):
            if step["name"] == "Make the rows that the policies pin":
                assert step["if"] == "${{ inputs.rows || !inputs.install }}"
                assert load(named(name))["on"]["workflow_call"]["inputs"]["install"]["default"] == "base", "never empty when called"
                assert step["env"]["ROWS"].startswith("${{ inputs.rows || '[ ! -d train ] || ")
                assert step["run"] == 'bash -euo pipefail -c "$ROWS"'


@pytest.mark.parametrize("name", ["gate", "apply", "drift", "rollback", "train"])
def test_git_gets_the_token_of_the_step_that_runs_it_and_nothing_without_one(name: str, tmp_path: Path) -> None:
    found = load(named(name))
    settings = next(holder["env"] for holder in (found, *found["jobs"].values()) if "GIT_CONFIG_COUNT" in holder.get("env", {}))
    configuration = {key: value for key, value in settings.items() if key.startswith("GIT_CONFIG_")}
    for token in ("s3cret", ""):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0", "GIT_TOKEN": token, **configuration}
        asked = "protocol=https\nhost=git.example.org\n\n"
        done = subprocess.run(["git", "credential", "fill"], input=asked, env=environment, capture_output=True, text=True, check=True)
        assert f"username=x-access-token\npassword={token}\n" in done.stdout


@pytest.mark.parametrize("name", ["gate", "apply", "drift", "rollback", "train"])
def test_every_step_is_a_command_that_works_on_a_laptop_too(name: str) -> None:
    """One command of promotion or train, or of git; what is longer has its reason here."""
    longer = {
        "Get promotion": "nothing of it is there yet",
        "Move to the newest commit of main": "nothing of it is there yet",
        "Say what a pull request from a fork needs": "two lines for its author",
        "All that was needed succeeded": "a job without rights, without a checkout",
        "Make the rows, whose digests stand beside them": "two files",
        "Close what was told, since everything in service is as applied and passes": "two issues",
    }
    for step in (one for one in steps(named(name)) if "run" in one):
        commands = step["run"].strip().splitlines()
        if step["name"] not in longer:
            assert len(commands) == 1, step["name"]
            assert commands[0].startswith(("promotion ", "git switch ", '"$PYTHON" -m train ', 'bash -euo pipefail -c "$ROWS"')), step[
                "name"
            ]
        assert "python3 -c" not in step["run"]
        assert "gh " not in step["run"]


def test_zizmor_judges_a_shared_step_wherever_it_is_used(tmp_path: Path) -> None:
    """It warns of anchors, which `make lint` silences: faults in steps that are shared are found all the same, at each use."""
    text = named("rollback").read_text(encoding="utf-8")
    faulty = text.replace('git switch --detach "refs/remotes/origin/$BRANCH"', "git switch --detach ${{ github.head_ref }}")
    assert faulty != text
    (tmp_path / "rollback.yml").write_text(faulty.replace("persist-credentials: false", "persist-credentials: true"), encoding="utf-8")
    tool = Path(sys.executable).with_name("zizmor")
    command = [str(tool), "-qq", "--offline", "--no-progress", "--persona", "auditor", "--format", "json", str(tmp_path / "rollback.yml")]
    found = [one["ident"] for one in json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)]
    uses = text.count("- &newest") + text.count("- *newest")
    assert uses == 2
    assert (found.count("template-injection"), found.count("artipacked")) == (uses, uses)


def test_an_action_has_one_version_everywhere() -> None:
    found: dict[str, set[str]] = {}
    for file in (*WORKFLOWS, *ACTIONS):
        for match in PINNED.finditer(file.read_text(encoding="utf-8")):
            found.setdefault(match["action"], set()).add(match["sha"])
    assert found
    assert all(len(shas) == 1 for shas in found.values()), found


@pytest.mark.parametrize("name", ["gate", "apply", "drift", "rollback", "train"])
def test_nothing_needs_the_network_under_act(name: str) -> None:
    under_act = [job for _, job in jobs(named(name)) if "!github.event.act" not in job.get("if", "")]
    for step in (step for job in under_act for step in job["steps"]):
        if step.get("uses", "").startswith("./"):
            condition = step["if"].removeprefix("${{ ").removesuffix(" }}")
            assert "!env.ACT" in condition.split(" && "), "act would fetch the remote actions inside"
        elif "uses" in step:
            assert step["uses"].startswith("actions/checkout@"), "the one remote action that act does itself"
            assert "ref" not in step["with"], "act would clone for real"


def not_skipped(job: Yaml) -> list[str]:
    """What must all hold for a job to run."""
    return str(job["if"]).removeprefix("${{ ").removesuffix(" }}").split(" && ")


def test_a_pull_request_may_only_read() -> None:
    for name, job in jobs(named("gate")):
        assert name == "comment" or set(job["permissions"].values() if job["permissions"] else ()) <= {"read"}, name
        assert job.get("environment") in {None, "registry-read"}
    text = named("gate").read_text(encoding="utf-8")
    assert "SIGNING_KEY" not in text
    assert not re.search(r"github\.(event\.pull_request\.(title|body)|head_ref|event\.head_commit)", text)


def test_what_comments_on_a_pull_request_runs_nothing_of_it() -> None:
    """The one job there that may write: where the token may, without a credential, without a model, by the base's own promotion."""
    job = load(named("gate"))["jobs"]["comment"]
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "environment" not in job
    assert "secrets." not in str(job)
    check_out, leave, get, set_up, take, tell = job["steps"]
    assert check_out["uses"].startswith("actions/checkout@")
    assert (leave["run"], "uses" in leave) == ('git switch --detach "$BASE"', False), "before anything of it can be run"
    assert load(named("gate"))["env"]["BASE"] == "${{ github.event.merge_group.base_sha || format('origin/{0}', github.base_ref) }}"
    assert [get["name"], set_up["with"]] == ["Get promotion", {"with": "base"}], "what measures is not even installed"
    assert take["with"] == {"name": "page-*", "path": "${{ runner.temp }}/pages"}, "beside what the runner executes, never over it"
    assert tell["run"].startswith('promotion github comment "$NUMBER" "${HANDOVER:-$RUNNER_TEMP}/pages"')
    assert len(tell["run"].splitlines()) == 1
    conditions = not_skipped(job)
    assert "github.event_name == 'pull_request'" in conditions
    assert "github.event.pull_request.head.repo.full_name == github.repository" in conditions, "a fork's token may not write"
    assert {key for key, value in tell["env"].items() if "github.event" in value} == {"NUMBER"}, "no title, no body, no branch"


def test_the_one_required_check_waits_for_everything_and_is_never_skipped() -> None:
    for name in ("gate", "ci"):
        found = load(named(name))["jobs"]
        needs = found[name]["needs"]
        assert set(found) - {name, "comment"} == set([needs] if isinstance(needs, str) else needs), "a comment decides nothing"
        assert found[name]["if"] == "${{ always() }}"


def test_an_apply_is_never_cancelled_and_never_beside_another() -> None:
    for name in ("apply", "drift", "rollback"):
        concurrency = load(named(name))["concurrency"]
        assert concurrency == {"group": "promotion-apply", "cancel-in-progress": "false"}, "one group for all of main"
    assert load(named("apply"))["on"]["push"]["branches"] == ["main"]


def test_what_writes_stands_behind_the_environment_of_production() -> None:
    for file in WORKFLOWS:
        for name, job in jobs(file):
            writes = (job["permissions"] or {}).get("contents") == "write" or "SIGNING_KEY" in str(job)
            # A proposal is a branch: who writes it has nothing else, and runs nothing that was trained.
            proposes = (file.stem, name) == ("train", "propose") and "secrets." not in str(job) and "python" not in str(job)
            assert not writes or proposes or job.get("environment") == "production", f"{file.stem}: {name}"


def test_model_code_never_runs_beside_a_credential() -> None:
    """What runs models has neither secrets nor a token that writes; what has them runs no model."""
    found = load(named("apply"))["jobs"]
    found["looked at"] = load(named("drift"))["jobs"]["measure"]
    for name in ("measure", "remeasure", "looked at"):
        assert found[name]["permissions"] == {"contents": "read"}
        assert "environment" not in found[name]
        assert "secrets." not in str(found[name])
        assert "github.token" not in str(found[name])
    scripts = {name: " ".join(step.get("run", "") for step in job["steps"]) for name, job in found.items()}
    assert [name for name, script in scripts.items() if "promotion measure" in script or "$ROWS" in script] == [
        "measure",
        "remeasure",
        "looked at",
    ]
    assert "promotion reconcile --if-newest --no-measure" in scripts["apply"]
    assert "promotion verify" in scripts["verify"]
    assert "--no-measure" in scripts["verify"]
    assert "promotion rollback" in scripts["verify"], "which runs no model either"


@pytest.mark.parametrize("name", ["apply", "drift"])
def test_one_job_tells_by_one_issue_and_may_do_nothing_else(name: str) -> None:
    found = load(named(name))["jobs"]
    assert found["tell"]["permissions"] == {"contents": "read", "issues": "write"}
    assert "secrets." not in str(found["tell"])
    assert [job for job, about in found.items() if "issues" in (about["permissions"] or ()) or "github issue" in str(about)] == ["tell"]
    assert "verify" in found["tell"]["needs"]
    assert "notify" in found, "webhooks are told as well, by a job of their own"


def test_what_publishes_the_page_has_no_credential_and_what_writes_it_may_not_publish() -> None:
    found = load(named("apply"))["jobs"]
    assert found["page"]["permissions"] == {"contents": "read"}
    publish = found["publish"]
    assert publish["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    assert "secrets." not in str(publish)
    assert [step["name"] for step in publish["steps"] if "run" in step] == ["Get promotion"]
    assert "vars.PAGES == 'true'" in publish["if"]
    for file in WORKFLOWS:
        for name, job in jobs(file):
            others = {"pages", "id-token"} & set(job["permissions"] or ())
            assert not others or name == "publish", f"{file.stem}: {name}"


def test_owners_watch_what_judges() -> None:
    owned = {line.split()[0] for line in (GITHUB / "CODEOWNERS").read_text().splitlines() if line.startswith("/")}
    assert owned >= {"/.github/", "/promotion/", "/train/", "/policies/"}
