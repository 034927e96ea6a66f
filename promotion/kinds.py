"""What one file holds, by its bytes: a kind of model, plain text, or something that must not be loaded. Nothing is loaded.

A file is of a known kind only when all of it is: binary formats are walked to their last byte, skipping the numbers.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from promotion import archives, pickles

TEXT, PICKLE = "text", "pickle"
_CHUNK = 1 << 20
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_PACKED = {
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"\x89HDF": "an HDF5 file, which may hold pickles",
    b"\x80": "a pickle",
}
_XGBOOST_JSON = re.compile(rb"\s*\{\s*\"(?:learner|version)\"\s*:")
_UBJSON_SIZES = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8, b"C": 1, b"Z": 0, b"N": 0, b"T": 0, b"F": 0}
_UBJSON_LENGTHS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
_DEEPEST = 100
_LONGEST_NAME = 1_000
_ONNX_TYPES = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_ONNX_GRAPH, _ONNX_OPSETS = 7, 8
_ONNX_OUTSIDE = b"\x0a\x08location"


@dataclass(frozen=True, slots=True)
class Held:
    """What a file holds: ``kind`` such as ``pt2`` or ``text``; None with the findings that refuse it."""

    kind: str | None
    findings: tuple[str, ...] = ()


def held(path: Path, where: str) -> Held:
    """Judge one regular file; raises archives.Unreadable when a file of a known kind is damaged, OSError when unreadable."""
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(pickles.PREFIX)
    if prefix.startswith(archives.ZIP):
        return Held("pt2", tuple(archives.pt2_findings(path, where)))
    if _is_text(path):
        return _text(prefix, size, where)
    if pickles.is_pickle(prefix, size=size):
        return Held(PICKLE, (f"{where}: a pickle",))
    if _holds_zip(path):
        return Held(None, (f"{where}: an archive hides in it",))
    if prefix.startswith(b"{") and _walks(path, _ubjson):
        return Held("xgboost")
    if prefix.startswith(b"\x08") and _walks(path, _onnx):
        outside = _contains(path, _ONNX_OUTSIDE)
        return Held("onnx", (f"{where}: reads tensors from outside itself",) if outside else ())
    what = next((name for start, name in _PACKED.items() if prefix.startswith(start)), "of no known kind")
    return Held(None, (f"{where}: {what}",))


def _text(prefix: bytes, size: int, where: str) -> Held:
    if pickles.is_pickle(prefix, size=size):
        return Held(PICKLE, (f"{where}: a pickle written as text",))
    if _XGBOOST_JSON.match(prefix):
        return Held("xgboost")
    if prefix.startswith(b"tree\nversion="):
        return Held("lightgbm")
    return Held(TEXT)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _is_text(path: Path) -> bool:
    """Whether all of it is UTF-8 without control characters."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        if any(_CONTROL.search(decoder.decode(chunk)) for chunk in _chunks(path)):
            return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _contains(path: Path, needle: bytes) -> bool:
    tail = b""
    for chunk in _chunks(path):
        if needle in tail + chunk:
            return True
        tail = chunk[-len(needle) :]
    return False


def _holds_zip(path: Path) -> bool:
    """Whether a zip's end stands near the file's end, so that some readers would open it as one."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 16) - 64))
        return b"PK\x05\x06" in file.read()


def _walks(path: Path, walk: Callable[[BinaryIO, int], None]) -> bool:
    """Whether a walk through the format ends exactly at the file's end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            walk(file, size)
        except (ValueError, struct.error, UnicodeDecodeError):
            return False
        return file.tell() == size


def _skip(file: BinaryIO, count: int, size: int) -> None:
    if count < 0 or file.tell() + count > size:
        msg = "reaches beyond the end"
        raise ValueError(msg)
    file.seek(count, 1)


def _ubjson(file: BinaryIO, size: int) -> None:
    """Walk one UBJSON object with the members of an XGBoost model; raises ValueError when it is none."""
    names: list[str] = []
    open_: list[tuple[bytes, int]] = []  # the containers around: closing byte, and values left where they are counted (-1: not)
    _ubjson_open(file, b"{", size, open_)
    while open_:
        closing, left = open_[-1]
        if left == 0:
            open_.pop()
            continue
        marker = file.read(1)
        if left < 0 and marker == closing:
            open_.pop()
            continue
        if left > 0:
            open_[-1] = (closing, left - 1)
        if closing == b"}":
            name = _ubjson_text(file, marker, size)
            names += [name] if len(open_) == 1 else []
            marker = file.read(1)
        _ubjson_value(file, marker, size, open_)
    if "learner" not in names or "version" not in names:
        msg = "not a model of XGBoost"
        raise ValueError(msg)


def _ubjson_value(file: BinaryIO, marker: bytes, size: int, open_: list[tuple[bytes, int]]) -> None:
    if marker in _UBJSON_SIZES:
        _skip(file, _UBJSON_SIZES[marker], size)
    elif marker in {b"S", b"H"}:
        _skip(file, _ubjson_length(file, file.read(1)), size)
    elif marker in {b"{", b"["}:
        if len(open_) > _DEEPEST:
            msg = "too deep"
            raise ValueError(msg)
        file.seek(-1, 1)
        _ubjson_open(file, marker, size, open_)
    else:
        msg = f"no such type: {marker!r}"
        raise ValueError(msg)


def _ubjson_open(file: BinaryIO, expected: bytes, size: int, open_: list[tuple[bytes, int]]) -> None:
    """Enter a container; one of numbers of one type is skipped at once."""
    if file.read(1) != expected:
        msg = "not a container"
        raise ValueError(msg)
    closing = b"}" if expected == b"{" else b"]"
    marker = file.read(1)
    kind = None
    if marker == b"$":
        kind, marker = file.read(1), file.read(1)
    if marker != b"#":
        if kind is not None:
            msg = "a type without a count"
            raise ValueError(msg)
        file.seek(-1, 1)
        open_.append((closing, -1))
        return
    count = _ubjson_length(file, file.read(1))
    if kind is None:
        open_.append((closing, count))
    elif expected == b"[" and kind in _UBJSON_SIZES:
        _skip(file, count * _UBJSON_SIZES[kind], size)
    else:
        msg = "a typed container of containers"
        raise ValueError(msg)


def _ubjson_length(file: BinaryIO, marker: bytes) -> int:
    form = _UBJSON_LENGTHS.get(marker)
    if form is None:
        msg = f"no such length: {marker!r}"
        raise ValueError(msg)
    value = int(struct.unpack(form, file.read(struct.calcsize(form)))[0])
    if value < 0:
        msg = "a negative length"
        raise ValueError(msg)
    return value


def _ubjson_text(file: BinaryIO, marker: bytes, size: int) -> str:
    length = _ubjson_length(file, marker)
    if length > _LONGEST_NAME or file.tell() + length > size:
        msg = "a name without end"
        raise ValueError(msg)
    return file.read(length).decode()


def _onnx(file: BinaryIO, size: int) -> None:
    """Walk the top level of an ONNX ModelProto; raises ValueError when it is none."""
    seen = set()
    while file.tell() < size:
        field, kind = divmod(_varint(file), 8)
        if _ONNX_TYPES.get(field) != kind:
            msg = f"no such field: {field}"
            raise ValueError(msg)
        seen.add(field)
        number = _varint(file)
        if kind:
            _skip(file, number, size)
    if not {_ONNX_GRAPH, _ONNX_OPSETS} <= seen:
        msg = "not a model of ONNX"
        raise ValueError(msg)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            msg = "ends too soon"
            raise ValueError(msg)
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    msg = "a number without end"
    raise ValueError(msg)
