"""A real PostgreSQL in a folder of its own, for tests and benchmarks; wholly gone after ``stop``."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from tests.server import free_port

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_DEBIAN = Path("/usr/lib/postgresql")


class PostgresError(RuntimeError):
    """PostgreSQL did not start; the message tells why."""


class NotInstalledError(PostgresError):
    """This machine has no PostgreSQL, or nobody who may run it."""


class Postgres:
    """One cluster on a free port of the loopback, open to every local user.

    PostgreSQL refuses to run as root, so root lends it the account ``postgres`` (or ``nobody``). ``durable`` False leaves out the
    waiting for the disk: right for tests, wrong for times that are reported.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._port = free_port()
        self.folder: Path | None = None
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Make the cluster and start it; raises PostgresError when that does not work."""
        account, programs = _account(), _programs()
        # Not below pytest's folders, which only their owner may enter.
        self.folder = Path(tempfile.mkdtemp(prefix="promotion-postgres-"))
        data, log = self.folder / "data", self.folder / "log"
        if account:
            os.chown(self.folder, account["user"], account["group"])
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        made = subprocess.run(
            [programs / "initdb", "--pgdata", data, *options], cwd=self.folder, capture_output=True, text=True, check=False, **account
        )
        if made.returncode:
            self.stop()
            raise PostgresError(f"initdb failed: {made.stderr[-2000:]}")
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
        if not self._durable:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(self._port), *(part for one in settings for part in ("-c", one))]
        with log.open("wb") as file:
            running: subprocess.Popen[bytes] = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, **account
            )
        self._running = running
        atexit.register(self.stop)
        if not self._wait():
            text = log.read_text(errors="replace")[-2000:]
            self.stop()
            raise PostgresError(f"PostgreSQL did not start; its log ends:\n{text}")
        return self

    def stop(self) -> None:
        """End it without waiting for clients, and remove its folder."""
        atexit.unregister(self.stop)
        running, self._running = self._running, None
        if running is not None:
            for number in (signal.SIGINT, signal.SIGKILL):  # SIGINT is PostgreSQL's "fast shutdown"
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.wait(_STOP_SECONDS)
                    break
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def database(self, name: str) -> str:
        """Make a database; gives its URI for MLflow, which names the driver (SQLAlchemy 2.1 would take another)."""
        with contextlib.closing(self._connection()) as connection:
            connection.autocommit = True
            connection.cursor().execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self._port}/{name}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _connection(self) -> Any:
        import psycopg2

        return psycopg2.connect(host="127.0.0.1", port=self._port, user="postgres", dbname="postgres", connect_timeout=5)

    def _wait(self) -> bool:
        import psycopg2

        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._running is not None and self._running.poll() is None:
            with contextlib.suppress(psycopg2.OperationalError):
                self._connection().close()
                return True
            time.sleep(0.05)
        return False


def _programs() -> Path:
    """The folder of PostgreSQL's programs: on PATH, or where Debian keeps the newest."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise NotInstalledError("PostgreSQL is not installed: apt-get install postgresql")
    return versions[-1].parent


def _account() -> dict[str, Any]:
    """How to start a program as a user who is not root; nothing where this user is none."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}
    raise NotInstalledError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
