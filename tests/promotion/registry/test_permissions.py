"""A real server with MLflow's basic-auth: who may not see a model is told so, and never plans against a gap."""

from __future__ import annotations

import pytest
import requests

from promotion.domain import SetStage
from promotion.errors import Unavailable
from promotion.registry.connect import connect
from tests.promotion.registry.backends import MlflowBackend
from tests.server import Server

ADMIN = ("admin", "correct-horse-battery")
READER = ("reader", "staple-battery-horse")
STRANGER = ("stranger", "horse-staple-correct")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The server's URL, with a model ``guarded`` that the reader may read and the stranger may not see."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = folder / "auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\nadmin_username = {ADMIN[0]}\n"
        f"admin_password = {ADMIN[1]}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_FLASK_SERVER_SECRET_KEY": "tests"}
    patch = pytest.MonkeyPatch()
    with Server(folder, arguments=("--app-name", "basic-auth"), environment=environment) as server:
        patch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN[0])
        patch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN[1])
        MlflowBackend(as_user(server.url, ADMIN), server.url).register("guarded", {"MLmodel": b"x"})
        patch.undo()
        for user, password in (READER, STRANGER):
            call(server.url, "2.0/mlflow/users/create", {"username": user, "password": password})
        grant = {"username": STRANGER[0], "resource_type": "registered_model", "resource_id": "guarded", "permission": "DENY"}
        call(server.url, "3.0/mlflow/users/permissions/grant", grant)
        yield server.url


def call(url, path, body):
    answer = requests.post(f"{url}/api/{path}", json=body, auth=ADMIN, timeout=10)
    assert answer.status_code == 200, answer.text


def as_user(url, user):
    return connect(url, None, {"MLFLOW_TRACKING_USERNAME": user[0], "MLFLOW_TRACKING_PASSWORD": user[1]})


def test_nobody_is_asked_who_they_are(guarded):
    with pytest.raises(Unavailable, match="HTTP 401") as caught:
        connect(guarded, None, {}).observe(["guarded"])
    assert "MLFLOW_TRACKING_USERNAME" in str(caught.value.hint)


def test_a_wrong_password(guarded):
    with pytest.raises(Unavailable, match="HTTP 401") as caught:
        as_user(guarded, ("reader", "wrong-wrong-wrong")).names()
    assert "wrong-wrong" not in caught.value.message


def test_a_hidden_model_is_not_absent(guarded):
    registry = as_user(guarded, STRANGER)
    with pytest.raises(Unavailable, match="hides model guarded"):
        registry.observe(["guarded"])
    # Nor when so many are asked for that they are read by a search, which leaves it out silently.
    with pytest.raises(Unavailable, match="hides model guarded"):
        registry.observe(["guarded", *(f"no-such-{number}" for number in range(30))])
    assert registry.names() == ()


def test_a_reader_plans_and_does_not_apply(guarded):
    registry = as_user(guarded, READER)
    assert tuple(registry.model("guarded").versions) == (1,)
    assert registry.artifact("guarded", 1) == as_user(guarded, ADMIN).artifact("guarded", 1)
    with pytest.raises(Unavailable, match="HTTP 403") as caught:
        registry.apply(SetStage("guarded", 1, "Production", archive_existing=True))
    assert "EDIT" in str(caught.value.hint)
    as_user(guarded, ADMIN).apply(SetStage("guarded", 1, "Production", archive_existing=True))
    assert registry.model("guarded").in_stage("Production") == (1,)
