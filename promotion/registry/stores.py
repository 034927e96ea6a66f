"""Databases and folders that MLflow's client opens by itself: looked at first, since MLflow makes or upgrades them silently."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from promotion.errors import PromotionError, Unavailable, UsageError
from promotion.registry.addresses import identity, local_path, shortened

_DIALECTS = ("sqlite", "postgresql", "mysql", "mssql")
_CONNECT = 5.0
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def is_database(uri: str) -> bool:
    """Whether the URI is one of a database, such as ``sqlite:///…`` or ``postgresql+psycopg2://…``."""
    return uri.partition(":")[0].partition("+")[0].lower() in _DIALECTS


def check_store(uri: str) -> None:
    """Raise Unavailable unless a database answers and holds this MLflow's tables, or a folder exists; nothing is changed."""
    if not is_database(uri):
        path = local_path(uri)
        if path is not None and not path.is_dir():
            msg = f"there is no registry at {path}"
            raise Unavailable(msg, hint="check --registry-uri, --tracking-uri and the working folder; nothing was created")
        return
    dialect = uri.partition(":")[0].partition("+")[0].lower()
    if dialect == "sqlite":
        path = Path(identity(uri).removeprefix("sqlite:///"))
        if not path.is_file():
            msg = f"there is no database at {path}"
            raise Unavailable(msg, hint="check --registry-uri, --tracking-uri and the working folder; nothing was created")
    else:
        _check_port(uri, _PORTS[dialect])
    _check_tables(uri)


def artifact_roots(client: Any) -> tuple[Path, ...]:  # noqa: ANN401 - MlflowClient
    """The local folders that experiments keep artifacts in, links resolved; empty when none is local."""
    return tuple(sorted({path for one in experiment_locations(client) if (path := local_path(one)) is not None}))


def experiment_locations(client: Any) -> tuple[str, ...]:  # noqa: ANN401 - MlflowClient
    """The locations that experiments keep artifacts in, sorted, each once."""
    from mlflow.entities import ViewType

    found: set[str] = set()
    token: str | None = None
    while True:
        page = client.search_experiments(view_type=ViewType.ALL, max_results=1000, page_token=token)
        found |= {one.artifact_location for one in page if one.artifact_location}
        token = page.token
        if not token:
            return tuple(sorted(found))


def checked_source(path: Path, roots: tuple[Path, ...], where: str) -> Path:
    """The local folder of a version, links resolved; raises UsageError when it lies in none of the roots (if there are any)."""
    real = path.resolve()
    if roots and not any(real.is_relative_to(root) for root in roots):
        msg = f"the artifact of {where} lies at {real}, outside the artifact root"
        raise UsageError(msg, hint="log the model to this registry's tracking store and register it again")
    return real


def _check_port(uri: str, port: int) -> None:
    # MLflow tries a database that is down for 100 s before it says so.
    shown = identity(uri)
    parts = urlsplit(uri)
    if not parts.hostname:
        return
    try:
        socket.create_connection((parts.hostname, parts.port or port), timeout=_CONNECT).close()
    except OSError as error:
        msg = f"{shown} does not answer: {error.strerror or error}"
        raise Unavailable(msg, hint="start the database, or check --registry-uri and --tracking-uri") from error


def _check_tables(uri: str) -> None:
    shown = identity(uri)
    with _opening(shown):
        import sqlalchemy
        from mlflow.store.db.utils import _all_tables_exist

        engine = sqlalchemy.create_engine(uri)
        try:
            known = "registered_models" in sqlalchemy.inspect(engine).get_table_names()
            fits = known and bool(_all_tables_exist(engine))  # type: ignore[no-untyped-call]  # MLflow has no types here
        finally:
            engine.dispose()
    if not known:
        msg = f"{shown} holds no MLflow registry"
        raise Unavailable(msg, hint="check --registry-uri and --tracking-uri; nothing was created")
    if not fits:
        msg = f"{shown} belongs to an older version of MLflow than the one installed here"
        raise Unavailable(msg, hint="reach it through its server, or upgrade it with: mlflow db upgrade URI")


@contextmanager
def _opening(shown: str) -> Iterator[None]:
    try:
        yield
    except PromotionError:
        raise
    # Drivers raise errors of their own, and a missing driver is an ImportError.
    except Exception as error:
        msg = f"cannot open {shown}: {shortened(f'{type(error).__name__}: {error}')}"
        raise Unavailable(msg, hint="check the database, its credentials, and that its driver is installed") from error
