"""What a faulty server says, and what a user is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from promotion.changes import SetAlias
from promotion.errors import Exit, Unavailable

WRITE = SetAlias("m", "staging", 1)


class Told(NamedTuple):
    message: str
    hint: str


def say(handler: Any, body: object, status: int = 200, kind: str = "application/json", **headers: str) -> None:
    """Answer with JSON, or with bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.end_headers()
    handler.wfile.write(content)


def refused(call: Callable[[], object]) -> Told:
    """The one line and the hint of the Unavailable that the call must raise."""
    with pytest.raises(Unavailable) as caught:
        call()
    assert caught.value.exit_code is Exit.ERRORED
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return Told(caught.value.message, caught.value.hint)
