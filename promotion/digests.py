"""The digests of many versions, computed from their bytes now: several at once, since reading waits for the network most of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from promotion.errors import PromotionError

if TYPE_CHECKING:
    from promotion.registry.interface import Registry

READERS = 8
"""How many versions are read at once."""

Ref = tuple[str, int]
"""A model's name and a version's number."""


def compute(registry: Registry, wanted: Iterable[Ref], report: Callable[[str], None]) -> dict[Ref, str | PromotionError]:
    """The digest of each version (sha256 in hex), or why it cannot be had; ``report`` is told of each as it comes."""
    refs = sorted(set(wanted))
    found: dict[Ref, str | PromotionError] = {}
    with ThreadPoolExecutor(READERS) as pool:
        for number, (ref, digest) in enumerate(zip(refs, pool.map(lambda one: _digest(registry, one), refs), strict=True), 1):
            report(f"read {ref[0]}/{ref[1]} ({number} of {len(refs)})")
            found[ref] = digest
    return found


def _digest(registry: Registry, ref: Ref) -> str | PromotionError:
    try:
        return registry.artifact(*ref).digest
    except PromotionError as error:
        return error
