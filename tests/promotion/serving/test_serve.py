"""``promotion serve`` for real: an MLflow server, a git repository, uvicorn in a process of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.models import FEATURES, tiny_booster
from tests.scene import Scene
from tests.server import Server
from tests.serving import Serving

ROW = dict.fromkeys(FEATURES, 0.5)
VERSIONS = 4
SWAPS = 20


@pytest.fixture(scope="module")
def scene(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Four versions that answer differently, of which the first is applied in production."""
    made = Scene(tmp_path_factory.mktemp("serve") / "models", mlflow_server)
    made.start()
    made.register(VERSIONS)
    apply(made, 1)
    return made


@pytest.fixture(scope="module")
def api(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(scene.folder, scene.name, url=scene.url, log=tmp_path_factory.mktemp("api") / "log") as made:
        yield made


def apply(scene: Scene, version: int) -> None:
    """As a team does: into staging, then into production."""
    for bindings in ({"staging": version}, {"staging": version, "production": version}):
        known = scene.workspace().journal.read().applied(scene.name)
        before = known.bindings.get("production") if known else None
        kept = {"production": before.bound.version} if before and before.bound else {}
        wanted: dict[str, Any] = kept | bindings
        scene.declare(**wanted)
        assert scene.reconcile().exit_code == 0


def expected(version: int) -> float:
    import xgboost as xgb

    booster = tiny_booster(version - 1)
    return float(booster.predict(xgb.DMatrix([list(ROW.values())], feature_names=list(FEATURES)))[0])


def test_it_answers_with_what_is_applied_and_says_so(api: Serving, scene: Scene) -> None:
    answer = api.post("/predict?details=true", json=[ROW, ROW])
    told = answer.json()
    assert answer.status_code == 200
    assert told["predictions"] == pytest.approx([expected(1)] * 2, abs=1e-6)
    assert (told["model"], told["version"]) == (scene.name, 1)
    assert told["details"] == {told["output"]: told["predictions"]}
    assert answer.headers["model-version"] == f"{scene.name}/1"
    assert answer.headers["model-digest"] == told["digest"] == api.get("/version").json()["digest"]
    assert api.get("/health").json()["status"] == "serving"


def test_what_somebody_moves_by_hand_is_not_served(api: Serving, scene: Scene) -> None:
    scene.move(2, "Production")
    time.sleep(0.6)
    assert api.post(json=[ROW]).json()["version"] == 1
    scene.move(1, "Production")


def test_its_document_describes_it_with_an_example_that_works(api: Serving) -> None:
    operation = api.get("/openapi.json").json()["paths"]["/predict"]["post"]
    content = operation["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        assert api.post(json=example["value"]).status_code == 200
    assert api.post(content=content["text/csv"]["example"], headers={"content-type": "text/csv"}).status_code == 200


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"[" * 100_000, {}, 422),
        (b'[{"duration": ' + b"9" * 10_000 + b"}]", {}, 422),
        (b"\xff\xfe", {}, 422),
        (b"{}", {"content-type": "text/html"}, 415),
        (b"{}", {"content-type": ""}, 415),
        (b"{}", {"content-type": "application/json; charset=utf-16"}, 415),
        (b"\x1f\x8b" + b"\0" * 50, {"content-encoding": "gzip"}, 415),
        (b" " * (17 << 20), {}, 422),
    ],
)
def test_hostile_bodies_are_refused(api: Serving, content: bytes, headers: dict[str, str], status: int) -> None:
    answer = api.post(content=content, headers={"content-type": "application/json"} | headers)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_body_without_a_length_is_limited_as_well(api: Serving) -> None:
    answer = api.post(content=(b" " * (1 << 20) for _ in range(17)), headers={"content-type": "application/json"})
    assert (answer.status_code, "larger than" in answer.json()["error"]) == (422, True)


def test_the_sentence_of_a_refusal_names_the_place_of_the_first_fault(api: Serving) -> None:
    answer = api.post(json=[ROW, ROW | {"bytes": "5"}])
    assert answer.json() == {
        "error": "row 1, column bytes: a number is expected, not text",
        "count": 1,
        "faults": [{"problem": "a number is expected, not text", "row": 1, "column": "bytes"}],
    }
    strange = api.post(content=b'[{"gr\xc3\xb6\xc3\x9fe": 1, "\\ud800": 2}]', headers={"content-type": "application/json"})
    assert "größe" in strange.text
    assert strange.json()["faults"][-1]["column"] == "\ud800"


def test_another_path_or_method_is_told_as_such(api: Serving) -> None:
    assert api.get("/predict").json()["error"] == "GET is not taken here"
    assert api.get("/predict").status_code == 405
    for path in ("/docs", "/predict/"):
        assert api.get(path).status_code == 404
        assert "/openapi.json" in api.get(path).json()["error"]
    assert api.post("/predict?details=perhaps", json=[ROW]).status_code == 422


def test_the_metrics_count_by_version(api: Serving, scene: Scene) -> None:
    def count(name: str, more: str = "") -> float:
        wanted = f'{name}{{model="{scene.name}"{more}'
        return sum(float(line.split()[-1]) for line in api.get("/metrics").text.splitlines() if line.startswith(wanted))

    before = [count("promotion_rows_total"), count("promotion_scores_count"), count("promotion_requests_total", ',status="422"')]
    api.post(json=[ROW] * 5)
    api.post(json=[])
    after = [count("promotion_rows_total"), count("promotion_scores_count"), count("promotion_requests_total", ',status="422"')]
    assert [b - a for a, b in zip(before, after, strict=True)] == [5, 5, 1]


def test_swaps_under_load_lose_nothing_and_mix_nothing(api: Serving, scene: Scene) -> None:
    """Each answer is the one that the version in its header gives, and none is missing, while production changes twenty times."""
    for version in (2, 3):
        apply(scene, version)
    right = {f"{scene.name}/{version}": expected(version) for version in range(1, VERSIONS + 1)}
    answers: list[tuple[int, str, float]] = []
    done = threading.Event()

    async def ask(client: httpx.AsyncClient) -> None:
        while not done.is_set():
            answer = await client.post(f"{api.url}/predict", json=[ROW])
            said = answer.json().get("predictions", [float("nan")])[0]
            answers.append((answer.status_code, answer.headers.get("model-version", ""), said))

    async def load() -> None:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            await asyncio.gather(*(ask(client) for _ in range(4)))

    asking = threading.Thread(target=lambda: asyncio.run(load()))
    asking.start()
    try:
        for number in range(SWAPS):
            version = number % 3 + 1
            scene.declare(staging=3, production=version)
            assert scene.reconcile().exit_code == 0
            api.wait(lambda version=version: api.get("/version").json()["version"] == version, f"{version} is not served", 30)
    finally:
        done.set()
        asking.join()
    assert {status for status, _, _ in answers} == {200}
    assert {name for _, name, _ in answers} >= {f"{scene.name}/{version}" for version in (1, 2, 3)}
    wrong = [one for one in answers if one[2] != pytest.approx(right[one[1]], abs=1e-6)]
    assert not wrong


def test_what_is_emptied_is_not_answered_any_more_and_the_answer_says_why(api: Serving, scene: Scene) -> None:
    before = api.post(json=[ROW]).json()["version"]
    scene.declare(staging=3, production="none")
    assert scene.reconcile().exit_code == 0
    api.wait(lambda: api.get("/ready").status_code == 503, "it is served on", 30)
    answer = api.post(json=[ROW])
    assert (answer.status_code, answer.json()["error"]) == (503, f"nothing of {scene.name} is applied in production")
    assert api.get("/version").status_code == 503
    scene.declare(staging=3, production=before)
    assert scene.reconcile().exit_code == 0
    api.wait(lambda: api.get("/ready").status_code == 200, "it is not served again", 30)


def test_a_version_that_cannot_be_served_leaves_the_old_one_in_service(api: Serving, scene: Scene) -> None:
    """It passes the gates, but its signature names no columns; the log and /health say so, and the next good one is served."""
    before = api.post(json=[ROW]).json()["version"]
    version = register_nameless(scene)
    apply(scene, version)
    told = api.wait(lambda: api.get("/health").json()["troubles"].get("load"), "it was not tried", 30)
    assert f"{scene.name}/{version}" in told
    assert "names no columns" in told
    assert told in api.told()
    assert api.get("/health").json()["status"] == "degraded"
    assert api.post(json=[ROW]).json()["version"] == before
    apply(scene, 4)
    api.wait(lambda: api.get("/version").json()["version"] == 4, "the next one is not served", 30)
    assert api.get("/health").json()["status"] == "serving"


def register_nameless(scene: Scene) -> int:
    """A version whose signature has no names of columns."""
    import mlflow.xgboost
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    run = scene.client.create_run("0")
    signature = ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 3))]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        mlflow.xgboost.save_model(tiny_booster(9), path, signature=signature, model_format="json", pip_requirements=["xgboost"])
        scene.client.log_artifacts(run.info.run_id, str(path), "model")
    made = scene.client.create_model_version(scene.name, f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0)
    return int(made.version)


def test_other_bytes_than_those_that_are_named_are_not_served(scene: Scene, tmp_path: Path) -> None:
    api = Serving(scene.folder, f"{scene.name}/1@sha256:{'0' * 64}", url=scene.url, log=tmp_path / "log").start(ready=False)
    try:
        told = api.wait(lambda: api.get("/health").json()["troubles"].get("load"), "it was not tried")
        assert f"not sha256:{'0' * 64}" in told
        assert api.get("/ready").status_code == api.post(json=[ROW]).status_code == api.get("/version").status_code == 503
        assert "/predict" not in api.get("/openapi.json").json()["paths"]
        counted = [line for line in api.get("/metrics").text.splitlines() if line.startswith("promotion_requests_total")]
        assert [line.split()[-1] for line in counted] == ["1.0"], "a look at the version is no request for a prediction"
    finally:
        assert api.stop() == 0


def test_a_server_without_its_registry_and_its_remote_answers_on(scene: Scene, tmp_path: Path) -> None:
    """A clone of its own, whose remote goes away; a registry of its own, which stops."""
    with Server(tmp_path / "registry") as registry:
        own = Scene(tmp_path / "models", registry.url)
        own.start()
        remote = tmp_path / "remote.git"
        own.git("init", "-q", "--bare", "-b", "main", str(remote), folder=tmp_path)
        own.git("remote", "add", "origin", str(remote))
        own.register(1)
        for bindings in ({"staging": 1}, {"staging": 1, "production": 1}):
            wanted: dict[str, Any] = bindings
            own.declare(**wanted)
            own.git("push", "-q", "origin", "main")
            assert own.reconcile().exit_code == 0
        clone = tmp_path / "clone"
        own.git("clone", "-q", str(remote), str(clone), folder=tmp_path)
        with Serving(clone, own.name, url=registry.url, log=tmp_path / "log") as api:
            registry.stop()
            shutil.move(remote, tmp_path / "elsewhere.git")
            told = api.wait(lambda: api.get("/health").json()["troubles"].get("journal"), "it does not notice", 30)
            assert "what is applied cannot be read" in told
            assert api.get("/health").json()["status"] == "degraded"
            assert api.post(json=[ROW]).status_code == 200
            assert api.get("/ready").status_code == 200
            shutil.move(tmp_path / "elsewhere.git", remote)
            api.wait(lambda: api.get("/health").json()["status"] == "serving", "it does not recover", 60)
            assert "what is applied can be read again" in api.told()


def test_a_token_is_asked_for_and_requests_under_way_are_answered_at_the_end(scene: Scene, tmp_path: Path) -> None:
    """NAME/VERSION serves one version; SIGTERM while a request is being sent still gives its answer, and the process ends with 0."""
    token = "a-token-of-some-length"
    api = Serving(scene.folder, f"{scene.name}/3", url=scene.url, log=tmp_path / "log", environment={"PROMOTION_SERVE_TOKEN": token})
    api.start()
    try:
        allowed = {"Authorization": f"Bearer {token}"}
        for path in ("/version", "/metrics", "/openapi.json"):
            assert api.get(path).status_code == 401
            assert api.get(path, headers=allowed).status_code == 200
        assert api.post(json=[ROW]).status_code == 401
        assert api.post(json=[ROW], headers={"Authorization": b"Bearer \xc3\xa9"}).status_code == 401
        assert api.post(json=[ROW], headers=allowed).json()["version"] == 3
        assert token not in api.told()

        body = json.dumps([ROW]).encode()
        host, port = api.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
            time.sleep(0.3)
            assert api.running is not None
            api.running.terminate()
            time.sleep(0.3)
            connection.sendall(body[10:])
            connection.settimeout(20)
            assert b"200 OK" in connection.recv(65536)
        # Supervisors repeat their signal: none may end the process as if something had been lost, not even while Python takes itself down.
        running, end = api.running, time.monotonic() + 30
        while running.poll() is None and time.monotonic() < end:
            running.terminate()
        assert api.stop() == 0
        assert "every request that had come was answered" in api.told()
    finally:
        api.stop()


def test_a_name_of_which_nothing_is_applied_is_told(scene: Scene, tmp_path: Path) -> None:
    api = Serving(scene.folder, f"{scene.name}x@staging", url=scene.url, log=tmp_path / "log").start(ready=False)
    try:
        api.wait(lambda: f"nothing of {scene.name}x is applied in staging" in api.told(), "it is not told", 60)
        assert api.get("/health").json()["status"] == "nothing is applied"
        assert api.post(json=[ROW]).json()["error"] == f"nothing of {scene.name}x is applied in staging"
    finally:
        assert api.stop() == 0


def test_mistakes_end_before_anything_is_served(scene: Scene) -> None:
    for what, told in (
        (f"{scene.name}@prodction", "there is no environment 'prodction'"),
        (f"{scene.name}/v1", "is not NAME/VERSION"),
        ("@staging", "no model is named"),
    ):
        command = [sys.executable, "-m", "promotion", "--tracking-uri", scene.url, "serve", what]
        done = subprocess.run(command, cwd=scene.folder, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
