"""What can go wrong at a write, as functions of the exchange. Each name says what the server did and what the client saw."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.proof.proxy import Answer, Exchange, Fault

Kill = Callable[[], None]
_JSON = (("Content-Type", "application/json"),)
_SAID = {429: b'{"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"}', 500: b"", 503: b"upstream is restarting"}


def kill_before(exchange: Exchange, *, kill: Kill) -> None:
    """The writer dies before the server has the request."""
    kill()
    exchange.cut()


def kill_after(exchange: Exchange, *, kill: Kill) -> None:
    """The server has done it; the writer dies before it is told."""
    exchange.forward()
    kill()
    exchange.cut()


def refused_connection(exchange: Exchange) -> None:
    """Cut before the server has the request."""
    exchange.cut()


def lost_answer(exchange: Exchange) -> None:
    """The write is done, the connection is cut."""
    exchange.forward()
    exchange.cut()


def half_answer(exchange: Exchange) -> None:
    """The write is done, the answer stops in the middle."""
    answer = exchange.forward()
    exchange.answer(answer, upto=len(answer.raw()) - 5)
    exchange.cut()


def doubled_request(exchange: Exchange) -> None:
    """The request reaches the server twice, as from a proxy that tries again."""
    exchange.forward()
    exchange.answer(exchange.forward())


def doubled_answer(exchange: Exchange) -> None:
    """The answer comes twice on the connection, the second time at once."""
    answer = exchange.forward().raw()
    exchange.send(answer + answer)


def late_doubled_answer(exchange: Exchange, *, after: float = 0.004) -> None:
    """The answer comes twice on the connection, the second time while the next request is under way."""
    answer = exchange.forward().raw()
    exchange.send(answer)
    time.sleep(after)
    exchange.send(answer)


def error_instead(exchange: Exchange, *, status: int) -> None:
    """An error, and nothing was done."""
    exchange.answer(Answer(status, _JSON, _SAID[status]))


def error_although(exchange: Exchange, *, status: int) -> None:
    """An error, although it was done."""
    exchange.forward()
    exchange.answer(Answer(status, _JSON, _SAID[status]))


def stalled(exchange: Exchange, *, seconds: float) -> None:
    """Done at once, told after a while: after the client's patience when that is shorter."""
    answer = exchange.forward()
    time.sleep(seconds)
    exchange.answer(answer)


def delivered_late(exchange: Exchange, *, seconds: float) -> None:
    """On its way for a while, and done long after the client gave up: the write that nobody expects any more."""

    def deliver() -> None:
        time.sleep(seconds)
        with suppress(OSError):
            exchange.forward()

    threading.Thread(target=deliver, daemon=True).start()
    exchange.silence()


def half_open(exchange: Exchange) -> None:
    """Accepted and never answered; nothing was done."""
    exchange.silence()


def disk_full(exchange: Exchange, *, fill: Callable[[], None]) -> None:
    """The server's disk is full from now on."""
    fill()
    exchange.answer(exchange.forward())


def fill_disk(group: int, *, full: bool = True) -> None:
    """Let no process of this group write a byte into any file, as on a full disk; or let them again. Linux alone."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            pid = int(folder.name)
            if os.getpgid(pid) == group:
                _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (0 if full else most, most))


def restarted(exchange: Exchange, *, restart: Callable[[], None]) -> None:
    """The server is restarted before it has the request."""
    restart()
    exchange.cut()


def crashed(exchange: Exchange, *, restart: Callable[[], None]) -> None:
    """The server has done it, and is killed and started again before it tells."""
    exchange.forward()
    restart()
    exchange.cut()


def matrix(kill: Kill, restart: Callable[[], None], *, stall: float) -> Mapping[str, Fault]:
    """Every kind of fault by its name; ``stall`` in seconds is longer than the client's patience."""
    found: dict[str, Fault] = {
        "kill before": partial(kill_before, kill=kill),
        "kill after": partial(kill_after, kill=kill),
        "cut before": refused_connection,
        "answer lost": lost_answer,
        "answer cut": half_answer,
        "request twice": doubled_request,
        "answer twice": doubled_answer,
        "answer twice, late": late_doubled_answer,
        "stalled": partial(stalled, seconds=stall),
        "half-open": half_open,
        "delivered late": partial(delivered_late, seconds=stall),
        "server restarted": partial(restarted, restart=restart),
        "server killed": partial(crashed, restart=restart),
    }
    for status in (429, 500, 503):
        found[f"{status} instead"] = partial(error_instead, status=status)
        found[f"{status} although"] = partial(error_although, status=status)
    return found


def killer(pid: Callable[[], int]) -> Kill:
    """Kills one process, by the id that it has then."""

    def kill() -> None:
        os.kill(pid(), signal.SIGKILL)

    return kill
