"""An MLflow server with basic-auth: an administrator, an editor of some models, a reader of all, a stranger to some."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.server import Server

ADMIN = ("admin", "correct-horse-battery")
EDITOR = ("editor", "battery-correct-staple")
READER = ("reader", "staple-battery-horse")
STRANGER = ("stranger", "horse-staple-correct")


def guarded(folder: Path) -> Server:
    """The server, not started yet; everybody who is known may read, unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\nadmin_username = {ADMIN[0]}\n"
        f"admin_password = {ADMIN[1]}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_FLASK_SERVER_SECRET_KEY": "tests"}
    return Server(folder, arguments=("--app-name", "basic-auth"), environment=environment)


def invite(url: str) -> None:
    """Make the users."""
    for user, password in (EDITOR, READER, STRANGER):
        call(url, "2.0/mlflow/users/create", {"username": user, "password": password})


def grant(url: str, user: tuple[str, str], model: str, permission: str) -> None:
    """Give a user a permission on one model: READ, EDIT, MANAGE or DENY."""
    body = {"username": user[0], "resource_type": "registered_model", "resource_id": model, "permission": permission}
    call(url, "3.0/mlflow/users/permissions/grant", body)


def call(url: str, path: str, body: dict[str, str]) -> None:
    """Ask for something as the administrator."""
    answer = requests.post(f"{url}/api/{path}", json=body, auth=ADMIN, timeout=60)
    assert answer.status_code == 200, answer.text


def credentials(user: tuple[str, str]) -> dict[str, str]:
    """What MLflow's clients need to be this user; basic-auth hashes the password at each request, which takes its time."""
    return {"MLFLOW_TRACKING_USERNAME": user[0], "MLFLOW_TRACKING_PASSWORD": user[1], "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
