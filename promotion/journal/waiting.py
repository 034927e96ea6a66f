"""Pure: an entry that could not be pushed, as text that fits into tags of a registered model, and back.

    base64(zlib({"commit": the commit object, "files": {path: content, null where it is removed}}))

The commit object holds the signature, so whoever carries the text cannot change it; the tree it names is made again from the files.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping

from promotion.journal.fields import Fields, Malformed

TAG = "promotion.journal.waiting"
"""The registered model's tag; what does not fit goes on in ``TAG.1``, ``TAG.2``, …"""
NOTHING = "none"
_CHUNK = 4000  # MLflow keeps 5,000 characters of a tag
_CHUNKS = 64
_MOST = 1 << 20


def pack(commit: bytes, files: Mapping[str, bytes | None]) -> dict[str, str]:
    """The tags to set, the first one last: it says how many there are. Raises Malformed for an entry that is too large."""
    told = {"commit": commit.decode(), "files": {path: None if content is None else content.decode() for path, content in files.items()}}
    text = base64.b64encode(zlib.compress(json.dumps(told, sort_keys=True).encode(), 9)).decode()
    chunks = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
    if len(chunks) > _CHUNKS:
        raise Malformed(f"an entry of {len(text)} characters is too large to wait in tags")
    rest = {f"{TAG}.{number}": chunk for number, chunk in enumerate(chunks[1:], 1)}
    return {**rest, TAG: f"{len(chunks)}:{chunks[0]}"}


def waits(tags: Mapping[str, str]) -> bool:
    """Whether an entry waits in these tags of a model."""
    return tags.get(TAG, NOTHING) != NOTHING


def unpack(tags: Mapping[str, str]) -> tuple[bytes, dict[str, bytes | None]]:
    """The commit object and its files. Raises Malformed for anything that ``pack`` did not make."""
    count, _, first = tags[TAG].partition(":")
    if not count.isdecimal() or not 1 <= int(count) <= _CHUNKS:
        raise Malformed(f"{TAG} does not say how long it is")
    try:
        packed = base64.b64decode("".join([first, *(tags[f"{TAG}.{number}"] for number in range(1, int(count)))]), validate=True)
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(packed, _MOST)
        if not unpacker.eof:
            raise Malformed(f"{TAG} is truncated, or too large")
        fields = Fields(json.loads(text))
    except (KeyError, binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise Malformed(f"{TAG} cannot be read: {error}") from error
    commit, files = fields.text("commit").encode(), fields.take("files")
    fields.done()
    if not isinstance(files, dict) or not all(content is None or isinstance(content, str) for content in files.values()):
        raise Malformed(f"{TAG} holds no files")
    return commit, {path: None if content is None else content.encode() for path, content in files.items()}
