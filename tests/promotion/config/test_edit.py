"""An edit changes the bytes of one value, and the file then declares exactly that."""

from __future__ import annotations

import codecs
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.config.edit import edit
from promotion.config.load import Source, load_desired
from promotion.domain import Declared, Desired
from promotion.errors import InvalidFiles, UsageError

DIGEST = "9f2c4be1a0d7c35e8f6b1a2d3c4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f506"
names = st.sampled_from(["a-a", "moe-cybersecurity-cicids", "b_b", "模型", '"on"', "'12'", "modèle-x", "ключ"])
uses = st.one_of(st.integers(1, 2**31 - 1).map(str), st.just("none"), st.integers(1, 99).map(lambda number: f"{number}@sha256:{DIGEST}"))
comments = st.sampled_from(["", "   # staging: use: 4", " # 模型 \U0001f680", " #"])
blank = st.sampled_from(["", "\n", "# a line of its own\n", "\n\n", "  # use: 7\n"])


@st.composite
def files(draw: st.DrawFn) -> Source:
    """A declaration with the layouts that people write."""
    text = draw(blank) + "version: 1" + draw(comments) + "\n" + draw(blank) + "models:" + draw(comments) + "\n"
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        text += f"  {name}:{draw(comments)}\n{draw(blank)}"
        for environment in draw(st.lists(st.sampled_from(["staging", "production"]), min_size=1, max_size=2, unique=True)):
            use = draw(uses)
            quote = draw(st.sampled_from(["", '"', "'"])) if not use.isdigit() else ""
            gap = draw(st.sampled_from(["", "   "]))
            text += f"    {environment}:{draw(comments)}\n{draw(blank)}      use: {gap}{quote}{use}{quote}{draw(comments)}\n"
    text = draw(st.sampled_from([text, text.rstrip("\n")]))
    content = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()
    return Source("environments.yaml", draw(st.sampled_from([b"", codecs.BOM_UTF8])) + content)


def values(desired: Desired) -> list[tuple[str, str, int | None, str | None]]:
    return [(one.model, one.environment, one.version, one.digest) for one in desired.bindings]


def spelled(binding: Declared) -> str:
    if binding.version is None:
        return "none"
    return str(binding.version) + (f"@sha256:{binding.digest}" if binding.digest else "")


@given(source=files(), use=uses, data=st.data())
def test_an_edit_changes_one_binding_and_no_other_byte(source: Source, use: str, data: st.DataObject) -> None:
    before = load_desired([source])
    chosen = data.draw(st.sampled_from(before.bindings))
    content = edit(source, chosen.model, chosen.environment, use)
    after = load_desired([Source(source.name, content)])
    version, _, digest = use.partition("@sha256:")
    wanted = replace(chosen, version=None if use == "none" else int(version), digest=digest or None)
    assert values(after) == values(replace(before, bindings=tuple(wanted if one == chosen else one for one in before.bindings)))
    old, new = source.content.split(b"\n"), content.split(b"\n")
    assert [index for index, (a, b) in enumerate(zip(old, new, strict=True)) if a != b] in ([], [chosen.place.line - 1])
    line, edited = old[chosen.place.line - 1], new[chosen.place.line - 1]
    start = len(line.removeprefix(codecs.BOM_UTF8).decode()[: chosen.place.column - 1].encode())
    assert edited[: start + len(use.encode())] == line[:start] + use.encode()
    assert line.endswith(edited[start + len(use.encode()) :])


@given(source=files(), use=uses, data=st.data())
def test_an_edit_and_its_reverse_give_the_same_declaration(source: Source, use: str, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(load_desired([source]).bindings))
    there = edit(source, chosen.model, chosen.environment, use)
    back = edit(Source(source.name, there), chosen.model, chosen.environment, spelled(chosen))
    assert values(load_desired([Source(source.name, back)])) == values(load_desired([source]))


SOURCE = Source("environments.yaml", b"version: 1\nmodels:\n  moe-cybersecurity-cicids:\n    staging:\n      use: 3\n")


@pytest.mark.parametrize(
    ("model", "environment", "use", "message", "hint"),
    [
        (
            "moe-cybersecurity-cicid",
            "staging",
            "4",
            "does not declare 'moe-cybersecurity-cicid'",
            "did you mean 'moe-cybersecurity-cicids'?",
        ),
        ("moe-cybersecurity-cicids", "production", "4", "does not declare 'production'", "declared are: staging"),
        ("moe-cybersecurity-cicids", "staging", "latest", "'latest' is no version", "write the number"),
        ("moe-cybersecurity-cicids", "staging", "v4", "'v4' is no version", "4"),
        ("moe-cybersecurity-cicids", "staging", "010", "010 is 8 (octal)", "10"),
        ("moe-cybersecurity-cicids", "staging", "", "has no value", "none"),
        ("moe-cybersecurity-cicids", "staging", "4 # evil\n", "no version", "write a version number"),
        ("moe-cybersecurity-cicids", "staging", "4\n      owner: me", "no version", "write a version number"),
    ],
)
def test_what_cannot_be_edited_is_refused(model: str, environment: str, use: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        edit(SOURCE, model, environment, use)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_file_that_is_wrong_is_not_edited() -> None:
    with pytest.raises(InvalidFiles):
        edit(Source("e.yaml", SOURCE.content + b"  moe-cybersecurity-cicids: {}\n"), "moe-cybersecurity-cicids", "staging", "4")
    with pytest.raises(UsageError, match="latest"):
        edit(Source("e.yaml", SOURCE.content.replace(b"3", b"latest")), "moe-cybersecurity-cicids", "staging", "4")
