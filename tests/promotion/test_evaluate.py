"""Measuring: real children, good and bad ones. Whatever a model does, the answer is evidence or the reason why there is none."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from promotion import confine, replicates, sources
from promotion.domain import ModelVersionRef, Place
from promotion.errors import Unavailable, UsageError
from promotion.evaluate import NotMeasured, evaluate, evidence_key, pinned_dataset
from promotion.evidence import read
from promotion.policies import Dataset, Evaluation
from promotion.progress import Progress
from promotion.registry.memory import MemoryRegistry
from promotion.resampling import SEED
from promotion.sources import evaluator_digest
from tests.models import tiny_booster

NAME = "moe-cybersecurity-cicids"
REF = ModelVersionRef(NAME, 1)
NOW = datetime(2026, 10, 2, 12, 0, tzinfo=UTC)
ROWS = b"1,attack\n2,benign\n"
MLMODEL = b"flavors:\n  python_function:\n    data: model.json\n    loader_module: mlflow.xgboost\n"

EVALUATORS = Path(__file__).parents[1] / "examples" / "evaluators" / "scoring.py"


@pytest.fixture
def root(tmp_path):
    """A tenant's checkout: its evaluators and its rows."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(EVALUATORS, folder / "scoring.py")
    (folder / "rows.csv").write_bytes(ROWS)
    return folder


@pytest.fixture(scope="session")
def files():
    return {"MLmodel": MLMODEL, "model.json": bytes(tiny_booster(0).save_raw("json"))}


@pytest.fixture
def registry(files):
    made = MemoryRegistry()
    made.add_version(NAME, files)
    return made


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Iterator[Callable[..., None]]:
    """A machine that has these tools alone on its path, to isolate with."""

    def having(*tools: str) -> None:
        folder = tmp_path / "tools"
        folder.mkdir()
        for tool in (*tools, "true"):
            (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is not installed"))
        monkeypatch.setenv("PATH", str(folder))
        confine.isolation_at_hand.cache_clear()

    yield having
    confine.isolation_at_hand.cache_clear()


def evaluation(function: str = "good", **given) -> Evaluation:
    values = {
        "name": "flows",
        "models": ("*",),
        "evaluator": f"scoring:{function}",
        "sources": ("scoring.py",),
        "dataset": Dataset("rows.csv", hashlib.sha256(ROWS).hexdigest(), "make data"),
        "timeout": 30.0,
        "memory": 1 << 30,
        "settings": {"threshold": 0.5},
        "place": Place("policies/production.yaml", 3, 5),
    }
    return Evaluation(**{**values, **given})


def measured(registry, root, function="good", **given):
    return evaluate(registry, REF, evaluation(function, **given), root, by="ci", now=lambda: NOW)


def test_evidence_says_what_was_measured_and_how(registry, root):
    evidence = measured(registry, root)

    assert evidence.artifact == registry.artifact(NAME, 1).digest
    assert evidence.key == evidence_key(evidence.artifact, evaluation(), root)
    assert evidence.figures["f1"] == 1
    assert (evidence.subject, evidence.by, evidence.started) == (f"{NAME}/1", "ci", NOW)
    assert evidence.isolation.startswith("own session, clean environment")
    assert evidence.versions["python"].startswith("3.")
    processors = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    assert evidence.hardware["processor"] in processors or "model name" not in processors
    assert read(evidence.to_bytes()).digest == evidence.digest


def test_a_lock_file_and_the_seeds_are_part_of_the_evidence(registry, root):
    (root / "constraints.txt").write_text("xgboost==3.1.2\n")
    with_lock = evaluation("by_row", lock="constraints.txt")
    evidence = evaluate(registry, REF, with_lock, root, by="ci", now=lambda: NOW)

    assert evidence.evaluator.lock == evaluator_digest(root, ("constraints.txt",))
    assert evidence.key == evidence_key(evidence.artifact, with_lock, root) != evidence_key(evidence.artifact, evaluation("by_row"), root)
    assert evidence.seeds == {"python": 0, "resamples": SEED}
    assert read(evidence.to_bytes()) == replace(evidence, resampled=None, beside=evidence.replicates)
    (root / "constraints.txt").write_text("xgboost==3.1.3\n")
    assert evidence.key != evidence_key(evidence.artifact, with_lock, root), "other libraries, measured again"
    (root / "constraints.txt").unlink()
    with pytest.raises(UsageError, match=r"evaluation 'flows': no file matches 'constraints\.txt'"):
        evidence_key(evidence.artifact, with_lock, root)


def test_shards_are_merged(registry, root):
    assert measured(registry, root, "sharded").counts.rows == 6


def test_outcomes_are_counted_and_resampled_in_the_child(registry, root):
    sharded, whole = measured(registry, root, "by_row"), measured(registry, root, "by_row_at_once")

    assert sharded.counts.parts == whole.counts.parts
    assert sharded.figures["accuracy"] == pytest.approx(0.9)
    assert sharded.figures["router.tabular"] == 0.25
    assert sharded.figures["class.DDoS.support"] == 100
    assert sharded.resampled == whole.resampled
    assert sharded.resampled is not None
    resamples = replicates.read(sharded.resampled, sharded.counts)
    f1 = resamples.figure("f1", sharded.counts)
    assert f1 is not None
    assert np.quantile(f1, 0.025) < sharded.figures["f1"] < np.quantile(f1, 0.975)
    assert read(sharded.to_bytes()).replicates == hashlib.sha256(sharded.resampled).hexdigest()


def test_memory_does_not_grow_with_the_rows(registry, root):
    assert measured(registry, root, "by_row_of_many", memory=256 << 20, timeout=120.0).counts.rows == 163_840


def test_a_long_measurement_tells_how_far_it_is(registry, root, monkeypatch):
    monkeypatch.setattr("promotion.progress.EVERY", 0.4)
    told: list[str] = []
    evaluate(registry, REF, evaluation("by_row_slowly"), root, by="ci", now=lambda: NOW, share=confine.Share(report=told.append))
    assert 3 <= len(told) <= 20, told
    assert all(one.startswith(f"measuring {NAME}/1 by flows: ") and one.endswith(" s, of at most 30 s") for one in told), told
    assert any(f": {rows} rows in " in one for one in told for rows in (100, 200)), told


@pytest.mark.parametrize("said", [b"12x", b"9" * 40, b"-1", b"", b"\xff", b"1\x1b[2J", None])
def test_of_what_is_no_number_of_rows_nothing_is_told(tmp_path, said):
    place = tmp_path / "progress.txt"
    if said is None:
        place.symlink_to("/etc/hostname")
    else:
        place.write_bytes(said)
    told: list[str] = []
    Progress("measuring m/1", 60, place, told.append)(12.0)
    assert told == ["measuring m/1: in 12 s, of at most 60 s"]


BAD = [
    ("raises", "ValueError: the rows ?[31mare odd"),
    ("exits", "SystemExit: 0"),
    ("vanishes", "left no result"),
    ("crashes", "ended by signal 11|failed with status 139"),
    ("nothing", "must give counts"),
    ("no_shards", "no counts at all"),
    ("text", "do not add up|valid dictionary|CountsError"),
    ("nan", "seconds"),
    ("negative", "rows"),
    ("more", "f1: Extra inputs"),
    ("garbage", "not JSON"),
    ("forged", "do not add up"),
    ("by_row_odd", "block 1 of the outcomes: truth must be places in labels, 0 to 1"),
    ("by_row_forged", "resamples that cannot be used"),
    ("by_row_bomb", "too large"),
    ("huge", "too large"),
    ("linked", "left no result"),
    ("absent", "AttributeError"),
    ("edits_itself", "Read-only file system|changed while it ran"),
    ("kills_its_parent", "ended by signal 9|failed with status 137|PermissionError|left no result"),
    ("writes_much", "File too large|failed with status"),
]


@pytest.mark.parametrize(("function", "words"), BAD, ids=[name for name, _ in BAD])
def test_a_bad_child_is_told_as_not_measured(registry, root, function, words):
    with pytest.raises(NotMeasured) as caught:
        measured(registry, root, function)
    assert any(one in caught.value.message for one in words.split("|")), caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 5
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("function", ["loops", "sleeps_deaf"])
def test_a_child_without_end_is_stopped(registry, root, function):
    started = time.monotonic()
    with pytest.raises(NotMeasured, match=r"stopped: it took longer than 1.5 s"):
        measured(registry, root, function, timeout=1.5)
    assert time.monotonic() - started < 6


@pytest.mark.parametrize("function", ["eats", "grabs", "shares_out"])
def test_a_child_that_eats_memory_is_stopped(registry, root, function):
    with pytest.raises(NotMeasured, match=r"more than 200 MiB|MemoryError"):
        measured(registry, root, function, memory=200 << 20)


def test_a_child_that_multiplies_is_stopped(registry, root):
    with pytest.raises(NotMeasured, match="it started more than 512 processes"):
        measured(registry, root, "forks", memory=1 << 42, timeout=120)


def test_a_gigabyte_of_output_is_drained(registry, root):
    assert measured(registry, root, "prints").figures["f1"] == 1


def test_what_a_child_said_is_harmless(registry, root, tmp_path):
    limits = confine.Limits(20, 1 << 30)
    ended = confine.run(["-c", r"print('::add-mask::x\x1b[2J'); print('y' * 100000)"], folder=tmp_path, path=root, limits=limits)
    assert ended.status == 0
    assert len(ended.output) <= 16 << 10
    assert "::" not in ended.output
    assert "\x1b" not in ended.output


def test_a_child_sees_no_credentials(registry, root, monkeypatch):
    monkeypatch.setenv("REGISTRY_SECRET", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hunter2")
    assert set(confine.environment(Path("/x"), root)) <= {
        *(
            "PATH",
            "LD_LIBRARY_PATH",
            "CUDA_VISIBLE_DEVICES",
            "TZ",
            "SSL_CERT_FILE",
            "OMP_NUM_THREADS",
            "OMP_WAIT_POLICY",
            "HOME",
            "TMPDIR",
            "LANG",
        ),
        *("PYTHONPATH", "PYTHONHASHSEED", "PYTHONUNBUFFERED", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "DO_NOT_TRACK", "PROMOTION_CONFINED"),
    }
    assert measured(registry, root, "spies").figures["f1"] == 1


def test_the_network_is_cut_where_evidence_says_so(registry, root):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        (root / "port").write_text(str(server.getsockname()[1]))
        isolation, _ = confine.isolation_at_hand()
        if "network cut off" in isolation:
            with pytest.raises(NotMeasured, match=r"OSError|ConnectionError|unreachable|refused"):
                measured(registry, root, "connects")
        else:
            assert "network not cut" in measured(registry, root, "connects").isolation


@pytest.mark.parametrize("tools", [None, ()], ids=["isolated", "with nothing at hand"])
@pytest.mark.parametrize("function", ["rings", "rings_by_a_child", "rings_by_a_thread"])
def test_a_child_reaches_no_agent(registry, root, machine, function, tools):
    """A socket in the file system: the agent with the journal's key listens at one, and read-only files do not keep anybody from it."""
    import socket

    if tools is not None:
        machine(*tools)
    with tempfile.TemporaryDirectory(prefix="d") as place, socket.socket(socket.AF_UNIX) as agent:  # the socket's path must be short
        (root / "door").write_text(f"{place}/door")
        agent.bind(f"{place}/door")
        agent.listen()
        agent.setblocking(False)
        with pytest.raises(NotMeasured, match="Permission denied"):
            measured(registry, root, function)
        with pytest.raises(BlockingIOError):
            agent.accept()


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no /dev/shm")
def test_a_temporary_folder_under_dev_is_seen_by_the_child(registry, root, machine, monkeypatch):
    machine(*(tool for tool in ("bwrap", "unshare") if shutil.which(tool)))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        assert measured(registry, root).figures["f1"] == 1


def test_evidence_tells_where_nothing_isolates(registry, root, machine):
    machine()
    (root / "port").write_text("0")
    assert measured(registry, root).isolation == "own session, clean environment; network not cut"


def _leaves_nothing_behind(registry, root):
    measured(registry, root, "leaves_child")
    assert (root / "started").exists()
    time.sleep(2.5)
    assert not (root / "lived").exists()


def test_what_a_child_left_behind_is_killed(registry, root, machine):
    machine("unshare")
    _leaves_nothing_behind(registry, root)


def test_what_a_child_left_behind_is_killed_without_namespaces(registry, root, machine):
    machine()
    _leaves_nothing_behind(registry, root)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
@pytest.mark.parametrize("where", ["checkout", "home", "model", "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
def test_a_child_writes_to_its_own_folder_alone(registry, root, monkeypatch, where):
    """Not to the policies, the user's files, the model that others measure next, or the files that CI reads variables from."""
    commands = root.parent / "set_env"
    commands.write_text("")
    if where.startswith("GITHUB_"):
        monkeypatch.setenv(where, str(commands))
    target = {"checkout": str(root / "policy"), "home": str(root.parent / "x"), "model": ""}.get(where, str(commands))
    (root / "target").write_text(target)
    with pytest.raises(NotMeasured, match="Read-only file system"):
        measured(registry, root, "writes_elsewhere")
    assert not (root / "policy").exists()
    assert commands.read_text() == ""


def test_another_digest_than_pinned_is_not_measured(registry, root):
    with pytest.raises(UsageError, match=f"not sha256:{'0' * 64}"):
        evaluate(registry, replace(REF, digest="0" * 64), evaluation(), root, by="ci")


def test_a_refused_format_is_never_loaded(registry, root, files):
    registry.replace_files(NAME, 1, {**files, "more.bin": b"\x80\x04N."})
    with pytest.raises(NotMeasured, match=r"not loaded: more\.bin: a pickle"):
        measured(registry, root)


def test_a_missing_dataset_is_unavailable_with_the_command(registry, root):
    (root / "rows.csv").unlink()
    with pytest.raises(Unavailable, match=r"rows\.csv cannot be read") as caught:
        measured(registry, root)
    assert caught.value.hint == "get it with: make data"


def test_another_dataset_is_unavailable_and_says_both(registry, root):
    (root / "rows.csv").write_bytes(b"1,benign\n")
    with pytest.raises(Unavailable) as caught:
        measured(registry, root)
    assert hashlib.sha256(ROWS).hexdigest() in caught.value.message
    assert hashlib.sha256(b"1,benign\n").hexdigest() in caught.value.message


def test_a_dataset_is_read_once_for_all_versions_and_again_when_it_was_written_to(registry, root, monkeypatch):
    read_now: list[Path] = []
    digest = sources.file_digest

    def counting(path: Path) -> str:
        read_now.append(path)
        return digest(path)

    monkeypatch.setattr(sources, "file_digest", counting)
    path, pinned = root / "rows.csv", evaluation().dataset
    assert [pinned_dataset(pinned, root) for _ in range(3)] == [path] * 3
    assert read_now == [path]
    before = path.stat()
    path.write_bytes(ROWS.replace(b"attack", b"benign"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    with pytest.raises(Unavailable, match="where the policy pins"):
        pinned_dataset(pinned, root)
    assert read_now == [path, path]


def test_a_source_pattern_without_files_points_at_the_policy(registry, root):
    with pytest.raises(UsageError, match=r"evaluation 'flows': no file matches 'train/\*\.py'") as caught:
        measured(registry, root, sources=("scoring.py", "train/*.py"))
    assert caught.value.place == Place("policies/production.yaml", 3, 5)


@pytest.mark.parametrize("patterns", [(), ("",), ("missing",), ("../*",), ("/etc/host*",)])
def test_sources_that_cannot_be_an_identity(root, patterns):
    (root.parent / "outside.py").write_text("x")
    with pytest.raises(UsageError):
        evaluator_digest(root, patterns)


def test_a_linked_source_outside_is_refused(root):
    (root / "linked.py").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="leads outside"):
        evaluator_digest(root, ("*.py",))


def test_the_evaluators_identity_is_that_of_its_files(root, tmp_path):
    (root / "train/parts").mkdir(parents=True)
    (root / "train/a.py").write_text("a")
    (root / "train/parts/b.py").write_text("b")
    first = evaluator_digest(root, ("train/**",))

    assert evaluator_digest(root, ("train/**/*.py", "train/a.py")) == first
    copied = Path(shutil.copytree(root, tmp_path / "elsewhere"))
    (copied / "train/__pycache__").mkdir()
    (copied / "train/__pycache__/a.pyc").write_bytes(b"x")
    assert evaluator_digest(copied, ("train/**",)) == first
    (copied / "train/parts/b.py").write_text("B")
    assert evaluator_digest(copied, ("train/**",)) != first
    (root / "train/parts/b.py").rename(root / "train/parts/c.py")
    assert evaluator_digest(root, ("train/**",)) != first


def test_the_work_folder_is_gone_afterwards(registry, root, tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    measured(registry, root)
    with pytest.raises(NotMeasured):
        measured(registry, root, "vanishes")
    assert list(place.iterdir()) == []
