"""Connections that acknowledge at once, and the Authorization header."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse


class Authorization(AuthBase):
    """Sets the header itself, so that neither ``~/.netrc`` nor the URL can replace it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the header on."""
        request.headers["Authorization"] = self._value
        return request


def _acknowledge(connection: HTTPConnection) -> None:
    # MLflow's server sends header and body apart without TCP_NODELAY: it waits for our acknowledgement of the header,
    # which the kernel delays by 40 ms unless told so before each answer (the option does not last).
    with suppress(OSError, AttributeError):
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own stub says so of its parent
        _acknowledge(self)
        return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own stub says so of its parent
        _acknowledge(self)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Adapter(HTTPAdapter):
    """Connections that answer at once; urllib3 sets TCP_NODELAY itself."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as requests calls it
        """Make the pools; called by the base class."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401 - as requests calls it
        """Make the pools towards a proxy; called by the base class."""
        found = super().proxy_manager_for(proxy, **options)
        found.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return found
