"""A connection's limits for the head of a request, on a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from promotion.serving.protocol import KEPT, LONGEST_HEAD, Connection

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PAUSE = b"GET /pause HTTP/1.1\r\nHost: x\r\n\r\n"


class Hasty(Connection):
    SECONDS = 0.4

    def data_received(self, data: bytes) -> None:
        """The whole process stands still where it is asked to, as when its machine does."""
        if data == PAUSE:
            time.sleep(1.5)
        super().data_received(data)


async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def serving(kept: int) -> Iterator[tuple[str, int]]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=Hasty, ws="none", loop="uvloop", lifespan="off", log_config=None, timeout_keep_alive=kept)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serving(KEPT) as found:
        yield found


def connect(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=20)


def test_a_head_that_does_not_come_to_an_end_is_not_waited_for(address):
    for begun in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"):
        with connect(address) as client:
            client.sendall(begun)
            assert client.recv(100) == b""


def test_a_head_that_is_sent_byte_by_byte_gets_no_more_time(address):
    with connect(address) as client, pytest.raises(OSError):  # noqa: PT011, PT012 - reset or broken pipe, as the system likes
        for _ in range(200):
            client.sendall(b"x")
            time.sleep(0.02)


def test_a_head_that_is_too_long_is_refused(address):
    with connect(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (LONGEST_HEAD - 100))
        time.sleep(0.1)
        client.sendall(b"x" * 200)
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_kept_connection_may_rest_longer_than_a_head_takes(address):
    with connect(address) as client:
        for _ in range(2):
            client.sendall(REQUEST[:10])
            time.sleep(0.1)
            client.sendall(REQUEST[10:])
            assert client.recv(1000).endswith(b"ok")
            time.sleep(0.8)


def test_a_request_that_came_while_the_process_was_paused_is_answered():
    """Its connection's time to rest runs out during the pause, and is looked at before what the connection holds."""
    with serving(kept=1) as there, connect(there) as client, connect(there) as other:
        for _ in range(3):
            client.sendall(REQUEST)
            assert client.recv(1000).endswith(b"ok")
            other.sendall(PAUSE)
            time.sleep(0.2)
            client.sendall(REQUEST)
            assert client.recv(1000).endswith(b"ok")
            assert other.recv(1000).endswith(b"ok")


def test_a_connection_that_rests_for_too_long_is_closed():
    with serving(kept=1) as there, connect(there) as client:
        client.sendall(REQUEST)
        assert client.recv(1000).endswith(b"ok")
        assert client.recv(1000) == b""


def test_requests_that_come_together_are_all_answered(address):
    with connect(address) as client:
        client.sendall(REQUEST * 50)
        got = b""
        while got.count(b"200 OK") < 50:
            part = client.recv(65536)
            assert part
            got += part
