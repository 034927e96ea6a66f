"""Pickles judged by their opcodes alone: nothing here unpickles anything.

A pickle runs code by calling what it names. So a file counts as a pickle when a prefix of it works as one on an emulated
stack as far as an opcode that calls something, whatever the file's name says and whatever follows; or when all of it is one.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator
from typing import Any

PREFIX = 1 << 20
"""Bytes at a file's beginning that are looked at."""

_CALLING = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})
_TENSORS_ALONE = frozenset(
    {
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "collections OrderedDict",
        *(f"torch {kind}Storage" for kind in ("BFloat16", "Bool", "Byte", "Char", "Double", "Float", "Half", "Int", "Long", "Short")),
    }
)
_REFUSED = _CALLING - {"REDUCE"} | {"PERSID"}
_MARK = pickletools.markobject


def is_pickle(prefix: bytes, *, size: int, text: bool = True) -> bool:
    """Whether a file of ``size`` bytes that begins with ``prefix`` (its first ``PREFIX`` bytes) is or hides a pickle.

    ``text`` False is for raw numbers, where a few opcodes by chance mean nothing: only a pickle that says so by its
    protocol byte and goes as far as a call, or to its end with nothing after it, counts.
    """
    if not text and not prefix.startswith(b"\x80"):
        return False
    steps = _Steps(prefix)
    for opcode in steps:
        if opcode in _CALLING:
            return True
    if steps.stopped:
        return not prefix[steps.position :].strip()
    # An argument that reaches beyond the prefix: long enough to hide what comes after it.
    return text and steps.truncated and size > len(prefix)


class _Steps:
    """The opcodes of a pickle as far as it works on an emulated stack."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.stopped = False
        self.truncated = False
        self.position = 0

    def __iter__(self) -> Iterator[str]:
        stack: list[Any] = []
        stream = io.BytesIO(self.data)
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                if not _apply(opcode, stack):
                    return
                self.position = stream.tell()
                # Text such as "channels:\nconda-forge\n" reads as GLOBAL: only names can be imported.
                if opcode.name in {"GLOBAL", "INST"} and not all(map(str.isidentifier, str(argument).replace(".", " ").split())):
                    return
                self.stopped = opcode.name == "STOP"
                yield opcode.name
        except (ValueError, UnicodeError, OverflowError):
            self.truncated = stream.tell() >= len(self.data)


def _apply(opcode: pickletools.OpcodeInfo, stack: list[Any]) -> bool:
    """Let an opcode take from and put on the stack; False when it would find too little there."""
    before, after = opcode.stack_before, opcode.stack_after
    needed = len(before)
    if _MARK in before or (opcode.name == "POP" and stack and stack[-1] is _MARK):
        if _MARK not in stack:
            return False
        while stack.pop() is not _MARK:
            pass
        needed = before.index(_MARK) if _MARK in before else 0
    if len(stack) < needed or (needed and _MARK in stack[-needed:]):
        return False
    if needed:
        del stack[-needed:]
    stack.extend(after)
    return True


def beyond_tensors(data: bytes) -> list[str]:
    """What a pickle holds besides tensors and plain values, each as a short phrase; empty when it may be loaded."""
    found: list[str] = []
    stream = io.BytesIO(data)
    ended = False
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in _REFUSED:
                found.append(f"opcode {opcode.name}")
            elif opcode.name == "GLOBAL" and argument not in _TENSORS_ALONE:
                found.append(f"calls {str(argument).replace(' ', '.')}")
            ended = opcode.name == "STOP"
    except (ValueError, UnicodeError, OverflowError) as error:
        found.append(f"not a pickle that can be read ({error})")
    if ended and stream.read(1):
        found.append("bytes after its end")
    return found
