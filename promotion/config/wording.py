"""What a schema found wrong, in words, at the place in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from promotion.config.document import Document, Items, Node, Scalar, described, plain
from promotion.config.scalars import Odd
from promotion.config.schema import KINDS, fields_of
from promotion.config.values import NEWEST

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path = tuple[int | str, ...]
M = TypeVar("M", bound=BaseModel)

_WANTED = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "finite_number": "must be a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def validated(document: Document, model: type[M], node: Node | None, at: Path = (), *, without: frozenset[str] = frozenset()) -> M | None:
    """The value of a node as ``model`` has it, or None with every problem noted in the document.

    ``at`` is the node's path from the root; ``without`` are keys of it that somebody else checks.
    """
    values = plain(node) if node is not None else None
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if key not in without}
    try:
        # As JSON: a list there may become a strict tuple. What is odd is text here, and told by ``report_odd``.
        return model.model_validate_json(json.dumps(values, default=lambda odd: odd.text))
    except ValidationError as error:
        _report_all(document, model, error, at)
        return None


def report_odd(document: Document, node: Node | None, known: set[tuple[int, int]]) -> None:
    """Note every scalar that is not what it seems, unless its place is known to be wrong already."""
    if isinstance(node, Scalar):
        value = node.value
        if isinstance(value, Odd) and (node.line, node.column) not in known:
            document.report(node, f"{value.text} is {value.meaning}", "ambiguous", f"write {value.write}")
    elif isinstance(node, Items):
        for item in node.items:
            report_odd(document, item, known)
    elif node is not None:
        for _, value_node in node.entries.values():
            report_odd(document, value_node, known)


def nearest(word: str, known: Sequence[str]) -> str | None:
    """A hint with the nearest known name, or with all of them."""
    return _nearest(word[:200], tuple(known))


@lru_cache(maxsize=1024)  # comparing is slow, and the same slip is often made many times
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    close = get_close_matches(word, known, n=1, cutoff=0.6) or [one for one in known if one.lower() == word.lower()]
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known[:12])}{', …' if len(known) > 12 else ''}" if known else None


def explain_use(node: Node) -> tuple[str, str]:
    """Why a value is not what ``use`` takes, and what to write."""
    usual = "write a version number such as 4, 4@sha256:<64 hex digits>, or none for explicitly nothing"
    if not isinstance(node, Scalar):
        return f"'use' must be a version, however: {described(node)}", usual
    text = node.text.strip()
    if not node.plain and re.fullmatch(r"[1-9][0-9]*", text):
        return f"a version is a number, however: {described(node)}", f"write it without quotes: use: {text}"
    value = node.value
    if isinstance(value, Odd):
        number = re.match(r"[1-9][0-9]*(?=,|$)", value.write)
        return f"{value.text} is {value.meaning}", f"write the version as a plain number: use: {number[0]}" if number else usual
    if value is None:
        return f"{text} is no version" if text else "'use' has no value", "write none for explicitly nothing: use: none"
    return _explain_number(text, value, usual) if isinstance(value, int | float) else _explain_text(text, usual)


def _explain_number(text: str, value: object, usual: str) -> tuple[str, str]:
    """Why a number (or a boolean) is no version."""
    if isinstance(value, bool):
        return f"{text} is a boolean, not a version", usual
    if isinstance(value, int):
        wrong = f"{text} is larger than any version number" if value > NEWEST else f"versions count from 1, however: {text}"
        return wrong, usual
    assert isinstance(value, float)
    whole = 1 <= value <= NEWEST and value.is_integer()
    return f"{text} is not a whole number in plain digits", f"write the version as a plain number: use: {value:.0f}" if whole else usual


def _explain_text(text: str, usual: str) -> tuple[str, str]:
    """Why a text is no version."""
    short = text if len(text) <= 60 else f"{text[:57]}…"
    if "@" in text:
        return _explain_pin(text, short)
    if text.lower() in {"none", "null", "nothing", "empty"}:
        return f"{short!r} is no version", "for explicitly nothing write: use: none"
    if match := re.fullmatch(r"[vV](?:ersion)?[ -]?([1-9][0-9]*)", text):
        return f"{short!r} is no version", f"write the number alone: use: {match[1]}"
    if text.lower() in {"latest", "newest", "head", "staging", "production", "champion"}:
        return f"{short!r} is no version: what it means would change without a commit", "write the number of the version that you mean"
    if text.isdigit() and not text.isascii():
        return f"{short!r} is not written in the digits 0 to 9", usual
    return f"{short!r} is no version", usual


def _explain_pin(text: str, short: str) -> tuple[str, str]:
    version, _, digest = text.partition("@")
    if not re.fullmatch(r"[1-9][0-9]*", version):
        return f"{short!r} does not begin with a version number", "write N@sha256:<64 hex digits>, such as 3@sha256:9f2c…"
    if not digest.startswith("sha256:"):
        return f"{short!r} has no sha256 digest behind the @", f"write {version}@sha256:<64 hex digits>"
    value = digest.removeprefix("sha256:")
    if re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return f"the digest in {short!r} has capital letters", "write it in lower case"
    if re.fullmatch(r"[0-9a-f]*", value):
        return f"a sha256 digest has 64 hex digits, this one has {len(value)}", f"take it whole, or write the version alone: {version}"
    return f"the digest in {short!r} is not hexadecimal", f"write {version}@sha256:<64 hex digits>, in lower case"


def _report_all(document: Document, model: type[BaseModel], error: ValidationError, at: Path) -> None:
    seen: set[tuple[Path, str]] = set()
    for detail in error.errors(include_url=False, include_input=False):
        typed, detail["loc"] = detail["loc"], tuple(part for part in detail["loc"] if part not in KINDS.values())
        path = (*at, *detail["loc"])
        if (path, detail["type"]) not in seen:
            seen.add((path, detail["type"]))
            _report(document, model, detail, at, typed)


def _report(document: Document, model: type[BaseModel], detail: ErrorDetails, at: Path, typed: Path) -> None:
    """Note one error of a schema at its key or value; ``typed`` is where it stands in the schema."""
    kind, loc = detail["type"], detail["loc"]
    if loc and loc[-1] == "[key]":
        key, _ = document.at((*at, *loc[:-1]))
        assert key is not None
        document.report(key, _message(detail, key), "name")
        return
    key, node = document.at((*at, *loc))
    if kind == "dict_type" and isinstance(node, Scalar) and node.plain and not node.text and loc[:1] == ("models",):
        return  # a model that declares nothing: told by ``declarations``
    if kind == "too_short" and isinstance(node, Items) and node.items:
        return  # some of its items are wrong, and told one by one
    if kind == "missing":
        _report_missing(document, str(loc[-1]), (*at, *loc[:-1]))
    elif kind == "extra_forbidden" and key is not None:
        document.report(key, f"unknown key {key.text!r}", "unknown-key", nearest(key.text, fields_of(model, typed[:-1])))
    elif loc and loc[-1] == "use" and node is not None:
        document.report(node, *_with_rule(explain_use(node), "version"))
    else:
        _report_value(document, detail, key, node or document.root)


def _with_rule(explained: tuple[str, str], rule: str) -> tuple[str, str, str]:
    return explained[0], rule, explained[1]


def _report_missing(document: Document, name: str, parent: Path) -> None:
    """At the key of the mapping that lacks something: that is where to add it."""
    key, node = document.at(parent)
    owner = f" of {key.text!r}" if key is not None else ""
    where = key or node
    if where is None:
        document.report_at(0, 0, f"{name!r} is missing", "missing-key")
        return
    if isinstance(node, Scalar) and node.text:
        document.report(node, f"{name!r}{owner} is missing", "missing-key", f"write it below: {name}: {node.text}")
        return
    hint = "write at the top: version: 1" if name == "version" and not parent else None
    document.report(where, f"{name!r}{owner} is missing", "missing-key", hint)


def _report_value(document: Document, detail: ErrorDetails, key: Scalar | None, node: Node | None) -> None:
    if node is None:
        document.report_at(0, 0, detail["msg"], "value")
        return
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, Odd):
        document.report(node, f"{value.text} is {value.meaning}", "ambiguous", f"write {value.write}")
        return
    name = f"{key.text!r} " if key is not None else ""
    hint = None
    if detail["type"] == "string_type" and isinstance(node, Scalar) and node.plain and node.text:
        hint = f'for text write it in quotes: "{node.text}"'
    elif detail["type"] in {"int_type", "float_type"} and isinstance(node, Scalar) and not node.plain:
        hint = "write the number without quotes"
    elif detail["type"] in {"tuple_type", "list_type"} and isinstance(node, Scalar) and node.text:
        hint = f'write ["{node.text}"]'
    elif detail["type"] in {"model_type", "dict_type"} and key is not None and detail["loc"][:1] == ("models",):
        hint = _layout(key.text, node, len(detail["loc"]))
    elif detail["type"] == "literal_error":
        hint = _literal_hint(key, value, str(_context(detail).get("expected", "")))
    message = _message(detail, node)
    document.report(node, f"{name}{message}" if message.startswith(("must", "has")) else message, "value", hint)


def _layout(name: str, node: Node, depth: int) -> str:
    """How to write a binding whose version stands too high in the file."""
    version = node.text if isinstance(node, Scalar) and node.text else "4"
    return f"write:\n  {name}:\n    use: {version}" if depth > 2 else f"write:\n  {name}:\n    staging:\n      use: {version}"


def _literal_hint(key: Scalar | None, value: object, expected: str) -> str | None:
    """What to write where only some words are allowed."""
    if key is not None and key.text == "version":
        newer = isinstance(value, int) and value > 1
        return "the file is for a newer version of promotion: update promotion" if newer else "write: version: 1"
    close = get_close_matches(value, re.findall(r"'([^']+)'", expected), n=1) if isinstance(value, str) else []
    return f"did you mean {close[0]!r}?" if close else None


def _context(detail: ErrorDetails) -> Mapping[str, Any]:
    return detail.get("ctx", {})


def _message(detail: ErrorDetails, node: Node) -> str:
    """The words for one error, with what stands there."""
    kind, context = detail["type"], _context(detail)
    got = described(node)
    if kind in _WANTED:
        return f"{_WANTED[kind]}, however: {got}"
    if kind == "literal_error":
        return f"must be {context['expected']}, however: {got}"
    if kind in {"value_error", "assertion_error"}:
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"has not the form {context['pattern']}, however: {got}"
    if kind in {"too_short", "string_too_short"}:
        return "must not be empty"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {context[name]:g}, however: {got}"
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, however: {got}"
