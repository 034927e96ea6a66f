"""The way to one server: pools of connections that acknowledge at once, through the proxy and with the certificates that are set."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from promotion import __version__
from promotion.errors import UsageError
from promotion.registry.addresses import shortened

IDLE = 1.0
"""Seconds after which a kept connection is not used again: the server may just be closing it, and a write would be lost."""
_KEPT = 16


@dataclass(frozen=True, slots=True)
class Route:
    """The pool that leads to a server, what stands before a path in a request's first line, and the headers of every request."""

    pool: HTTPConnectionPool
    prefix: str
    headers: dict[str, str]


def route(address: str, *, authorization: str | None, verify: bool | str, certificate: str | None) -> Route:
    """Find the way once, by requests' own rules, which are those of MLflow's client: proxies, bundles of authorities, ``~/.netrc``.

    Raises UsageError for a proxy or a bundle that the environment names and that cannot be used.
    """
    session = requests.Session()
    # A header that is set here can be replaced neither by ``~/.netrc`` nor by the URL.
    session.auth = None if authorization is None else _Authorization(authorization)
    session.headers["User-Agent"] = f"promotion/{__version__}"
    adapter = _Adapter(pool_maxsize=_KEPT)
    try:
        example = session.prepare_request(requests.Request("GET", f"{address}/"))
        assert example.url is not None
        # ``verify`` is given, not left to the session: a session's own is overruled by REQUESTS_CA_BUNDLE.
        found = session.merge_environment_settings(example.url, {}, True, verify, certificate)  # noqa: FBT003 - requests' signature
        pool = adapter.get_connection_with_tls_context(example, found["verify"], proxies=found["proxies"], cert=found["cert"])
        prefix = adapter.request_url(example, found["proxies"]).rstrip("/")
    except (requests.RequestException, HTTPError, OSError) as error:
        msg = f"{address} cannot be reached by what the environment says: {shortened(str(error))}"
        raise UsageError(msg, hint="check HTTP_PROXY, HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE") from error
    assert isinstance(pool, HTTPConnectionPool)
    return Route(pool, prefix, dict(example.headers))


class _Authorization(AuthBase):
    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


def _acknowledge(connection: HTTPConnection) -> None:
    # MLflow's server sends header and body apart without TCP_NODELAY: it waits for our acknowledgement of the header,
    # which the kernel delays by 40 ms unless told so before each answer (the option does not last).
    with suppress(OSError, AttributeError):
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class _Connection(HTTPConnection):
    used = 0.0

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own stub says so of its parent
        _acknowledge(self)
        self.used = time.monotonic()
        return super().getresponse()


class _SecureConnection(HTTPSConnection):
    used = 0.0

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own stub says so of its parent
        _acknowledge(self)
        self.used = time.monotonic()
        return super().getresponse()


def _fresh(connection: Any) -> Any:  # noqa: ANN401 - one of the two above, as urllib3 types it
    # A closed connection opens again by itself; that costs a fraction of a lost write.
    if time.monotonic() - connection.used > IDLE:
        connection.close()
    return connection


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _get_conn(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - as urllib3 calls it
        return _fresh(super()._get_conn(timeout))


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection

    def _get_conn(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - as urllib3 calls it
        return _fresh(super()._get_conn(timeout))


class _Adapter(HTTPAdapter):
    """Makes pools of our connections; urllib3 sets TCP_NODELAY itself."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as requests calls it
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401 - as requests calls it
        found = super().proxy_manager_for(proxy, **options)
        found.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return found
