"""An HTTP proxy in front of a real MLflow server: it counts writes, and does at the n-th what a test tells."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def raw(self) -> bytes:
        """As bytes on the wire."""
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Other')}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() not in _HOP]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode("latin-1") + self.body


@dataclass
class Exchange:
    """One write on its way. A fault forwards it, answers it, cuts its connection, in the order it likes; or does none of it."""

    proxy: Proxy
    index: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client: socket.socket
    open: bool = True

    def forward(self) -> Answer:
        """Let the server do it; raises OSError when the server does not answer."""
        return self.proxy.forward(self.method, self.path, self.headers, self.body)

    def answer(self, answer: Answer, *, upto: int | None = None) -> None:
        """Tell the client, or only the first bytes of it."""
        self.send(answer.raw()[:upto])

    def send(self, content: bytes) -> None:
        with contextlib.suppress(OSError):
            self.client.sendall(content)

    def cut(self) -> None:
        """Break the connection as a crash does, by a reset."""
        self.open = False
        with contextlib.suppress(OSError):
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.client.shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Never answer: wait until the client gives up."""
        self.open = False
        self.client.settimeout(_PATIENCE)
        with contextlib.suppress(OSError):
            while self.client.recv(4096):
                pass


Fault = Callable[[Exchange], None]


def passed(exchange: Exchange) -> None:
    """No fault: what a proxy does."""
    try:
        exchange.answer(exchange.forward())
    except OSError:
        exchange.cut()


@dataclass
class Proxy:
    """Listens on a port of its own. ``fault_at`` gives the fault of the n-th write (from 1); ``after`` is called after every write that
    the server has done, before anybody is told, and one at a time."""

    upstream: str
    fault_at: Callable[[int], Fault | None] = lambda _: None
    after: Callable[[bytes], None] = lambda _: None
    written: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock, self._after_lock = threading.Lock(), threading.Lock()
        self._count = 0
        self._server = _Listener(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def count(self) -> int:
        """The writes so far."""
        return self._count

    def reset(self, fault_at: Callable[[int], Fault | None] = lambda _: None, after: Callable[[bytes], None] = lambda _: None) -> None:
        """Count from the beginning, with another plan."""
        with self._lock:
            self._count, self.fault_at, self.after, self.written = 0, fault_at, after, []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begin(self, method: str, path: str) -> tuple[int, Fault]:
        with self._lock:
            self._count += 1
            self.written.append(f"{method} {path.rpartition('mlflow/')[2]}")
            return self._count, self.fault_at(self._count) or passed

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask the server, on a connection of this request alone."""
        where = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_PATIENCE)
        try:
            connection.request(method, path, body, headers)
            found = connection.getresponse()
            answer = Answer(found.status, tuple(found.getheaders()), found.read())
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if method in WRITES:
            with self._after_lock:
                self.after(body)
        return answer


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in {"connection", "content-length", "host"}}
            if self.command not in WRITES:
                try:
                    self.wfile.write(proxy.forward(self.command, self.path, headers, body).raw())
                except OSError:
                    self.close_connection = True
                return
            index, fault = proxy.begin(self.command, self.path)
            exchange = Exchange(proxy, index, self.command, self.path, headers, body, self.connection)
            fault(exchange)
            self.close_connection = not exchange.open

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
            """Say nothing."""

    return Handler
