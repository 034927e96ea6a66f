"""Colour by ANSI escapes; the command line removes them where nobody wants them."""

from __future__ import annotations

from collections.abc import Callable

Paint = Callable[[str], str]


def _paint(code: str) -> Paint:
    return lambda text: f"\x1b[{code}m{text}\x1b[0m"


bold, red, green, yellow, dim = (_paint(code) for code in ("1", "31", "32", "33", "2"))
