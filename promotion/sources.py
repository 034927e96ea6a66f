"""The files that an evaluator is made of: which they are, their digest, and a folder that holds them and nothing else.

An evaluator is run from such a folder, so its identity covers every file of the repository that it can import: one that the policy
does not list cannot be found there, and a change of it cannot go unseen. The evaluators of the last applied commit are laid out from
git's objects, hence a commit that replaces an evaluator does not measure by it what the earlier rules ask for.
"""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from promotion.errors import PromotionError, UsageError
from promotion.evidence import canonical

if TYPE_CHECKING:
    from promotion.git import Git
    from promotion.policies import Evaluation, Policies

_CHUNK = 1 << 20


def files(root: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    """The files that the shell patterns match below ``root``: POSIX path → sha256 of its bytes in hex.

    ``**`` matches folders of any depth; hidden files and byte code do not count. Raises UsageError when a pattern
    matches nothing or leads outside.
    """
    found: dict[str, str] = {}
    for pattern in patterns or ("",):
        matched = [name for name in glob.glob(pattern, root_dir=root, recursive=True) if (root / name).is_file() and not _byte_code(name)]  # noqa: PTH207 - pathlib's ** differs between versions of Python
        if not matched:
            msg = f"no file matches {pattern!r}" if pattern else "no source files are given"
            raise UsageError(msg, hint=f"patterns are relative to {root}; list the files that the evaluator is made of")
        for name in matched:
            if not (root / name).resolve().is_relative_to(root.resolve()):
                msg = f"{name!r} leads outside of the repository"
                raise UsageError(msg, hint="list files of this repository alone")
            found[Path(name).as_posix()] = file_digest(root / name)
    return found


def evaluator_digest(root: Path, patterns: tuple[str, ...]) -> str:
    """Sha256 (hex) over the sorted (path, sha256) of ``files``; raises as that does."""
    return hashlib.sha256(canonical(sorted(files(root, patterns).items()))).hexdigest()


def file_digest(path: Path) -> str:
    """Sha256 (hex) of a file's bytes; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def dataset_digest(path: Path) -> str:
    """As ``file_digest``, read once for all versions that are measured on it: again only when the file is another, or was written to.

    Nobody can write to a file and leave its ctime as it was. Raises OSError.
    """
    found = path.stat()
    return _digest_of(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@lru_cache(maxsize=64)
def _digest_of(path: Path, identity: tuple[int, ...]) -> str:
    del identity
    return file_digest(path)


@contextmanager
def alone(root: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """A folder, for as long as it is needed, that holds copies of ``files`` and nothing else; raises as that does.

    Without patterns it is empty: an evaluator that ``promotion`` brings finds nothing of the repository.

    A package whose ``__init__.py`` is not listed gets an empty one: without it, Python would look for the rest of the package in the
    other places that it imports from.
    """
    with tempfile.TemporaryDirectory(prefix="promotion-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for path in files(root, patterns) if patterns else ():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, target)
        _close(folder)
        yield folder


@contextmanager
def committed(git: Git, commit: str, policies: Policies) -> Iterator[Path]:
    """A folder with the evaluators' files as a commit has them, read from git's objects, and the data that its policies pin.

    Data is linked from the working tree, since it need not be in git; whoever measures compares its digest with the pin.
    """
    with tempfile.TemporaryDirectory(prefix="promotion-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        patterns = {pattern for one in policies.evaluations for pattern in one.files}
        wanted = [path for path in git.list(commit, "", recursive=True) if covered(path, patterns)] if patterns else []
        for path, content in git.read_many(commit, wanted).items():
            if content is not None:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        for evaluation in policies.evaluations:
            _link(git.root, folder, evaluation.dataset.path, as_source=covered(evaluation.dataset.path, patterns))
        yield folder


def same(root: Path, other: Path, evaluations: Iterable[Evaluation]) -> bool:
    """Whether these evaluators are made of the same bytes in two folders; False where that cannot be told."""
    try:
        return all(evaluator_digest(root, one.files) == evaluator_digest(other, one.files) for one in evaluations if one.files)
    except (PromotionError, OSError):
        return False


def covered(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns matches a path as ``glob`` with ``recursive`` would: ``*`` stays within one folder."""
    return any(_covers(tuple(PurePosixPath(path).parts), tuple(PurePosixPath(pattern).parts)) for pattern in patterns)


@cache
def _covers(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern or not path:
        return not path and all(part == "**" for part in pattern)
    first, *rest = pattern
    if first == "**":
        return _covers(path, tuple(rest)) or (not path[0].startswith(".") and _covers(path[1:], pattern))
    hidden = path[0].startswith(".") and not first.startswith(".")
    return not hidden and fnmatchcase(path[0], first) and _covers(path[1:], tuple(rest))


def _link(root: Path, folder: Path, path: str, *, as_source: bool) -> None:
    """Have one file of the working tree in the folder, unless it is there; as a copy where it counts as a source as well."""
    source, target = root / path, folder / path
    if target.exists() or not source.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if as_source:
        shutil.copyfile(source, target)
    else:
        target.symlink_to(source.resolve())


def _close(folder: Path) -> None:
    """Give every folder with Python files below it an ``__init__.py``, the top one excepted."""
    for place, _, names in os.walk(folder):
        for parent in (Path(place), *Path(place).parents) if any(name.endswith(".py") for name in names) else ():
            if parent == folder:
                break
            (parent / "__init__.py").touch()


def _byte_code(name: str) -> bool:
    return name.endswith(".pyc") or "__pycache__" in Path(name).parts
