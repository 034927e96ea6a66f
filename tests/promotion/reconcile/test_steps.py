"""Fetch, measure and decide as three steps, each with what it needs and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from promotion.errors import Exit, UsageError
from promotion.orders import read
from promotion.reconcile import Options
from tests.promotion.reconcile.test_drift import replace_file
from tests.scene import NAMING, Scene

Served = Callable[[int], Scene]
BOUND = NAMING + "  - gate: bound\n    metric: f1\n    min: {least}\n"


def run(scene: Scene, *arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command line as CI calls it; without ``url`` no registry can be reached."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**kept, "PYTHONPATH": str(Path(__file__).parents[3]), "MLFLOW_TRACKING_URI": url or "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "promotion", *arguments]
    return subprocess.run(command, cwd=scene.folder, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture
def ready(served: Served) -> Scene:
    scene = served(2)
    scene.measure()
    for environment in ("staging", "production"):
        scene.rule(environment, BOUND.format(least=0.5))
    scene.declare(staging=1, production=2)
    return scene


def test_the_three_steps_decide_as_one_does(ready: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    done = run(ready, "fetch", str(folder), url=ready.url)
    assert done.returncode == 0, done.stderr
    assert [(order.version, order.evaluation) for order in read(folder).orders] == [(1, "rows"), (2, "rows")]
    assert run(ready, "reconcile", "--no-measure", url=ready.url).returncode == Exit.ERRORED, "nothing was measured yet"
    assert ready.shown()["stages"] == {1: "None", 2: "None"}
    done = run(ready, "measure", str(folder), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert len({one["evidence"] for one in json.loads(done.stdout)["measured"]}) == 2
    done = run(ready, "reconcile", "--no-measure", "--evidence", str(folder), url=ready.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ready.shown()["stages"] == {1: "Staging", 2: "Production"}
    done = run(ready, "fetch", str(tmp_path / "again"), url=ready.url)
    assert "nothing to measure" in done.stdout


def test_what_has_its_evidence_is_not_measured_again(ready: Scene, tmp_path: Path) -> None:
    ready.declare(staging=1)
    ready.reconcile()
    ready.declare(staging=2, production=1)
    run(ready, "fetch", str(tmp_path / "work"), url=ready.url)
    assert [order.version for order in read(tmp_path / "work").orders] == [2]


def test_files_that_changed_on_the_way_are_not_measured(ready: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    run(ready, "fetch", str(folder), url=ready.url)
    order = read(folder).orders[0]
    (folder / "models" / order.digest / "added").write_text("x")
    done = run(ready, "measure", str(folder))
    assert done.returncode == Exit.ERRORED
    assert f"not measured: {order}: the files of {order.model}/{order.version} changed since they were fetched" in done.stdout
    assert "f1" in done.stdout, "the other one was measured"


def test_evidence_of_other_bytes_decides_nothing(ready: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    run(ready, "fetch", str(folder), url=ready.url)
    run(ready, "measure", str(folder))
    by_digest = {path.parent.name: path for path in (folder / "evidence").glob("*/*.json")}
    (one, other) = by_digest.values()
    one.write_bytes(other.read_bytes())
    outcome = ready.reconcile(Options(measure=False), evidence=folder)
    assert outcome.exit_code is Exit.ERRORED
    assert len(outcome.refused) == 2, "one promotion that is refused refuses the model's other one"
    told = [verdict.got for one in outcome.refused for verdict in one.verdicts if verdict.gate == "bound" and verdict.status.blocks]
    assert len(told) == 1
    assert "what is kept does not count" in told[0]


def test_what_must_not_be_loaded_is_not_fetched(ready: Scene, tmp_path: Path) -> None:
    replace_file(ready, 2, "model.pkl", b"\x80\x04}.")
    done = run(ready, "fetch", str(tmp_path / "work"), url=ready.url)
    assert "not to be loaded" in done.stdout
    assert [order.version for order in read(tmp_path / "work").orders] == [1]
    assert len(list((tmp_path / "work" / "models").iterdir())) == 1


def test_a_folder_in_use_another_commit_and_a_broken_file_are_refused(ready: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    run(ready, "fetch", str(folder), url=ready.url)
    assert "is not empty" in run(ready, "fetch", str(folder), url=ready.url).stderr
    ready.commit("meanwhile")
    assert "was fetched for" in run(ready, "measure", str(folder)).stderr
    (folder / "orders.json").write_text('{"schema": "promotion/orders/v1", "commit": "x", "orders": [{"model": 1}], "left_out": []}')
    with pytest.raises(UsageError, match="cannot be used"):
        read(folder)
    done = run(ready, "measure", str(folder))
    assert (done.returncode, "promotion fetch" in done.stderr) == (Exit.USAGE, True)


def test_orders_lead_to_no_other_folder(ready: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    run(ready, "fetch", str(folder), url=ready.url)
    found = json.loads((folder / "orders.json").read_text())
    found["orders"][0]["digest"] = "../../../etc"
    (folder / "orders.json").write_text(json.dumps(found))
    with pytest.raises(UsageError, match="is no digest"):
        read(folder)
