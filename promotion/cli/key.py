"""The signing key that a job's secret gives: a file for as long as a command runs, and in no child's environment."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_VARIABLE = "PROMOTION_SIGNING_KEY_FILE"
"""Names the file of a private key."""
VARIABLE = "PROMOTION_SIGNING_KEY"
"""Holds a private key itself, as a secret does."""


@contextmanager
def given_key() -> Iterator[None]:
    """Take the key out of the environment, before anything else is started, into a file that this user alone may read."""
    content = os.environ.pop(VARIABLE, None)
    if not content:  # a secret that is not set is empty
        yield
        return
    before = os.environ.get(FILE_VARIABLE)
    # A runner removes this folder after the job, whatever became of this process.
    number, name = tempfile.mkstemp(prefix="journal-key-", dir=os.environ.get("RUNNER_TEMP") or None)
    file = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as opened:
            opened.write(content if content.endswith("\n") else f"{content}\n")
        os.environ[FILE_VARIABLE] = name
        yield
    finally:
        file.unlink(missing_ok=True)
        os.environ[VARIABLE] = content
        os.environ.pop(FILE_VARIABLE)
        if before is not None:
            os.environ[FILE_VARIABLE] = before
