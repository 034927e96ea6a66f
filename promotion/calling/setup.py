"""Write the files by which a repository calls promotion's workflows, and look whether they still are as written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promotion.calling import owners, page, workflows
from promotion.errors import UsageError
from promotion.repository import create, write

if TYPE_CHECKING:
    from promotion.calling.protection import Protected
    from promotion.calling.workflows import Settings, Source
    from promotion.git import Git

_MOST = 1_000_000
"""Bytes of a file that is looked at; these files have a few hundred."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What ``init-workflows`` did: files that it wrote, and those that were so already."""

    source: Source
    written: tuple[str, ...]
    already: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as it was written, and why."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``--check`` found. ``source`` is what the files call, where they agree; ``protections`` is None when nobody looked."""

    source: Source | None
    files: tuple[str, ...]
    faults: tuple[Fault, ...]
    protections: tuple[Protected, ...] | None


def install(git: Git, settings: Settings, who: Sequence[str], *, force: bool = False) -> Installed:
    """Write the files. Raises UsageError, and writes nothing, where one differs: with ``force`` it is written over.

    Of CODEOWNERS nothing is ever taken away: what nobody watches gets lines at its end.
    """
    present = _present(git)
    codeowners = present[owners.FILE]
    if codeowners is None:
        codeowners = next((text for name in owners.ELSEWHERE if (text := present[name]) is not None), "")
    wanted = {
        **workflows.render(settings),
        owners.FILE: owners.completed(codeowners, who),
        page.FILE: page.page(),
    }
    # An owners' file elsewhere that watches everything may stay where it is.
    if present[owners.FILE] is None and codeowners and not owners.missing(codeowners):
        del wanted[owners.FILE]
    others = [name for name, text in wanted.items() if present[name] not in {None, text}]
    if others and not force:
        raise UsageError(
            f"{', '.join(others)} would change, so nothing was written",
            hint="look at git diff after running this again with --force, which writes over them (to CODEOWNERS it only adds)",
        )
    new = {name: text.encode() for name, text in wanted.items() if present[name] is None}
    write(git, {name: wanted[name].encode() for name in others})
    create(git, new)
    done = {*new, *others}
    return Installed(settings.source, tuple(sorted(done)), tuple(sorted(set(wanted) - done)))


def check(git: Git, protections: tuple[Protected, ...] | None) -> Checked:
    """Whether the files of the working tree are those that ``install`` writes, all of one source."""
    present = _present(git)
    found = {name: workflows.read(text) for name in workflows.NAMES if (text := present[name]) is not None}
    sources = {made.source for made in found.values() if made is not None}
    faults = [Fault(name, why) for name in workflows.NAMES if (why := _wrong(name, present[name], found.get(name)))]
    if len(sources) > 1:
        faults.append(Fault(workflows.FOLDER, f"they call {' and '.join(sorted(map(str, sources)))}: one of them judges, another applies"))
    faults += _unwatched(present)
    return Checked(sources.pop() if len(sources) == 1 else None, tuple(workflows.NAMES), tuple(faults), protections)


def _wrong(name: str, text: str | None, made: Settings | None) -> str | None:
    if text is None:
        return "it is not there"
    if made is None:
        return "it calls no workflow of a version or a commit"
    if workflows.render(made)[name] != text:
        return f"it was changed: it is not what init-workflows writes for {made.source}"
    return None


def _unwatched(present: Mapping[str, str | None]) -> list[Fault]:
    name = next((name for name in (owners.FILE, *owners.ELSEWHERE) if present[name] is not None), None)
    if name is None:
        return [Fault(owners.FILE, "it is not there")]
    left = owners.missing(present[name] or "")
    return [Fault(name, f"nobody watches {' '.join(left)}")] if left else []


def _present(git: Git) -> dict[str, str | None]:
    names = (*workflows.NAMES, owners.FILE, *owners.ELSEWHERE, page.FILE)
    return {name: _text(git, name) for name in names}


def _text(git: Git, name: str) -> str | None:
    path = git.root / name
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read as text: {type(error).__name__}", hint="look at that file") from error
