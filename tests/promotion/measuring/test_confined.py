"""Bad children: whatever a model or an evaluator does to the machine, the answer is evidence or the reason why there is none."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from promotion import confine
from promotion.evaluate import NotMeasured
from tests.promotion.measuring.conftest import measured

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
