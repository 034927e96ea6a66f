"""``promotion serve`` against ``mlflow models serve``: the same model, loopback, in turn in the same run; and twenty swaps under load.

    python -m tests.benchmarks.serving [--quick] [speed] [swaps]

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
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promotion.registry.connect import connect
from tests.models import FEATURES, register_version, tiny_booster
from tests.scene import Scene
from tests.server import Server, free_port
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
rows = np.resize(np.array([[float(value) for value in served.sample.values()]]), (int(sys.argv[3]), len(served.columns.names)))
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        began = time.perf_counter()
        served.call(rows)
        times.append(time.perf_counter() - began)
    print(json.dumps(times), flush=True)
"""


def main(arguments: list[str]) -> None:
    """Measure and print."""
    quick = "--quick" in arguments
    wanted = [one for one in arguments if not one.startswith("-")] or ["speed", "swaps"]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load}, Python {sys.version.split()[0]}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="serving-bench-") as scratch, Server(Path(scratch) / "server") as server:
        folder = Path(scratch)
        if "speed" in wanted:
            for kind, version in (
                ("mixture (pt2)", _mixture(folder, server)),
                ("trees (xgboost)", register_version(server.url, "speed-trees")),
            ):
                _speed(folder, server, kind, "speed-mixture" if "mixture" in kind else "speed-trees", version, quick=quick)
        if "swaps" in wanted:
            _swaps(folder, server, 4 if quick else 20)


def _speed(folder: Path, server: Server, kind: str, name: str, version: int, *, quick: bool) -> None:
    model = folder / name
    connect(server.url, server.url).download(name, version, model)
    threads = len(os.sched_getaffinity(0))
    ones, manies = (20, 2) if quick else (100, 4)
    with (
        Serving(Path.cwd(), f"{name}/{version}", url=server.url, log=folder / "ours.log") as ours,
        _theirs(model, folder / "theirs.log") as (url, group),
        _bare(model, threads, 1) as bare_one,
        _bare(model, threads, MANY) as bare_many,
    ):
        sample = ours.get("/openapi.json").json()["components"]["schemas"]["Row"]["example"]
        for rows, count, bare in ((1, ones, bare_one), (MANY, manies, bare_many)):
            split = {"columns": list(sample), "data": [list(sample.values())] * rows}
            first = Line(ours.url, "/predict", json.dumps(split).encode())
            second = Line(url, "/invocations", json.dumps({"dataframe_split": split}).encode())
            found: dict[str, list[float]] = {"ours": [], "mlflow": [], "bare": []}
            for turn in range(TURNS + 1):  # the first does not count
                for way, measure in (("ours", first.times), ("mlflow", second.times), ("bare", bare)):
                    times = measure(count)
                    found[way] += times if turn else []
            _print(f"{kind}, {rows} rows", found)
        print(
            f"{kind}: memory {_resident([ours.running.pid if ours.running else 0]):.0f} MB, mlflow {_resident(_members(group)):.0f} MB\n",
            flush=True,
        )


def _print(work: str, found: dict[str, list[float]]) -> None:
    middle = {way: statistics.median(times) for way, times in found.items()}
    last = {way: statistics.quantiles(times, n=100)[98] for way, times in found.items()}
    rate = {way: len(times) / sum(times) for way, times in found.items()}
    print(
        f"{work:<28} requests/s {rate['ours']:8.1f}  mlflow {rate['mlflow']:7.1f}  × {rate['ours'] / rate['mlflow']:5.2f} | "
        f"median ms {1e3 * middle['ours']:7.2f}  mlflow {1e3 * middle['mlflow']:7.2f}  bare {1e3 * middle['bare']:7.2f}  "
        f"of bare {middle['ours'] / middle['bare']:6.3f} | p99 ms {1e3 * last['ours']:7.2f}  mlflow {1e3 * last['mlflow']:7.2f}",
        flush=True,
    )


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
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
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
def _bare(model: Path, threads: int, rows: int) -> Iterator[Callable[[int], list[float]]]:
    with subprocess.Popen(
        [sys.executable, "-c", BARE, str(model), str(threads), str(rows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        stdin, stdout = running.stdin, running.stdout

        def times(count: int) -> list[float]:
            stdin.write(f"{count}\n")
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


def _swaps(folder: Path, server: Server, count: int) -> None:
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
    print(f"{count} swaps under load: {len(answers)} answers, {failed} failed, {wrong} of another version than their header says")
    print(f"reconcile → served: median {statistics.median(waits):.2f} s, longest {max(waits):.2f} s", flush=True)


def _wrong(name: str, told: dict[str, Any], right: dict[str, float]) -> bool:
    """Whether an answer is not the one of the version in its header."""
    return f"{told['model']}/{told['version']}" != name or abs(told["predictions"][0] - right[name]) > 1e-6


def _apply(scene: Scene, **bindings: Any) -> None:
    scene.declare(**bindings)
    code = scene.reconcile().exit_code
    if code:
        raise RuntimeError(f"reconcile ended with {code}")


if __name__ == "__main__":
    os.environ |= {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_CONFIG_GLOBAL": os.devnull}
    main(sys.argv[1:])
