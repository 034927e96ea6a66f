"""Strict reading of JSON documents: every wrong, missing or unknown field is named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NoReturn, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=StrEnum)
DIGEST = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Valid in JSON, but not in YAML, or invisible, or turning the text around it about: written as escapes.
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


class Malformed(ValueError):
    """A document that is not what it must be; the message names the field."""


def document(content: bytes) -> Mapping[str, object]:
    """The object in these bytes; raises Malformed for anything else, for keys that appear twice, and for NaN."""
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number, parse_float=_no_number)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed(f"it is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Malformed("it is not an object")
    return found


def canonical(document: Mapping[str, object]) -> bytes:
    """The one way to write a document: sorted keys, two spaces, UTF-8, a newline at the end. It is YAML as well."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (_UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n").encode()


def moment(at: datetime) -> str:
    """A time as it is written: UTC, ISO 8601."""
    return at.astimezone(UTC).isoformat()


class Fields:
    """The fields of one object, taken one by one; ``done`` refuses those that nobody took. All raise Malformed."""

    def __init__(self, document: object, path: str = "") -> None:
        if not isinstance(document, dict):
            raise Malformed(f"{path or 'document'}: an object is needed")
        self._left: dict[str, object] = dict(document)
        self._path = path

    def take(self, name: str) -> object:
        """The field's value; raises when it is missing."""
        if name not in self._left:
            self.fail(name, "is missing")
        return self._left.pop(name)

    def names(self) -> tuple[str, ...]:
        """The names of the fields that are left."""
        return tuple(self._left)

    def text(self, name: str, form: re.Pattern[str] | None = None) -> str:
        """A string, of a form where one is given."""
        value = self.take(name)
        if not isinstance(value, str) or (form is not None and form.fullmatch(value) is None):
            self.fail(name, f"is {value!r:.60}, not {'text' if form is None else f'of the form {form.pattern}'}")
        return value

    def number(self, name: str) -> int:
        """A whole number, not negative."""
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self.fail(name, f"is {value!r:.60}, not a whole number")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.take(name)
        if not isinstance(value, bool):
            self.fail(name, f"is {value!r:.60}, not true or false")
        return value

    def time(self, name: str) -> datetime:
        """A time in UTC."""
        text = self.text(name)
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            self.fail(name, f"is {text!r:.60}, not a time")
        if value.utcoffset() != timedelta(0):
            self.fail(name, f"is {text!r:.60}, which is not in UTC")
        return value.astimezone(UTC)

    def kind(self, name: str, kinds: type[K]) -> K:
        """One of an enumeration's values."""
        value = self.take(name)
        if not isinstance(value, str) or value not in tuple(kinds):
            self.fail(name, f"is {value!r:.60}, not one of {', '.join(kinds)}")
        return kinds(value)

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """Null, or what ``read`` makes of the field."""
        if name in self._left and self._left[name] is None:
            del self._left[name]
            return None
        return read(name)

    def nested(self, name: str, read: Callable[[Fields], T]) -> T:
        """An object, read to its end."""
        return _whole(Fields(self.take(name), self._at(name)), read)

    def each(self, name: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        """A list of objects."""
        return tuple(_whole(Fields(one, f"{self._at(name)}[{index}]"), read) for index, one in enumerate(self._list(name)))

    def texts(self, name: str, form: re.Pattern[str] | None = None) -> tuple[str, ...]:
        """A list of strings, of a form where one is given."""
        found = []
        for index, one in enumerate(self._list(name)):
            if not isinstance(one, str) or (form is not None and form.fullmatch(one) is None):
                self.fail(f"{name}[{index}]", f"is {one!r:.60}, which is not text of the right form")
            found.append(one)
        return tuple(found)

    def named(self, name: str, read: Callable[[Fields], T], form: re.Pattern[str] | None = None) -> dict[str, T]:
        """An object whose keys are names (of a form where one is given) and whose values are objects."""
        value = self.take(name)
        if not isinstance(value, dict):
            self.fail(name, "an object is needed")
        for key in value:
            if form is not None and form.fullmatch(key) is None:
                self.fail(name, f"has the key {key!r:.60}, which is not of the form {form.pattern}")
        return {key: _whole(Fields(one, f"{self._at(name)}.{key}"), read) for key, one in value.items()}

    def done(self) -> None:
        """Refuse fields that nobody took: a newer program may have meant something by them."""
        if self._left:
            raise Malformed(f"{self._at(min(self._left))}: is unknown to this version of promotion")

    def fail(self, name: str, what: str) -> NoReturn:
        """Raise Malformed for a field."""
        raise Malformed(f"{self._at(name)}: {what}")

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _list(self, name: str) -> Iterable[object]:
        value = self.take(name)
        if not isinstance(value, list):
            self.fail(name, "a list is needed")
        return value


def _whole(fields: Fields, read: Callable[[Fields], T]) -> T:
    value = read(fields)
    fields.done()
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise Malformed(f"{key}: appears twice")
        found[key] = value
    return found


def _no_number(text: str) -> NoReturn:
    raise Malformed(f"{text} is not a whole number")
