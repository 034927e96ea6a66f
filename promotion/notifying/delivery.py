"""Post to webhooks: with bounded patience, each receiver by itself, and never a word of its URL.

What is sent may arrive twice (an answer can be lost): a CloudEvent bears the same id both times.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Thread

import requests

from promotion import __version__
from promotion.notifying.receivers import Receiver

PATIENCE = 60.0
"""Seconds after which a receiver is given up, whatever was sent by then."""
TIMEOUT = 10.0
"""Seconds in which a receiver must answer one post, or send the next byte."""
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each further try, where the receiver does not say how long (Retry-After)."""
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_LONGEST = 30.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One post: its body, and headers beside those that every post has. ``id`` is what a signature signs; None is not signed."""

    body: bytes
    content_type: str
    id: str | None = None


@dataclass(slots=True)
class Delivery:
    """What became of a receiver's letters: so many of ``total`` were ``accepted``; ``fault`` is why the others were not."""

    receiver: Receiver
    total: int
    accepted: int = 0
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds."""

    patience: float = PATIENCE
    timeout: float = TIMEOUT
    pauses: tuple[float, ...] = PAUSES
    sleep: Callable[[float], None] = field(default=time.sleep)


def deliver(mail: Sequence[tuple[Receiver, Sequence[Letter]]], *, key: bytes | None, limits: Limits | None = None) -> tuple[Delivery, ...]:
    """Send everything, in order to each receiver and to all of them at once; returns within ``patience`` and a little. Never raises."""
    limits = limits or Limits()
    found = [Delivery(receiver, len(letters)) for receiver, letters in mail]
    until = time.monotonic() + limits.patience
    # As daemons: a receiver that lets its answer drip can hold its own thread, and no more than that.
    threads = [
        Thread(target=_send, args=(one, letters, key, limits, until), daemon=True) for one, (_, letters) in zip(found, mail, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return tuple(_settled(one, limits) for one in found)


def signature(key: bytes, number: str, at: int, body: bytes) -> str:
    """``v1,`` and the HMAC-SHA256 of ``id.seconds.body`` in base64 (Standard Webhooks 1.0, "Signature scheme")."""
    signed = f"{number}.{at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def _settled(one: Delivery, limits: Limits) -> Delivery:
    """As it is now: what its thread does later changes nothing that is told."""
    late = None if one.accepted == one.total else f"not done after {limits.patience:g} s"
    return Delivery(one.receiver, one.total, one.accepted, one.fault or late)


def _send(delivery: Delivery, letters: Sequence[Letter], key: bytes | None, limits: Limits, until: float) -> None:
    try:
        with requests.Session() as session:
            # Without this, requests would look for a password in ~/.netrc.
            session.auth = lambda request: request
            session.headers["User-Agent"] = f"promotion/{__version__}"
            for letter in letters:
                fault = _post(session, delivery.receiver, letter, key, limits, until)
                if fault is not None:
                    # A receiver that is down would make each letter wait anew.
                    delivery.fault = fault
                    return
                delivery.accepted += 1
    except Exception as error:  # noqa: BLE001 - a thread's last line; the text may hold the URL
        delivery.fault = f"it could not be asked ({type(error).__name__})"


def _post(session: requests.Session, receiver: Receiver, letter: Letter, key: bytes | None, limits: Limits, until: float) -> str | None:
    """Why a letter was not accepted, None if it was."""
    fault: str | None = None
    for pause in (*limits.pauses, None):
        headers = {"Content-Type": letter.content_type}
        if letter.id is not None and key is not None:
            now = int(time.time())
            headers |= {"webhook-id": letter.id, "webhook-timestamp": str(now)}
            headers["webhook-signature"] = signature(key, letter.id, now, letter.body)
        wait = pause
        try:
            # A redirect would carry what is sent to an address that nobody declared. The body of an answer is of no interest.
            with session.post(
                receiver.url, data=letter.body, headers=headers, timeout=limits.timeout, allow_redirects=False, stream=True
            ) as answer:
                if answer.ok and not answer.is_redirect:
                    return None
                fault = _refusal(answer.status_code)
                if answer.status_code not in _PASSING:
                    return fault
                wait = _asked(answer.headers.get("Retry-After"), pause)
        except requests.RequestException as error:
            fault = _words(error, limits)
        if wait is None or pause is None or time.monotonic() + wait >= until:
            return fault
        limits.sleep(wait)
    return fault


def _refusal(status: int) -> str:
    if status in range(300, 400):
        return f"it answered {status}, a redirect: declare the address that it leads to"
    return f"it answered {status}"


def _asked(header: str | None, pause: float | None) -> float | None:
    """How long the receiver asks to wait, in seconds, where it says so as a number (RFC 9110, section 10.2.3)."""
    if pause is None or header is None or not header.isdecimal():
        return pause
    return min(float(header), _LONGEST)


def _words(error: requests.RequestException, limits: Limits) -> str:
    """What happened, without the URL that the error's own text holds."""
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not trusted, or it speaks no TLS"
        case requests.exceptions.ConnectTimeout():
            return f"no connection within {limits.timeout:g} s"
        case requests.exceptions.ReadTimeout():
            return f"no answer within {limits.timeout:g} s"
        case requests.exceptions.ProxyError():
            return "the proxy does not let it through"
        case requests.exceptions.ConnectionError():
            return "no connection"
        case _:
            return f"it could not be asked ({type(error).__name__})"
