"""A thin client over MLflow's REST API. It never imports mlflow, which alone costs a second."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from promotion.domain import DeleteAlias, Observed, ObservedModel, ObservedVersion, Operation, SetAlias, SetStage, SetVersionTag
from promotion.errors import Unavailable, UsageError
from promotion.registry import answers
from promotion.registry.access import Access
from promotion.registry.addresses import is_http, local_path, without_credentials
from promotion.registry.answers import Json, reading
from promotion.registry.artifacts import collect
from promotion.registry.failures import BadAnswer
from promotion.registry.filters import by_name
from promotion.registry.interface import Artifact, Run
from promotion.registry.observing import Registered, hidden, observe
from promotion.registry.remote import collect_remote
from promotion.registry.served import served_contents, served_path
from promotion.registry.transport import Api

_MLFLOW = "/api/2.0/mlflow"
_FORBIDDEN = 403
_HOPS = 5
ARCHIVING = frozenset({"Staging", "Production"})
"""Archiving the others is an error for any other stage, which MLflow answers with 500 (trap 5)."""


class RestRegistry:
    """``interface.Registry`` for servers at ``http(s)``; models at ``registry_uri``, runs and artifacts at ``tracking_uri``."""

    def __init__(self, registry_uri: str, tracking_uri: str | None = None, access: Access | None = None) -> None:
        self._access = access or Access()
        self._models = Api(registry_uri, self._access)
        self._runs = self._models if tracking_uri in {None, registry_uri} else Api(tracking_uri or registry_uri, self._access)
        self._tracking_uri = tracking_uri or registry_uri

    @property
    def address(self) -> str:
        """See ``Registry.address``; a workspace is part of it, since it holds models of its own."""
        workspace = self._access.workspace
        return f"{self._models.address}#workspace={workspace}" if workspace else self._models.address

    def observe(self, names: Collection[str]) -> Observed:
        """See ``Registry.observe``: one call for each of a few models or one a page of many, and one for their versions."""
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
            answer = self._runs.read(f"{_MLFLOW}/runs/get", {"run_id": run_id})
        except BadAnswer as error:
            if error.absent:
                return None
            raise
        with reading(self._runs.address, f"run {run_id}"):
            return answers.run(answer["run"])

    def artifact(self, name: str, version: int) -> Artifact:
        """See ``Registry.artifact``."""
        return self._collect(name, version, None)

    def download(self, name: str, version: int, folder: Path) -> Artifact:
        """See ``Registry.download``; the folder must be empty or absent."""
        return self._collect(name, version, folder)

    def apply(self, operation: Operation) -> None:
        """See ``Registry.apply``."""
        match operation:
            case SetStage(model, version, stage, archive):
                body = {"name": model, "version": str(version), "stage": stage, "archive_existing_versions": archive and stage in ARCHIVING}
                self._models.write("POST", f"{_MLFLOW}/model-versions/transition-stage", body)
            case SetAlias(model, alias, version):
                body = {"name": model, "alias": alias, "version": str(version)}
                self._models.write("POST", f"{_MLFLOW}/registered-models/alias", body)
            case DeleteAlias(model, alias):
                self._models.write("DELETE", f"{_MLFLOW}/registered-models/alias", {"name": model, "alias": alias})
            case SetVersionTag(model, version, key, value):
                self.set_version_tag(model, version, key, value)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """See ``Registry.set_model_tag``."""
        self._models.write("POST", f"{_MLFLOW}/registered-models/set-tag", {"name": name, "key": key, "value": value})

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        """See ``Registry.set_version_tag``."""
        body = {"name": name, "version": str(version), "key": key, "value": value}
        self._models.write("POST", f"{_MLFLOW}/model-versions/set-tag", body)

    def registered(self, name: str) -> Registered | None:
        """See ``observing.Reader.registered``."""
        try:
            answer = self._models.read(f"{_MLFLOW}/registered-models/get", {"name": name})
        except BadAnswer as error:
            if error.absent:
                return None
            if error.status == _FORBIDDEN:
                raise hidden(self.address, name) from error
            raise
        with reading(self.address, f"model {name}"):
            model = answers.registered(answer["registered_model"])
        # A registry that folds case would answer for another model than the one declared.
        return model if model.name == name else None

    def pages(self) -> Iterator[Sequence[Registered]]:
        """See ``observing.Reader.pages``."""
        for answer in self._paged(f"{_MLFLOW}/registered-models/search", {"max_results": 1000, "order_by": ["name ASC"]}):
            with reading(self.address, "registered models"):
                page = [answers.registered(model) for model in answer.get("registered_models", ())]
            yield page

    def versions(self, names: Iterable[str]) -> Iterator[tuple[str, ObservedVersion]]:
        """See ``observing.Reader.versions``. Ordered by name and number: the default order loses rows (trap 14)."""
        for condition in by_name(names):
            search = {"filter": condition, "max_results": 200_000, "order_by": ["name ASC", "version_number ASC"]}
            for answer in self._paged(f"{_MLFLOW}/model-versions/search", search):
                with reading(self.address, "versions"):
                    page = [(str(one["name"]), answers.observed_version(one)) for one in answer.get("model_versions", ())]
                yield from page

    def _paged(self, path: str, search: dict[str, Any]) -> Iterator[Json]:
        token, seen = "", set[str]()
        while token not in seen:
            seen.add(token)
            answer = self._models.read(path, search | ({"page_token": token} if token else {}))
            yield answer
            if not (token := str(answer.get("next_page_token") or "")):
                return
        msg = f"{self.address} gives the same page again and again"
        raise Unavailable(msg, hint="look into the server's log; its search is at fault")

    def _collect(self, name: str, version: int, folder: Path | None) -> Artifact:
        location = self._location(name, version)
        where = f"{name}/{version} on {self.address}"
        if location.startswith("mlflow-artifacts:"):
            root = served_path(location, self._runs.address)
            return collect(served_contents(self._runs, root), where=where, into=folder)
        # A path means the server's disk, not ours; MLflow's client would send our credentials to any http address.
        if local_path(location) is not None or is_http(location):
            msg = f"the artifact of {name}/{version} lies at {without_credentials(location)}, outside the server's artifact root"
            raise UsageError(msg, hint="log the model to this server and register it again")
        return collect_remote(location, self._tracking_uri, folder)

    def _location(self, name: str, version: int) -> str:
        """Where the version's files lie: MLflow's own schemes are followed until a real one is found."""
        location = self._download_uri(name, str(version))
        for _ in range(_HOPS):
            scheme, _, path = location.partition(":")
            first, _, rest = path.strip("/").partition("/")
            if scheme == "runs":
                location = f"{self._artifact_uri('runs/get', 'run', {'run_id': first})}/{rest}".rstrip("/")
            elif scheme == "models" and rest:
                location = self._download_uri(first, rest)
            elif scheme == "models":
                location = self._artifact_uri(f"logged-models/{first}", "model", {})
            else:
                return location
        msg = f"the source of {name}/{version} leads from one version to the next without end"
        raise Unavailable(msg, hint="register the model again from its run")

    def _download_uri(self, name: str, version: str) -> str:
        answer = self._models.read(f"{_MLFLOW}/model-versions/get-download-uri", {"name": name, "version": version})
        with reading(self.address, f"the source of {name}/{version}"):
            return str(answer["artifact_uri"])

    def _artifact_uri(self, path: str, key: str, params: dict[str, str]) -> str:
        answer = self._runs.read(f"{_MLFLOW}/{path}", params)
        with reading(self._runs.address, path):
            return str(answer[key]["info"]["artifact_uri"])
