"""How the state of many models is read in few calls, and never wrongly; the same for every client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from promotion.domain import Observed, ObservedModel, ObservedVersion
from promotion.errors import Unavailable

FEW = 100
"""Up to so many models are asked for by name; more are read in pages of a thousand, of which one costs as much as 200 names."""
READERS = 4
"""So many requests at once: more than a server's usual workers gain nothing."""
_PIECE = 150


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered model without its versions; ``latest`` are the numbers it shows itself, one for each stage."""

    name: str
    aliases: Mapping[str, int]
    tags: Mapping[str, str]
    latest: frozenset[int]


class Reader(Protocol):
    """What a client must be able to read."""

    @property
    def address(self) -> str:
        """The address without credentials."""
        ...

    def registered(self, name: str) -> Registered | None:
        """One model, or None when it does not exist; raises Unavailable when it is hidden."""
        ...

    def pages(self) -> Iterator[Sequence[Registered]]:
        """All models in pages."""
        ...

    def versions(self, names: Iterable[str]) -> Iterator[tuple[str, ObservedVersion]]:
        """The versions of these models with their model's name; versions of others may be among them."""
        ...


def observe(reader: Reader, names: Iterable[str]) -> Observed:
    """Read these models. Aliases come from the registered model alone: a search of versions leaves them empty (trap 4).

    Raises Unavailable when a model is hidden, or when its versions do not fit it even after reading it again.
    """
    wanted = sorted(set(names))
    # Versions are read while the models themselves are: a server with several workers answers both at once.
    with ThreadPoolExecutor(READERS) as pool:
        try:
            pieces = [pool.submit(_versions, reader, wanted[start : start + _PIECE]) for start in range(0, len(wanted), _PIECE)]
            found = _registered(reader, wanted, pool)
            versions = {name: numbers for piece in pieces for name, numbers in piece.result().items()}
        except BaseException:
            # One failure is enough: what was not asked yet need not time out as well.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    models: dict[str, ObservedModel] = {}
    for name in sorted(found):
        model, numbers = found[name], versions[name]
        if model.latest - numbers.keys():
            # It changed between the two readings, or the search leaves versions out.
            again = reader.registered(name)
            if again is None:
                continue
            model, numbers = again, _versions(reader, [name])[name]
            if missing := model.latest - numbers.keys():
                msg = f"{reader.address} leaves version {min(missing)} of {name} out of its search"
                raise Unavailable(msg, hint="try again; if it stays so, this user's rights or the server are at fault")
        models[name] = ObservedModel(name, dict(sorted(numbers.items())), model.aliases, model.tags)
    return Observed(reader.address, models)


def hidden(address: str, name: str) -> Unavailable:
    """The error for a model that this user may not see: it is not known to be absent."""
    msg = f"{address} hides model {name} from this user (HTTP 403): it may exist or not"
    return Unavailable(msg, hint=f"ask for READ permission on {name}, or use other credentials")


def _registered(reader: Reader, names: Sequence[str], pool: ThreadPoolExecutor) -> dict[str, Registered]:
    found: dict[str, Registered] = {}
    if len(names) > FEW:
        declared = set(names)
        for page in reader.pages():
            found |= {model.name: model for model in page if model.name in declared}
            if len(names) - len(found) <= FEW:
                break
    # What a search leaves out may be hidden, or have moved between two pages: only asking by name tells.
    missing = pool.map(reader.registered, [name for name in names if name not in found])
    return found | {model.name: model for model in missing if model is not None}


def _versions(reader: Reader, names: Iterable[str]) -> dict[str, dict[int, ObservedVersion]]:
    found: dict[str, dict[int, ObservedVersion]] = {name: {} for name in names}
    if found:
        for name, version in reader.versions(found):
            if name in found:
                found[name][version.version] = version
    return found
