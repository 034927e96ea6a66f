"""Start the server, follow, and end in order: what was asked is answered, then the process ends with 0."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from promotion.errors import UsageError
from promotion.serving.app import Api, Limits
from promotion.serving.following import Follower, Slot, Source
from promotion.serving.forward import Served

_ENDING = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and how to serve; ``drain`` in seconds is how long requests under way are waited for at the end."""

    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 1
    poll: float = 1.0
    drain: float = 30.0
    token: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serve(slot: Slot, source: Source, load: Callable[..., Served], settings: Settings, tell: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, which do nothing from then on, since the process ends.

    Raises UsageError when the address cannot be had.
    """
    import uvicorn

    from promotion.serving.protocol import KEPT, Connection

    listening = _listen(settings)
    api = Api(slot, settings.limits, settings.threads, settings.token, tell)
    follower = Follower(slot, source, lambda ref: load(ref, settings.threads), tell, settings.poll)
    config = uvicorn.Config(
        api.app(),
        http=Connection,
        ws="none",
        loop="uvloop",
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=KEPT,
        timeout_graceful_shutdown=int(settings.drain) or 1,
    )
    server = uvicorn.Server(config)

    def end(*_: object) -> None:
        server.should_exit = True

    # uvicorn listens to signals only while it runs, drains at one, and then raises it again for whoever listened before: this, so that
    # a signal before it runs counts as well and the process ends with 0.
    for number in _ENDING:
        signal.signal(number, end)
    host, port = listening.getsockname()[:2]
    tell(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}")
    follower.start()
    try:
        server.run(sockets=[listening])
    finally:
        # Handlers of Python's end with it, and one more signal then would end the process as if requests had been lost.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        follower.stop()
        api.close()
        listening.close()
    tell("stopped: every request that had come was answered")


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, each answer waits 40 ms for the client.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.host, settings.port))
        made.listen(2048)
    except OSError as error:
        made.close()
        msg = f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}"
        raise UsageError(msg, hint="name another with --host and --port") from error
    return made
