"""From a failed check to the registry that shows the version before, and to the revert on origin: journal signed, digests computed anew."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.benchmarks.measuring import PROMOTION, STARTING, Row, Scale, medians
from tests.models import register_version
from tests.server import Server
from tests.workflows.act import git
from tests.workflows.scene import Scene


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """The verdict is in a file when the clock starts; the clock stops when stage and alias show the predecessor, and when main does."""
    with Server(folder / "server") as server:
        rounds = [_once(Scene(folder / f"round-{number}", server.url, f"back-{number}", "none")) for number in range(scale.runs)]
        (starting,) = medians((STARTING,), scale.runs, folder, server.url)
    for work, seconds in zip(
        ("failed check → registry is back", "failed check → revert on origin"), zip(*rounds, strict=True), strict=True
    ):
        median = statistics.median(seconds)
        yield Row(work, "start-up alone", median, starting, median - starting, "≤ 5 s")


def _once(scene: Scene) -> tuple[float, float]:
    """Promote version 1, then 2, to staging; replace the bytes of 2; check it, and roll back what failed. Seconds to both ends."""
    for seed in (1, 2):
        register_version(scene.url, scene.good, seed=seed)
    scene.prepare()
    for version in (1, 2):
        scene.declare(good_staging=version)
        scene.commit(f"Version {version}")
        scene.push("main")
        _ran(scene, 0, "reconcile", "--signing-key", str(scene.key))
    _replace(scene)
    file = scene.folder / "verified.json"
    # 5: beside the digest that failed, its figures could not be measured, for bytes that nobody promoted are not fetched.
    _ran(scene, 5, "verify", "--since", "none", "--no-measure", "--out", str(file))
    began = time.perf_counter()
    command = (PROMOTION, "rollback", "--failed", str(file), "--push", "--signing-key", str(scene.key))
    environment = {"PATH": scene.path, "HOME": str(scene.folder), "MLFLOW_TRACKING_URI": scene.url}
    with subprocess.Popen(command, cwd=scene.clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        while not _is_back(scene) and child.poll() is None:
            time.sleep(0.01)
        shown = time.perf_counter() - began
        output, _ = child.communicate()
        pushed = time.perf_counter() - began
    if child.returncode or not _is_back(scene) or not git(scene.origin, "log", "-1", "--format=%s", "main").startswith("Roll back"):
        raise RuntimeError(f"not rolled back ({child.returncode}):\n{output.decode()}")
    return shown, pushed


def _ran(scene: Scene, code: int, *arguments: str) -> None:
    done = scene.promotion(*arguments)
    if done.returncode != code:
        raise RuntimeError(f"promotion {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _replace(scene: Scene) -> None:
    """Put a file beside the model of version 2, behind the registry's back."""
    where = _get(scene, "model-versions/get-download-uri", version="2")["artifact_uri"].removeprefix("mlflow-artifacts:/").strip("/")
    requests.put(f"{scene.url}/api/2.0/mlflow-artifacts/artifacts/{where}/added.txt", data=b"others", timeout=30).raise_for_status()


def _is_back(scene: Scene) -> bool:
    """Whether readers by stage and by alias find version 1."""
    model = _get(scene, "registered-models/get")["registered_model"]
    aliases = {one["alias"]: one["version"] for one in model.get("aliases", ())}
    stages = {one["current_stage"]: one["version"] for one in model.get("latest_versions", ())}
    return aliases.get("staging") == "1" == stages.get("Staging")


def _get(scene: Scene, path: str, **query: str) -> dict:
    answer = requests.get(f"{scene.url}/api/2.0/mlflow/{path}", params={"name": scene.good, **query}, timeout=30)
    answer.raise_for_status()
    found: dict = answer.json()
    return found
