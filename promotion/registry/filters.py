"""Conditions for ``model-versions/search`` that are right for every name a registry allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

_LONGEST = 3000
"""Characters of a condition in a URL; proxies commonly refuse lines longer than 8 KB."""
_PLAIN = re.compile(r"[^'\"\\%\x00-\x1f\x7f]+")
_UNSAFE = re.compile(r"[^\w .-]")


def by_name(names: Iterable[str], *, lists: bool = True) -> Iterator[str]:
    """Conditions that together match the versions of these models, and perhaps of a few others: the caller looks.

    Plain names share ``name IN (…)``, unless ``lists`` is False: servers before MLflow 2.10 know no lists of names. A name with a
    quote, a backslash or a control character cannot be written as a string, so it is matched by ``LIKE`` with ``_``, which stands
    for any character, in its place.
    """
    batch: list[str] = []
    length = 0
    for name in sorted(names):
        if not _PLAIN.fullmatch(name):
            yield f"name LIKE '{_UNSAFE.sub('_', name)}'"
            continue
        more = len(quote(name)) + len("%27%27%2C")
        if batch and (length + more > _LONGEST or not lists):
            yield _any_of(batch)
            batch, length = [], 0
        batch.append(name)
        length += more
    if batch:
        yield _any_of(batch)


def _any_of(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"name = {quoted[0]}" if len(quoted) == 1 else f"name IN ({','.join(quoted)})"
