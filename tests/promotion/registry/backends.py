"""Three registries with one way to fill them, so that one contract can be tested on all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from promotion.registry.interface import Registry, Run
from promotion.registry.memory import MemoryRegistry

FILES = {"MLmodel": b"flavors: {}\n", "data/model.json": b"{}" * 500, "data/deep/er/with space.bin": bytes(range(256)), "empty": b""}


class Backend(Protocol):
    registry: Registry
    leaves_aliases: bool
    """Whether deleting a version leaves its aliases behind."""

    def register(
        self, name: str, files: Mapping[str, bytes] = FILES, *, tags: Mapping[str, str] | None = None, description: str = ""
    ) -> int: ...

    def replace(self, name: str, version: int, files: Mapping[str, bytes]) -> None: ...

    def delete_version(self, name: str, version: int) -> None: ...

    def delete_model(self, name: str) -> None: ...

    def run(self, *, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str]) -> str: ...


class MemoryBackend:
    leaves_aliases = False

    def __init__(self) -> None:
        self.memory = MemoryRegistry()
        self.registry: Registry = self.memory
        self._runs = 0

    def register(
        self, name: str, files: Mapping[str, bytes] = FILES, *, tags: Mapping[str, str] | None = None, description: str = ""
    ) -> int:
        run_id = self.run(params={}, metrics={}, tags={})
        return self.memory.add_version(name, files, run_id=run_id, tags=tags, description=description)

    def replace(self, name: str, version: int, files: Mapping[str, bytes]) -> None:
        self.memory.replace_files(name, version, dict(FILES) | dict(files))

    def delete_version(self, name: str, version: int) -> None:
        self.memory.delete_version(name, version)

    def delete_model(self, name: str) -> None:
        self.memory.delete_model(name)

    def run(self, *, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str]) -> str:
        self._runs += 1
        run_id = f"{self._runs:032x}"
        self.memory.add_run(Run(run_id, "FINISHED", "tests", dict(params), dict(metrics), dict(tags)))
        return run_id


class MlflowBackend:
    """Fills a real registry through MLflow's own client; ``root`` is where a new experiment keeps artifacts, if not served."""

    def __init__(self, registry: Registry, uri: str, root: Path | None = None, *, leaves_aliases: bool = False) -> None:
        from mlflow import MlflowClient

        self.leaves_aliases = leaves_aliases

        self.registry = registry
        self.uri = uri
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self.experiment = "0" if root is None else self.client.create_experiment("tests", artifact_location=root.as_uri())

    def register(
        self, name: str, files: Mapping[str, bytes] = FILES, *, tags: Mapping[str, str] | None = None, description: str = ""
    ) -> int:
        run_id = self.run(params={}, metrics={}, tags={})
        self._upload(run_id, files)
        source = f"{self.client.get_run(run_id).info.artifact_uri}/model"
        self._create_model(name)
        made = self.client.create_model_version(name, source, run_id, tags=dict(tags or {}), description=description, await_creation_for=0)
        return int(made.version)

    def replace(self, name: str, version: int, files: Mapping[str, bytes]) -> None:
        self._upload(str(self.client.get_model_version(name, str(version)).run_id), files)

    def delete_version(self, name: str, version: int) -> None:
        self.client.delete_model_version(name, str(version))

    def delete_model(self, name: str) -> None:
        self.client.delete_registered_model(name)

    def run(self, *, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str]) -> str:
        from mlflow.entities import Metric, Param

        run = self.client.create_run(self.experiment, tags={"mlflow.user": "tests", **tags})
        logged = [Metric(key, value, 0, 0) for key, value in metrics.items()]
        self.client.log_batch(run.info.run_id, logged, [Param(key, value) for key, value in params.items()])
        self.client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def _create_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _upload(self, run_id: str, files: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), files)
            self.client.log_artifacts(run_id, folder, "model")


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder
