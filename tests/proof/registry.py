"""The registry as its readers find it, by plain REST: what a model shows, and the writes of a person with the UI."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

_API = "/api/2.0/mlflow"
STAGES = {"staging": "Staging", "production": "Production"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One environment of one model, as its readers find it: who bears the stage, what they get who ask by stage, and by alias."""

    bearers: tuple[int, ...]
    alias: int | None

    def __str__(self) -> str:
        return f"stage {'+'.join(map(str, self.bearers)) or 'none'}, alias {self.alias or 'none'}"


class Rest:
    """Plain calls to one server, from any number of threads. Raises OSError when it does not answer, RuntimeError for an error."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._where = (where.hostname or "", where.port)

    def call(self, method: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """One call, on a connection of its own."""
        target = f"{_API}/{path}" + (f"?{urlencode(params, doseq=True)}" if method == "GET" else "")
        body = None if method == "GET" else json.dumps(params).encode()
        connection = http.client.HTTPConnection(*self._where, timeout=30)
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if answer.status != 200:
            msg = f"{method} {path} {params}: {answer.status} {content[:300]!r}"
            raise RuntimeError(msg)
        found: dict[str, Any] = json.loads(content)
        return found

    def stages(self, name: str) -> dict[int, str]:
        """Version → stage, in one answer: it shows doubles, which ``get-latest-versions`` hides."""
        found = self.call("GET", "model-versions/search", {"filter": f"name = '{name}'", "max_results": 1000})
        return {int(one["version"]): one["current_stage"] for one in found.get("model_versions", ())}

    def latest(self, name: str, stage: str) -> list[int]:
        """What ``models:/NAME/STAGE`` loads."""
        found = self.call("GET", "registered-models/get-latest-versions", {"name": name, "stages": stage})
        return [int(one["version"]) for one in found.get("model_versions", ())]

    def alias(self, name: str, alias: str) -> int | None:
        """What ``models:/NAME@ALIAS`` loads."""
        try:
            found = self.call("GET", "registered-models/alias", {"name": name, "alias": alias})
        except RuntimeError as error:
            if "not found" in str(error):
                return None
            raise
        return int(found["model_version"]["version"])

    def model(self, name: str) -> tuple[dict[str, int], dict[str, str]]:
        """Its aliases and its tags."""
        found = self.call("GET", "registered-models/get", {"name": name})["registered_model"]
        return (
            {one["alias"]: int(one["version"]) for one in found.get("aliases", ())},
            {one["key"]: one["value"] for one in found.get("tags", ())},
        )

    def shown(self, name: str) -> dict[str, Shown]:
        """Environment → what it shows, by two calls."""
        stages, (aliases, _) = self.stages(name), self.model(name)
        return {
            environment: Shown(tuple(sorted(version for version, now in stages.items() if now == stage)), aliases.get(environment))
            for environment, stage in STAGES.items()
        }

    def move(self, name: str, version: int, stage: str, *, archive: bool = False) -> None:
        """A transition, as the UI sends it."""
        body = {"name": name, "version": str(version), "stage": stage, "archive_existing_versions": archive}
        self.call("POST", "model-versions/transition-stage", body)

    def point(self, name: str, alias: str, version: int | None) -> None:
        """Set an alias, or remove it."""
        if version is None:
            self.call("DELETE", "registered-models/alias", {"name": name, "alias": alias})
        else:
            self.call("POST", "registered-models/alias", {"name": name, "alias": alias, "version": str(version)})

    def copy_version(self, template: str, number: int, names: Iterable[str]) -> None:
        """Register the files of one version as the next version of other models."""
        found = self.call("GET", "model-versions/get", {"name": template, "version": str(number)})["model_version"]
        for name in names:
            if number == 1:
                self.call("POST", "registered-models/create", {"name": name})
            self.call("POST", "model-versions/create", {"name": name, "source": found["source"], "run_id": found["run_id"]})


@dataclass(frozen=True, slots=True)
class Kept:
    """What a registry showed of some models, to bring back."""

    stages: dict[str, dict[int, str]]
    aliases: dict[str, dict[str, int]]
    tags: dict[str, dict[str, str]]

    @classmethod
    def of(cls, rest: Rest, names: Iterable[str]) -> Kept:
        found = {name: rest.model(name) for name in names}
        return cls(
            {name: rest.stages(name) for name in found},
            {name: aliases for name, (aliases, _) in found.items()},
            {name: tags for name, (_, tags) in found.items()},
        )

    def restore(self, rest: Rest) -> None:
        """Bring it back by as few writes as it takes."""
        now = Kept.of(rest, self.stages)
        for name, stages in self.stages.items():
            for version, stage in stages.items():
                if now.stages[name][version] != stage:
                    rest.move(name, version, stage)
            for alias in self.aliases[name].keys() | now.aliases[name].keys():
                if self.aliases[name].get(alias) != now.aliases[name].get(alias):
                    rest.point(name, alias, self.aliases[name].get(alias))
            for key in self.tags[name].keys() | now.tags[name].keys():
                if (value := self.tags[name].get(key)) is None:
                    rest.call("DELETE", "registered-models/delete-tag", {"name": name, "key": key})
                elif value != now.tags[name].get(key):
                    rest.call("POST", "registered-models/set-tag", {"name": name, "key": key, "value": value})
