"""Pages that other steps wrote, as the body of a comment or an issue: in order, harmless, and no longer than GitHub takes."""

from __future__ import annotations

import re
from pathlib import Path

from promotion.errors import UsageError

MOST = 60_000
"""Characters of the pages; GitHub takes 65,536 in all (its answer to a longer body)."""
_CUT = "The rest is too long for this place: the run has all of it."


def read(folder: Path | None) -> str:
    """The pages of a folder in the order of their names, ``2`` before ``10``; empty without any. Raises UsageError."""
    if folder is None or not folder.is_dir():
        return ""
    try:
        files = sorted((one for one in folder.rglob("*.md") if one.is_file()), key=lambda one: _natural(one.name))
        return "\n\n".join(one.read_bytes().decode("utf-8", "replace").strip() for one in files)
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror or error}") from error


def body(first: str, text: str) -> str:
    """A sentence, then the text as others wrote it, which mentions nobody and hides no mark, cut between lines where it is too long."""
    quiet = re.sub(r"(?<!\w)@(?=\w)", "@\u200b", text).replace("<!--", "&lt;!--")
    if len(quiet) <= MOST:
        return f"{first}\n\n{quiet}\n" if quiet else f"{first}\n"
    kept = quiet[:MOST].rpartition("\n")[0]
    if len(re.findall("^ *```", kept, re.MULTILINE)) % 2:
        kept += "\n```"
    kept += "\n</details>" * (kept.count("<details") - kept.count("</details"))
    return f"{first}\n\n{kept}\n\n{_CUT}\n"


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name) if part]
