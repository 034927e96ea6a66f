"""Fixtures for every test: a clean environment, real MLflow servers, small registered versions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import hypothesis
import pytest

from tests.guarded import guarded, invite
from tests.models import register_version
from tests.oldserver import OldServerError, old_python
from tests.postgres import NotInstalledError, Postgres
from tests.server import Server

# What a developer's shell says about registries, proxies or telemetry must not reach the tests.
for _name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[_name]
os.environ |= {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}

# Beside other tests: two threads that wait for each other on a core that is not free are many times slower than one.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# On a machine that has other work a single example may take long. In CI the same commit gets the same examples: a landing must not hang on
# chance; who works on it explores.
hypothesis.settings.register_profile("people", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "people")


def pytest_configure(config: pytest.Config) -> None:
    # MLflow 3.17 on SQLAlchemy 2.1, in this process when a test opens sqlite: itself; not ours to mend.
    config.addinivalue_line("filterwarnings", "ignore:The ..noload.. loader strategy is deprecated:DeprecationWarning")


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real MLflow server that the whole session shares: use names of your own."""
    with Server(tmp_path_factory.mktemp("mlflow-server")) as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that the whole session shares: use databases of your own."""
    found = Postgres()
    try:
        found.start()
    except NotInstalledError as error:
        pytest.skip(str(error))
    yield found
    found.stop()


@pytest.fixture(scope="session")
def postgres_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an MLflow server with four workers on PostgreSQL, for the whole session."""
    with Server(tmp_path_factory.mktemp("postgres-server"), workers=4, store=postgres.database("shared")) as server:
        yield server.url


@pytest.fixture(scope="session")
def old_mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the oldest MLflow server that is supported (SQLite, one worker), for the whole session."""
    try:
        python = old_python()
    except OldServerError as error:
        pytest.skip(str(error))
    with Server(tmp_path_factory.mktemp("old-mlflow-server"), python=python) as server:
        yield server.url


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an MLflow server with basic-auth and the users of ``tests.guarded``, for the whole session."""
    with guarded(tmp_path_factory.mktemp("guarded-server")) as server:
        invite(server.url)
        yield server.url


@pytest.fixture
def fresh_mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real MLflow server with an empty store, for this test alone (about 5 s)."""
    with Server(tmp_path_factory.mktemp("fresh-mlflow-server")) as server:
        yield server.url


@pytest.fixture
def register_model(mlflow_server: str) -> Callable[..., int]:
    """``register_version`` of ``tests.models``, bound to the session's server."""
    return partial(register_version, mlflow_server)
