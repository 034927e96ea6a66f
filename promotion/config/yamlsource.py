"""YAML with the place of every value, and none of YAML's surprises.

Only the plain part of the language is accepted: one document of mappings, lists and scalars, without anchors, tags or merge keys,
so that what a reviewer reads is what is loaded. Scalars are resolved by a short list of rules, not by YAML 1.1's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml

from promotion.domain import Place, Problem
from promotion.errors import InvalidFiles

MAX_BYTES = 4 << 20
MAX_DEPTH = 32
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_CONFLICT = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .*)?|={7}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OTHER_READERS = frozenset("y n yes no on off true false null ~".split())


class Quoted(str):
    """Text that stood in quotes: it is text, whatever it looks like."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file, and its name for messages: a POSIX path relative to the repository."""

    name: str
    content: bytes

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty beyond the end."""
        lines = self.content.decode("utf-8", "replace").splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def problem(self, place: Place, message: str, rule: str, hint: str | None = None) -> Problem:
        """A problem at a place in this file, with its line."""
        return Problem(place, message, rule, hint, self.line(place.line))


@dataclass(frozen=True, slots=True)
class Node:
    """One value with its place. ``start`` and ``end`` are its characters in the decoded text; ``value`` is the scalar.

    ``entries`` are a mapping's keys and values, ``items`` a list's; both None for a scalar.
    """

    place: Place
    start: int
    end: int
    value: object = None
    entries: tuple[tuple[Node, Node], ...] | None = None
    items: tuple[Node, ...] | None = None

    def plain(self) -> Any:  # noqa: ANN401 - whatever the file holds
        """The value as Python has it; a key that stands twice keeps its last value (it is a problem anyhow)."""
        if self.entries is not None:
            return {str(key.value): value.plain() for key, value in self.entries}
        if self.items is not None:
            return [item.plain() for item in self.items]
        return self.value

    def get(self, key: str) -> Node | None:
        """A mapping's value by its key, None when there is none."""
        return next((value for name, value in self.entries or () if name.value == key), None)

    def find(self, path: tuple[str | int, ...]) -> Node:
        """The deepest node on a path of keys and indices that exists."""
        node = self
        for step in path:
            found = node.items[step] if isinstance(step, int) and node.items and step < len(node.items) else node.get(str(step))
            if found is None:
                return node
            node = found
        return node

    def key(self, path: tuple[str | int, ...]) -> Node:
        """The key (not the value) at the end of a path."""
        parent = self.find(path[:-1])
        return next((name for name, _ in parent.entries or () if name.value == path[-1]), parent)


def parse(source: Source) -> Node:
    """The one document of a file. Raises InvalidFiles with every problem that can be told at once."""
    text = _text(source)
    if found := list(_surface(source, text)):
        raise InvalidFiles(found)
    problems: list[Problem] = []
    try:
        root = _Builder(source, problems).build(text)
    except yaml.MarkedYAMLError as error:
        raise InvalidFiles([*problems, _marked(source, error)]) from error
    if problems:
        raise InvalidFiles(problems)
    if root is None:
        raise InvalidFiles([source.problem(Place(source.name, 1, 1), "the file is empty", "empty", "it starts with: version: 1")])
    return root


def _text(source: Source) -> str:
    start = Place(source.name, 1, 1)
    if len(source.content) > MAX_BYTES:
        raise InvalidFiles([Problem(start, f"the file has {len(source.content)} bytes, at most {MAX_BYTES} are read", "too-large")])
    if source.content.startswith(b"\xef\xbb\xbf"):
        raise InvalidFiles([Problem(start, "the file starts with a byte order mark", "byte-order-mark", "save it as UTF-8 without BOM")])
    try:
        return source.content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = source.content[: error.start].decode("utf-8")
        place = Place(source.name, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise InvalidFiles([source.problem(place, "this is not UTF-8", "encoding", "save the file as UTF-8")]) from error


def _surface(source: Source, text: str) -> Iterator[Problem]:
    """What can be told line by line, and would otherwise be told in a confusing way."""
    for number, line in enumerate(text.split("\n"), 1):
        if _CONFLICT.fullmatch(line.rstrip("\r")):
            place = Place(source.name, number, 1)
            yield source.problem(place, "marks of a merge conflict", "merge-conflict", "resolve the merge: keep one side, and remove the marks")
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent:
            yield source.problem(Place(source.name, number, indent.index("\t") + 1), "a tab in the indentation", "tab", "indent with spaces")
        if found := _CONTROL.search(line.rstrip("\r")):
            place = Place(source.name, number, found.start() + 1)
            yield source.problem(place, f"a control character (U+{ord(found[0]):04X})", "control-character", "remove it")


def _marked(source: Source, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(source.name, mark.line + 1, mark.column + 1) if mark else Place(source.name, 1, 1)
    return source.problem(place, f"this is not YAML: {error.problem or error.context}", "syntax")


class _Builder:
    """Builds nodes from the parser's events, and refuses what is not plain."""

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems
        self._lines: list[str] | None = None

    def build(self, text: str) -> Node | None:
        events = iter(yaml.parse(text, Loader=_LOADER))
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._tell(event, "a second document", "documents", "one file holds one document: remove the ---")
                    return root
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 1)
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:  # noqa: ANN401 - PyYAML has no types for events
        if depth > MAX_DEPTH:
            place = self._place(event)
            raise InvalidFiles([self._source.problem(place, f"nested deeper than {MAX_DEPTH} levels", "nesting")])
        if event.anchor is not None:
            what = "an alias" if isinstance(event, yaml.AliasEvent) else "an anchor"
            self._tell(event, f"{what} (*{event.anchor})", "anchor", "write the value out: a line must mean the same wherever it is read")
        if isinstance(event, yaml.AliasEvent):
            return Node(self._place(event), event.start_mark.index, event.end_mark.index)
        if event.tag is not None and event.tag != "!":
            self._tell(event, f"a tag ({event.tag})", "tag", "write the plain value")
        if isinstance(event, yaml.ScalarEvent):
            return Node(self._place(event), event.start_mark.index, event.end_mark.index, _scalar(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, events, depth)
        return self._mapping(event, events, depth)

    def _sequence(self, start: Any, events: Iterator[Any], depth: int) -> Node:  # noqa: ANN401
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return Node(self._place(start), start.start_mark.index, event.end_mark.index, items=tuple(items))

    def _mapping(self, start: Any, events: Iterator[Any], depth: int) -> Node:  # noqa: ANN401
        entries: list[tuple[Node, Node]] = []
        seen: dict[str, Place] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            name = self._key(key, event)
            if name in seen:
                hint = f"it stands at {seen[name]} already: keep one of them"
                self._problems.append(self._source.problem(key.place, f"the key {name!r} stands twice", "duplicate-key", hint))
            seen.setdefault(name, key.place)
            entries.append((Node(key.place, key.start, key.end, name), value))
        return Node(self._place(start), start.start_mark.index, event.end_mark.index, entries=tuple(entries))

    def _key(self, key: Node, event: Any) -> str:  # noqa: ANN401
        if key.entries is not None or key.items is not None:
            self._problems.append(self._source.problem(key.place, "a mapping or list as a key", "key"))
            return ""
        text = str(event.value) if isinstance(event, yaml.ScalarEvent) else ""
        if isinstance(event, yaml.ScalarEvent) and not event.style and text.lower() in _OTHER_READERS:
            self._tell(event, f"{text!r} as a name: other YAML readers take it for a truth value or nothing", "name", f'quote it: "{text}"')
        if text == "<<":
            self._tell(event, "a merge key (<<)", "merge-key", "write the values out")
        return text

    def _place(self, event: Any) -> Place:  # noqa: ANN401
        return Place(self._source.name, event.start_mark.line + 1, event.start_mark.column + 1)

    def _tell(self, event: Any, message: str, rule: str, hint: str) -> None:  # noqa: ANN401
        self._problems.append(self._source.problem(self._place(event), message, rule, hint))


def _scalar(event: yaml.ScalarEvent) -> object:
    """Quoted is text; plain is a decimal integer, a float, true or false, nothing, or text. 010, 0x1, 1_000, yes: text."""
    text = str(event.value)
    if event.style:  # the C parser says "" for plain, the other None
        return Quoted(text)
    if _INTEGER.fullmatch(text) and len(text) <= 18:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return {"true": True, "false": False, "null": None, "~": None, "": None}.get(text, text)


def adjacent(lines: list[int]) -> bool:
    """Whether two of these line numbers are the same or neighbours."""
    return any(later - earlier < 2 for earlier, later in pairwise(sorted(lines)))
