"""Sources in object stores: those below one of the server's own locations are fetched, all others refused before a byte is asked for."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from promotion.errors import UsageError
from promotion.registry.connect import connect
from promotion.registry.roots import check_root

ROOTS = ("s3://models/mlruns/0", "s3://models/mlruns/1/", "gs://bucket", "mlflow-artifacts:/0")


@pytest.mark.parametrize(
    "location", ["s3://models/mlruns/0/run/artifacts/model", "s3://models/mlruns/1/x", "S3://models/mlruns/1/x", "gs://bucket/any/where"]
)
def test_what_lies_below_a_location_of_the_server(location: str) -> None:
    check_root(location, ROOTS, "m/1")


@pytest.mark.parametrize(
    "location",
    [
        "s3://other-bucket/mlruns/0/run/model",
        "s3://models/mlruns",
        "s3://models/mlruns/00/run/model",
        "s3://models/mlruns/0/../../secret",
        "s3://models/mlruns/0/%2e%2e/secret",
        "s3://models@evil/mlruns/0/x",
        "gs://models/mlruns/0/x",
        "hdfs://namenode/mlruns/0/x",
        "ftp://user:secret@host/x",
        "dbfs:/mlruns/0/x",
        "s3:models/mlruns/0/x",
        "s3://[",
    ],
)
def test_what_lies_elsewhere(location: str) -> None:
    with pytest.raises(UsageError, match="outside the server's artifact root") as caught:
        check_root(location, ROOTS, "m/1")
    assert "secret@" not in caught.value.message


def say(handler, answer) -> None:
    content = json.dumps(answer).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def test_a_server_is_asked_for_its_locations_once_and_nothing_is_fetched(faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    fetched: list[str] = []

    def respond(handler) -> None:
        path = urlsplit(handler.path).path
        asked.append(path.rpartition("/mlflow/")[2])
        where = {"experiments": [{"experiment_id": "0", "artifact_location": "s3://models/mlruns/0"}]}
        source = {"artifact_uri": "s3://models/mlruns/0/run/model" if fetched else "s3://other/model"}
        say(handler, where if path.endswith("/experiments/search") else source)

    monkeypatch.setattr("promotion.registry.rest.collect_remote", lambda location, *_: fetched.append(location))
    registry = connect(faulty(respond), None, {})
    for _ in range(2):
        with pytest.raises(UsageError, match="lies at s3://other/model, outside the server's artifact root"):
            registry.artifact("m", 1)
    assert (asked.count("experiments/search"), fetched) == (1, [])
    fetched.append("now below the root")
    registry.artifact("m", 1)
    assert fetched[1:] == ["s3://models/mlruns/0/run/model"]
    assert asked.count("experiments/search") == 1


def test_a_real_server_refuses_another_bucket(rest_backend, name: str) -> None:
    rest_backend._create_model(name)
    rest_backend.client.create_model_version(name, "s3://other-bucket/0/model", await_creation_for=0)
    with pytest.raises(UsageError, match="outside the server's artifact root"):
        rest_backend.registry.artifact(name, 1)


def test_a_database_refuses_another_bucket(sqlite_backend, name: str) -> None:
    sqlite_backend._create_model(name)
    sqlite_backend.client.create_model_version(name, "s3://other-bucket/0/model", await_creation_for=0)
    with pytest.raises(UsageError, match="outside the server's artifact root"):
        sqlite_backend.registry.artifact(name, 1)


@pytest.mark.parametrize(
    "source", ["s3://elsewhere/run", "file:///etc", "mlflow-artifacts:/../../etc", "mlflow-artifacts://other.example/0/run"]
)
def test_a_run_whose_artifacts_lie_elsewhere(faulty, source: str) -> None:
    """A version's source ``runs:/…`` leads to where the run says, which its author chose."""

    def respond(handler) -> None:
        path = urlsplit(handler.path).path
        if path.endswith("/get-download-uri"):
            say(handler, {"artifact_uri": "runs:/0123/model"})
        elif path.endswith("/runs/get"):
            say(handler, {"run": {"info": {"artifact_uri": source}}})
        else:
            assert path.endswith("/experiments/search"), "nothing may be fetched"
            say(handler, {"experiments": [{"artifact_location": "s3://models/mlruns/0"}]})

    with pytest.raises(UsageError, match=r"outside|another server"):
        connect(faulty(respond), None, {}).artifact("m", 1)
