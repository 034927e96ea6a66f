"""The API of the story: started once, asked before and after a promotion and after its revert."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.acceptance.stage import Stage, StoryFailed
from tests.server import free_port

_SECONDS = 120.0
ASK = """
import json, urllib.request
def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request("{url}" + path, data, {{"Content-Type": "application/json"}})
    return json.load(urllib.request.urlopen(request))
row = ask("/openapi.json")["components"]["schemas"]["Row"]["example"]
print(json.dumps(ask("/predict?details=true", [row])))
"""


@contextmanager
def serving(stage: Stage, model: str) -> Iterator[Callable[[int], None]]:
    """``promotion serve`` beside the story; what it gives asks for a prediction, and fails unless this version answers."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = f"promotion serve {model} --port {port}"
    stage.say("Its users ask an API, which follows the journal")
    if not stage.quiet:
        print(f"\n  $ {command} &", flush=True)
    log = stage.folder / "serve.log"
    with log.open("wb") as output:
        running = subprocess.Popen(shlex.split(command), cwd=stage.repository, env=stage.environment(), stdout=output, stderr=output)

    def ask(version: int) -> None:
        end = time.monotonic() + _SECONDS
        while _served(url) != version:
            if running.poll() is not None or time.monotonic() > end:
                raise StoryFailed(f"version {version} is not served:\n{log.read_text(errors='replace')}")
            time.sleep(0.05)
        told = json.loads(stage.python(ASK.format(url=url)))
        stage.check(told["version"] == version, f"version {told['version']} answered instead of {version}")

    try:
        yield ask
    finally:
        running.terminate()
        running.wait(30)
    stage.check(running.returncode == 0, f"serve ended with {running.returncode}")
    if not stage.quiet:
        print("".join(f"    {line}\n" for line in log.read_text(errors="replace").splitlines()), end="", flush=True)


def _served(url: str) -> int | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/version", timeout=5) as answer:
            version: int = json.load(answer)["version"]
            return version
    except (OSError, urllib.error.URLError):
        return None
