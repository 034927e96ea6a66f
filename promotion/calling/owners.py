"""Who has to look at what judges: the lines of CODEOWNERS, and whether a file has them.

Pure. GitHub lets the last line that matches decide, so a line is worth nothing when a later one covers the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from promotion.errors import UsageError

FILE = ".github/CODEOWNERS"
ELSEWHERE = ("CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks when there is none in ``.github``."""
WATCHED = ("/.github/", "/promotion/", "/train/", "/policies/", "/environments.yaml")
"""What runs with rights, what judges, what is trained and what is declared."""

_OWNER = re.compile(r"@[A-Za-z0-9][A-Za-z0-9-]*(/[A-Za-z0-9._-]+)?|[^@\s]+@[^@\s]+\.[^@\s]+")
_HEAD = "# What judges and what runs with rights needs the eyes of its owners: require the review of code owners on main.\n"


def lines(owners: Sequence[str], missing: Sequence[str] = WATCHED) -> str:
    """The lines for what is ``missing``. Raises UsageError for an owner that GitHub would not understand."""
    for owner in owners:
        if not _OWNER.fullmatch(owner):
            raise UsageError(f"{owner!r} is no owner", hint="write @name, @org/team or an address, as --owners @your-org/ml-platform")
    width = max(map(len, WATCHED))
    return "".join(f"{pattern.ljust(width)} {' '.join(owners)}\n" for pattern in missing)


def missing(text: str) -> tuple[str, ...]:
    """What of ``WATCHED`` no owner watches."""
    rules = [line.split("#", 1)[0].split() for line in text.splitlines()]
    found: dict[str, bool] = {}
    for pattern, *owners in (rule for rule in rules if rule):
        for watched in WATCHED:
            if _covers(pattern, watched):
                found[watched] = bool(owners)
    return tuple(watched for watched in WATCHED if not found.get(watched))


def completed(text: str, owners: Sequence[str]) -> str:
    """The file with lines for what nobody watches, at its end; what stands there stays."""
    left = missing(text)
    if not left:
        return text
    before = text if not text or text.endswith("\n") else f"{text}\n"
    return f"{before or _HEAD}{lines(owners, left)}"


def _covers(pattern: str, watched: str) -> bool:
    """Whether a line is about all of a folder or file; one for a part of it, or with a wildcard in it, is about less."""
    bare = pattern.strip("/")
    if bare in {"*", "**"}:
        return True
    return bare.removesuffix("/**") == watched.strip("/")
