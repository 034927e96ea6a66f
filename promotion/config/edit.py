"""Change one declared version, and not a byte besides."""

from __future__ import annotations

from difflib import get_close_matches

from promotion.config.load import load_desired
from promotion.config.schema import read_use
from promotion.config.yamlsource import Node, Source, parse
from promotion.errors import UsageError


def edit(source: Source, model: str, environment: str, use: str) -> bytes:
    """The file with ``use`` (``4``, ``4@sha256:…``, ``none``) as the version of one binding; comments and layout stay.

    Raises UsageError when the file does not declare the binding or ``use`` is no version, InvalidFiles when the file is wrong.
    """
    try:
        read_use(int(use) if use.isdecimal() and not use.startswith("0") else use)
    except ValueError as error:
        raise UsageError(f"{model} {environment}: {error}") from error
    value = _value(source, parse(source), model, environment)
    text = source.content.decode("utf-8")
    changed = Source(source.name, (text[: value.start] + use + text[value.end :]).encode("utf-8"))
    load_desired([changed])
    return changed.content


def _value(source: Source, root: Node, model: str, environment: str) -> Node:
    models = root.get("models") or root
    bindings = models.get(model)
    if bindings is None:
        known = [str(key.value) for key, _ in models.entries or ()]
        raise UsageError(f"{source.name} does not declare {model!r}", hint=_hint(model, known, "add it by hand: its name, an environment, use"))
    found = bindings.get(environment)
    use = found.get("use") if found is not None else None
    if use is None:
        known = [str(key.value) for key, _ in bindings.entries or ()]
        raise UsageError(
            f"{source.name} does not declare {environment!r} of {model!r}", hint=_hint(environment, known, "add it by hand: its name, then use")
        )
    return use


def _hint(name: str, known: list[str], otherwise: str) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise
