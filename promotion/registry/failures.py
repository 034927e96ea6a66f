"""What went wrong between us and an MLflow server, in words, and what to do next."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import ReadTimeoutError

from promotion.errors import Unavailable
from promotion.registry.addresses import shortened, without_credentials

BUSY = frozenset({429, 500, 502, 503, 504})
"""Answers of a server that is busy or restarting: a read may be asked again."""


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


def may_pass(error: requests.RequestException) -> bool:
    """Whether asking again may help: the connection failed, but not by time-out and not for its certificate."""
    if isinstance(error, requests.exceptions.SSLError) or _read_timed_out(error):
        return False
    return isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError)


def _read_timed_out(error: BaseException) -> bool:
    # A body that stops half-way comes as ConnectionError, with the time-out inside.
    return isinstance(error, requests.ReadTimeout) or any(isinstance(cause, ReadTimeoutError) for cause in _causes(error))


def reason(error: BaseException, connect: float, timeout: float) -> str:
    """What happened in words, where the texts of requests and urllib3 name objects; both limits in seconds."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {connect:g} s"
    if _read_timed_out(error):
        return f"time-out after {timeout:g} s"
    known = next(filter(None, map(_in_words, _causes(error))), None)
    if known is None and isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not answer"
    # The text itself may hold what must not be shown, such as a header with a token.
    return known or type(error).__name__


def _in_words(cause: BaseException) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({cause.verify_message}); see MLFLOW_TRACKING_SERVER_CERT_PATH"
        case ConnectionRefusedError():
            return "connection refused"
        case socket.gaierror():
            return "the name of the host cannot be resolved"
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return "the connection was closed before the answer was complete"
        case requests.RequestException():
            return None
        case OSError():
            return cause.strerror
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps, whether raised from it, kept as an argument or as ``reason``."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
        waiting.extend(one for one in inner if isinstance(one, BaseException))


def mlflow_error(answer: requests.Response) -> tuple[str | None, str]:
    """MLflow's error code and message, or None and the text, as long as it is no page of HTML."""
    try:
        body = answer.json()
        return str(body["error_code"]), str(body.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, requests.RequestException):
        text = "" if "html" in answer.headers.get("Content-Type", "") else answer.text
        return None, text


def hint(answer: requests.Response, code: str | None) -> str:
    """What to do about an answer that is not 200."""
    status = answer.status_code
    if status == requests.codes.unauthorized:
        return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    if status == requests.codes.forbidden:
        return "this user may not; ask for READ to plan, for EDIT to apply, or use other credentials"
    if answer.is_redirect:
        place = shortened(without_credentials(answer.headers["Location"]))
        return f"the server sends us to {place}: give the address of MLflow itself"
    if status == requests.codes.not_found and code is None:
        return "this is not the address of an MLflow server, or its prefix is missing"
    if status in BUSY:
        return "look into the server's log, or try again later"
    return "compare the request with the server's version of MLflow (2.9 or newer)"
