"""Makes artifacts that must not be loaded. Nothing here loads one."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

from promotion.formats import inspect
from promotion.gates.formats import refusals


class Evil:
    """Runs a command when unpickled; nothing here ever does that."""

    def __reduce__(self):
        return os.system, ("touch /tmp/was-unpickled",)


EVIL = pickle.dumps(Evil())
TEXT_PICKLE = b"cos\nsystem\n(S'true'\ntR."


def rewrite(path: Path, change) -> None:
    """Write a zip again with its entries (name → bytes) changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {one.filename: archive.read(one) for one in archive.infolist()}
    entries = change(entries) or entries
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)


def zipped(entries) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


def refused(folder: Path, words: str) -> None:
    found = refusals(inspect(folder))
    assert any(words in one for one in found), found
