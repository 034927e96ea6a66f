"""DVC's pointers (https://dvc.org): rows with a pointer beside them must have the bytes that it names.

``NAME.dvc`` stands beside the file or the folder ``NAME``; the pointer of a folder counts for every file below it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import yaml

from train.errors import TrainError

_CHUNK = 1 << 20
_FOLDER = ".dir"
"""What stands behind the MD5 of a folder's list of files."""


def pointer(path: Path) -> Path | None:
    """The pointer beside a file or folder, None where there is none."""
    beside = path.with_name(f"{path.name}.dvc")
    return beside if beside.is_file() else None


def wanted(beside: Path) -> str:
    """The MD5 that a pointer names. Raises TrainError when it is no pointer to what stands beside it."""
    try:
        outs = yaml.safe_load(beside.read_text(encoding="utf-8"))["outs"]
        found, named = str(outs[0]["md5"]), str(outs[0].get("path", ""))
    except (OSError, yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise TrainError(f"{beside}: not a DVC pointer: {error!r}", hint="make it again with: dvc add") from error
    if len(outs) != 1 or named != beside.name.removesuffix(".dvc"):
        raise TrainError(f"{beside}: does not point at what stands beside it", hint="dvc add each file or folder by itself")
    return found


def check(paths: Iterable[Path]) -> None:
    """Raise TrainError for a file whose bytes, or those of a folder that it is in, are not those that the pointer names."""
    for path in dict.fromkeys(one for given in paths for one in _pointed(given)):
        beside = pointer(path)
        if beside is None:
            continue
        named = wanted(beside)
        found = folder_md5(path) if path.is_dir() else md5(path)
        if found != named:
            raise TrainError(
                f"{path} has md5 {found}, but {beside.name} names {named}",
                hint=f"dvc checkout {beside} (or dvc pull) brings the rows back; if the new ones are meant: dvc add {path}, and commit",
            )


def _pointed(path: Path) -> list[Path]:
    """The file and the folders above it, up to the repository's."""
    above = [path]
    for folder in path.absolute().parents:
        if (folder / ".dvc").is_dir() or (folder / ".git").exists():
            return above
        above.append(folder)
    return [path, *path.absolute().parents[:1]]


def md5(path: Path) -> str:
    """The MD5 of a file's bytes: DVC's name for them, not a safeguard; the digest of the lineage is a SHA-256."""
    total = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def folder_md5(folder: Path) -> str:
    """DVC's name for a folder: the MD5 of the sorted list of its files, each with its own."""
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    listed = [{"md5": md5(one), "relpath": one.relative_to(folder).as_posix()} for one in files]
    listed.sort(key=lambda one: one["relpath"])
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + _FOLDER
