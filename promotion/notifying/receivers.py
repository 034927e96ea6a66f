"""Pure: who is told what in which format, as a secret declares it a line each: ``FORMAT URL [KIND,…]``."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from urllib.parse import urlsplit

from promotion.errors import UsageError
from promotion.notifying.happenings import Happening, What

VARIABLE = "PROMOTION_WEBHOOKS"
SECRET_VARIABLE = "PROMOTION_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
_HINT = "write a line for each receiver: slack|teams|cloudevents, its URL and, where not all is wanted, kinds such as refused,rolled-back"


class Format(StrEnum):
    """How a receiver wants to be told."""

    SLACK = "slack"
    TEAMS = "teams"
    CLOUDEVENTS = "cloudevents"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A webhook. Its URL is a secret: whoever knows it may post there, so only its host is ever shown."""

    format: Format
    url: str
    kinds: frozenset[What]

    def __str__(self) -> str:
        return f"{self.format} at {urlsplit(self.url).hostname}"

    def __repr__(self) -> str:
        return f"Receiver({self})"

    def wants(self, happenings: tuple[Happening, ...]) -> tuple[Happening, ...]:
        """Those of the kinds that it asked for, in their order."""
        return tuple(one for one in happenings if one.what in self.kinds)


def receivers(declared: str) -> tuple[Receiver, ...]:
    """Parse the variable's lines; empty ones and those that start with # say nothing. Raises UsageError, which never shows a URL."""
    lines = enumerate(declared.splitlines(), 1)
    return tuple(_receiver(number, line.split()) for number, line in lines if line.strip() and not line.lstrip().startswith("#"))


def key(secret: str) -> bytes:
    """The bytes to sign with: base64 after ``whsec_`` (Standard Webhooks, "Signature scheme"), else the text's own. Raises UsageError."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise UsageError(f"{SECRET_VARIABLE} is not base64 after whsec_", hint="make one: openssl rand -base64 32") from error


def _receiver(number: int, words: list[str]) -> Receiver:
    where = f"{VARIABLE}, line {number}"
    if not 2 <= len(words) <= 3:
        raise UsageError(f"{where} has {len(words)} words, not 2 or 3", hint=_HINT)
    if words[0] not in set(Format):
        # Who forgot the format wrote the URL first.
        told = "starts with an address, not with a format" if ":" in words[0] else f"names no format: {words[0]:.40}"
        raise UsageError(f"{where} {told}", hint=_meant(words[0], list(Format)) or _HINT)
    try:
        address = urlsplit(words[1])
        usable = address.scheme in {"http", "https"} and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{where} holds no http(s) address", hint=_HINT)
    kinds = words[2].split(",") if len(words) > 2 else list(What)
    for one in kinds:
        if one not in set(What):
            raise UsageError(f"{where} names no kind: {one:.40}", hint=_meant(one, list(What)) or f"there are: {', '.join(What)}")
    return Receiver(Format(words[0]), words[1], frozenset(map(What, kinds)))


def _meant(word: str, known: list[str]) -> str | None:
    found = get_close_matches(word.lower(), known, n=1)
    return f"did you mean {found[0]}?" if found else None
