"""The oldest MLflow server that is supported, in an environment of its own: ``make old-server``, or made when a test asks."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "2.9.2"
_NEWEST = "2024-01-15"
"""Packages as they were on that day: this MLflow does not run with what came later (SQLAlchemy 2.1, no pkg_resources)."""
_FOLDER = Path(sys.prefix) / f"mlflow-{VERSION}"


class OldServerError(RuntimeError):
    """The environment could not be made; the message tells why."""


def old_python() -> Path:
    """The interpreter of the environment, which is made when it is not there (seconds). Raises OldServerError."""
    done, python = _FOLDER / "complete", _FOLDER / "bin" / "python"
    with _FOLDER.with_name(f"{_FOLDER.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of tests that run at the same time, one makes it
        if not done.is_file():
            shutil.rmtree(_FOLDER, ignore_errors=True)
            uv = Path(sys.prefix) / "bin" / "uv"
            _run([uv, "venv", "--quiet", "--python", sys.executable, _FOLDER])
            _run([uv, "pip", "install", "--quiet", "--python", python, "--exclude-newer", _NEWEST, f"mlflow=={VERSION}", "setuptools"])
            done.touch()
    return python


def _run(command: list[Path | str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OldServerError(f"{' '.join(map(str, command))} failed: {done.stderr[-2000:]}")


if __name__ == "__main__":
    print(old_python())
