"""Change one declared version in a file, and nothing else: comments, layout and line ends stay byte for byte."""

from __future__ import annotations

import codecs

from promotion.config import declarations, yamlsource
from promotion.config.document import Document, Scalar, Source
from promotion.config.scalars import resolve
from promotion.config.schema import parse_use
from promotion.config.wording import explain_use, nearest
from promotion.errors import InvalidFiles, UsageError


def edit(source: Source, model: str, environment: str, use: str) -> bytes:
    """The file's bytes with ``use`` (``N``, ``N@sha256:DIGEST`` or ``none``) as the declaration of one binding.

    Raises UsageError for a ``use`` that is not one, or a binding that the file does not have; InvalidFiles when the file is wrong.
    """
    _check(use)
    document = yamlsource.read(source)
    if document.problems:
        raise InvalidFiles(document.all_problems())
    value = _find(document, model, environment)
    text = document.text[: value.start] + use + document.text[value.end :]
    return (codecs.BOM_UTF8 if document.bom else b"") + text.encode()


def _check(use: str) -> None:
    try:
        parse_use(resolve(use))
    except ValueError:
        message, hint = explain_use(Scalar(use, plain=True, line=0, column=0, start=0, end=0))
        raise UsageError(message, hint=hint.replace("use: ", "")) from None


def _find(document: Document, model: str, environment: str) -> Scalar:
    """The value of the binding's ``use``; raises UsageError where it is not there."""
    names = declarations.model_names(document)
    if model not in names:
        raise UsageError(
            f"{document.name} does not declare {model!r}",
            hint=nearest(model, names) or f"add it:\n  {model}:\n    {environment}:\n      use: 1",
        )
    found = {name.text: use for owner, name, use in declarations.uses(document) if owner.text == model}
    if environment not in found:
        key, _ = document.at(("models", model))
        assert key is not None
        known = f"declared are: {', '.join(found)}; to" if found else "to"
        hint = f"{known} declare it, add below {model}:\n  {environment}:\n    use: 1"
        raise UsageError(f"{document.name} does not declare {environment!r} of {model!r}", hint=hint, place=document.place(key))
    value = found[environment]
    try:
        parse_use(value.value)
    except ValueError:
        message, hint = explain_use(value)
        raise UsageError(message, hint=hint, place=document.place(value)) from None
    return value
