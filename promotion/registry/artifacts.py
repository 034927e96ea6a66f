"""The digest of a model's artifact, one definition for every client and for a local folder.

Canonical form, version 1: the line ``promotion-artifact-v1``, then one record for each file, sorted by the UTF-8 bytes of
its path::

    <sha256 of the bytes, 64 hex digits> SP <size in bytes, decimal> SP <POSIX path relative to the model folder> NUL

The digest is the sha256 of that text in UTF-8. A path cannot hold NUL, so no two sets of files share a form. Left out is
``registered_model_meta`` in the top folder alone: MLflow writes it while downloading. Empty folders do not count.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from promotion.errors import Unavailable, UsageError
from promotion.registry.interface import Artifact, ArtifactFile

CHUNK = 1 << 20
"""Bytes that are held at once while a file streams."""
MAX_FILES = 100_000
"""More files than this in one model is an accident or an attack."""
MAX_DEPTH = 64
"""Folders inside folders; deeper means a loop."""

_HEADER = b"promotion-artifact-v1\n"
_LEFT_OUT = "registered_model_meta"

Contents = Iterable[tuple[str, Iterable[bytes]]]
"""Files one after the other: path relative to the model folder, and its bytes in chunks, to be read before the next."""


def digest_files(files: Iterable[ArtifactFile]) -> Artifact:
    """Sort the files and compute the digest over them (canonical form above)."""
    ordered = tuple(sorted(files, key=lambda file: file.path.encode()))
    total = hashlib.sha256(_HEADER)
    for file in ordered:
        total.update(f"{file.sha256} {file.size} {file.path}\0".encode())
    return Artifact(total.hexdigest(), ordered)


def digest_folder(folder: Path) -> Artifact:
    """Hash a local model folder; raises UsageError for a link or a special file, Unavailable when it cannot be read."""
    return collect(local_contents(folder), where=str(folder))


def checked_path(path: str) -> str:
    """Give the path back when it stays inside the model folder on every system; raises UsageError otherwise."""
    parts = path.split("/")
    unsafe = any(part in {"", ".", ".."} for part in parts) or any(char in path for char in "\\\0")
    # A drive letter (C:) is an absolute path on Windows.
    if unsafe or (len(parts[0]) > 1 and parts[0][1] == ":") or not _encodes(path):
        msg = f"the artifact names a file that would lie outside its folder: {path!r}"
        raise UsageError(msg, hint="do not use this version; find out who wrote it")
    return path


def collect(contents: Contents, *, where: str, into: Path | None = None) -> Artifact:
    """Hash every file as it streams, and keep it below ``into`` when given; memory stays at one chunk.

    ``where`` names the source in errors. What was kept is read again and must give the same digest. When anything
    fails, nothing is left in ``into``. Raises UsageError for unsafe names and for a folder that is not empty, Unavailable
    when there is no file or something cannot be read or written.
    """
    if into is None:
        return _collected(contents, where, None)
    _prepare(into)
    try:
        artifact = _collected(contents, where, into)
        if digest_folder(into) == artifact:
            return artifact
    except BaseException:
        empty(into)
        raise
    empty(into)
    raise Unavailable(
        f"what was written to {into} is not what was read from {where}", hint="try again; the disk, or another program, changed the files"
    )


def local_contents(folder: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The files of a local folder. Links and special files are refused, never followed."""
    try:
        if not folder.is_dir():
            msg = f"{folder} is not a folder"
            raise Unavailable(msg, hint="a model's artifact is a folder; check the path")
        for path in _walk(folder, 0):
            yield path.relative_to(folder).as_posix(), _chunks(path)
    except OSError as error:
        msg = f"cannot read {folder}: {error.strerror or error}"
        raise Unavailable(msg, hint="check the folder and your rights to it") from error


def empty(folder: Path) -> None:
    """Remove everything below the folder, as far as that is possible."""
    with suppress(OSError):
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _collected(contents: Contents, where: str, into: Path | None) -> Artifact:
    artifact = digest_files(_stored(contents, into, where))
    if not artifact.files:
        raise Unavailable(f"{where} holds no files", hint="register the model again; its artifact is missing")
    return artifact


def _stored(contents: Contents, into: Path | None, where: str) -> Iterator[ArtifactFile]:
    seen: set[str] = set()
    for path, chunks in contents:
        if path == _LEFT_OUT:
            continue
        if path in seen or len(seen) == MAX_FILES:
            msg = f"{where} lists {path!r} twice" if path in seen else f"{where} holds more than {MAX_FILES} files"
            raise Unavailable(msg, hint="do not use this version; its artifact is not a model folder")
        seen.add(checked_path(path))
        try:
            yield _store(path, chunks, into)
        except OSError as error:
            msg = f"cannot read or keep {path!r} of {where}: {error.strerror or error}"
            raise Unavailable(msg, hint="check the disk and the folder") from error


def _store(path: str, chunks: Iterable[bytes], into: Path | None) -> ArtifactFile:
    digest, size = hashlib.sha256(), 0
    with nullcontext() if into is None else _create(into / PurePosixPath(path)) as file:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if file is not None:
                file.write(chunk)
    return ArtifactFile(path, size, digest.hexdigest())


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    # "x" neither overwrites nor follows a link that is there already.
    return path.open("xb")


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(folder.iterdir())
    except OSError as error:
        msg = f"cannot use {folder}: {error.strerror or error}"
        raise UsageError(msg, hint="name a folder that you may write to") from error
    if occupied:
        msg = f"{folder} is not empty"
        raise UsageError(msg, hint="name a new folder: the digest covers every file in it")


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    if depth > MAX_DEPTH:
        msg = f"{folder} lies more than {MAX_DEPTH} folders deep"
        raise Unavailable(msg, hint="do not use this version; its artifact is not a model folder")
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            msg = f"{path} is a link or a special file"
            raise UsageError(msg, hint="a model's artifact holds plain files only; copy the file in its place")


def _chunks(path: Path) -> Iterator[bytes]:
    # Between the look at the folder and here the file may have become a link: the open itself must refuse it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            msg = f"{path} is not a plain file"
            raise UsageError(msg, hint="a model's artifact holds plain files only")
        while chunk := file.read(CHUNK):
            yield chunk


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
