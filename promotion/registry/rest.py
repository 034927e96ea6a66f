"""A thin client over MLflow's REST API. It never imports mlflow, which alone costs a second."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from promotion.changes import DeleteAlias, Operation, SetAlias, SetStage, SetVersionTag
from promotion.domain import Observed, ObservedModel, ObservedVersion
from promotion.errors import Unavailable, UsageError
from promotion.registry import answers
from promotion.registry.access import Access
from promotion.registry.addresses import is_http, local_path, without_credentials
from promotion.registry.answers import Json, reading
from promotion.registry.artifacts import collect
from promotion.registry.failures import BadAnswer, RejectedAnswer
from promotion.registry.filters import by_name
from promotion.registry.interface import Artifact, Rejected, Run
from promotion.registry.observing import READERS, Registered, hidden, observe
from promotion.registry.remote import collect_remote
from promotion.registry.roots import check_root
from promotion.registry.served import served_contents, served_path
from promotion.registry.transport import Api, Left

_MLFLOW = "/api/2.0/mlflow"
_BAD_REQUEST = 400
_FORBIDDEN = 403
_HOPS = 5
_SERVED = "mlflow-artifacts:"
_NOTHING = "promotion?asks/../whether-it-may"
"""Neither a stage, nor an alias, nor a key: it has characters that none of them may have."""
WRITERS = 8
"""More writes at once were slower on PostgreSQL: 196, 306, 339, 283 a second at 1, 4, 8, 16 (measured)."""
ARCHIVING = frozenset({"Staging", "Production"})
"""Archiving the others is an error for any other stage, which MLflow answers with 500 (trap 5)."""


class RestRegistry:
    """``interface.Registry`` for servers at ``http(s)``; models at ``registry_uri``, runs and artifacts at ``tracking_uri``.

    ``left`` tells how many seconds all of it may still take.
    """

    def __init__(self, registry_uri: str, tracking_uri: str | None = None, access: Access | None = None, left: Left = lambda: None) -> None:
        self._access = access or Access()
        self._models = Api(registry_uri, self._access, left)
        self._runs = self._models if tracking_uri in {None, registry_uri} else Api(tracking_uri or registry_uri, self._access, left)
        self._tracking_uri = tracking_uri or registry_uri
        # Whether the server knows lists of names: MLflow does since 2.10, and an older server says so once.
        self._lists = True
        self._roots: tuple[str, ...] | None = None

    @property
    def address(self) -> str:
        """See ``Registry.address``; a workspace is part of it, since it holds models of its own."""
        workspace = self._access.workspace
        return f"{self._models.address}#workspace={workspace}" if workspace else self._models.address

    @property
    def writers(self) -> int:
        """See ``Registry.writers``."""
        return WRITERS

    def rejections(self, operations: Collection[Operation]) -> Mapping[str, Unavailable]:
        """See ``Registry.rejections``: the server gets each kind of write with values that it cannot take, whoever asks.

        Rights are looked at before values, so who may not write gets another answer than who may.
        """
        kinds = list({(one.model, type(one)): one for one in operations}.values())
        asked = kinds if self._models.knows_user else kinds[:1]
        with ThreadPoolExecutor(READERS) as pool:
            found = list(pool.map(self._rejection, asked))
        return {one.model: error for one, error in zip(asked, found, strict=True) if error is not None}

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

    def download(self, name: str, version: int, folder: Path, *, source: str = "") -> Artifact:
        """See ``Registry.download``."""
        return self._collect(name, version, folder, source)

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
        names = tuple(names)
        if self._lists:
            try:
                for condition in by_name(names):
                    yield from self._versions(condition)
            except RejectedAnswer as error:
                if error.status != _BAD_REQUEST:
                    raise
                self._lists = False
            else:
                return
        for condition in by_name(names, lists=False):
            yield from self._versions(condition)

    def _versions(self, condition: str) -> Iterator[tuple[str, ObservedVersion]]:
        search = {"filter": condition, "max_results": 200_000, "order_by": ["name ASC", "version_number ASC"]}
        for answer in self._paged(f"{_MLFLOW}/model-versions/search", search):
            with reading(self.address, "versions"):
                page = [(str(one["name"]), answers.observed_version(one)) for one in answer.get("model_versions", ())]
            yield from page

    def _rejection(self, operation: Operation) -> Rejected | None:
        answer = self._models.probe(*_impossible(operation))
        if answer is None or not answer.forbidden:
            return None
        msg = f"{self.address} does not let this user write {operation.model} (HTTP {answer.status})"
        return Rejected(msg, hint=f"ask for EDIT on {operation.model} (MANAGE to delete its aliases), or use other credentials")

    def _paged(self, path: str, search: dict[str, Any], api: Api | None = None) -> Iterator[Json]:
        token, seen = "", set[str]()
        while token not in seen:
            seen.add(token)
            answer = (api or self._models).read(path, search | ({"page_token": token} if token else {}))
            yield answer
            if not (token := str(answer.get("next_page_token") or "")):
                return
        msg = f"{self.address} gives the same page again and again"
        raise Unavailable(msg, hint="look into the server's log; its search is at fault")

    def _collect(self, name: str, version: int, folder: Path | None, source: str = "") -> Artifact:
        # MLflow stores another location than the source only where that is one of its own schemes that lead on.
        location = source if source.startswith(_SERVED) else self._location(name, version)
        where = f"{name}/{version} on {self.address}"
        if location.startswith(_SERVED):
            root = served_path(location, self._runs.address)
            return collect(served_contents(self._runs, root), where=where, into=folder)
        # A path means the server's disk, not ours; MLflow's client would send our credentials to any http address.
        if local_path(location) is not None or is_http(location):
            msg = f"the artifact of {name}/{version} lies at {without_credentials(location)}, outside the server's artifact root"
            raise UsageError(msg, hint="log the model to this server and register it again")
        check_root(location, self._experiments(), f"{name}/{version}")
        return collect_remote(location, self._tracking_uri, folder)

    def _experiments(self) -> tuple[str, ...]:
        """Where the experiments of this server keep their artifacts; those that this user may not see are left out."""
        if self._roots is None:
            search = {"max_results": 1000, "view_type": "ALL"}
            with reading(self._runs.address, "experiments"):
                pages = self._paged(f"{_MLFLOW}/experiments/search", search, self._runs)
                found = [one for page in pages for one in page.get("experiments", ())]
                self._roots = tuple(sorted({str(one["artifact_location"]) for one in found if one.get("artifact_location")}))
        return self._roots

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


def _impossible(operation: Operation) -> tuple[str, str, dict[str, object]]:
    """A request of the same kind, to the same model, that no registry can fulfil: there is no version 0, and no such name."""
    body: dict[str, object] = {"name": operation.model, "version": "0"}
    match operation:
        case SetStage():
            return "POST", f"{_MLFLOW}/model-versions/transition-stage", body | {"stage": _NOTHING, "archive_existing_versions": False}
        case SetAlias():
            return "POST", f"{_MLFLOW}/registered-models/alias", body | {"alias": _NOTHING}
        case DeleteAlias():
            return "DELETE", f"{_MLFLOW}/registered-models/alias", {"name": operation.model, "alias": _NOTHING}
        case SetVersionTag():
            return "POST", f"{_MLFLOW}/model-versions/set-tag", body | {"key": _NOTHING, "value": ""}
