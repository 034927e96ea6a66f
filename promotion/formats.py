"""What an artifact holds, by the content of its files: nothing here loads, imports or unpacks anything.

MLflow runs whatever ``MLmodel`` names: a loader module, a ``code`` folder, a model defined by a script. So every file must be
of a known kind, and ``MLmodel`` must ask for nothing but one of MLflow's own flavours over files of this folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from promotion import kinds
from promotion.archives import Unreadable
from promotion.gates.interface import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MLMODEL = "MLmodel"
MAX_MLMODEL = 1 << 20
MAX_FILES = 10_000
_MOST = 20
_PICKLES = frozenset({".pkl", ".pickle"})
"""What a pickle that does not hide is called."""
_DEEPEST = 32
_SOURCE = re.compile(r"\.(?:py|pyc|pyx|pyd|so|dll|dylib|pth|egg|whl|sh|ipynb)(?:\.\d+)*", re.IGNORECASE)
_OUTSIDE = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\~]|^[A-Za-z]:[/\\]|^[A-Za-z][A-Za-z0-9+.-]*://")
# Keys of a flavour's configuration in MLmodel that make MLflow run a file or import what they name.
_CODE_KEYS = frozenset({"code", "model_code_path", "python_model", "code_path", "code_paths", "loader_modules"})


def document(path: Path) -> object:
    """Read a small YAML file without aliases and without depth; raises Unreadable otherwise."""
    import yaml

    if path.stat().st_size > MAX_MLMODEL:
        msg = f"MLmodel has more than {MAX_MLMODEL} bytes"
        raise Unreadable(msg, hint="do not use this version; no model needs so many")
    # The C loader is ten times as fast, where it is built in.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        text = path.read_text(encoding="utf-8")
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
                msg = "MLmodel has aliases" if depth <= _DEEPEST else "MLmodel is nested without end"
                raise Unreadable(msg, hint="log the model again; MLflow writes a plain MLmodel")
        found: object = yaml.load(text, Loader=loader)  # noqa: S506 - one of the two safe ones
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        msg = f"MLmodel cannot be read: {' '.join(str(error).split())[:200]}"
        raise Unreadable(msg, hint="register the model again; the artifact is damaged") from error
    return found


def inspect(folder: Path, parse: Callable[[Path], object] = document) -> Format:
    """What the model folder holds: kind, loader, and everything that must not be loaded (at most 20 findings).

    ``parse`` reads ``MLmodel``, once for who asks several questions. Raises Unreadable when a file, an archive
    or ``MLmodel`` cannot be read: nothing can be said of it then.
    """
    found: list[str] = []
    pickles: list[str] = []
    seen: set[str] = set()
    try:
        for path in _files(folder, found):
            where = path.relative_to(folder).as_posix()
            if where in {MLMODEL, "registered_model_meta"}:
                continue
            one = kinds.held(path, where)
            found += one.findings
            pickles += one.findings if one.kind == kinds.PICKLE and path.suffix in _PICKLES else ()
            if _SOURCE.fullmatch(path.suffix) and one.kind == kinds.TEXT:
                found.append(f"{where}: source code")
            elif one.kind != kinds.TEXT:
                seen.add(one.kind or "unknown")
            if len(found) >= _MOST:
                break
        loader, problems = _mlmodel(folder / MLMODEL, parse)
    except OSError as error:
        msg = f"the artifact cannot be read: {error.strerror or error}"
        raise Unreadable(msg, hint="check the disk, then run it again") from error
    return Format(loader, "+".join(sorted(seen)) or "empty", tuple((found + problems)[:_MOST]), tuple(pickles))


def _files(folder: Path, found: list[str]) -> Iterator[Path]:
    """Regular files below the folder, sorted; links, special files, ``code`` folders and odd names become findings."""
    pending, count = [folder], 0
    while pending:
        with os.scandir(pending.pop()) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            path = Path(entry.path)
            where = path.relative_to(folder).as_posix()
            count += 1
            if count > MAX_FILES:
                found.append(f"more than {MAX_FILES} files")
                return
            if entry.is_symlink():
                found.append(f"{where}: a symbolic link")
            elif not where.isprintable() or "\\" in where:
                found.append(f"{where!r}: not a plain name")
            elif entry.is_dir(follow_symlinks=False):
                if entry.name == "code" or len(path.relative_to(folder).parts) > _DEEPEST:
                    found.append(f"{where}/: a code folder" if entry.name == "code" else f"{where}/: folders without end")
                else:
                    pending.append(path)
            elif entry.is_file(follow_symlinks=False):
                yield path
            else:
                found.append(f"{where}: not a regular file")


def _mlmodel(path: Path, parse: Callable[[Path], object]) -> tuple[str | None, list[str]]:
    """The pyfunc loader that ``MLmodel`` names, and what else it asks for that must not happen."""
    if path.is_symlink() or not path.is_file():
        return None, ["MLmodel: missing"]
    whole = parse(path)
    flavours = whole.get("flavors") if isinstance(whole, dict) else None
    if not isinstance(flavours, dict) or not flavours:
        return None, ["MLmodel: names no flavour"]
    found = []
    for flavour, settings in flavours.items():
        for keys, value in _leaves(settings):
            name = ".".join(keys)
            if keys and keys[-1] in _CODE_KEYS and value not in (None, "", False):
                found.append(f"MLmodel: flavour {flavour} brings code ({name}: {str(value)[:80]})")
            elif isinstance(value, str) and _OUTSIDE.search(value):
                found.append(f"MLmodel: flavour {flavour} leads outside ({name}: {value[:80]})")
    pyfunc = flavours.get("python_function")
    loader = pyfunc.get("loader_module") if isinstance(pyfunc, dict) else None
    return (loader if isinstance(loader, str) else None), found


def _leaves(value: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every plain value with the keys that lead to it; depth is bounded by ``document``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*keys, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, keys)
    else:
        yield keys, value
