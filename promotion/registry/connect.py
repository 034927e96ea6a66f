"""Which client speaks to which registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from promotion.errors import UsageError
from promotion.registry.addresses import is_http
from promotion.registry.interface import Registry

_OWN_SIGNING = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4")


def connect(
    tracking_uri: str | None,
    registry_uri: str | None,
    environ: Mapping[str, str] | None = None,
    *,
    left: Callable[[], float | None] = lambda: None,
) -> Registry:
    """Open the registry that the arguments name, else MLflow's own variables.

    Runs are read at the tracking URI, models at the registry URI, which is the tracking URI unless another is given.
    Nothing is sent yet to an HTTP server; a database or folder is opened. Raises UsageError when neither is named (MLflow
    would take a folder here, silently), for a malformed address or setting; Unavailable when a store is not there.
    ``left`` tells how many seconds everything may still take (None: no limit); a server is not waited for any longer. MLflow's own
    client knows the limits of its variables alone.
    """
    environ = os.environ if environ is None else environ
    tracking, registry = named(tracking_uri, registry_uri, environ)
    if not registry:
        msg = "no registry is named"
        raise UsageError(msg, hint="give --tracking-uri (and --registry-uri), or set MLFLOW_TRACKING_URI")
    tracking = tracking or registry
    # Signing plugins (AWS, Kubernetes) live in MLflow's client.
    signed = any(environ.get(name, "").lower() not in {"", "0", "false"} for name in _OWN_SIGNING)
    if is_http(registry) and is_http(tracking) and not signed:
        from promotion.registry.access import Access
        from promotion.registry.rest import RestRegistry

        return RestRegistry(registry, tracking, Access.from_environment(environ), left)
    from promotion.registry.mlflow import ClientRegistry

    return ClientRegistry(registry, tracking)


def named(tracking_uri: str | None, registry_uri: str | None, environ: Mapping[str, str] | None = None) -> tuple[str | None, str | None]:
    """The tracking URI and the registry URI that the arguments give, else MLflow's own variables; None where nothing does."""
    environ = os.environ if environ is None else environ
    tracking = tracking_uri or environ.get("MLFLOW_TRACKING_URI")
    return tracking, registry_uri or environ.get("MLFLOW_REGISTRY_URI") or _registry_of(tracking)


def _registry_of(tracking: str | None) -> str | None:
    """As MLflow has it: on Databricks models live in Unity Catalog."""
    if tracking is not None and tracking.partition(":")[0] == "databricks":
        return tracking.replace("databricks", "databricks-uc", 1)
    return tracking
