"""init-workflows in a real repository: what it writes, what it never writes over, and what --check finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promotion.calling import owners, workflows
from promotion.calling.protection import repository
from promotion.calling.workflows import Settings, Source
from promotion.errors import UsageError
from tests.server import free_port

COMMIT = "c0ffee" * 6 + "beef"
NAMES = [f".github/workflows/promotion-{name}.yml" for name in ("gate", "apply", "drift", "rollback")]
ALL = sorted([*NAMES, ".github/CODEOWNERS", ".github/PROMOTION.md"])
PROMOTION = str(Path(sys.executable).with_name("promotion"))


@dataclass(frozen=True, slots=True)
class Team:
    """A repository of a team, whose origin is said to be on GitHub."""

    folder: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "NO_COLOR": "1", "PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return subprocess.run(
            [PROMOTION, "init-workflows", *arguments],
            cwd=self.folder,
            env={**quiet, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def write(self, *arguments: str, source: str = f"example/promotion@{COMMIT}") -> subprocess.CompletedProcess[str]:
        return self.run("--from", source, "--owners", "@example/ml", *arguments)

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.folder)): path.read_text(encoding="utf-8")
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and ".git/" not in str(path)
        }


@pytest.fixture
def team(tmp_path: Path) -> Team:
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", "git@github.com:example/models.git"], check=True)
    return Team(tmp_path)


def test_a_few_lines_each_call_the_release_that_was_named(team: Team) -> None:
    done = team.write("--requirements", "judging/requirements.txt", "--rows", 'dvc pull "rows"')
    assert (done.returncode, done.stderr) == (0, "")
    files = team.files()
    assert sorted(files) == ALL
    for name in NAMES:
        found = yaml.safe_load(files[name])
        (job,) = found["jobs"].values()
        called = name.removeprefix(".github/workflows/promotion-")
        assert job["uses"] == f"example/promotion/.github/workflows/{called}@{COMMIT}"
        assert found["permissions"] == {}
        assert len(files[name].splitlines()) < 45
        measures = called != "rollback.yml"
        assert (job["with"].get("requirements"), job["with"].get("rows")) == (
            ("judging/requirements.txt", 'dvc pull "rows"') if measures else (None, None)
        )
    assert all(f"{path} @example/ml" in " ".join(files[".github/CODEOWNERS"].split()) for path in owners.WATCHED)
    assert "`promotion / gate`" in files[".github/PROMOTION.md"]
    assert "note" not in done.stdout, "a commit's hash cannot be moved"
    again = team.write("--requirements", "judging/requirements.txt", "--rows", 'dvc pull "rows"')
    assert again.returncode == 0
    assert "wrote" not in again.stdout
    assert team.files() == files


@pytest.mark.parametrize("name", ["gate", "apply", "drift", "rollback"])
def test_who_calls_gives_each_job_the_rights_it_asks_for_and_answers_the_same_events(name: str) -> None:
    """GitHub refuses a called job that asks for more than its caller has."""
    project = Path(__file__).resolve().parents[3]
    called = yaml.load((project / f".github/workflows/{name}.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    text = workflows.render(Settings(Source("example/promotion", COMMIT)))[f".github/workflows/promotion-{name}.yml"]
    calling = yaml.load(text, Loader=yaml.BaseLoader)
    needed: dict[str, str] = {}
    for job in called["jobs"].values():
        for right, level in (job["permissions"] or {}).items():
            needed[right] = "write" if "write" in {level, needed.get(right)} else level
    assert calling["jobs"]["promotion"]["permissions"] == needed
    assert set(calling["on"]) == set(called["on"]) - {"workflow_call"}
    for event in ("push", "schedule", "workflow_dispatch"):
        assert calling["on"].get(event) == called["on"].get(event), event
    assert set(calling["jobs"]["promotion"]["with"]) <= set(called["on"]["workflow_call"]["inputs"])
    assert "concurrency" not in calling, "the called one has the group; the same one here would wait for itself"


def test_the_linters_of_workflows_find_nothing(team: Team) -> None:
    assert team.write("--rows", "make rows").returncode == 0
    done = subprocess.run(
        [Path(sys.executable).with_name("zizmor"), "--offline", "--no-progress", "--quiet", "--persona", "auditor", ".github"],
        cwd=team.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    actionlint = shutil.which("actionlint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if actionlint is None and os.environ.get("CI"):
        pytest.fail("actionlint is not installed: make tools (needs Go)")
    if actionlint is not None:
        linted = subprocess.run([actionlint], cwd=team.folder, capture_output=True, text=True, check=False)
        assert (linted.returncode, linted.stdout) == (0, "")


def test_a_file_that_differs_is_never_written_over_unless_told_to(team: Team) -> None:
    mine = team.folder / NAMES[1]
    mine.parent.mkdir(parents=True)
    mine.write_text("name: mine\n", encoding="utf-8")
    refused = team.write()
    assert refused.returncode == 2
    assert NAMES[1] in refused.stderr
    assert team.files() == {NAMES[1]: "name: mine\n"}, "nothing else was written either"
    forced = team.write("--force")
    assert forced.returncode == 0, forced.stderr
    assert sorted(team.files()) == ALL
    assert "apply.yml@" in mine.read_text(encoding="utf-8")


def test_owners_that_are_there_stay_and_only_what_nobody_watches_is_added(team: Team) -> None:
    file = team.folder / ".github" / "CODEOWNERS"
    file.parent.mkdir()
    file.write_text("* @everybody\n/policies/\n/train/ @trainers", encoding="utf-8")
    assert team.write().returncode == 2
    assert team.write("--force").returncode == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith("* @everybody\n/policies/\n/train/ @trainers\n")
    assert [line.split() for line in text.splitlines()[3:]] == [["/policies/", "@example/ml"]], "the rest falls to everybody"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--owners", "@a"], "--from and --owners"),
        (["--from", "a/b@v1"], "--from and --owners"),
        (["--from", "a/b@main", "--owners", "@a"], "a branch moves"),
        (["--from", "a/b", "--owners", "@a"], "OWNER/REPO@TAG"),
        (["--from", "a/b/c@v1", "--owners", "@a"], "OWNER/REPO@TAG"),
        (["--from", "a/b@v1\n    x", "--owners", "@a"], "OWNER/REPO@TAG"),
        (["--from", "a/b@v1", "--owners", "nobody"], "no owner"),
        (["--from", "a/b@v1", "--owners", "@a", "--rows", "${{ secrets.X }}"], "expression"),
        (["--from", "a/b@v1", "--owners", "@a", "--file", "other.yaml"], "environments.yaml"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(team: Team, arguments: list[str], told: str) -> None:
    done = team.run(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "hint" in done.stderr
    assert team.files() == {}


def test_the_check_finds_what_was_changed_removed_or_calls_another_release(team: Team) -> None:
    assert team.write(source="example/promotion@v1.2.0").returncode == 0
    good = team.run("--check-files")
    assert good.returncode == 0, good.stdout
    assert "A tag can be moved" in good.stdout
    gate, apply, drift, rollback = (team.folder / name for name in NAMES)
    gate.write_text(gate.read_text(encoding="utf-8").replace("contents: read", "contents: write"), encoding="utf-8")
    apply.write_text(apply.read_text(encoding="utf-8").replace("v1.2.0", "v1.3.0"), encoding="utf-8")
    drift.write_text(drift.read_text(encoding="utf-8").replace("@v1.2.0", "@main"), encoding="utf-8")
    rollback.unlink()
    (team.folder / ".github" / "CODEOWNERS").write_text("/.github/ @example/ml\n", encoding="utf-8")
    found = team.run("--check-files", "--format", "json")
    assert found.returncode == 3
    document = json.loads(found.stdout)
    assert (document["schema"], document["source"], document["protections"]) == ("promotion/workflows-check/v1", None, None)
    faults = {one["file"]: one["why"] for one in document["faults"]}
    assert "it was changed" in faults[NAMES[0]]
    assert NAMES[1] not in faults, "by itself it is as written"
    assert "no workflow of a version or a commit" in faults[NAMES[2]]
    assert faults[NAMES[3]] == "it is not there"
    assert faults[".github/workflows"].startswith("they call example/promotion@v1.2.0 and example/promotion@v1.3.0")
    assert faults[".github/CODEOWNERS"] == "nobody watches /promotion/ /train/ /policies/ /environments.yaml"


class Api(ThreadingHTTPServer):
    """GitHub's API as far as the check asks: answers by path, and what was asked with which token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Api)
        self.server.asked.append((self.path, self.headers["Authorization"]))
        code, document = self.server.answers.get(self.path.removeprefix("/repos/example/models/"), (404, {"message": "Not Found"}))
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


RULES = [
    {"type": "pull_request", "parameters": {"require_code_owner_review": True}},
    {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "promotion / gate"}]}},
    {"type": "non_fast_forward"},
    {"type": "deletion"},
]
UNPROTECTED = (404, {"message": "Branch not protected"})


@dataclass
class Seen:
    """The words of the check's lines about protection, and its exit code."""

    code: int
    holds: list[bool | None] = field(default_factory=list)
    why: str = ""


def looked(team: Team, api: Api, **environment: str) -> Seen:
    done = team.run("--check", "--format", "json", GITHUB_API_URL=api.url, **environment)
    found = json.loads(done.stdout)["protections"]
    return Seen(done.returncode, [one["holds"] for one in found], " ".join(one["why"] for one in found))


def test_what_rulesets_protect_is_seen_with_the_token_that_was_given(team: Team, api: Api) -> None:
    team.write()
    api.answers = {
        "rules/branches/main": (200, RULES),
        "rules/branches/promotion-journal": (200, RULES[2:]),
        "environments/production": (200, {"deployment_branch_policy": {"protected_branches": True}}),
    }
    assert looked(team, api, GH_TOKEN="t0ken") == Seen(0, [True] * 5, "it is it is it is it is it is; look that main is the only one")
    assert {token for _, token in api.asked} == {"Bearer t0ken"}
    assert len(api.asked) == 5


def test_what_classic_protection_protects_counts_as_well(team: Team, api: Api) -> None:
    team.write()
    off = {"allow_force_pushes": {"enabled": False}, "allow_deletions": {"enabled": False}}
    main = {
        "required_pull_request_reviews": {"require_code_owner_reviews": True},
        "required_status_checks": {"contexts": ["promotion / gate"]},
    }
    api.answers = {
        "rules/branches/main": (200, []),
        "rules/branches/promotion-journal": (200, []),
        "branches/main/protection": (200, {**main, **off}),
        "branches/promotion-journal/protection": (200, {**off, "allow_deletions": {"enabled": True}}),
        "environments/production": (200, {"deployment_branch_policy": None}),
    }
    seen = looked(team, api, GH_TOKEN="t0ken")
    assert (seen.code, seen.holds) == (3, [True, True, True, False, False])


def test_what_is_not_protected_is_told_and_what_may_not_be_seen_is_unknown(team: Team, api: Api) -> None:
    team.write()
    api.answers = {
        "rules/branches/main": (200, RULES[:1]),
        "rules/branches/promotion-journal": (200, []),
        "branches/main/protection": UNPROTECTED,
        "branches/promotion-journal/protection": UNPROTECTED,
    }
    seen = looked(team, api, GH_TOKEN="t0ken")
    assert (seen.code, seen.holds) == (3, [True, False, False, False, None])
    del api.answers["branches/main/protection"], api.answers["branches/promotion-journal/protection"]
    hidden = looked(team, api)
    assert (hidden.code, hidden.holds) == (5, [True, None, None, None, None])
    assert {token for _, token in api.asked[5:]} == {None}
    api.answers = dict.fromkeys(("rules/branches/main", "branches/main/protection"), (500, {}))
    assert "GitHub answered 500" in looked(team, api).why


def test_no_answer_and_no_github_are_said_so(team: Team, api: Api) -> None:
    team.write()
    dead = f"http://127.0.0.1:{free_port()}"
    done = team.run("--check", GITHUB_API_URL=dead)
    assert done.returncode == 5
    assert "UNKNOWN" in done.stdout
    assert "GitHub did not answer" in done.stdout
    subprocess.run(["git", "-C", str(team.folder), "remote", "set-url", "origin", "/srv/git/models.git"], check=True)
    elsewhere = team.run("--check", GITHUB_API_URL=api.url)
    assert elsewhere.returncode == 5
    assert "no remote on github.com, so it could not be looked at" in elsewhere.stdout
    assert api.asked == []


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("git@github.com:a/b.git", "a/b"),
        ("https://github.com/a/b", "a/b"),
        ("https://x-access-token:s3cret@github.com/a/b.git", "a/b"),
        ("ssh://git@github.com/a/b.c.git", "a/b.c"),
        ("https://gitlab.com/a/b.git", None),
        ("https://example.org/github.com/a/b", None),
        ("/srv/github.com/a/b", None),
    ],
)
def test_whose_repository_an_address_names(address: str, name: str | None) -> None:
    assert repository(address) == name


TEXT = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" \n"), max_size=40).filter(lambda text: "${{" not in text)


@given(requirements=TEXT, rows=TEXT, install=st.sampled_from(["base", "all"]), ref=st.sampled_from(["v1", "2.0.1", "v1.0.0-rc.1", COMMIT]))
def test_what_was_chosen_is_read_back_and_yaml_reads_the_same(requirements: str, rows: str, install: str, ref: str) -> None:
    settings = Settings(Source("a/b", ref), install, requirements, rows)
    for name, text in workflows.render(settings).items():
        given = yaml.safe_load(text)["jobs"]["promotion"]["with"]
        if "rollback" in name:
            continue
        assert workflows.read(text) == settings
        assert (given["install"], given.get("requirements", ""), given.get("rows", "")) == (install, requirements, rows)


@given(
    st.lists(st.sampled_from([*owners.WATCHED, "*", "/policies/staging.yaml", "# note", "", "/train", "/.github/**"]), max_size=8),
    st.data(),
)
def test_owners_are_complete_afterwards_and_nothing_was_taken_away(patterns: list[str], data: st.DataObject) -> None:
    before = "".join(f"{pattern} {data.draw(st.sampled_from(['@a', '', '@a @b/c']))}\n" for pattern in patterns)
    after = owners.completed(before, ["@team"])
    assert after.startswith(before)
    assert owners.missing(after) == ()
    assert owners.completed(after, ["@other"]) == after


def test_an_owner_that_github_would_not_understand_is_refused() -> None:
    for wrong in ("@", "team", "@a/b/c", "@a b", "a@b", "@a\n* @me"):
        with pytest.raises(UsageError, match="is no owner"):
            owners.lines([wrong])
