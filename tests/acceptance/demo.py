"""``make demo``: the story, narrated, in a temporary folder with a server of its own."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.stage import Stage, StoryFailed
from tests.acceptance.story import tell
from tests.server import Server


def main() -> int:
    """Play the story; KEEP=1 in the environment leaves the server up until Ctrl-C and prints its address."""
    keep = os.environ.get("KEEP", "") not in {"", "0"}
    folder = Path(tempfile.mkdtemp(prefix="promotion-demo-"))
    server = Server(folder / "server")
    began = time.monotonic()
    try:
        server.start()
        stage = Stage(folder, server.url)
        stage.say(f"A real MLflow server at {server.url}, a scratch repository in {stage.repository}")
        tell(stage)
        print(f"\nDone in {time.monotonic() - began:.0f} s: every step did what it should.", flush=True)
        if keep:
            print(f"MLflow UI: {server.url}   repository: {stage.repository}   (Ctrl-C ends both)", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except StoryFailed as failure:
        print(f"\nThe story failed: {failure}", file=sys.stderr)
        return 1
    finally:
        server.stop()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
