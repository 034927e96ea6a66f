"""A registry in memory with the real one's semantics, hand-written for tests of pure code. No server, no clock."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from promotion.changes import DeleteAlias, Operation, SetAlias, SetStage, SetVersionTag
from promotion.domain import Observed, ObservedModel, ObservedVersion, VersionIdentity
from promotion.errors import Unavailable
from promotion.registry.artifacts import collect
from promotion.registry.interface import Artifact, Rejected, Run
from promotion.registry.observing import hidden

_STAGES = {stage.lower(): stage for stage in ("None", "Staging", "Production", "Archived")}
_ACTIVE = frozenset({"Staging", "Production"})
_ALIAS = re.compile(r"[\w-]{1,255}")
_RESERVED = re.compile(r"latest|v[0-9]+", re.IGNORECASE)
_BAD_NAME = re.compile(r"[/:]")


@dataclass(slots=True)
class _Model:
    versions: dict[int, ObservedVersion] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    files: dict[int, Mapping[str, bytes]] = field(default_factory=dict)
    last: int = 0


class MemoryRegistry:
    """``interface.Registry`` without a server. ``writes`` lists the operations that took effect, in order.

    Time is a counter of milliseconds that every write advances. ``break_write`` and ``hide`` make it fail as servers do.
    """

    def __init__(self, address: str = "memory://registry") -> None:
        self._address = address
        self._models: dict[str, _Model] = {}
        self._runs: dict[str, Run] = {}
        self._hidden: set[str] = set()
        self._forbidden: set[str] = set()
        self._now = 1_700_000_000_000
        self._broken: tuple[int, bool] | None = None
        self.writes: list[Operation] = []

    @property
    def address(self) -> str:
        """See ``Registry.address``."""
        return self._address

    @property
    def writers(self) -> int:
        """See ``Registry.writers``."""
        return 1

    def rejections(self, operations: Collection[Operation]) -> Mapping[str, Unavailable]:
        """See ``Registry.rejections``; ``forbid`` makes some."""
        models = {operation.model for operation in operations} & self._forbidden
        return {name: self._refused(f"this user may not write {name}") for name in sorted(models)}

    def forbid(self, name: str) -> None:
        """From now on this user may read the model and not write it."""
        self._forbidden.add(name)

    def add_version(
        self,
        name: str,
        files: Mapping[str, bytes] | None = None,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        description: str = "",
        user: str | None = None,
    ) -> int:
        """Register a version (and its model); gives its number, which never comes back after a deletion."""
        if not name or name in {".", ".."} or _BAD_NAME.search(name):
            msg = f"{name!r} cannot be the name of a model"
            raise ValueError(msg)
        model = self._models.setdefault(name, _Model())
        model.last += 1
        number, now = model.last, self._tick()
        identity = VersionIdentity(now, f"{self._address}/{name}/{number}", run_id)
        model.versions[number] = ObservedVersion(number, "None", identity, now, "READY", user, description, dict(tags or {}))
        model.files[number] = {"MLmodel": f"{name}/{number}".encode()} if files is None else dict(files)
        return number

    def add_run(self, run: Run) -> None:
        """Keep a run."""
        self._runs[run.run_id] = run

    def replace_files(self, name: str, version: int, files: Mapping[str, bytes]) -> None:
        """Swap the artifact behind a version, which MLflow does not notice."""
        self._models[name].files[version] = dict(files)

    def delete_version(self, name: str, version: int) -> None:
        """Delete a version; its aliases go with it, silently, as in MLflow."""
        model = self._models[name]
        del model.versions[version], model.files[version]
        model.aliases = {alias: number for alias, number in model.aliases.items() if number != version}

    def delete_model(self, name: str) -> None:
        """Delete a model; made again it starts at version 1."""
        del self._models[name]

    def hide(self, name: str) -> None:
        """From now on this user may not see the model, whether it exists or not."""
        self._hidden.add(name)

    def break_write(self, after: int = 0, *, arrives: bool = False) -> None:
        """Fail the write that follows ``after`` more; when it ``arrives``, it takes effect and only the answer is lost."""
        self._broken = (after, arrives)

    def observe(self, names: Collection[str]) -> Observed:
        """See ``Registry.observe``."""
        return Observed(self._address, {name: model for name in sorted(set(names)) if (model := self.model(name)) is not None})

    def names(self) -> tuple[str, ...]:
        """See ``Registry.names``; what is hidden is left out, as a server's search does."""
        return tuple(sorted(self._models.keys() - self._hidden))

    def model(self, name: str) -> ObservedModel | None:
        """See ``Registry.model``."""
        if name in self._hidden:
            raise hidden(self._address, name)
        if (model := self._models.get(name)) is None:
            return None
        return ObservedModel(name, dict(sorted(model.versions.items())), dict(sorted(model.aliases.items())), dict(model.tags))

    def run(self, run_id: str) -> Run | None:
        """See ``Registry.run``."""
        return self._runs.get(run_id)

    def artifact(self, name: str, version: int) -> Artifact:
        """See ``Registry.artifact``."""
        return collect(self._contents(name, version), where=f"{name}/{version}")

    def download(self, name: str, version: int, folder: Path, *, source: str = "") -> Artifact:
        """See ``Registry.download``."""
        del source
        return collect(self._contents(name, version), where=f"{name}/{version}", into=folder)

    def apply(self, operation: Operation) -> None:
        """See ``Registry.apply``."""
        with self._sending():
            if operation.model in self._forbidden:
                raise self._refused(f"this user may not write {operation.model}")
            match operation:
                case SetStage():
                    self._set_stage(operation)
                case SetAlias(model, alias, version):
                    self._check_alias(alias)
                    self._version(model, version)
                    self._models[model].aliases[alias] = version
                case DeleteAlias(model, alias):
                    self._model(model).aliases.pop(alias, None)
                case SetVersionTag(model, version, key, value):
                    found = self._version(model, version)
                    self._models[model].versions[version] = replace(found, tags={**found.tags, key: value})
            self.writes.append(operation)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """See ``Registry.set_model_tag``; changes no time."""
        with self._sending():
            self._model(name).tags[key] = value

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        """See ``Registry.set_version_tag``; changes no time."""
        with self._sending():
            old = self._version(name, version)
            self._models[name].versions[version] = replace(old, tags=dict(old.tags) | {key: value})

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """One write, which ``break_write`` may have fail before it arrives or after."""
        left, arrives = self._broken or (1, True)
        breaks = left == 0
        if self._broken is not None:
            self._broken = None if breaks else (left - 1, arrives)
        lost = Unavailable(f"{self._address} does not answer: time-out", hint="run the command again")
        if breaks and not arrives:
            raise lost
        yield
        if breaks:
            raise lost

    def _set_stage(self, operation: SetStage) -> None:
        stage = _STAGES.get(operation.stage.lower())
        if stage is None:
            raise self._refused(f"{operation.stage!r} is not a stage")
        chosen = self._version(operation.model, operation.version)
        versions, now = self._models[operation.model].versions, self._tick()
        if operation.archive_existing and stage in _ACTIVE:
            for number, version in versions.items():
                if version.stage == stage and number != operation.version:
                    versions[number] = replace(version, stage="Archived", updated=now)
        # Even when nothing changes the time does (trap 6).
        versions[operation.version] = replace(chosen, stage=stage, updated=now)

    def _check_alias(self, alias: str) -> None:
        if not _ALIAS.fullmatch(alias) or _RESERVED.fullmatch(alias):
            raise self._refused(f"{alias!r} cannot be an alias")

    def _contents(self, name: str, version: int) -> Iterable[tuple[str, Iterable[bytes]]]:
        self._version(name, version)
        return ((path, [content]) for path, content in self._models[name].files[version].items())

    def _model(self, name: str) -> _Model:
        if (model := self._models.get(name)) is None:
            raise self._refused(f"model {name} does not exist")
        return model

    def _version(self, name: str, version: int) -> ObservedVersion:
        if (found := self._model(name).versions.get(version)) is None:
            raise self._refused(f"version {version} of {name} does not exist")
        return found

    def _refused(self, what: str) -> Rejected:
        return Rejected(f"{self._address}: {what}", hint="look at the registry; it is not as expected")

    def _tick(self) -> int:
        self._now += 1
        return self._now
