"""What went wrong between us and an MLflow server, in words, and what to do next."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse

from promotion.errors import Unavailable
from promotion.registry.addresses import shortened, without_credentials
from promotion.registry.interface import Rejected

BUSY = frozenset({429, 500, 502, 503, 504})
"""Answers of a server that is busy or restarting: a read may be asked again."""
_PASSING = frozenset({408, 429})
"""Answers that blame the client and yet say nothing of what was asked."""


class BadAnswer(Unavailable):
    """The server answered, but not with what was asked for. ``code`` is MLflow's own error code, if there is one."""

    def __init__(self, message: str, *, hint: str | None, status: int, code: str | None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code

    @property
    def absent(self) -> bool:
        """Whether MLflow says that the thing asked for does not exist (not: that the address is wrong).

        A name or number that it does not even accept cannot exist either.
        """
        return self.code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}

    @property
    def forbidden(self) -> bool:
        """Whether this user, or anybody on this way, may not do what was asked."""
        return self.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED}


class RejectedAnswer(BadAnswer, Rejected):
    """The server understood and said no (4xx)."""


def answered(message: str, *, hint: str | None, status: int, code: str | None) -> BadAnswer:
    """The error for an answer of this status: a rejection, or one that says nothing of the request itself."""
    rejected = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING
    return (RejectedAnswer if rejected else BadAnswer)(message, hint=hint, status=status, code=code)


def bad_answer(address: str, answer: BaseHTTPResponse, secrets: tuple[str, ...]) -> BadAnswer:
    """The error for an answer that is not 200; the body is read for what the server says."""
    code, said = _mlflow_error(answer)
    text = f": {shortened(said, secrets)}" if said else ""
    return answered(f"{address} answered HTTP {answer.status}{text}", hint=_hint(answer, code), status=answer.status, code=code)


def may_pass(error: HTTPError) -> bool:
    """Whether asking again may help: the connection failed, but not by time-out and not for its certificate."""
    if timed_out(error) or any(isinstance(cause, ssl.SSLError | SSLError) for cause in _causes(error)):
        return False
    return isinstance(error, NewConnectionError | ConnectTimeoutError | ProtocolError | ProxyError)


def timed_out(error: BaseException) -> bool:
    """Whether something was sent, and the answer did not come in time."""
    # A body that stops half-way comes as another error, with the time-out inside.
    return any(isinstance(cause, ReadTimeoutError) for cause in _causes(error))


def reason(error: BaseException, connect: float, timeout: float) -> str:
    """What happened in words, where the texts of urllib3 name objects; both limits in seconds."""
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return f"no connection within {connect:g} s"
    if timed_out(error):
        return f"time-out after {timeout:g} s"
    known = next(filter(None, map(_in_words, _causes(error))), None)
    if isinstance(error, ProxyError):
        return f"the proxy does not let us through{f' ({known})' if known else ''}"
    # The text itself may hold what must not be shown, such as a header with a token.
    return known or type(error).__name__


def _in_words(cause: BaseException) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({cause.verify_message}); see MLFLOW_TRACKING_SERVER_CERT_PATH"
        case ssl.SSLError():
            return f"no secure connection ({cause.reason or 'TLS failed'}); see MLFLOW_TRACKING_CLIENT_CERT_PATH"
        case ConnectionRefusedError():
            return "connection refused"
        case socket.gaierror():
            return "the name of the host cannot be resolved"
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError() | ProtocolError():
            return "the connection was closed before the answer was complete"
        case OSError():
            return cause.strerror or str(cause) or None
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps, whether raised from it, kept as an argument or as ``reason``."""
    waiting, seen = [error], set[int]()
    late: list[BaseException] = []
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        # urllib3's own words for a broken connection are looked at when the system's do not tell more.
        if isinstance(current, ProtocolError):
            late.append(current)
        else:
            yield current
        inner = [current.__cause__, current.__context__, getattr(current, "reason", None), getattr(current, "original_error", None)]
        waiting.extend(one for one in [*inner, *current.args] if isinstance(one, BaseException))
    yield from late


def in_text(answer: BaseHTTPResponse) -> str:
    """The body of an answer as text, as far as it comes."""
    try:
        return answer.data.decode("utf-8", "replace")
    except (HTTPError, OSError):
        return ""


def _mlflow_error(answer: BaseHTTPResponse) -> tuple[str | None, str]:
    """MLflow's error code and message, or None and the text, as long as it is no page of HTML."""
    text = in_text(answer)
    try:
        body = json.loads(text)
        return str(body["error_code"]), str(body.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, "" if "html" in answer.headers.get("Content-Type", "") else text


def _hint(answer: BaseHTTPResponse, code: str | None) -> str:
    """What to do about an answer that is not 200."""
    status = answer.status
    if status == HTTPStatus.UNAUTHORIZED:
        return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    if status == HTTPStatus.FORBIDDEN:
        return "this user may not; ask for READ to plan, for EDIT to apply, or use other credentials"
    if answer.get_redirect_location():
        place = shortened(without_credentials(answer.headers["Location"]))
        return f"the server sends us to {place}: give the address of MLflow itself"
    if status == HTTPStatus.NOT_FOUND and code is None:
        return "this is not the address of an MLflow server, or its prefix is missing"
    if status in BUSY:
        return "look into the server's log, or try again later"
    return "compare the request with the server's version of MLflow (2.9 or newer)"
