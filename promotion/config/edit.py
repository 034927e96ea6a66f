"""Change declared versions in a file, and nothing else: comments, layout and line ends stay byte for byte."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence

from promotion.config import declarations, yamlsource
from promotion.config.document import Document, Scalar, Source
from promotion.config.scalars import resolve
from promotion.config.values import parse_use
from promotion.config.wording import explain_use, nearest
from promotion.errors import InvalidFiles, UsageError

Uses = Mapping[tuple[str, str], str]
"""(model, environment) → ``N``, ``N@sha256:DIGEST`` or ``none``."""


def edit(source: Source, model: str, environment: str, use: str) -> bytes:
    """The file's bytes with ``use`` as the declaration of one binding. Raises as ``edits``."""
    return edits((source,), {(model, environment): use})[source.name]


def edits(sources: Sequence[Source], uses: Uses) -> dict[str, bytes]:
    """The bytes of the files that hold these bindings, by name, with each declared anew; every file is read once.

    Raises UsageError for a ``use`` that is not one, or a binding that no file has; InvalidFiles when a file is wrong.
    """
    for use in uses.values():
        check_use(use)
    documents = [yamlsource.read(source) for source in sources]
    if problems := declarations.problems(documents):
        raise InvalidFiles(problems)
    owners = {name: document for document in reversed(documents) for name in declarations.model_names(document)}
    found: dict[str, list[tuple[Scalar, str]]] = {}
    known = {document.name: _uses(document) for document in documents}
    for (model, environment), use in uses.items():
        document = owners.get(model) or _unknown(documents, owners, model)
        found.setdefault(document.name, []).append((_find(document, known[document.name].get(model, {}), model, environment), use))
    return {document.name: _replaced(document, found[document.name]) for document in documents if document.name in found}


def _replaced(document: Document, changes: Sequence[tuple[Scalar, str]]) -> bytes:
    parts, rest = [], 0
    for value, use in sorted(changes, key=lambda one: one[0].start):
        parts += [document.text[rest : value.start], use]
        rest = value.end
    return (codecs.BOM_UTF8 if document.bom else b"") + "".join([*parts, document.text[rest:]]).encode()


def check_use(use: str) -> None:
    """Raise UsageError for what is no version, pinned or not, and not ``none``."""
    try:
        parse_use(resolve(use))
    except ValueError:
        message, hint = explain_use(Scalar(use, plain=True, line=0, column=0, start=0, end=0))
        raise UsageError(message, hint=hint.replace("use: ", "")) from None


def _uses(document: Document) -> dict[str, dict[str, Scalar]]:
    """Model → environment → the value of its ``use``."""
    found: dict[str, dict[str, Scalar]] = {}
    for owner, name, use in declarations.uses(document):
        found.setdefault(owner.text, {})[name.text] = use
    return found


def _unknown(documents: Sequence[Document], owners: Mapping[str, Document], model: str) -> Document:
    where = " or ".join(document.name for document in documents)
    hint = nearest(model, list(owners)) or f"declared are: {', '.join(owners) or 'none'}"
    raise UsageError(f"{where} does not declare {model!r}", hint=hint)


def _find(document: Document, found: Mapping[str, Scalar], model: str, environment: str) -> Scalar:
    """The value of the binding's ``use``; raises UsageError where it is not there."""
    if environment not in found:
        key, _ = document.at(("models", model))
        assert key is not None
        hint = f"declared are: {', '.join(found) or 'none'}; promotion propose {model} {environment}=VERSION declares it"
        raise UsageError(f"{document.name} does not declare {environment!r} of {model!r}", hint=hint, place=document.place(key))
    value = found[environment]
    try:
        parse_use(value.value)
    except ValueError:
        message, hint = explain_use(value)
        raise UsageError(message, hint=hint, place=document.place(value)) from None
    return value
