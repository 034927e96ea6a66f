"""``promotion serve`` against ``mlflow models serve``: the same model, loopback, in turn in the same run; and twenty swaps under load.

Requests go over one kept connection by a client that does nothing but send bytes and read the answer, with ``TCP_QUICKACK``, so that
neither server waits for a delayed acknowledgement. The bare forward pass is the same model's, in a process of its own, with as many
threads. Memory is the resident size of the server's processes after all requests.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from promotion.registry.connect import connect
from tests.benchmarks.measuring import QUICK, Row, Scale
from tests.models import FEATURES, register_version, tiny_booster
from tests.scene import Scene
from tests.server import STOCK, Server, free_port
from tests.serving import Serving

MANY = 1000
TURNS = 10
BARE = """
import json, sys, time
from pathlib import Path
from promotion.domain import ModelVersionRef
from promotion.serving.loading import _loaded
import numpy as np
served = _loaded(Path(sys.argv[1]), ModelVersionRef("bare", 1, "0"), int(sys.argv[2]))
for line in sys.stdin:
    count, requests = map(int, line.split())
    rows = np.resize(np.array([[float(value) for value in served.sample.values()]]), (count, len(served.columns.names)))
    times = []
    for _ in range(requests):
        began = time.perf_counter()
        served.call(rows)
        times.append(time.perf_counter() - began)
    print(json.dumps(times), flush=True)
"""


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """The mixture and the trees against both references, then swaps under load."""
    quick = scale == QUICK
    with Server(folder / "server") as server:
        mixture = _mixture(folder, server)
        trees = register_version(server.url, "speed-trees")
        for kind, name, version in (("mixture", "speed-mixture", mixture), ("3 trees", "speed-trees", trees)):
            yield from _speed(folder, server, kind, f"{name}/{version}", turns=3 if quick else TURNS)
        yield from _swaps(folder, server, 4 if quick else 20)


def _speed(folder: Path, server: Server, kind: str, version: str, *, turns: int) -> Iterator[Row]:
    name, _, number = version.partition("/")
    model = folder / name
    connect(server.url, server.url).download(name, int(number), model)
    threads = len(os.sched_getaffinity(0))
    with (
        Serving(Path.cwd(), version, url=server.url, log=folder / "ours.log") as ours,
        _theirs(model, folder / "theirs.log") as (url, group),
        _bare(model, threads) as bare,
    ):
        sample = ours.get("/openapi.json").json()["components"]["schemas"]["Row"]["example"]
        for count, requests in ((1, 100), (MANY, 4)):
            split = {"columns": list(sample), "data": [list(sample.values())] * count}
            first = Line(ours.url, "/predict", json.dumps(split).encode())
            second = Line(url, "/invocations", json.dumps({"dataframe_split": split}).encode())
            found = _turns(turns, requests, {"ours": first.times, "theirs": second.times, "bare": partial(bare, count)})
            yield from _compared(f"{kind}, {count:,} row{'s' * (count > 1)}", found)
        held, theirs = _resident([ours.running.pid if ours.running else 0]), _resident(_members(group))
        yield Row(f"{kind}: memory", "mlflow models serve, MB", held, theirs, held / theirs, "≤ 1 ×")


def _turns(turns: int, requests: int, ways: Mapping[str, Callable[[int], list[float]]]) -> dict[str, list[float]]:
    """Seconds of each request, way after way, turn after turn; the first turn does not count."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(turns + 1):
        for way, measure in ways.items():
            found[way] += measure(requests) if turn else measure(requests)[:0]
    return found


def _compared(work: str, found: Mapping[str, list[float]]) -> Iterator[Row]:
    middle = {way: statistics.median(times) for way, times in found.items()}
    last = {way: statistics.quantiles(times, n=100)[98] for way, times in found.items()}
    ours, theirs = (sum(found[way]) / len(found[way]) for way in ("ours", "theirs"))
    if work.endswith("1 row"):
        yield Row(f"{work}: requests a second", "mlflow models serve", ours, theirs, theirs / ours, "≥ 4 ×")
    else:
        yield Row(f"{work}: median", "the bare forward pass", middle["ours"], middle["bare"], middle["ours"] / middle["bare"], "≤ 1.15 ×")
    yield Row(f"{work}: p99", "mlflow models serve", last["ours"], last["theirs"], last["ours"] / last["theirs"], "≤ 1 ×")


class Line:
    """One kept connection that sends the same request again and again."""

    def __init__(self, url: str, path: str, body: bytes) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._address = host, int(port)
        self.connect()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body

    def connect(self) -> None:
        """Anew: servers close a connection that was idle for 5 s, while others were measured."""
        self._socket = socket.create_connection(self._address, timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> tuple[bytes, bytes]:
        """Head and body of one answer; raises RuntimeError when it is none."""
        self._socket.sendall(self._request)
        got = b""
        while True:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            part = self._socket.recv(1 << 20)
            got += part
            head, end, body = got.partition(b"\r\n\r\n")
            if not part:
                raise RuntimeError(f"the connection ended after {got[:200]!r}")
            if end:
                length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                if len(body) == length:
                    return head, body

    def times(self, count: int) -> list[float]:
        """Seconds of each of ``count`` requests, one after the other."""
        found = []
        self._socket.close()
        self.connect()
        for _ in range(count):
            began = time.perf_counter()
            head, body = self.ask()
            found.append(time.perf_counter() - began)
            if b" 200 " not in head.split(b"\r\n")[0] + b" ":
                raise RuntimeError(f"{head[:100]!r} {body[:300]!r}")
        return found


@contextmanager
def _theirs(model: Path, log: Path) -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "-p", str(port), "--env-manager", "local"]
    environment = {
        **os.environ,
        **STOCK,
        "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with log.open("wb") as output:
        running = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        end = time.monotonic() + 180
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", running.pid
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait()


@contextmanager
def _bare(model: Path, threads: int) -> Iterator[Callable[[int, int], list[float]]]:
    # As ``promotion serve`` sets them: how threads wait decides more than the server does, where others are busy.
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    with subprocess.Popen(
        [sys.executable, "-c", BARE, str(model), str(threads)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        stdin, stdout = running.stdin, running.stdout

        def times(rows: int, count: int) -> list[float]:
            stdin.write(f"{rows} {count}\n")
            stdin.flush()
            found: list[float] = json.loads(stdout.readline())
            return found

        yield times


def _members(group: int) -> list[int]:
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if path.read_text(errors="replace").rpartition(")")[2].split()[2] == str(group)
    ]


def _resident(pids: list[int]) -> float:
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _mixture(folder: Path, server: Server) -> int:
    """An untrained mixture of the settings' size: training changes no time."""
    from mlflow import MlflowClient

    from tests.benchmarks.scoring import _model

    (folder / "mixture").mkdir()
    _model(folder / "mixture")
    client = MlflowClient(server.url)
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(folder / "mixture" / "model"), "model")
    client.create_registered_model("speed-mixture")
    made = client.create_model_version("speed-mixture", f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0)
    return int(made.version)


def _swaps(folder: Path, server: Server, count: int) -> Iterator[Row]:
    """Promote version after version while four connections ask; every answer must be the one of the version in its header."""
    import xgboost as xgb

    scene = Scene(folder / "swaps", server.url)
    scene.start()
    scene.register(4)
    row = dict.fromkeys(FEATURES, 0.5)
    matrix = xgb.DMatrix([list(row.values())], feature_names=list(FEATURES))
    right = {f"{scene.name}/{seed + 1}": float(tiny_booster(seed).predict(matrix)[0]) for seed in range(4)}
    for version in (1, 2, 3, 4):
        _apply(scene, staging=version)
    _apply(scene, staging=4, production=1)
    waits, answers, failures, done = [], [], [], threading.Event()

    def ask(url: str) -> None:
        line = Line(url, "/predict", json.dumps([row]).encode())
        while not done.is_set():
            try:
                head, body = line.ask()
            except (OSError, RuntimeError) as error:
                failures.append(str(error))
                line = Line(url, "/predict", json.dumps([row]).encode())
                continue
            fields = dict(one.split(": ", 1) for one in head.decode().split("\r\n")[1:])
            answers.append((head.startswith(b"HTTP/1.1 200"), fields.get("model-version", ""), json.loads(body)))

    with Serving(scene.folder, scene.name, "--poll", "1", url=server.url, log=folder / "swaps.log") as api:
        threads = [threading.Thread(target=ask, args=(api.url,)) for _ in range(4)]
        for one in threads:
            one.start()
        for number in range(count):
            version = (number + 1) % 4 + 1
            _apply(scene, staging=4, production=version)
            began = time.monotonic()
            api.wait(lambda version=version: api.get("/version").json()["version"] == version, f"{version} is not served")
            waits.append(time.monotonic() - began)
        done.set()
        for one in threads:
            one.join()
    wrong = sum(_wrong(name, told, right) for good, name, told in answers if good)
    failed = len(failures) + sum(not ok for ok, _, _ in answers)
    yield Row(f"{count} swaps: failed or wrong answers", f"of {len(answers):,}", sum(waits), None, failed + wrong, "≤ 0")
    yield Row("reconcile → served, the longest", "", statistics.median(waits), None, max(waits), "≤ 5 s")


def _wrong(name: str, told: dict[str, Any], right: dict[str, float]) -> bool:
    """Whether an answer is not the one of the version in its header."""
    return f"{told['model']}/{told['version']}" != name or abs(told["predictions"][0] - right[name]) > 1e-6


def _apply(scene: Scene, **bindings: Any) -> None:
    scene.declare(**bindings)
    code = scene.reconcile().exit_code
    if code:
        raise RuntimeError(f"reconcile ended with {code}")
