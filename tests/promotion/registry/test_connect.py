"""Which client is taken for which address, and stores that are not there: nothing is created by looking."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from promotion.errors import Unavailable, UsageError
from promotion.registry.addresses import identity, shortened, without_credentials
from promotion.registry.artifacts import digest_folder
from promotion.registry.connect import connect
from promotion.registry.mlflow import ClientRegistry
from promotion.registry.rest import RestRegistry
from tests.promotion.registry.backends import FILES, write
from tests.server import free_port


def test_no_registry_is_an_error_and_not_a_folder_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no registry is named") as caught:
        connect(None, None, {})
    assert "MLFLOW_TRACKING_URI" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "environ", "address"),
    [
        (("http://a:1", None), {}, "http://a:1"),
        ((None, "http://a:1/"), {}, "http://a:1"),
        (("http://a:1", "https://b/prefix/"), {}, "https://b/prefix"),
        ((None, None), {"MLFLOW_TRACKING_URI": "http://a:1"}, "http://a:1"),
        ((None, None), {"MLFLOW_TRACKING_URI": "http://a:1", "MLFLOW_REGISTRY_URI": "http://b:2"}, "http://b:2"),
        (("http://c:3", None), {"MLFLOW_TRACKING_URI": "http://a:1", "MLFLOW_REGISTRY_URI": "http://b:2"}, "http://b:2"),
        (("http://c:3", "http://d:4"), {"MLFLOW_TRACKING_URI": "http://a:1", "MLFLOW_REGISTRY_URI": "http://b:2"}, "http://d:4"),
        (("HTTPS://User:pw@Host.Example:8443", None), {}, "https://host.example:8443"),
        (("http://[::1]:5000", None), {}, "http://[::1]:5000"),
    ],
)
def test_arguments_go_before_variables(arguments, environ, address):
    tracking, models = arguments
    registry = connect(tracking, models, environ)
    assert isinstance(registry, RestRegistry)
    assert registry.address == address


@pytest.mark.parametrize(
    "uri", ["http://", "http://a:port", "http://a?x=1", "http://[::1", "http://u:s3cret@:80", "http://u:s3cret@a:99999"]
)
def test_what_is_no_address(uri):
    with pytest.raises(UsageError, match="is not") as caught:
        connect(uri, None, {})
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("environ", [{"MLFLOW_TRACKING_AWS_SIGV4": "true"}, {"MLFLOW_TRACKING_AUTH": "kubernetes"}])
def test_signing_plugins_are_left_to_mlflow(environ):
    registry = connect("http://127.0.0.1:9", None, environ)
    assert isinstance(registry, ClientRegistry)
    assert registry.address == "http://127.0.0.1:9"


@pytest.mark.parametrize("uri", ["sqlite:///{}/missing.db", "{}/mlruns", "file://{}/mlruns"])
def test_a_store_that_is_not_there_is_not_made(tmp_path, uri):
    with pytest.raises(Unavailable, match="there is no") as caught:
        connect(uri.format(tmp_path), None, {})
    assert "nothing was created" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_somebody_else_is_left_alone(tmp_path):
    import sqlite3

    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("create table customers (name text)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="holds no MLflow registry"):
        connect(f"sqlite:///{path}", None, {})
    assert path.read_bytes() == before


def test_a_database_of_an_older_mlflow_is_not_upgraded(tmp_path):
    import sqlite3

    path = tmp_path / "old.db"
    with sqlite3.connect(path) as database:
        database.execute("create table registered_models (name text)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="older version of MLflow") as caught:
        connect(f"sqlite:///{path}", None, {})
    assert "mlflow db upgrade" in str(caught.value.hint)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be looked at" * 10)
    with pytest.raises(Unavailable, match="cannot open sqlite:"):
        connect(f"sqlite:///{tmp_path}/mlflow.db", None, {})


def test_a_database_server_that_is_down_is_told_within_ten_seconds():
    begin = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        connect(f"postgresql+psycopg2://ada:hunter2@127.0.0.1:{free_port()}/mlflow", None, {})
    assert time.monotonic() - begin < 10
    assert "hunter2" not in caught.value.message
    assert "does not answer" in caught.value.message


def test_a_local_source_outside_the_artifact_root_is_refused(sqlite_backend, name, tmp_path):
    backend = sqlite_backend
    outside = write(tmp_path / "outside", FILES)
    backend._create_model(name)
    backend.client.create_model_version(name, str(outside), await_creation_for=0)
    with pytest.raises(UsageError, match="outside the artifact root"):
        backend.registry.artifact(name, 1)
    # Nor by a link from inside to outside.
    link = write(tmp_path / "unused", FILES).parent / "link"
    link.symlink_to(outside)
    backend.client.create_model_version(name, str(link), await_creation_for=0)
    with pytest.raises(UsageError, match="outside the artifact root"):
        backend.registry.artifact(name, 2)


def test_models_in_a_database_and_their_runs_on_a_server(mlflow_server, rest_backend, sqlite_backend, name, tmp_path):
    rest_backend.register(name)
    run_id = rest_backend.registry.model(name).versions[1].identity.run_id
    sqlite_backend._create_model(name)
    source = f"{rest_backend.client.get_run(run_id).info.artifact_uri}/model"
    sqlite_backend.client._get_registry_client().create_model_version(name, source, run_id, await_creation_for=0)
    registry = connect(mlflow_server, sqlite_backend.uri, {})
    assert registry.address == sqlite_backend.uri
    assert registry.run(run_id) == rest_backend.registry.run(run_id) is not None
    # The files come through MLflow's own artifact client here, and are the same to the byte.
    assert registry.artifact(name, 1) == rest_backend.registry.artifact(name, 1) == digest_folder(write(tmp_path / "local", FILES))
    assert registry.download(name, 1, tmp_path / "fetched") == digest_folder(tmp_path / "fetched")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fetched", "local"]


def test_plan_reads_a_server_without_importing_mlflow(mlflow_server):
    code = (
        "import sys; from promotion.registry.connect import connect; "
        f"print(connect({mlflow_server!r}, None).model('no-such-model')); "
        "print(sorted({'mlflow', 'pandas', 'torch', 'numpy', 'yaml', 'click'} & set(sys.modules)))"
    )
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ, timeout=60)
    assert done.stdout.split("\n")[:2] == ["None", "[]"]


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql+psycopg2://ada:hunter2@db:5432/mlflow?password=x", "postgresql+psycopg2://db:5432/mlflow"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dhunter2", "mssql+pyodbc:///"),
        ("s3://key:s/e@cret@bucket/x", "s3://bucket/x"),
        ("databricks://profile", "databricks://profile"),
    ],
)
def test_addresses_without_credentials(uri, shown):
    assert without_credentials(uri) == shown


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sqlite:///mlflow.db", "sqlite:///{}/mlflow.db"),
        ("./mlruns", "file://{}/mlruns"),
        ("mlruns", "file://{}/mlruns"),
        ("file:mlruns", "file://{}/mlruns"),
        ("file:///srv/ml%20runs", "file:///srv/ml runs"),
        ("databricks-uc", "databricks-uc"),
        ("databricks://prod", "databricks://prod"),
    ],
)
def test_the_same_store_has_the_same_address_from_any_folder(uri, address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert identity(uri) == address.format(tmp_path)


def test_messages_of_others_become_one_short_line():
    text = shortened("a\n\tb\x1b[31m\x00 http://u:hunter2@host/x " + "y" * 500 + " s3cret", ("s3cret",))
    assert text.startswith("a b [31m http://host/x yyy")
    assert len(text) == 200
    assert shortened("token s3cret!", ("s3cret",)) == "token ***!"
