"""How to reach an MLflow server: what MLflow's own environment variables and credentials file say."""

from __future__ import annotations

import configparser
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from promotion.errors import UsageError

TIMEOUT = 10.0
"""Seconds to wait for an answer when ``MLFLOW_HTTP_REQUEST_TIMEOUT`` does not say."""
_BOOLEANS = {"": False, "false": False, "0": False, "true": True, "1": True}


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a server: what MLflow's environment variables say. ``timeout`` in seconds."""

    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    verify: bool | str = True
    certificate: str | None = None
    timeout: float = TIMEOUT
    workspace: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], home: Path | None = None) -> Access:
        """Read the variables (and ``~/.mlflow/credentials``, as MLflow does); raises UsageError for a wrong value."""
        stored = _credentials_file(home or Path.home())
        insecure = _BOOLEANS.get(environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower())
        if insecure is None:
            msg = f"MLFLOW_TRACKING_INSECURE_TLS is {environ['MLFLOW_TRACKING_INSECURE_TLS']!r}, neither true nor false"
            raise UsageError(msg, hint="set it to true only for a server whose certificate cannot be checked, or unset it")
        bundle = environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
        if insecure and bundle:
            msg = "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set"
            raise UsageError(msg, hint="unset one of them: the first switches off what the second is for")
        for variable in ("MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"):
            if (path := environ.get(variable)) and not Path(path).exists():
                msg = f"{variable} names {path}, which does not exist"
                raise UsageError(msg, hint="name a file in PEM format, or unset the variable")
        token = environ.get("MLFLOW_TRACKING_TOKEN", "").strip()
        return cls(
            user=environ.get("MLFLOW_TRACKING_USERNAME") or stored.get("mlflow_tracking_username"),
            password=environ.get("MLFLOW_TRACKING_PASSWORD") or stored.get("mlflow_tracking_password"),
            token=token or None,
            verify=False if insecure else bundle or True,
            certificate=environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
            timeout=_seconds(environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT")),
            workspace=environ.get("MLFLOW_WORKSPACE"),
        )


def _seconds(text: str | None) -> float:
    try:
        value = TIMEOUT if text is None else float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        msg = f"MLFLOW_HTTP_REQUEST_TIMEOUT is {text!r}, not a number of seconds"
        raise UsageError(msg, hint="set it to a positive number such as 10, or unset it")
    return value


def _credentials_file(home: Path) -> Mapping[str, str]:
    # MLflow's own parser options, so that the same file means the same.
    parser = configparser.ConfigParser()
    with suppress(configparser.Error, OSError, UnicodeDecodeError):
        parser.read(home / ".mlflow" / "credentials")
        if parser.has_section("mlflow"):
            return dict(parser.items("mlflow"))
    return {}
