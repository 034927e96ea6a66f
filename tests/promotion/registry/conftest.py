from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mlflow import MlflowClient

from promotion.registry import transport
from promotion.registry.connect import connect
from tests.promotion.registry.backends import Backend, MemoryBackend, MlflowBackend

_COUNT = itertools.count(1)


@pytest.fixture(scope="session")
def sqlite_backend(tmp_path_factory) -> MlflowBackend:
    folder = tmp_path_factory.mktemp("sqlite-registry")
    uri = f"sqlite:///{folder}/mlflow.db"
    MlflowClient(tracking_uri=uri, registry_uri=uri).search_registered_models()  # makes the tables
    return MlflowBackend(connect(uri, None, {}), uri, folder / "artifacts")


@pytest.fixture(scope="session")
def rest_backend(mlflow_server) -> MlflowBackend:
    return MlflowBackend(connect(mlflow_server, None, {}), mlflow_server)


@pytest.fixture(scope="session")
def postgres_backend(postgres_server) -> MlflowBackend:
    return MlflowBackend(connect(postgres_server, None, {}), postgres_server)


@pytest.fixture(scope="session")
def old_backend(old_mlflow_server) -> MlflowBackend:
    return MlflowBackend(connect(old_mlflow_server, None, {}), old_mlflow_server, leaves_aliases=True)


@pytest.fixture(params=["memory", "sqlite", "rest", "postgres", "old"])
def backend(request) -> Backend:
    if request.param == "memory":
        return MemoryBackend()
    found: MlflowBackend = request.getfixturevalue(f"{request.param}_backend")
    return found


@pytest.fixture
def name() -> str:
    """A name that no other test uses: the servers are shared."""
    return f"moe-contract-{next(_COUNT)}"


@pytest.fixture
def impatient(monkeypatch):
    """As many retries as ever, with hardly a pause between them."""
    monkeypatch.setattr(transport, "_PAUSES", (0.01, 0.02, 0.03))


@pytest.fixture
def faulty() -> Iterator[Callable]:
    """Start a tiny HTTP server that answers every request with what ``respond(handler)`` does."""
    stops = []

    def start(respond: Callable[[BaseHTTPRequestHandler], None], *, wrap=None) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                respond(self)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        if wrap is not None:
            server.socket = wrap(server.socket)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        stops.append((server, thread))
        return f"http{'' if wrap is None else 's'}://127.0.0.1:{server.server_address[1]}"

    yield start
    for server, thread in stops:
        server.shutdown()
        thread.join()
        server.server_close()
