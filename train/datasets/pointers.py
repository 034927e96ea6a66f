"""DVC's pointers: a file with ``NAME.dvc`` beside it must have the bytes that the pointer names (https://dvc.org, ``md5`` of ``outs``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml

from train.errors import TrainError

_CHUNK = 1 << 20


def pointer(path: Path) -> Path | None:
    """The pointer beside a file, None where there is none."""
    beside = path.with_name(f"{path.name}.dvc")
    return beside if beside.is_file() else None


def wanted(beside: Path) -> str:
    """The MD5 that a pointer names. Raises TrainError when it is no pointer to one file."""
    try:
        outs = yaml.safe_load(beside.read_text(encoding="utf-8"))["outs"]
        found = str(outs[0]["md5"])
    except (OSError, yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise TrainError(f"{beside}: not a DVC pointer: {error!r}", hint="make it again with: dvc add") from error
    if len(outs) != 1 or found.endswith(".dir"):
        raise TrainError(f"{beside}: points at a folder or at several files", hint="dvc add each file by itself")
    return found


def check(paths: Iterable[Path]) -> None:
    """Raise TrainError for a file whose bytes are not those that the pointer beside it names."""
    for path in paths:
        beside = pointer(path)
        if beside is None:
            continue
        found, named = md5(path), wanted(beside)
        if found != named:
            raise TrainError(
                f"{path} has md5 {found}, but {beside.name} names {named}",
                hint=f"dvc checkout {beside} (or dvc pull) brings the rows back; if the new ones are meant: dvc add {path}, and commit",
            )


def md5(path: Path) -> str:
    """The MD5 of a file's bytes: DVC's name for them, not a safeguard; the digest of the lineage is a SHA-256."""
    total = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()
