"""HTTP to an MLflow server: bounded retries of reads, writes sent once, every failure told with the address."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from promotion.errors import Unavailable
from promotion.registry.access import Access
from promotion.registry.addresses import http_parts, shortened
from promotion.registry.artifacts import CHUNK
from promotion.registry.failures import BUSY, BadAnswer, hint, may_pass, mlflow_error, reason
from promotion.registry.sockets import Adapter, Authorization

CONNECT = 2.0
"""Seconds to wait for a connection."""
BUDGET = 8.0
"""Seconds within which a read may be asked again: a server that is down is told within 10 s in all."""
_PAUSES = (0.2, 0.5, 1.0)
_IDLE = 1.0
_SECRET = 4


class Api:
    """One server. ``read`` retries briefly, ``write`` never does. Every failure is Unavailable and names the address.

    ``uri`` may hold user and password, which go before those of ``access``; ``address`` never shows them.
    """

    def __init__(self, uri: str, access: Access) -> None:
        self.address, inline = http_parts(uri)
        self._timeout = access.timeout
        user, password = inline or (access.user, access.password)
        header = None
        if user and password:
            header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        elif access.token:
            header = f"Bearer {access.token}"
        # Servers may say back what they were sent. Too short a secret would blank out ordinary words.
        secrets = (password, access.token, header and header.partition(" ")[2])
        self._secrets = tuple(secret for secret in secrets if secret and len(secret) >= _SECRET)
        self._session = requests.Session()
        for prefix in ("http://", "https://"):
            self._session.mount(prefix, Adapter())
        self._session.cert = access.certificate
        self._verify = access.verify
        if header is not None:
            self._session.auth = Authorization(header)
        if access.workspace:
            self._session.headers["X-MLFLOW-WORKSPACE"] = access.workspace
        self._last = -math.inf

    def read(self, path: str, params: Mapping[str, object] | None = None) -> dict[str, Any]:
        """GET a JSON object; a busy or restarting server is asked again, within ``BUDGET``."""
        return self._json(self._get(path, params=params))

    def write(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Send one write, once: whether it arrived is unknown after a failure, so the caller reads back."""
        # A kept connection that the server is just closing would lose the write; a new one costs a fraction of it.
        if time.monotonic() - self._last > _IDLE:
            self._session.close()
        try:
            return self._json(self._send(method, path, json=body, timeout=(min(CONNECT, self._timeout), self._timeout)))
        except requests.RequestException as error:
            advice = "it is unknown whether the write arrived; run the command again, it reads before it writes"
            raise self._failure(error, advice) from error

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[bytes]]:
        """GET raw bytes in chunks; the start is retried like ``read``, a break in the middle is Unavailable."""
        with self._get(path, headers={"Accept-Encoding": "identity"}, stream=True) as answer:
            yield self._chunks(self._checked(answer))

    def _get(self, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - passed to requests
        begin = time.monotonic()
        for pause in (*_PAUSES, 0.0):
            left = BUDGET - (time.monotonic() - begin)
            final = not pause or left <= pause
            try:
                answer = self._send("GET", path, timeout=(max(0.1, min(CONNECT, self._timeout, left)), self._timeout), **options)
            except requests.RequestException as error:
                if final or not may_pass(error):
                    raise self._failure(error, "start the server, or check --tracking-uri, --registry-uri, MLFLOW_TRACKING_URI") from error
            else:
                if final or answer.status_code not in BUSY:
                    return answer
                answer.close()
            time.sleep(pause)
        raise AssertionError  # the last round has returned or raised

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - passed to requests
        # A redirect usually leads to a log-in page or from http to https: following it with a body or a secret is wrong.
        # ``verify`` belongs to each request: a session's own is overruled by REQUESTS_CA_BUNDLE.
        answer = self._session.request(method, f"{self.address}{path}", allow_redirects=False, verify=self._verify, **options)
        self._last = time.monotonic()
        return answer

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        try:
            yield from answer.iter_content(CHUNK)
        except requests.RequestException as error:
            raise self._failure(error, "try again; the transfer broke off") from error

    def _json(self, answer: requests.Response) -> dict[str, Any]:
        self._checked(answer)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            msg = f"{self.address} answered with something that is not MLflow's JSON: {shortened(answer.text, self._secrets)!r}"
            raise BadAnswer(msg, hint="check that this is the address of an MLflow server", status=answer.status_code, code=None)
        return body

    def _checked(self, answer: requests.Response) -> requests.Response:
        if answer.status_code == requests.codes.ok:
            return answer
        code, said = mlflow_error(answer)
        text = f": {shortened(said, self._secrets)}" if said else ""
        msg = f"{self.address} answered HTTP {answer.status_code}{text}"
        raise BadAnswer(msg, hint=hint(answer, code), status=answer.status_code, code=code)

    def _failure(self, error: requests.RequestException, advice: str) -> Unavailable:
        what = shortened(reason(error, CONNECT, self._timeout), self._secrets)
        return Unavailable(f"{self.address} does not answer: {what}", hint=advice)
