"""What a plain scalar means, by rules of our own: YAML 1.1 and 1.2 disagree, and a version must mean one thing to everybody.

Decimal integers, decimal fractions, ``true``, ``false`` and ``null`` mean what they say. Whatever the two versions of YAML read
differently (``010``, ``on``, ``1_000``, ``1:30``) is ``Odd``: nobody may write it without quotes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_FORMER_TRUE = frozenset(form for word in ("y", "yes", "on") for form in (word, word.capitalize(), word.upper()))
_FORMER_FALSE = frozenset(form for word in ("n", "no", "off") for form in (word, word.capitalize(), word.upper()))
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_LIKE_A_NUMBER = re.compile(r"[-+]?[.]?[0-9]")
_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?")
_OCTAL = re.compile(r"(?P<sign>[-+]?)0o?(?P<digits>[0-7]+)")
_LEADING_ZERO = re.compile(r"(?P<sign>[-+]?)0+(?P<digits>[0-9]+(?:\.[0-9]+)?)")
_OTHER_BASE = re.compile(r"[-+]?0(?:x[0-9a-fA-F_]+|b[01_]+)")
_SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_SHORT_FRACTION = re.compile(r"[-+]?(?:[0-9]+\.|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_PLUS = re.compile(r"\+[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST = 18
"""Digits of the longest integer: more than any field takes, and few enough to convert at no cost."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A plain scalar that is not what it seems: how it was read, and what to write instead."""

    text: str
    meaning: str
    write: str


Value = str | int | float | bool | None | Odd


@lru_cache(maxsize=4096)
def resolve(text: str) -> Value:
    """The value of a scalar written without quotes."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text in _FORMER_TRUE or text in _FORMER_FALSE:
        boolean = "true" if text in _FORMER_TRUE else "false"
        return Odd(text, f"the boolean {boolean} in YAML 1.1 and text in YAML 1.2", f'{boolean} or "{text}"')
    if _NOT_FINITE.fullmatch(text):
        return Odd(text, "not a finite number", "a number")
    return _number(text) if _LIKE_A_NUMBER.match(text) else text


def _number(text: str) -> Value:
    """A number, something that only looks like one to some readers, or text that begins with a digit."""
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _LONGEST else Odd(text, f"a number of {len(text)} digits", "a smaller one, or text in quotes")
    if _FRACTION.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else Odd(text, "too large for a number", "a smaller one")
    return _odd_number(text) or text


def _odd_number(text: str) -> Odd | None:
    short = text[:60]
    if match := _OCTAL.fullmatch(text):
        decimal = match["digits"].lstrip("0") or "0"
        if len(text) > _LONGEST:
            return Odd(short, "an octal number", "a decimal number, or text in quotes")
        octal = int(match["digits"], 8)
        if str(octal) == decimal:
            return Odd(short, "a number with leading zeros", f'{match["sign"].strip("+")}{decimal}, or "{short}" for text')
        meaning = f"{octal} in YAML 1.2 and text in YAML 1.1" if "o" in text else f"{octal} (octal) in YAML 1.1 and {decimal} in YAML 1.2"
        return Odd(short, meaning, f'{match["sign"].strip("+")}{decimal}, or "{short}" for text')
    if match := _LEADING_ZERO.fullmatch(text):
        number = f"{match['sign'].strip('+')}{match['digits'].lstrip('0')[:40] or '0'}"
        return Odd(short, "a number with leading zeros", f'{number}, or "{short}" for text')
    return _other_number(text, short)


def _other_number(text: str, short: str) -> Odd | None:
    """Bases, underscores, sixties, signs and missing digits."""
    if _OTHER_BASE.fullmatch(text):
        return Odd(short, "a number that is not decimal", f'the decimal number, or "{short}" for text')
    if _UNDERSCORES.fullmatch(text):
        number = text.replace("_", "")[:40]
        return Odd(short, f"{number} in YAML 1.1 and text in YAML 1.2", f'{number}, or "{short}" for text')
    if _SIXTIES.fullmatch(text):
        return Odd(short, "a number to the base 60 in YAML 1.1 and text in YAML 1.2", f'the decimal number, or "{short}" for text')
    if _SHORT_FRACTION.fullmatch(text) or _PLUS.fullmatch(text):
        return Odd(short, "a number in some readers and text in others", f'{_spelled_out(text)}, or "{short}" for text')
    return None


def _spelled_out(text: str) -> str:
    """A fraction with a digit on both sides of its point, and no plus sign."""
    sign = "-" if text.startswith("-") else ""
    body = text.lstrip("+-")[:40]
    body = f"0{body}" if body.startswith(".") else body
    return sign + re.sub(r"\.(?![0-9])", ".0", body)
