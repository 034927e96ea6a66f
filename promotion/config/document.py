"""One file as a tree of values with their positions, and the problems found in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from promotion.config.scalars import resolve
from promotion.domain import Place, Problem

MOST_OF_A_KIND = 25
"""Problems of one rule that one file may give; the rest is counted."""
MOST_COUNTED = 1_000
"""Problems of one rule that are counted exactly."""


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file, from the working tree or from a commit; ``name`` is its path relative to the repository."""

    name: str
    content: bytes


@dataclass(slots=True)
class Scalar:
    """One scalar as it stands: ``start`` and ``end`` are offsets in characters, ``line`` and ``column`` count from 0."""

    text: str
    plain: bool
    line: int
    column: int
    start: int
    end: int

    @property
    def value(self) -> object:
        """What it means: text where it is quoted, else by ``scalars.resolve``."""
        return resolve(self.text) if self.plain else self.text


@dataclass(slots=True)
class Items:
    """A list; ``line`` and ``column`` count from 0."""

    line: int
    column: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """A mapping: key → (the key where it stands, its value); ``line`` and ``column`` count from 0."""

    line: int
    column: int
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)

    def get(self, key: str) -> Node | None:
        """The value of a key, None where it is absent."""
        found = self.entries.get(key)
        return None if found is None else found[1]


Node = Scalar | Items | Table


@dataclass
class Document:
    """One file: its text (without a byte order mark) and its tree; ``root`` None where it could not be read."""

    name: str
    text: str
    root: Node | None = None
    problems: list[Problem] = field(default_factory=list)
    bom: bool = False
    _counts: dict[str, int] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    def place(self, node: Node) -> Place:
        """Where a node begins."""
        return Place(self.name, node.line + 1, node.column + 1)

    def report(self, node: Node, message: str, rule: str, hint: str | None = None) -> None:
        """Note a problem at a node."""
        self.report_at(node.line, node.column, message, rule, hint)

    def report_at(self, line: int, column: int, message: str, rule: str, hint: str | None = None) -> None:
        """Note a problem at a position that counts from 0; of one rule only the first few are kept one by one."""
        count = self._counts[rule] = self._counts.get(rule, 0) + 1
        if count > MOST_OF_A_KIND:
            return
        text = self.lines[line] if line < len(self.lines) else ""
        self.problems.append(Problem(Place(self.name, line + 1, column + 1), message, rule, hint, text))

    def is_full(self, rule: str) -> bool:
        """Whether further problems of this rule are only counted."""
        return self._counts.get(rule, 0) >= MOST_OF_A_KIND

    def all_problems(self) -> list[Problem]:
        """Every problem, with a line that counts those of a kind that were too many to list."""
        found = list(self.problems)
        for rule, count in self._counts.items():
            if count > MOST_OF_A_KIND:
                last = [problem for problem in self.problems if problem.rule == rule][-1]
                more = f"{count - MOST_OF_A_KIND:,}" if count < MOST_COUNTED else "many"
                found.append(Problem(last.place, f"and {more} more like this further down", rule))
        return found

    def at(self, path: tuple[int | str, ...]) -> tuple[Scalar | None, Node | None]:
        """The key and the node at a path from the root; the node is None where the path ends before."""
        key, node = None, self.root
        for part in path:
            if isinstance(node, Table):
                key, node = node.entries.get(str(part), (None, None))
            elif isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
                key, node = None, node.items[part]
            else:
                return None, None
        return key, node


def plain(node: Node) -> object:
    """The tree as plain values: dicts, lists, text, numbers, booleans, None, and ``Odd`` where a scalar is not clear."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {name: plain(value) for name, (_, value) in node.entries.items()}


def described(node: Node | None) -> str:
    """A value in the words of a message."""
    if node is None:
        return "nothing"
    if not isinstance(node, Scalar):
        return "a mapping" if isinstance(node, Table) else "a list"
    text = node.text if len(node.text) <= 60 else f"{node.text[:57]}…"
    if not node.plain:
        return f'the text "{text}"'
    kind = {bool: "boolean ", int: "number ", float: "number "}.get(type(node.value), "")
    return f"the {kind}{text}" if kind else f"{text!r}" if text else "nothing"
