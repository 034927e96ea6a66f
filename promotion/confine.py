"""Runs a program that is not trusted: own session, clean environment, limits on time, memory, processes and output.

Memory is polled: the resident size of the whole tree, every 50 ms. ``RLIMIT_AS`` would be too strict, since torch maps far
more address space than it touches; ``RLIMIT_DATA`` counts writable memory that is reserved, touched or not, so it stands at
twice the limit and only stops what allocates faster than the polling sees. Where the machine allows it (``bwrap``, ``unshare``), the
program has no network and sees no process but its own, hence no ``/proc/<parent>/environ``; its end is then the end of all of its
descendants. With bubblewrap it can write to its own folder alone. Elsewhere descendants are found by their session, their parents
and a mark in their environment.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import promotion

HASH_SEED = 0
"""Of Python's hashes in the child: sets come in the same order each time."""
_POLL = 0.05
_TAIL = 16 << 10
_MOST_PROCESSES = 512
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TZ", "SSL_CERT_FILE", "OMP_NUM_THREADS")
_MARK = "PROMOTION_CONFINED"
_FOLDER = "{folder}"
_TEMPORARY = "{temporary}"
_WAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "network cut off, own process namespace, all files but its own folder read-only",
        (
            *("bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            # Model and evaluator lie in the temporary folder; one under /dev, as /dev/shm, would be hidden by the new /dev.
            *("--ro-bind", _TEMPORARY, _TEMPORARY),
            *(part for gpu in sorted(Path("/dev").glob("nvidia*")) for part in ("--dev-bind", str(gpu), str(gpu))),
            *("--bind", _FOLDER, _FOLDER, "--chdir", _FOLDER, "--"),
        ),
    ),
    (
        "network cut off, own process namespace",
        ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
    ),
    ("network cut off", ("unshare", "--user", "--map-root-user", "--net", "--")),
)
"""What this may be started under, the strongest first; the first two need bubblewrap and util-linux."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds`` of wall time; ``memory`` in bytes for the whole tree; ``file`` the largest file in bytes."""

    seconds: float
    memory: int
    file: int = 1 << 30

    @property
    def resources(self) -> dict[str, int]:
        """What a process sets on itself: names of ``resource`` and values."""
        return {"RLIMIT_DATA": 2 * self.memory, "RLIMIT_FSIZE": self.file, "RLIMIT_CORE": 0}


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several children that run at once gets, whether all of them shall end, and who is told how far it is.

    ``threads`` is how many the libraries for numbers may start (None: as the parent's environment says, or as they like).
    """

    threads: int | None = None
    ended: Callable[[], bool] = lambda: False
    report: Callable[[str], None] = lambda _: None


ALONE = Share()


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: ``status`` as of subprocess (negative: signal), ``stopped`` why it was killed, the end of its output."""

    status: int
    stopped: str | None
    output: str
    isolation: str


def run(
    arguments: Sequence[str],
    *,
    folder: Path,
    path: Path,
    limits: Limits,
    share: Share = ALONE,
    pickles: bool = False,
    watched: Callable[[float], None] = lambda _: None,
) -> Ended:
    """Run Python with these arguments in ``folder`` (also its home); ``path`` is where it may import from.

    ``pickles``: MLflow may load what is pickled, since a policy names the model. ``watched`` is called while it runs, with the seconds.
    """
    isolation, way = isolation_at_hand()
    mark = secrets.token_hex(16)
    prefix = [str(folder) if part == _FOLDER else part for part in way]
    command = [*prefix, sys.executable, "-P", "-s", "-B", *arguments]
    with subprocess.Popen(  # noqa: S603 - the arguments are ours; what they lead to is what is confined here
        command,
        cwd=folder,
        env={**environment(folder, path, mark, share.threads), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": str(pickles).lower()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as child:
        tail = _Tail(child)
        try:
            stopped = _watch(child, limits, share.ended, watched)
        finally:
            _end(child, mark)
        return Ended(child.wait(), stopped, tail.text(), isolation)


def environment(folder: Path, path: Path, mark: str = "", threads: int | None = None) -> dict[str, str]:
    """What the child sees: an allow-list, so nothing that could be a credential, and a home of its own."""
    ours = Path(promotion.__file__).parents[1]
    installed = ours == Path(sysconfig.get_path("purelib"))
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(path)] if installed else [str(path), str(ours)]),
        "PYTHONHASHSEED": str(HASH_SEED),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads_of(threads),
        # Versions are measured side by side: threads that spin while they wait would take the others' cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "DO_NOT_TRACK": "true",
        _MARK: mark,
    }


def threads_of(share: int | None) -> str:
    """How many threads a child's libraries start: its share, and never more than the parent's environment says."""
    own = os.environ.get("OMP_NUM_THREADS", str(min(os.cpu_count() or 1, 16)))
    return own if share is None or (own.isascii() and own.isdigit() and 0 < int(own) <= share) else str(share)


@lru_cache(maxsize=1)
def isolation_at_hand() -> tuple[str, tuple[str, ...]]:
    """What this machine can isolate with, in words, and the command that does it; tried once, the strongest first."""
    base = "own session, clean environment"
    for words, way in _WAYS:
        found = shutil.which(way[0])
        if found is None:
            continue
        command = (found, *(tempfile.gettempdir() if part == _TEMPORARY else part for part in way[1:]))
        tried = [tempfile.gettempdir() if part == _FOLDER else part for part in command]
        with suppress(OSError, subprocess.TimeoutExpired):
            if subprocess.run([*tried, "true"], capture_output=True, timeout=10, check=False).returncode == 0:  # noqa: S603 - fixed words
                return f"{base}, {words}", command
    return f"{base}; network not cut", ()


class _Tail:
    """Reads a child's output for as long as it comes and keeps the end of it, so that no amount of it fills anything."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        with suppress(OSError, ValueError):
            while chunk := os.read(self._child.stdout.fileno(), 1 << 16):
                self._kept = (self._kept + chunk)[-_TAIL:]

    def text(self) -> str:
        """The end of the output with nothing in it that a terminal or a CI log would obey."""
        self._thread.join(timeout=2)
        lines = self._kept.decode(errors="replace").splitlines()
        return "\n".join("".join(char if char.isprintable() else "?" for char in line).replace("::", ": :") for line in lines)


def _watch(child: subprocess.Popen[bytes], limits: Limits, ended: Callable[[], bool], watched: Callable[[float], None]) -> str | None:
    """Wait for the end; the reason when it has to be stopped before."""
    began, pause = time.monotonic(), 0.002
    while not _ended(child):
        time.sleep(pause)
        pause = min(2 * pause, _POLL)
        if ended():
            return "everything was to end"
        seconds = time.monotonic() - began
        watched(seconds)
        if seconds >= limits.seconds:
            return f"it took longer than {limits.seconds:g} s"
        tree = _tree(child.pid)
        if len(tree) > _MOST_PROCESSES:
            return f"it started more than {_MOST_PROCESSES} processes"
        if sum(map(_resident, tree)) > limits.memory and sum(map(_proportional, tree)) > limits.memory:
            return f"it used more than {limits.memory / 2**20:.0f} MiB of memory"
    return None


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether the child ended, without collecting it: until then nobody else gets its number, so the right ones are killed."""
    if not hasattr(os, "waitid"):
        return child.poll() is not None
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(child: subprocess.Popen[bytes], mark: str) -> None:
    """Kill the whole tree, whether it ended by itself or not: nothing may live on."""
    for pid in {*_tree(child.pid), *_marked(mark)} - {child.pid}:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    with suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _tree(root: int) -> list[int]:
    """The process and its descendants, and all of its session."""
    parents: dict[int, tuple[int, int]] = {}
    # Looked at twenty times a second while the child needs every core: without pathlib it takes half as long.
    for name in (entry.name for entry in os.scandir("/proc") if entry.name.isdecimal()):
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb", buffering=0) as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split(None, 4)
            parents[int(name)] = (int(fields[1]), int(fields[3]))
    found, grown = {root}, True
    while grown:
        more = {pid for pid, (parent, session) in parents.items() if parent in found or session == root}
        grown = not more <= found
        found |= more
    return sorted(found)


def _marked(mark: str) -> list[int]:
    """Processes that bear the mark in their environment: those that left the session and lost their parent."""
    needle = f"{_MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError, ValueError):
            if needle in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def _resident(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _proportional(pid: int) -> int:
    """Resident size in bytes with shared pages divided among those that share them; slower to read than ``_resident``."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(pid)
