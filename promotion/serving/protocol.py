"""uvicorn's connection, with limits for the head of a request: its parser has none, and waits for as long as a client likes.

It is kept for longer than balancers keep theirs (60 s is usual), and is not closed over a request that has arrived: what is sent on a kept
connection while the server closes it is lost.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 64 << 10
"""Bytes of a request before its body, one read more at most; the connection is closed beyond them."""
KEPT = 75
"""Seconds that a connection may rest between two requests."""
_LOOK = 0.1


class Connection(HttpToolsProtocol):
    """Ends when a head is too long, or has not arrived ``SECONDS`` after its first byte, or after the connection was made."""

    SECONDS: ClassVar[float] = 10.0
    _length = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what came while a head is awaited."""
        if self._deadline is not None:
            self._length += len(data)
        super().data_received(data)
        if self._deadline is not None and self._length > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        super().on_message_begin()
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Its last one."""
        self._head_came()
        super().on_headers_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Look once more at what arrived, then close: after a pause of the process, times run out before anything is read."""
        self.timeout_keep_alive_task = self.loop.call_later(_LOOK, super().timeout_keep_alive_handler)

    def _await_head(self) -> None:
        self._length = 0
        self._deadline = self.loop.call_later(self.SECONDS, self.transport.close)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
