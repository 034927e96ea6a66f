"""YAML with the position of every value, from bytes; every doubtful construct is refused with its place.

Only the part of YAML that reads the same to everybody is accepted: mappings, lists and scalars in one UTF-8 document. Anchors,
aliases, merge keys, tags and directives are refused, so nothing can expand ("billion laughs"); nesting is bounded while events
arrive, so nothing can overflow the stack. CRLF and a byte order mark at the start are accepted and kept by edits.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import islice

import yaml

from promotion.config.document import MOST_COUNTED, Document, Items, Node, Scalar, Source, Table, described
from promotion.config.scalars import Odd

MOST_BYTES = 4_000_000
MOST_NODES = 300_000
"""Room for 30,000 models; what is larger would only take long to be refused."""
DEEPEST = 32
_SPLIT = "split it: --file may be given several times"

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)")
_REORDERS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONFLICT = re.compile(r"^(?:<{7}|>{7})(?: .*)?$", re.MULTILINE)
_TAB = re.compile(r"^[^#\"'\t\n]*(\t)(?=[^\n]*[^\s])", re.MULTILINE)
_TAB_IN_COMMENT = re.compile(r"\s*#")


def read(source: Source) -> Document:
    """Read one file; whatever is wrong with it as YAML is in ``problems``, never raised."""
    document = _decoded(source)
    if not document.problems:
        _scan(document)
    # Tabs alone do not keep the rest from being read, and reading may find more.
    if all(problem.rule == "tab" for problem in document.problems):
        try:
            document.root = _compose(document)
        except _Stop:
            pass
        except yaml.YAMLError as error:
            _syntax(document, error)
    return document


class _Stop(Exception):
    """What was found makes the rest of the file unreadable."""


def _decoded(source: Source) -> Document:
    """The text of a file; undecodable or oversized files become a document with the problem."""
    content = source.content
    if len(content) > MOST_BYTES:
        document = Document(source.name, "")
        document.report_at(0, 0, f"the file has more than {MOST_BYTES:,} bytes", "too-large", _SPLIT)
        return document
    bom = content.startswith(codecs.BOM_UTF8)
    try:
        return Document(source.name, content.removeprefix(codecs.BOM_UTF8).decode("utf-8"), bom=bom)
    except UnicodeDecodeError as error:
        return _undecodable(source, error)


def _undecodable(source: Source, error: UnicodeDecodeError) -> Document:
    content = source.content.removeprefix(codecs.BOM_UTF8)
    before = content[: error.start].decode("utf-8")
    document = Document(source.name, content.decode("utf-8", errors="replace"))
    line = before.count("\n")
    wide = source.content[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    what = "this is UTF-16, not UTF-8" if wide else f"byte 0x{content[error.start]:02x} is not UTF-8"
    document.report_at(line, len(before) - before.rfind("\n") - 1, what, "encoding", "save the file as UTF-8")
    return document


def _scan(document: Document) -> None:
    """What can be told from the text alone, and would only confuse a parser."""
    text = document.text
    for match in islice(_CONFLICT.finditer(text), MOST_COUNTED):
        if match[0].startswith("<"):
            hint = "keep what is meant, delete the lines <<<<<<<, ======= and >>>>>>>, and commit the result"
            _report_offset(document, match.start(), f"a merge conflict was left here: {match[0][:60]}", "merge-conflict", hint)
    end = None if document.problems else _CONFLICT.search(text)
    if end is not None:
        message = f"the end of a merge conflict was left here: {end[0][:60]}"
        _report_offset(document, end.start(), message, "merge-conflict", "delete it")
    for match in islice(_FORBIDDEN.finditer(text), MOST_COUNTED):
        code = ord(match[0])
        what = "a carriage return without a line feed" if code == 0x0D else f"the character U+{code:04X}"
        _report_offset(document, match.start(), f"{what} must not stand in this file", "character", "delete it")
    for match in islice(_REORDERS.finditer(text), MOST_COUNTED):
        message = f"the invisible character U+{ord(match[0]):04X} makes text look different from what it says"
        _report_offset(document, match.start(), message, "character", "delete it")
    if "\t" in text:
        for match in islice(_TAB.finditer(text), MOST_COUNTED):
            if not _TAB_IN_COMMENT.match(text, match.start(1)):
                _report_offset(document, match.start(1), "a tab: YAML indents and separates with spaces", "tab", "replace it by spaces")


def _report_offset(document: Document, offset: int, message: str, rule: str, hint: str) -> None:
    # Finding the line costs the length of the file: not for what is only counted anyway.
    if document.is_full(rule):
        document.report_at(0, 0, message, rule, hint)
        return
    line = document.text.count("\n", 0, offset)
    document.report_at(line, offset - (document.text.rfind("\n", 0, offset) + 1), message, rule, hint)


def _compose(document: Document) -> Node | None:
    """Build the tree from events, without recursion. Raises _Stop or MarkedYAMLError for what cannot be read on."""
    root: Node | None = None
    count = 0
    parents: list[tuple[Table | Items, Scalar | None]] = []
    for event in _events(document.text):
        if isinstance(event, yaml.CollectionEndEvent):
            parents.pop()
            continue
        if not isinstance(event, yaml.NodeEvent) or isinstance(event, yaml.AliasEvent):
            _check_document(document, event, root)
            continue
        node = _node(document, event)
        count += 1
        if count > MOST_NODES:
            document.report(node, f"the file has more than {MOST_NODES:,} values", "too-large", _SPLIT)
            raise _Stop
        if parents:
            parents[-1] = _placed(document, *parents[-1], node)
        else:
            root = node
        if not isinstance(node, Scalar):
            parents.append((node, None))
            if len(parents) > DEEPEST:
                document.report(node, f"more than {DEEPEST} levels of nesting", "too-deep", "no file of this kind needs more than a few")
                raise _Stop
    return root


def _node(document: Document, event: yaml.NodeEvent) -> Node:
    """The node that begins here. Raises _Stop for anchors and tags, which would make a file mean more than it shows."""
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    node: Node
    if isinstance(event, yaml.ScalarEvent):
        node = Scalar(event.value, not event.style, start.line, start.column, start.index, end.index)
    else:
        node = (Table if isinstance(event, yaml.MappingStartEvent) else Items)(start.line, start.column)
    if event.anchor is not None:
        document.report(node, f"anchors (&{event.anchor}) are not used here", "anchor", "write the value out where it is needed")
        raise _Stop
    tag = getattr(event, "tag", None)
    if tag is not None:
        document.report(node, f"tags ({tag[:40]}) are not used here", "tag", "write the plain value")
        raise _Stop
    return node


def _placed(document: Document, parent: Table | Items, key: Scalar | None, node: Node) -> tuple[Table | Items, Scalar | None]:
    """Put a node into its parent: an item, a key that waits for its value, or the value."""
    if isinstance(parent, Items):
        parent.items.append(node)
        return parent, None
    if key is None:
        return parent, _key(document, parent, node)
    parent.entries.setdefault(key.text, (key, node))
    return parent, None


def _key(document: Document, parent: Table, node: Node) -> Scalar:
    """Check a key. Raises _Stop where it is not a scalar."""
    if not isinstance(node, Scalar):
        document.report(node, f"a key must be a name, not {described(node)}", "key")
        raise _Stop
    if node.plain and node.text == "<<":
        document.report(node, "merge keys (<<) are not used here", "anchor", "write each entry out: a reviewer must see what is declared")
        raise _Stop
    before = parent.entries.get(node.text)
    if before is not None:
        first = before[0].line + 1
        message = f"{node.text!r} stands twice in this mapping, first in line {first}"
        document.report(node, message, "duplicate-key", "delete one of the two")
    elif node.plain and not isinstance(node.value, str):
        value = node.value
        what = value.meaning if isinstance(value, Odd) else described(node)
        document.report(node, f"the name {node.text!r} is {what}", "ambiguous-name", f'write it in quotes: "{node.text}"')
    return node


def _check_document(document: Document, event: yaml.Event, root: Node | None) -> None:
    """Refuse aliases, directives and a second document."""
    mark = event.start_mark
    assert mark is not None
    if isinstance(event, yaml.AliasEvent):
        message = f"aliases (*{event.anchor}) are not used here"
        document.report_at(mark.line, mark.column, message, "anchor", "write the value out: a reviewer must see what is declared")
        raise _Stop
    if isinstance(event, yaml.DocumentStartEvent):
        if root is not None:
            message = "a second document begins here"
            document.report_at(mark.line, mark.column, message, "several-documents", "put it into a file of its own")
            raise _Stop
        if event.version or event.tags:
            document.report_at(mark.line, mark.column, "directives (%…) are not used here", "directive", "delete the line")
            raise _Stop


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events: from the C library where PyYAML has it, at a tenth of the time."""
    loader = getattr(yaml, "CLoader", yaml.Loader)(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


_EXPLAINED = {
    "mapping values are not allowed": "a ':' too much, or a line that is indented otherwise than its neighbours",
    "could not find expected ':'": "a key needs a ':' and a space after it",
    "did not find expected key": "the line is indented otherwise than its neighbours, or a bracket or quote is not closed",
    "did not find expected '-' indicator": "every item of a list begins with '- ', indented alike",
    "did not find expected ',' or ": "a bracket is not closed, or a comma is missing",
    "cannot start any token": "the value begins with a character that means something else in YAML; text goes in quotes",
    "unexpected end of stream": "a quote is not closed",
    "did not find expected <document start>": "the line is indented less than the one it belongs to, or stands outside of every key",
    "block sequence entries are not allowed": "a list begins on a line of its own",
    "unknown escape character": "in double quotes a backslash begins an escape: write it twice, or use single quotes",
}


def _syntax(document: Document, error: yaml.YAMLError) -> None:
    """Report what the parser could not read, where it could not; what is never closed, where it begins."""
    marked = error if isinstance(error, yaml.MarkedYAMLError) else yaml.MarkedYAMLError(problem=str(error))
    mark = marked.problem_mark or marked.context_mark
    if mark is not None and marked.context_mark is not None and not document.text[mark.index :].strip():
        mark = marked.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if any(problem.place.line == line + 1 for problem in document.problems):
        return  # a tab: told already, in better words
    text = str(marked.problem or marked.context)
    hint = next((hint for part, hint in _EXPLAINED.items() if part in text), None)
    if mark is not None and document.text[mark.index : mark.index + 1] == "@":
        hint = "a version is a plain number, aliases are not followed; text that begins with @ goes in quotes"
    context = f" {marked.context}" if marked.context and marked.context != text else ""
    document.report_at(line, column, f"not YAML: {text}{context}", "syntax", hint)
