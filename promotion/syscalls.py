"""Takes from this process, and all that it will start, the calls that a namespace does not take: sockets of the file system.

A read-only file system keeps nobody from connecting to a socket in it: the agent that holds the journal's key, a container engine, a
session's bus. Linux's seccomp does, in any thread and child, and cannot be undone by the code that is measured.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

_SOCKET = {"x86_64": 41, "aarch64": 198}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_IO_URING_SETUP = 425
"""The other way to a socket, which seccomp does not see."""
_X32 = 0x40000000
"""From here on the numbers are those of another ABI of the same processor."""
_AF_UNIX = 1
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EACCES


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_local_sockets() -> bool:
    """Let ``socket(AF_UNIX, …)`` fail with EACCES from now on; pairs of sockets go on. False where this system cannot do it."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _SOCKET:
        return False
    # Each jump tells how many instructions to skip when it holds, and when not.
    instructions = (
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _ARCHITECTURE[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 5, 0, _X32),
        (_EQUAL, 4, 0, _IO_URING_SETUP),
        (_EQUAL, 0, 2, _SOCKET[machine]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 1, 0, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    code = b"".join(struct.pack("=HBBI", *one) for one in instructions)
    program = _Program(len(instructions), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)
