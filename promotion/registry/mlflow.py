"""MLflow's own client, for every registry that is no plain HTTP server: databases, folders, Databricks, plugins."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from promotion.changes import DeleteAlias, Operation, SetAlias, SetStage, SetVersionTag
from promotion.domain import Observed, ObservedModel, ObservedVersion, VersionIdentity
from promotion.errors import PromotionError, Unavailable
from promotion.registry.addresses import identity, local_path, shortened
from promotion.registry.artifacts import collect, local_contents
from promotion.registry.failures import BadAnswer, answered
from promotion.registry.filters import by_name
from promotion.registry.interface import Artifact, Run
from promotion.registry.observing import Registered, hidden, observe
from promotion.registry.remote import collect_remote
from promotion.registry.rest import ARCHIVING, WRITERS
from promotion.registry.roots import check_root
from promotion.registry.stores import artifact_roots, check_store, checked_source, experiment_locations, is_database

T = TypeVar("T")
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_LIMITS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1", _RETRIES: "3"}
_STATUS = {
    "BAD_REQUEST": 400,
    "INVALID_PARAMETER_VALUE": 400,
    "INVALID_STATE": 400,
    "PERMISSION_DENIED": 403,
    "RESOURCE_ALREADY_EXISTS": 400,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "UNAUTHENTICATED": 401,
}


class ClientRegistry:
    """``interface.Registry`` over MLflow's registry client: ``MlflowClient`` itself doubles the calls for one model (trap 3).

    Opening it raises UsageError or Unavailable when there is no such store: MLflow would make a new, empty one.
    """

    def __init__(self, registry_uri: str, tracking_uri: str | None = None) -> None:
        self._registry_uri = registry_uri
        self._tracking_uri = tracking_uri or registry_uri
        # MLflow's own limits keep a caller waiting for minutes (trap 7); what the user set stays.
        for name, value in _LIMITS.items():
            os.environ.setdefault(name, value)
        self._client: Any = self._ask("the registry", self._open)
        self._roots: tuple[Path, ...] | None = None

    @property
    def address(self) -> str:
        """See ``Registry.address``; a local path is absolute."""
        return identity(self._registry_uri)

    @property
    def writers(self) -> int:
        """See ``Registry.writers``: SQLite takes one write at a time."""
        return 1 if self._registry_uri.lower().startswith("sqlite") else WRITERS

    def rejections(self, operations: Collection[Operation]) -> Mapping[str, Unavailable]:
        """See ``Registry.rejections``: MLflow's client refuses what cannot be before any server sees it, so nothing can be asked."""
        del operations
        return {}

    def observe(self, names: Collection[str]) -> Observed:
        """See ``Registry.observe``."""
        return observe(self, names)

    def names(self) -> tuple[str, ...]:
        """See ``Registry.names``."""
        return tuple(sorted({model.name for page in self.pages() for model in page}))

    def model(self, name: str) -> ObservedModel | None:
        """See ``Registry.model``."""
        return self.observe([name]).models.get(name)

    def run(self, run_id: str) -> Run | None:
        """See ``Registry.run``."""
        try:
            found = self._ask(f"run {run_id}", lambda: self._runs().get_run(run_id))
        except BadAnswer as error:
            if error.absent:
                return None
            raise
        return Run(
            run_id=found.info.run_id,
            status=found.info.status,
            user=found.info.user_id or None,
            params=dict(sorted(found.data.params.items())),
            metrics=dict(sorted(found.data.metrics.items())),
            tags=dict(sorted(found.data.tags.items())),
        )

    def artifact(self, name: str, version: int) -> Artifact:
        """See ``Registry.artifact``."""
        return self._collect(name, version, None)

    def download(self, name: str, version: int, folder: Path, *, source: str = "") -> Artifact:
        """See ``Registry.download``; MLflow's client is asked where the files lie, for no server need be."""
        del source
        return self._collect(name, version, folder)

    def apply(self, operation: Operation) -> None:
        """See ``Registry.apply``."""
        match operation:
            case SetStage(model, version, stage, archive):
                archiving = archive and stage in ARCHIVING
                self._write(operation, lambda: self._client.transition_model_version_stage(model, str(version), stage, archiving))
            case SetAlias(model, alias, version):
                self._write(operation, lambda: self._client.set_registered_model_alias(model, alias, str(version)))
            case DeleteAlias(model, alias):
                self._write(operation, lambda: self._client.delete_registered_model_alias(model, alias))
            case SetVersionTag(model, version, key, value):
                self.set_version_tag(model, version, key, value)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """See ``Registry.set_model_tag``."""
        self._write(f"set tag {key} of {name}", lambda: self._client.set_registered_model_tag(name, key, value))

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        """See ``Registry.set_version_tag``."""
        self._write(f"set tag {key} of {name}/{version}", lambda: self._client.set_model_version_tag(name, str(version), key, value))

    def registered(self, name: str) -> Registered | None:
        """See ``observing.Reader.registered``."""
        try:
            found = self._ask(f"model {name}", lambda: _registered(self._client.get_registered_model(name)))
        except BadAnswer as error:
            if error.absent:
                return None
            if error.code == "PERMISSION_DENIED":
                raise hidden(self.address, name) from error
            raise
        return found if found.name == name else None

    def pages(self) -> Iterator[Sequence[Registered]]:
        """See ``observing.Reader.pages``."""
        for page in self._paged("registered models", lambda token: self._client.search_registered_models(None, 1000, None, token)):
            yield [_registered(model) for model in page]

    def versions(self, names: Iterable[str]) -> Iterator[tuple[str, ObservedVersion]]:
        """See ``observing.Reader.versions``. Only databases and folders know ``IN``; others are asked model by model."""
        order = ["name ASC", "version_number ASC"] if self._local else None
        limit = 200_000 if self._local else 10_000
        for condition in by_name(names) if self._local else (f"name='{name}'" for name in names):

            def search(token: str | None, condition: str = condition) -> Any:  # noqa: ANN401 - MLflow's PagedList
                return self._client.search_model_versions(condition, limit, order, token)

            for page in self._paged("versions", search):
                yield from ((str(one.name), _version(one)) for one in page)

    @property
    def _local(self) -> bool:
        return is_database(self._registry_uri) or local_path(self._registry_uri) is not None

    def _paged(self, what: str, search: Callable[[str | None], Any]) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._ask(what, lambda token=token: search(token))  # type: ignore[misc]  # the default binds this round's
            yield page
            token = page.token
            if not token:
                return

    def _open(self) -> Any:  # noqa: ANN401 - MLflow's client
        for uri in dict.fromkeys((self._registry_uri, self._tracking_uri)):
            check_store(uri)
        from mlflow.tracking._model_registry.client import ModelRegistryClient

        return ModelRegistryClient(self._registry_uri, self._tracking_uri)  # type: ignore[no-untyped-call]  # MLflow has no types here

    def _runs(self) -> Any:  # noqa: ANN401 - MLflow's client
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self._tracking_uri, registry_uri=self._registry_uri)

    def _collect(self, name: str, version: int, folder: Path | None) -> Artifact:
        where = f"{name}/{version} on {self.address}"
        location = self._ask(where, lambda: self._location(name, version))
        path = local_path(location)
        if path is None:
            # Databricks and plugins hand out locations that no experiment has.
            if self._local:
                check_root(location, self._ask("the artifact roots", lambda: experiment_locations(self._runs())), f"{name}/{version}")
            return collect_remote(location, self._tracking_uri, folder)
        if self._roots is None:
            self._roots = self._ask("the artifact roots", lambda: artifact_roots(self._runs()))
        return collect(local_contents(checked_source(path, self._roots, where)), where=where, into=folder)

    def _location(self, name: str, version: int) -> str:
        location = str(self._client.get_model_version_download_uri(name, str(version)))
        scheme, _, path = location.partition(":")
        # These two may end on the local disk, where the root is checked: so they are resolved here, not by the download.
        if scheme == "runs":
            run_id, _, inner = path.strip("/").partition("/")
            return f"{self._runs().get_run(run_id).info.artifact_uri}/{inner}".rstrip("/")
        if scheme == "models" and "/" not in path.strip("/"):
            return str(self._runs().get_logged_model(path.strip("/")).artifact_location)
        return location

    def _write(self, what: object, call: Callable[[], object]) -> None:
        with _no_retries:
            self._ask(str(what), call)

    def _ask(self, what: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except PromotionError:
            raise
        # A store's plugin raises whatever its own libraries raise: all of it means that the registry did not answer.
        except Exception as error:
            code = getattr(error, "error_code", None)
            said = shortened(f"{type(error).__name__}: {error}")
            msg = f"{self.address} failed when asked for {what}: {said}"
            advice = "check --tracking-uri, --registry-uri and the credentials that this registry needs"
            raise answered(msg, hint=advice, status=_STATUS.get(str(code), 500), code=code) from error


class _NoRetries:
    """A write is sent once: MLflow reads its variable at each request. Several threads may write at once; the last sets it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: str | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = os.environ.get(_RETRIES)
                os.environ[_RETRIES] = "0"
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside:
                return
            if self._before is None:
                del os.environ[_RETRIES]
            else:
                os.environ[_RETRIES] = self._before


_no_retries = _NoRetries()


def _registered(model: Any) -> Registered:  # noqa: ANN401 - MLflow's RegisteredModel
    return Registered(
        name=str(model.name),
        aliases={alias: int(version) for alias, version in sorted(model.aliases.items())},
        tags=dict(sorted(model.tags.items())),
        latest=frozenset(int(one.version) for one in model.latest_versions or ()),
    )


def _version(one: Any) -> ObservedVersion:  # noqa: ANN401 - MLflow's ModelVersion
    identity_of = VersionIdentity(created=int(one.creation_timestamp), source=one.source or "", run_id=one.run_id or None)
    return ObservedVersion(
        version=int(one.version),
        stage=one.current_stage or "None",
        identity=identity_of,
        updated=int(one.last_updated_timestamp or identity_of.created),
        status=one.status or "READY",
        user=one.user_id or None,
        description=one.description or "",
        tags=dict(sorted(one.tags.items())),
    )
