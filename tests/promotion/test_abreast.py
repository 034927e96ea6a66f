"""Several versions measured at once: nothing that is found, told or kept depends on which of them is done first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from promotion import confine
from promotion.abreast import Abreast
from promotion.confine import Share
from promotion.evidence import read
from promotion.gates.interface import Measured, Unknown
from tests.models import tiny_booster
from tests.promotion.gates.samples import NAME, change
from tests.promotion.test_facts import MLMODEL, Counting, collector, policies, root

__all__ = ["root"]

UNEQUAL = """
import time
from pathlib import Path
def evaluate(model, dataset, settings):
    kind = (Path(model) / "notes.txt").read_text()
    if kind == "slow": time.sleep(1)
    if kind == "bad": raise ValueError("it cannot be scored")
    return {"schema": "promotion/counts/v1", "rows": 1, "seconds": 0.1, "positive": "attack",
            "parts": {"model": {"labels": ["attack", "benign"], "confusion": [[1, 0], [0, 0]]}}}
"""
"""The first that is begun is done last."""


@pytest.fixture
def models(root):
    """Three models of one version each: one is slow, one is bad, one is quick; and changes that promote all of them."""
    (root / "scoring.py").write_text(UNEQUAL)
    made, booster = Counting(), bytes(tiny_booster(0).save_raw("json"))
    for name in ("slow", "bad", "quick"):
        made.add_version(f"{NAME}-{name}", {"MLmodel": MLMODEL, "model.json": booster, "notes.txt": name.encode()})
    return made, [change(model=f"{NAME}-{name}", environment="staging", after=1) for name in ("slow", "bad", "quick")]


def collected(models, root, jobs, **given):
    registry, changes = models
    registry.told.clear()
    observed = registry.observe([one.model for one in changes])
    made = collector(registry, root, observed=observed, jobs=jobs, **given)
    return made, made.collect_all(changes)


def test_the_order_is_that_of_the_changes_whichever_is_done_first(models, root):
    told, subjects = [], []
    for jobs in (1, 3):
        made, facts = collected(models, root, jobs)
        told.append([line for line in models[0].told if line.startswith("measuring ")])
        subjects.append([read(statement).subject for statement in made.statements.values()])
        assert [model.removeprefix(f"{NAME}-") for model, _ in facts] == ["slow", "bad", "quick"]
    assert told[0] == told[1] == [f"measuring {NAME}-{name}/1 by flows" for name in ("slow", "bad", "quick")]
    assert subjects[0] == subjects[1] == [f"{NAME}-slow/1", f"{NAME}-quick/1"]


def test_one_that_cannot_be_measured_leaves_its_neighbours_alone(models, root):
    _, facts = collected(models, root, 3)
    found = {model.rpartition("-")[2]: one.evidence["flows"] for (model, _), one in facts.items()}
    assert isinstance(found["bad"], Unknown)
    assert "ValueError: it cannot be scored" in found["bad"].reason
    assert [type(found[name]) for name in ("slow", "quick")] == [Measured, Measured]


def test_each_is_measured_once_and_evidence_at_hand_is_used(models, root, tmp_path):
    registry, changes = models
    both = [*changes, *(change(model=one.model, environment="production", after=1) for one in changes)]
    collected((registry, both), root, 2, policies=(policies(), policies()), folder=tmp_path / "evidence")
    assert sum(line.startswith("measuring ") for line in registry.told) == 3
    assert sorted(registry.downloads) == sorted((one.model, 1) for one in changes)
    collected(models, root, 2, folder=tmp_path / "evidence")
    assert [line for line in registry.told if line.startswith("measuring ")] == [f"measuring {NAME}-bad/1 by flows"]


def test_they_run_at_the_same_time_each_with_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr("promotion.abreast.cores", lambda: 6)
    meeting, shares = threading.Barrier(3, timeout=20), []

    def work(share: Share) -> None:
        shares.append(share.threads)
        meeting.wait()

    with Abreast(3, most=10) as pool:
        for one in [pool.submit("", work) for _ in range(3)]:
            one.result()
    assert shares == [2, 2, 2]
    assert Abreast(None, most=99).jobs == 6
    assert Abreast(None, most=2).jobs == 2
    assert Abreast(8, most=0).jobs == 1


@pytest.mark.parametrize(("own", "share", "found"), [("", 2, "2"), ("1", 2, "1"), ("8", 2, "2"), ("x", 2, "2"), ("8", None, "8")])
def test_a_share_is_never_more_than_the_environment_allows(monkeypatch, tmp_path, own, share, found):
    monkeypatch.setenv("OMP_NUM_THREADS", own)
    assert confine.environment(tmp_path, tmp_path, threads=share)["OMP_NUM_THREADS"] == found


def test_an_exception_ends_what_runs_and_drops_what_waits(tmp_path):
    began, done = threading.Event(), []

    def work(share: Share) -> str | None:
        began.set()
        ended = confine.run(
            ["-c", "import time; time.sleep(300)"], folder=tmp_path, path=tmp_path, limits=confine.Limits(300, 1 << 30), share=share
        )
        done.append(ended.stopped)
        return ended.stopped

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Abreast(1, most=2) as pool:  # noqa: PT012 - what is tried is the block
        waiting = [pool.submit("", work) for _ in range(2)]
        began.wait(20)
        raise KeyboardInterrupt
    assert done == ["everything was to end"]
    assert waiting[1].cancelled()
    assert time.monotonic() - started < 60


ASLEEP = "import time\ndef evaluate(model, dataset, settings):\n    time.sleep(300)\n"
INTERRUPTED = """
import sys
from pathlib import Path
from promotion.cli.ending import run
import click
from tests.models import tiny_booster
from tests.promotion.gates.samples import change
from tests.promotion.test_facts import MLMODEL, Counting, collector

registry, changes = Counting(), []
for number in range(4):
    registry.add_version(f"model-{number}", {"MLmodel": MLMODEL, "model.json": bytes(tiny_booster(number).save_raw("json"))})
    changes.append(change(model=f"model-{number}", environment="staging", after=1))
made = collector(registry, Path(sys.argv[1]), observed=registry.observe([one.model for one in changes]), jobs=2)

@click.command()
def gate():
    made.collect_all(changes)

sys.exit(run(gate, []))
"""


def _of(folder: Path) -> set[int]:
    """The processes whose home is below a folder."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"HOME={folder}".encode() in entry.read_bytes():
                found.add(int(entry.parent.name))
        except OSError:
            continue
    return found


def _until(condition, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_none_is_left_running_after_an_interrupt(root, tmp_path, number):
    (root / "scoring.py").write_text(ASLEEP)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "gate.py").write_text(INTERRUPTED)
    environment = os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, str(tmp_path / "gate.py"), str(root)], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        homes = lambda: {Path(f"/proc/{pid}/environ").read_bytes().split(b"HOME=")[1].split(b"\0")[0] for pid in _of(scratch)}  # noqa: E731
        assert _until(lambda: len(homes()) == 2), "two are measured at once"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said.strip().splitlines()[-1]) == (130, "stopped")
    assert _of(scratch) == set()
    assert list(scratch.iterdir()) == [], "and their folders are gone"
