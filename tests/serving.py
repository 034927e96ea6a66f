"""A real ``promotion serve`` in a process of its own, asked over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

_START_SECONDS = 120.0


class Serving:
    """``promotion serve WHAT`` in a repository, on a free port; ``log`` holds what it told."""

    def __init__(
        self, folder: Path, what: str, *arguments: str, url: str = "", log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self._command = [sys.executable, "-m", "promotion", "serve", what, "--port", "0", "--poll", "0.2", *arguments]
        self._folder = folder
        self._environment = {**os.environ, "MLFLOW_TRACKING_URI": url, "PYTHONWARNINGS": "ignore", **(environment or {})}
        self.log = log
        self.url = ""
        self.running: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> Self:
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        told = self.wait(lambda: re.search(r"listening on (http://\S+)", self.told()), "it does not listen")
        self.url = told[1]
        if ready:
            self.wait(lambda: self.get("/ready").status_code == 200, "it is not ready")
        return self

    def told(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, true: Any, otherwise: str, seconds: float = _START_SECONDS) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := true():
                return found
            assert self.running is not None
            if self.running.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{otherwise}:\n{self.told()[-4000:]}")

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=30, trust_env=False, **options)

    def post(self, path: str = "/predict", **options: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", timeout=60, trust_env=False, **options)

    def stop(self, number: int = signal.SIGTERM) -> int:
        running, self.running = self.running, None
        if running is None:
            return 0
        running.send_signal(number)
        try:
            return running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            raise

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
