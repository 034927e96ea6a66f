"""Declare bindings that a file does not have yet, in lines of their own; every other byte stays.

New lines go where a person would write them: an environment behind those that come before it, a model by its name where the names are
in order. The file is read again afterwards: where a layout is too unusual for new lines (YAML in braces), nothing is changed.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence

from promotion.config import declarations
from promotion.config.declarations import Declarations
from promotion.config.document import Document, Node, Scalar, Source, Table
from promotion.config.edit import Uses, check_use, edits
from promotion.config.scalars import resolve
from promotion.config.values import parse_use
from promotion.config.wording import nearest
from promotion.domain import Desired
from promotion.errors import InvalidFiles, UsageError

_STEP = 2
_PLAIN = re.compile(r"[^\W\d][\w.-]*")


def proposed(sources: Sequence[Source], uses: Uses, *, new_model: bool = False) -> dict[str, bytes]:
    """The bytes of the files that change, by name: what is declared is declared anew, what is not is added.

    ``new_model`` allows a model that no file declares. Raises UsageError for a ``use`` that is none, an environment or a model that is
    not known, and a file whose layout takes no new lines; InvalidFiles when a file is wrong.
    """
    for use in uses.values():
        check_use(use)
    files = {source.name: source for source in sources}
    read = _read(sources)
    known = {(one.model, one.environment) for one in read.desired.bindings}
    there = {key: use for key, use in uses.items() if key in known}
    changed = dict(edits(sources, there)) if there else {}
    # One after the other in the order of promotion: each goes behind those before it, new ones included.
    order = [one.name for one in read.desired.environments]
    for (model, environment), use in sorted(uses.items(), key=lambda one: order.index(one[0][1]) if one[0][1] in order else -1):
        if (model, environment) in known:
            continue
        if environment not in order:
            raise UsageError(
                f"there is no environment {environment!r}", hint=nearest(environment, order) or f"there are: {', '.join(order)}"
            )
        current = [Source(name, changed.get(name, source.content)) for name, source in files.items()]
        name, content = _added(current, model, environment, use, new_model=new_model)
        changed[name] = content
    return changed


def _read(sources: Sequence[Source]) -> Declarations:
    read = declarations.read(sources)
    if problems := declarations.problems(read.documents):
        raise InvalidFiles(problems)
    return read


def _added(sources: Sequence[Source], model: str, environment: str, use: str, *, new_model: bool) -> tuple[str, bytes]:
    """The file that now has this binding, and its bytes."""
    before = _read(sources)
    names = {name: document for document in before.documents for name in declarations.model_names(document)}
    if model in names:
        document = names[model]
        text = _below_model(document, model, environment, use, [one.name for one in before.desired.environments])
    else:
        document = _for_new(before.documents, model, list(names), new_model=new_model)
        text = _new_model(document, model, environment, use)
    content = (codecs.BOM_UTF8 if document.bom else b"") + text.encode()
    after = declarations.read([Source(one.name, content if one.name == document.name else one.content) for one in sources])
    version, digest = parse_use(resolve(use)) or (None, None)
    wanted = {*_bindings(before.desired), (model, environment, version, digest)}
    if declarations.problems(after.documents) or set(_bindings(after.desired)) != wanted:
        key, _ = document.at(("models", model) if model in names else ("models",))
        hint = f"write it yourself, in lines of its own:\n  {model}:\n    {environment}:\n      use: {use}"
        raise UsageError(f"{document.name} is laid out so that no line can be added", hint=hint, place=document.place(key) if key else None)
    return document.name, content


def _bindings(desired: Desired) -> list[tuple[str, str, int | None, str | None]]:
    return [(one.model, one.environment, one.version, one.digest) for one in desired.bindings]


def _for_new(documents: Sequence[Document], model: str, names: Sequence[str], *, new_model: bool) -> Document:
    """The file that a model which nobody declares goes into; raises UsageError where that is not meant, or not clear."""
    where = " or ".join(document.name for document in documents)
    if not new_model:
        told = (nearest(model, names), "a model that is not declared yet is added with --new")
        raise UsageError(f"{where} does not declare {model!r}", hint="\n".join(one for one in told if one))
    if len(documents) > 1:
        raise UsageError(f"{model!r} could go into {where}", hint="name the one that it belongs to: --file FILE")
    return documents[0]


def _below_model(document: Document, model: str, environment: str, use: str, order: Sequence[str]) -> str:
    key, table = document.at(("models", model))
    assert key is not None
    assert isinstance(table, Table)
    entries = list(table.entries.values())
    first, inner = entries[0]
    earlier = [_last_line(node) for name, node in entries if order.index(name.text) < order.index(environment)]
    step = next(iter(inner.entries.values()))[0].column - first.column if isinstance(inner, Table) and inner.entries else _STEP
    return _with_lines(document, max(earlier, default=key.line), _binding(first.column, step, environment, use))


def _new_model(document: Document, model: str, environment: str, use: str) -> str:
    key, table = document.at(("models",))
    if key is None:
        raise UsageError(
            f"{document.name} has no 'models'", hint="write a line 'models:' at its end", place=document.place(document.root or _START)
        )
    spelled = model if _PLAIN.fullmatch(model) and isinstance(resolve(model), str) else json.dumps(model, ensure_ascii=False)
    if not isinstance(table, Table) or not table.entries:
        document = _without_braces(document, key, table)
        return _with_lines(document, key.line, [f"  {spelled}:", *_binding(2 * _STEP, _STEP, environment, use)])
    entries = list(table.entries.values())
    column = entries[0][0].column
    names = [name.text for name, _ in entries]
    smaller = [_last_line(node) for name, node in entries if names != sorted(names) or name.text < model]
    lines = [" " * column + f"{spelled}:", *_binding(column + _STEP, _STEP, environment, use)]
    return _with_lines(document, max(smaller, default=key.line), lines)


_START = Table(0, 0)


def _binding(column: int, step: int, environment: str, use: str) -> list[str]:
    return [" " * column + f"{environment}:", " " * (column + step) + f"use: {use}"]


def _without_braces(document: Document, key: Scalar, table: Node | None) -> Document:
    """``models: {}`` becomes ``models:``; anything else stays as it is."""
    if not isinstance(table, Table) or table.line != key.line:
        return document
    lines = document.text.split("\n")
    line = lines[table.line]
    lines[table.line] = line[: table.column].rstrip() + re.sub(r"^\{ *\}", "", line[table.column :])
    return Document(document.name, "\n".join(lines), bom=document.bom)


def _last_line(node: Node) -> int:
    if isinstance(node, Table):
        return max((_last_line(value) for _, value in node.entries.values()), default=node.line)
    return node.line


def _with_lines(document: Document, after: int, new: Sequence[str]) -> str:
    """The text with new lines behind line ``after`` (from 0), ended as the others are."""
    lines = document.text.split("\n")
    end = "\r" if "\r\n" in document.text else ""
    if after == len(lines) - 1:  # the file does not end with a line end, and goes on not to
        lines[after] += end
        return "\n".join([*lines, *(line + end for line in new[:-1]), new[-1]])
    return "\n".join([*lines[: after + 1], *(line + end for line in new), *lines[after + 1 :]])
