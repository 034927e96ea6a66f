"""``make demo``: the story, narrated, in a temporary folder with a server of its own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.stage import Stage, StoryFailed
from tests.acceptance.story import tell
from tests.server import Server


def main() -> int:
    """Play the story; KEEP=1 in the environment leaves the server and the repository, and prints where they are."""
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
            server.leave_running()
            print(f"MLflow UI: {server.url}", flush=True)
            print(f"The page: {folder / 'site' / 'index.html'}", flush=True)
            print(f"Try it: cd {stage.repository} && export MLFLOW_TRACKING_URI={server.url}", flush=True)
            print(f"End it: kill -- -{server.group} && rm -r {folder}", flush=True)
    except StoryFailed as failure:
        print(f"\nThe story failed: {failure}", file=sys.stderr)
        keep = False
        return 1
    finally:
        if not keep:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
