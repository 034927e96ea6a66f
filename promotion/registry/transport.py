"""HTTP to an MLflow server: bounded retries of reads, writes sent once, every failure told with the address."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from promotion.errors import Unavailable
from promotion.registry.access import Access
from promotion.registry.addresses import http_parts, shortened
from promotion.registry.artifacts import CHUNK
from promotion.registry.failures import BUSY, BadAnswer, bad_answer, in_text, may_pass, reason, timed_out
from promotion.registry.interface import Rejected, Unanswered
from promotion.registry.sockets import Route, route

CONNECT = 2.0
"""Seconds to wait for a connection."""
BUDGET = 8.0
"""Seconds within which a read may be asked again: a server that is down is told within 10 s in all."""
_PAUSES = (0.2, 0.5, 1.0)
_SECRET = 4
_OK = 200
_UNKNOWN = "it is unknown whether the write arrived; run the command again, it reads before it writes"
_START = "start the server, or check --tracking-uri, --registry-uri, MLFLOW_TRACKING_URI"

Left = Callable[[], float | None]
"""Tells how many seconds are left for everything; None: as long as it takes."""


class Api:
    """One server, for any number of threads at once. ``read`` retries briefly, ``write`` never does.

    ``uri`` may hold user and password, which go before those of ``access``; ``address`` never shows them. ``left`` bounds the total
    time: what begins after it, or would end after it, is given up. Every failure is Unavailable and names the address.
    """

    def __init__(self, uri: str, access: Access, left: Left = lambda: None) -> None:
        self.address, inline = http_parts(uri)
        self._timeout = access.timeout
        self._left = left
        user, password = inline or (access.user, access.password)
        header = None
        if user and password:
            header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        elif access.token:
            header = f"Bearer {access.token}"
        # Servers may say back what they were sent. Too short a secret would blank out ordinary words.
        secrets = (password, access.token, header and header.partition(" ")[2])
        self._secrets = tuple(secret for secret in secrets if secret and len(secret) >= _SECRET)
        self._route: Route = route(self.address, authorization=header, verify=access.verify, certificate=access.certificate)
        if access.workspace:
            self._route.headers["X-MLFLOW-WORKSPACE"] = access.workspace
        self.knows_user = "Authorization" in self._route.headers or access.certificate is not None
        """Whether the server is told who asks, so that it may allow one user what it forbids another."""

    def read(self, path: str, params: Mapping[str, object] | None = None) -> dict[str, Any]:
        """GET a JSON object; a busy or restarting server is asked again, within ``BUDGET``."""
        target = f"{path}?{urlencode(params, doseq=True)}" if params else path
        return self._json(self._patiently("GET", target))

    def write(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Send one write, once: whether it arrived is unknown after a failure, so the caller reads back."""
        content = json.dumps(body, allow_nan=False).encode()
        limits = self._limits(self._timeout, "nothing was sent")
        try:
            return self._json(self._send(method, path, limits, {"Content-Type": "application/json"}, body=content))
        except HTTPError as error:
            failure = self._failure(error, _UNKNOWN)
            raise Unanswered(failure.message, hint=failure.hint) if timed_out(error) else failure from error

    def probe(self, method: str, path: str, body: Mapping[str, object]) -> BadAnswer | None:
        """Send what the server must refuse or ignore, as patiently as ``read``; gives its refusal, None for an answer of 200."""
        content = json.dumps(body, allow_nan=False).encode()
        try:
            self._checked(self._patiently(method, path, {"Content-Type": "application/json"}, body=content))
        except BadAnswer as error:
            if isinstance(error, Rejected):
                return error
            raise
        return None

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[bytes]]:
        """GET raw bytes in chunks; the start is retried like ``read``, a break in the middle is Unavailable."""
        answer = self._patiently("GET", path, {"Accept-Encoding": "identity"}, preload_content=False)
        try:
            yield self._chunks(self._checked(answer))
        finally:
            # What was read to its end goes back to be used again; of anything else the rest would come in its way.
            if not answer.closed:
                answer.close()
            answer.release_conn()

    def _patiently(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> BaseHTTPResponse:  # noqa: ANN401 - urllib3's
        """Send what may be sent again, and do so while the server is busy, within ``BUDGET``."""
        begin = time.monotonic()
        for pause in (*_PAUSES, 0.0):
            budget = BUDGET - (time.monotonic() - begin)
            limits = self._limits(budget, "the registry was not read to the end")
            total = self._left()
            final = not pause or min(budget, budget if total is None else total) <= pause
            try:
                answer = self._send(method, path, limits, headers or {}, **options)
            except HTTPError as error:
                if final or not may_pass(error):
                    raise self._failure(error, _START) from error
            else:
                if final or answer.status not in BUSY:
                    return answer
                answer.drain_conn()
            time.sleep(pause)
        raise AssertionError  # the last round has returned or raised

    def _limits(self, connect: float, otherwise: str) -> Timeout:
        """The time for one request: its own limits, or what is left of all. Raises Unavailable when nothing is."""
        left = self._left()
        if left is None:
            return Timeout(connect=max(0.1, min(CONNECT, self._timeout, connect)), read=self._timeout)
        if left <= 0:
            raise Unavailable(f"the time for {self.address} is over: {otherwise}", hint="allow more with --timeout SECONDS")
        return Timeout(connect=max(0.1, min(CONNECT, self._timeout, connect, left)), read=min(self._timeout, left))

    def _send(self, method: str, path: str, limits: Timeout, headers: Mapping[str, str], **options: Any) -> BaseHTTPResponse:  # noqa: ANN401 - urllib3's
        # A redirect usually leads to a log-in page or from http to https: following it with a body or a secret is wrong.
        # Through a proxy the address is not the pool's own.
        options |= {"retries": False, "redirect": False, "assert_same_host": False, "timeout": limits}
        return self._route.pool.urlopen(method, f"{self._route.prefix}{path}", headers={**self._route.headers, **headers}, **options)

    def _chunks(self, answer: BaseHTTPResponse) -> Iterator[bytes]:
        try:
            for chunk in answer.stream(CHUNK):
                self._limits(self._timeout, "a file was not read to the end")
                yield chunk
        except HTTPError as error:
            raise self._failure(error, "try again; the transfer broke off") from error

    def _json(self, answer: BaseHTTPResponse) -> dict[str, Any]:
        self._checked(answer)
        try:
            body = json.loads(answer.data)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            msg = f"{self.address} answered with something that is not MLflow's JSON: {shortened(in_text(answer), self._secrets)!r}"
            raise BadAnswer(msg, hint="check that this is the address of an MLflow server", status=answer.status, code=None)
        return body

    def _checked(self, answer: BaseHTTPResponse) -> BaseHTTPResponse:
        if answer.status == _OK:
            return answer
        raise bad_answer(self.address, answer, self._secrets)

    def _failure(self, error: HTTPError, advice: str) -> Unavailable:
        what = shortened(reason(error, CONNECT, self._timeout), self._secrets)
        return Unavailable(f"{self.address} does not answer: {what}", hint=advice)
