"""What a user may get wrong, or meet: each ends with the right exit code, the place, what to do next, and changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.scene import NAMING, Scene
from tests.server import Server, free_port

PROMOTION = str(Path(sys.executable).with_name("promotion"))


def run(scene: Scene, *arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"MLFLOW_TRACKING_URI": url or scene.url, "GIT_CONFIG_GLOBAL": os.devnull, "NO_COLOR": "1"}
    return subprocess.run(
        [PROMOTION, *arguments], cwd=scene.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str) -> Scene:
    """One repository with a version in staging, which no case below may change."""
    scene = Scene(tmp_path_factory.mktemp("errors") / "models", mlflow_server, name="error-table")
    scene.start()
    scene.measure()
    scene.register(2)
    scene.declare(staging=1, production="none")
    assert run(scene, "reconcile").returncode == 0
    return scene


GOOD = "version: 1\nmodels:\n  error-table:\n    staging:\n      use: 1\n    production:\n      use: none\n"
PLACE = r"environments\.yaml:{}:{}: "

FILES = [
    pytest.param(GOOD.replace("staging", "stagin"), PLACE.format(4, 5), "did you mean", 2, id="a typo in an environment's name"),
    pytest.param(GOOD.replace("models:", "modles:"), PLACE.format(2, 1), "did you mean", 2, id="a typo in a key"),
    pytest.param(GOOD + "  error-table: {}\n", PLACE.format(8, 3), "twice|duplicate", 2, id="a key that stands twice"),
    pytest.param(GOOD.replace("use: 1", 'use: "1"'), PLACE.format(5, 12), "without quotes|plain", 2, id="a string for a version"),
    pytest.param(GOOD.replace("use: 1", "use: latest"), PLACE.format(5, 12), "version", 2, id="a word for a version"),
    pytest.param(
        GOOD.replace("      use: 1\n", "<<<<<<< HEAD\n      use: 1\n=======\n      use: 2\n>>>>>>> other\n"),
        PLACE.format(5, 1),
        "merge conflict",
        2,
        id="merge-conflict marks",
    ),
    pytest.param(GOOD.replace("use: 1", "use: 9"), PLACE.format(5, 12), "newest version is 2", 2, id="a version that does not exist"),
    pytest.param(GOOD.replace("error-table", "error-tabel"), PLACE.format(5, 12), "register it first", 2, id="a model that does not exist"),
]


@pytest.mark.parametrize(("content", "place", "hint", "code"), FILES)
@pytest.mark.parametrize("command", ["plan", "gate", "reconcile"])
def test_a_wrong_file(table: Scene, content: str, place: str, hint: str, code: int, command: str) -> None:
    before = (table.shown(), table.journal("promotion-journal:applied"))
    (table.folder / "environments.yaml").write_text(content)
    table.commit("wrong")
    done = run(table, command)
    output = done.stdout + done.stderr
    assert (done.returncode, "Traceback" in output) == (code, False), output
    assert re.search(place, output), output
    assert re.search(hint, output), output
    assert (table.shown(), table.journal("promotion-journal:applied")) == before


def broken(scene: Scene, rules: str) -> None:
    scene.rule("staging", rules)
    scene.declare(staging=2, production="none")


def test_a_metric_that_nobody_measured(table: Scene) -> None:
    before = (table.shown(), table.journal("promotion-journal:applied"))
    broken(table, NAMING + "  - gate: bound\n    metric: f1_scor\n    min: 0.5\n")
    done = run(table, "gate")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "ERRORED" in done.stdout
    assert "f1_scor" in done.stdout
    assert run(table, "reconcile").returncode == 5
    assert (table.shown(), table.journal("promotion-journal:applied")) == before


def test_a_corrupt_artifact(tmp_path: Path) -> None:
    with Server(tmp_path / "server") as server:
        scene = Scene(tmp_path / "models", server.url)
        scene.start()
        scene.measure()
        scene.register(1)
        broken(scene, NAMING + "  - gate: bound\n    metric: f1\n    min: 0.5\n")
        scene.declare(staging=1)
        for file in server.artifacts.rglob("model.json"):
            file.write_bytes(file.read_bytes()[:100])
        before = scene.shown()
        done = run(scene, "gate")
        assert done.returncode in {4, 5}, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert run(scene, "reconcile").returncode in {4, 5}
        assert scene.shown() == before
        shutil.rmtree(server.artifacts)
        done = run(scene, "gate")
        assert done.returncode == 5
        assert "ERRORED" in done.stdout


def test_a_server_that_is_down_is_told_within_ten_seconds(table: Scene) -> None:
    table.declare(staging=1, production="none")
    for command in ("plan", "gate", "reconcile", "status", "drift"):
        began = time.monotonic()
        done = run(table, command, url=f"http://127.0.0.1:{free_port()}")
        assert done.returncode == 5, done.stdout + done.stderr
        assert time.monotonic() - began < 10
        assert "refused" in done.stderr
        assert "hint" in done.stderr


class Broken(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500)
        self.end_headers()
        self.wfile.write(b'{"error_code": "INTERNAL_ERROR", "message": "the database is gone"}')

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def broken_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_answers_500(table: Scene, broken_server: str) -> None:
    table.declare(staging=1, production="none")
    done = run(table, "plan", url=broken_server)
    assert done.returncode == 5
    assert "500" in done.stderr
    assert "the database is gone" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--tracking-uri", "", "plan"), "MLFLOW_TRACKING_URI", id="no server named"),
        pytest.param(("plan", "--file", "nowhere.yaml"), "there is no nowhere.yaml", id="no such file"),
        pytest.param(("validate", "--policies", "nowhere"), "no policies under nowhere/", id="no policies"),
        pytest.param(("-C", "/", "validate"), "repository", id="outside of a repository"),
        pytest.param(("plan", "--base", "nowhere"), "nowhere", id="no such ref"),
        pytest.param(("plan", "--remote", "nowhere"), "no remote", id="no such remote"),
        pytest.param(("evaluate", "error-table"), "NAME/VERSION", id="a version without its number"),
        pytest.param(("propose", "error-table", "staging"), "ENVIRONMENT=VERSION", id="a proposal without a version"),
        pytest.param(("propose", "other", "staging=1"), "other", id="a proposal for a model that is not declared"),
        pytest.param(("history", "--at", "yesterday"), "is not a time", id="a time that is none"),
        pytest.param(("gates", "explain", "bond"), "did you mean 'bound'", id="an unknown gate"),
        pytest.param(("reconcil",), "No such command", id="an unknown command"),
    ],
)
def test_wrong_arguments(table: Scene, arguments: tuple[str, ...], said: str) -> None:
    table.declare(staging=1, production="none")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")} | {"NO_COLOR": "1"}
    given = (
        [argument for argument in arguments if argument]
        if "" not in arguments
        else [a for a in arguments if a not in {"", "--tracking-uri"}]
    )
    if "" not in arguments:
        environment["MLFLOW_TRACKING_URI"] = table.url
    done = subprocess.run([PROMOTION, *given], cwd=table.folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
