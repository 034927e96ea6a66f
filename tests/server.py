"""A real ``mlflow server`` in a process group of its own, for tests and for the demo."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

_START_SECONDS = 200.0
_STOP_SECONDS = 5.0
_TRIES = 3
STOCK = {"UVICORN_LOOP": "asyncio", "UVICORN_HTTP": "h11"}
"""What MLflow's servers run on when nothing but MLflow is installed. uvicorn takes whatever else it finds, and ``promotion serve`` brings
uvloop, under which the server has TCP_NODELAY: a loop of MLflow's client is four times as fast then as users see it."""


class ServerError(RuntimeError):
    """The server did not start; the message ends with its log."""


def free_port() -> int:
    """A port on the loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """An MLflow server with its artifacts, log and (unless ``store`` names a database) its SQLite file in one folder.

    ``workers`` None starts the server's own default number. ``arguments`` go to ``mlflow server`` as they are,
    ``environment`` is added to the cleaned one, ``python`` is the interpreter whose MLflow is started (this one).
    Starting takes about 5 s on two cores: most of it is imports.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        workers: int | None = 1,
        arguments: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        store: str | None = None,
        python: Path | None = None,
    ) -> None:
        self.folder = folder
        self.store = store or f"sqlite:///{folder / 'mlflow.db'}"
        self.artifacts = folder / "artifacts"
        self.log = folder / "server.log"
        self._fixed_port = port
        self._port = port or free_port()
        self._workers = workers
        self._arguments = arguments
        self._environment = environment or {}
        self._python = python or Path(sys.executable)
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address that clients use."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Start and wait until ``/health`` answers; raises ServerError with the log when it does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in reversed(range(_TRIES)):
            self._spawn()
            if self._wait():
                atexit.register(self.stop)
                return self
            self.stop()
            # Somebody may have taken the port between our look and the server's bind.
            taken = "address already in use" in self.log.read_text(errors="replace").lower()
            if self._fixed_port or not taken or not left:
                break
            self._port = free_port()
        text = self.log.read_text(errors="replace")[-4000:]
        msg = f"mlflow server did not start at {self.url}; its log ends:\n{text}"
        raise ServerError(msg)

    def stop(self) -> None:
        """End the whole process group: ending the command alone would leave its workers serving."""
        atexit.unregister(self.stop)
        running, self._running = self._running, None
        if running is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, number)
            if _gone(running, _STOP_SECONDS):
                return
        msg = f"processes of the group {running.pid} did not end"
        raise ServerError(msg)

    def leave_running(self) -> None:
        """Do not stop the server when this process ends; whoever asked stops it."""
        atexit.unregister(self.stop)

    @property
    def group(self) -> int | None:
        """The process group, to be ended with ``kill -- -GROUP``; None when not running."""
        return self._running.pid if self._running else None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self) -> list[str]:
        workers = () if self._workers is None else ("--workers", str(self._workers))
        return [
            *(str(self._python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port), *workers),
            *("--backend-store-uri", self.store, "--artifacts-destination", str(self.artifacts)),
            *self._arguments,
        ]

    def _spawn(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "_MLFLOW_")) and k != "PYTHONDONTWRITEBYTECODE"}
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        quiet |= STOCK
        # Older servers start gunicorn by its bare name.
        quiet["PATH"] = os.pathsep.join((str(self._python.parent), os.environ.get("PATH", os.defpath)))
        with self.log.open("wb") as log:
            self._running = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                env=kept | quiet | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait(self) -> bool:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._running is not None and self._running.poll() is None:
            if _healthy(self.url):
                return True
            time.sleep(0.05)
        return False


def _healthy(url: str) -> bool:
    # No proxy: the loopback is meant whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _gone(leader: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the leader and everyone in its group have ended within the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        leader.poll()
        try:
            os.killpg(leader.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            # Some systems say so of a group that holds only zombies.
            return leader.poll() is not None
        time.sleep(0.02)
    return False
