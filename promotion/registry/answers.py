"""MLflow's JSON as values. Reading is strict: what is missing or of another type is Unavailable, never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from promotion.domain import ObservedVersion, VersionIdentity
from promotion.errors import Unavailable
from promotion.registry.interface import Run
from promotion.registry.observing import Registered

Json = Mapping[str, Any]


@contextmanager
def reading(address: str, what: str) -> Iterator[None]:
    """Turn the errors of taking an answer apart into Unavailable with the address and what was read."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{address} answered in an unknown form when asked for {what} ({type(error).__name__}: {error})"
        raise Unavailable(msg, hint="check that this is an MLflow server, version 2.9 or newer") from error


def observed_version(answer: Json) -> ObservedVersion:
    """One ``model_version`` object; the version's number is an int whatever the transport made of it (trap 12)."""
    identity = VersionIdentity(
        created=int(answer["creation_timestamp"]), source=str(answer.get("source") or ""), run_id=answer.get("run_id") or None
    )
    return ObservedVersion(
        version=int(answer["version"]),
        # Registries without stages (Unity Catalog) leave it out.
        stage=str(answer.get("current_stage") or "None"),
        identity=identity,
        updated=int(answer.get("last_updated_timestamp") or identity.created),
        status=str(answer.get("status") or "READY"),
        user=answer.get("user_id") or None,
        description=str(answer.get("description") or ""),
        tags=pairs(answer.get("tags", ())),
    )


def registered(answer: Json) -> Registered:
    """One ``registered_model`` object."""
    aliases = {str(one["alias"]): int(one["version"]) for one in answer.get("aliases", ())}
    return Registered(
        name=str(answer["name"]),
        aliases=dict(sorted(aliases.items())),
        tags=pairs(answer.get("tags", ())),
        latest=frozenset(int(one["version"]) for one in answer.get("latest_versions", ())),
    )


def run(answer: Json) -> Run:
    """One ``run`` object. Metrics are what somebody logged: NaN and infinities come as strings."""
    details, data = answer["info"], answer.get("data", {})
    return Run(
        run_id=str(details.get("run_id") or details["run_uuid"]),
        status=str(details.get("status") or "UNKNOWN"),
        user=details.get("user_id") or None,
        params=pairs(data.get("params", ())),
        metrics={str(one["key"]): float(one["value"]) for one in sorted(data.get("metrics", ()), key=lambda one: one["key"])},
        tags=pairs(data.get("tags", ())),
    )


def pairs(answer: Iterable[Json]) -> dict[str, str]:
    """MLflow's list of key and value, sorted by key; an empty value may be left out."""
    return {str(one["key"]): str(one.get("value", "")) for one in sorted(answer, key=lambda one: str(one["key"]))}
