"""Zip archives: whether one is sound, and what a ``pt2`` (torch.export) archive holds. Nothing is extracted or loaded.

Readers of zips differ in what they make of odd ones: the strict form here (entries one after the other, nothing before,
between or after them, plain relative names, each once) is read alike by all.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from promotion import graphs, pickles
from promotion.errors import Exit, PromotionError

MAX_ENTRIES = 50_000
MAX_JSON = 64 << 20
MAX_NESTED = 256 << 20
MAX_UNPACKED = 64 << 30
MAX_RATIO = 100
"""Unpacked over packed bytes: tensors are stored as they are, so real archives stay near 1."""
ZIP = b"PK\x03\x04"

_MARKS = re.compile(
    r"archive_format|archive_version|version|byteorder|\.format_version|\.storage_alignment|\.data/(?:version|serialization_id)"
)
_MARK_TEXT = re.compile(rb"[\x20-\x7e\n]{0,128}")
_GRAPH = re.compile(r"models/[^/]+\.json")
_CONFIG = re.compile(r"data/(?P<folder>weights|constants)/[^/]+_(?P=folder)_config\.json")
_RAW = re.compile(r"data/(?:weights/weight|constants/tensor)_[0-9]+")
_SAMPLE = re.compile(r"data/sample_inputs/[^/]+\.pt")
_EXTRA = re.compile(r"extra/.+")
_LOCAL_HEADER, _END = 30, 22
_DESCRIPTOR = 24


class Unreadable(PromotionError):
    """An artifact whose content cannot be read: nothing can be said of it, so it is not let through (exit 5)."""

    exit_code = Exit.ERRORED


def pt2_findings(path: Path, where: str) -> list[str]:
    """What must not be loaded in the archive at ``path``, each one sentence with ``where`` in it.

    Raises Unreadable when it is no zip archive, or a damaged one.
    """
    with path.open("rb") as file:
        return [f"{where}: {one}" for one in _findings(file, path.stat().st_size, _pt2)]


def _findings(file: BinaryIO, size: int, judge: Callable[[zipfile.ZipFile], list[str]]) -> list[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            return _unsound(archive, file, size) or judge(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, UnicodeDecodeError) as error:
        msg = f"the archive cannot be read: {error}"
        raise Unreadable(msg, hint="register the model again; the artifact is damaged") from error


def _unsound(archive: zipfile.ZipFile, file: BinaryIO, size: int) -> list[str]:
    """Everything that lets two readers see two archives, leads outside, or unpacks without end."""
    entries = archive.infolist()
    if not 0 < len(entries) <= MAX_ENTRIES:
        return [f"an archive of {len(entries)} entries"]
    found = [f"entry {name!r} leads outside or is no plain name" for name in (one.orig_filename for one in entries) if not _plain(name)]
    found += [] if len({one.filename.lower() for one in entries}) == len(entries) else ["two entries of one name"]
    found += [f"entry {one.filename!r} is encrypted" for one in entries if one.flag_bits & 0x1]
    found += [f"entry {one.filename!r} is a link" for one in entries if (one.external_attr >> 16) & 0o170000 == 0o120000]
    known = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    found += [f"entry {one.filename!r} is packed in an unusual way" for one in entries if one.compress_type not in known]
    unpacked = sum(one.file_size for one in entries)
    if unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * size + MAX_JSON:
        found.append(f"it unpacks from {size} to {unpacked} bytes")
    if len({one.filename.split("/")[0] for one in entries}) != 1:
        found.append("more than one top folder")
    return found or _gaps(archive, file, size)


def _plain(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_.@+ -]+(?:/[A-Za-z0-9_.@+ -]+)*", name) is not None and not {".", ".."} & set(name.split("/"))


def _gaps(archive: zipfile.ZipFile, file: BinaryIO, size: int) -> list[str]:
    """Whether something stands before, between or after the entries, where another reader might find another archive."""
    position = 0
    for entry in sorted(archive.infolist(), key=lambda one: one.header_offset):
        if not position <= entry.header_offset <= position + (_DESCRIPTOR if position else 0):
            return [f"something hides before the entry {entry.filename!r}"]
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER)
        name, extra = struct.unpack("<HH", header[26:30])
        position = entry.header_offset + _LOCAL_HEADER + name + extra + entry.compress_size
    file.seek(size - _END)
    end = file.read(_END)
    if archive.comment or not end.startswith(b"PK\x05\x06"):
        return ["something hides behind the archive's end"]
    if not position <= archive.start_dir <= position + _DESCRIPTOR:
        return ["something hides behind the last entry"]
    return []


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """An entry's bytes, at most ``limit``; raises Unreadable when there are more."""
    if entry.file_size > limit:
        msg = f"{entry.filename!r} has {entry.file_size} bytes, at most {limit} can be checked"
        raise Unreadable(msg, hint="export a smaller model, or ask for a larger limit")
    return archive.read(entry)


def _prefix(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as stream:
        return stream.read(pickles.PREFIX)


def _inside(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}


def _pt2(archive: zipfile.ZipFile) -> list[str]:
    """Findings in the archive that torch.export.save writes: graph, payload configurations, raw tensors, sample inputs."""
    entries = _inside(archive)
    mark = entries.get("archive_format")
    if mark is None or _read(archive, mark, 64).strip() != b"pt2":
        return ["an archive that is not pt2"]
    raw = {name for name in entries if _RAW.fullmatch(name)}
    declared: set[str] = set()
    found: list[str] = []
    for name, entry in sorted(entries.items()):
        if config := _CONFIG.fullmatch(name):
            problems, paths = _payloads(_json(_read(archive, entry, MAX_JSON)))
            declared |= {f"data/{config['folder']}/{path}" for path in paths}
        elif name in raw:
            problems = _raw(_prefix(archive, entry), entry.file_size)
        else:
            problems = _entry(name, entry, archive)
        found += [f"{entry.filename}: {problem}" for problem in problems]
    found += [f"{entries[name].filename}: belongs to no tensor that is declared" for name in sorted(raw - declared)]
    if not any(_GRAPH.fullmatch(name) for name in entries):
        found.append("an archive without a graph")
    return found


def _entry(name: str, entry: zipfile.ZipInfo, archive: zipfile.ZipFile) -> list[str]:
    if _MARKS.fullmatch(name):
        return [] if _MARK_TEXT.fullmatch(_read(archive, entry, 4096)) else ["not a line of text"]
    if _GRAPH.fullmatch(name):
        return graphs.findings(_json(_read(archive, entry, MAX_JSON)))
    if _SAMPLE.fullmatch(name):
        return _samples(_read(archive, entry, MAX_NESTED))
    if _EXTRA.fullmatch(name):
        data = _read(archive, entry, MAX_JSON)
        return (
            ["a pickle"]
            if pickles.is_pickle(data[: pickles.PREFIX], size=len(data))
            else (["an archive in an archive"] if ZIP in data else [])
        )
    data = _prefix(archive, entry)
    if pickles.is_pickle(data, size=entry.file_size):
        return ["a pickle"]
    return ["an archive in an archive" if data.startswith(ZIP) else "of no kind that a pt2 has (saved by torch 2.9 or newer)"]


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        msg = f"a pt2 archive whose JSON cannot be read: {error}"
        raise Unreadable(msg, hint="register the model again; the artifact is damaged") from error


def _payloads(document: object) -> tuple[list[str], set[str]]:
    """Findings in a payload configuration, and the files that it declares as raw tensors."""
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        return ["not a payload configuration"], set()
    found, paths = [], set()
    for name, payload in config.items():
        path = payload.get("path_name") if isinstance(payload, dict) else None
        if not isinstance(path, str) or not re.fullmatch(r"(?:weight|tensor)_[0-9]+", path):
            found.append(f"{name!r} is kept as {str(path)[:80]!r}, not as a plain tensor")
        elif payload.get("use_pickle") is not False:
            found.append(f"{name!r} is a pickle")
        else:
            paths.add(path)
    return found, paths


def _raw(prefix: bytes, size: int) -> list[str]:
    if prefix.startswith(ZIP):
        return ["an archive in an archive"]
    return ["a pickle"] if pickles.is_pickle(prefix, size=size, text=False) else []


def _samples(data: bytes) -> list[str]:
    """Findings in the small archive of sample inputs that every pt2 has; empty ones are fine."""
    if not data:
        return []
    if not data.startswith(ZIP):
        return ["a pickle" if pickles.is_pickle(data[: pickles.PREFIX], size=len(data)) else "sample inputs that are no archive"]
    return _findings(io.BytesIO(data), len(data), _sample)


def _sample(archive: zipfile.ZipFile) -> list[str]:
    found = []
    entries = _inside(archive)
    if "data.pkl" not in entries:
        return ["sample inputs without data.pkl"]
    for name, entry in entries.items():
        if name == "data.pkl":
            found += [f"{entry.filename}: {one}" for one in pickles.beyond_tensors(_read(archive, entry, 1 << 20))]
        elif _MARKS.fullmatch(name):
            found += [] if _MARK_TEXT.fullmatch(_read(archive, entry, 4096)) else [f"{entry.filename}: not a line of text"]
        elif re.fullmatch(r"data/[0-9]+", name):
            found += [f"{entry.filename}: {one}" for one in _raw(_prefix(archive, entry), entry.file_size)]
        else:
            found.append(f"{entry.filename}: of no kind that sample inputs have")
    return found
