"""Colour by ANSI escapes, which the command line removes where nobody wants them; and text that can do no harm to a terminal."""

from __future__ import annotations

from collections.abc import Callable

Paint = Callable[[str], str]


def _paint(code: str) -> Paint:
    return lambda text: f"\x1b[{code}m{text}\x1b[0m"


bold, red, green, yellow, dim, alarm = (_paint(code) for code in ("1", "31", "32", "33", "2", "1;31"))


def harmless(text: object) -> str:
    """Text that came from a registry or a file: what could move the cursor or reorder the line is shown as its escape."""
    # Line by line, since nearly every line is printable as a whole.
    return "\n".join(line if line.isprintable() else _escaped(line) for line in str(text).split("\n"))


def _escaped(line: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
