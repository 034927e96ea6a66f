"""A webhook that listens for real, answers as it is told, and keeps what it was sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Answer:
    """One answer: after ``wait`` seconds, with a status and headers; ``drip`` sends a byte of it every tenth of a second."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    drip: bool = False


@dataclass
class Webhook:
    """What was received, oldest first; ``answers`` are used up one by one, and then all is well."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def listening(*answers: Answer) -> Iterator[Webhook]:
    """A webhook at a port of its own, under a path that is a secret."""
    webhook = Webhook(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            webhook.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            answer = webhook.answers.pop(0) if webhook.answers else Answer()
            time.sleep(answer.wait)
            if answer.drip:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 50:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.1)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The suite's output is not the place for it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who gives up on it closes in its face
    Thread(target=server.serve_forever, daemon=True).start()
    webhook.url = f"http://127.0.0.1:{server.server_port}/hooks/path-that-is-a-secret"
    try:
        yield webhook
    finally:
        server.shutdown()
        server.server_close()
