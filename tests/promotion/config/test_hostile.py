"""Files that are made to hurt: each is refused with a clear problem, soon, and without a deep stack. And large honest ones."""

from __future__ import annotations

import codecs
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promotion.config import yamlsource
from promotion.config.document import MOST_OF_A_KIND
from promotion.config.load import Source, load_desired, load_policies
from promotion.config.scalars import Odd, resolve
from promotion.errors import InvalidFiles

MANY = 1_000_000
LAUGHS = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 112))
HOSTILE = {
    "open lists": (b"[" * MANY, "too-deep"),
    "open lists on lines": (b"[\n" * MANY, "too-deep"),
    "10,000 levels of lists": (b"a: " + b"[" * 10_000 + b"]" * 10_000, "too-deep"),
    "10,000 levels of mappings": (b"{a: " * 10_000 + b"1" + b"}" * 10_000, "too-deep"),
    "levels by indentation": (b"".join(b" " * level + b"a:\n" for level in range(1_500)), "too-deep"),
    "dashes": (b"- " * MANY, "too-deep"),
    "billion laughs": (LAUGHS, "anchor"),
    "an alias to itself": (b"a: &a [*a]\n", "anchor"),
    "a python object": (b"a: !!python/object/apply:os.system [echo]\n", "tag"),
    "NUL bytes": (b"\0" * MANY, "character"),
    "a NUL byte in a name": (b"version: 1\nmodels: {a\0b: {}}\n", "character"),
    "carriage returns": (b"version: 1\r" * 10_000, "character"),
    "line separators of Unicode": ("a: 1\u2028b: 2".encode(), "character"),
    "UTF-16": (codecs.BOM_UTF16_LE + "version: 1".encode("utf-16-le"), "encoding"),
    "not UTF-8": (b"version: 1\n# caf\xe9\n", "encoding"),
    "half a surrogate": (b"a: \xed\xa0\x80\n", "encoding"),
    "too large": (b"#" * 4_000_001, "too-large"),
    "too many values": (b"- a\n" * 400_000, "too-large"),
    "a huge number": (b"version: " + b"9" * MANY + b"\nmodels: {}\n", "ambiguous"),
    "zeros": (b"version: " + b"0" * MANY + b"\nmodels: {}\n", "ambiguous"),
    "a number to the base 60": (b"version: 1" + b":1" * MANY + b"\nmodels: {}\n", "ambiguous"),
    "tabs": (b"\ta: 1\n" * 100_000, "tab"),
    "marks of conflicts": (b"<<<<<<< a\n" * 100_000, "merge-conflict"),
    "one key a hundred thousand times": (b"a: 1\n" * 100_000, "duplicate-key"),
    "one-line bindings": (b"version: 1\nmodels:\n" + b"".join(b"  m%d: {staging: {use: 1}}\n" % n for n in range(20_000)), "layout"),
}


@pytest.mark.parametrize(("content", "rule"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_soon(content: bytes, rule: str) -> None:
    began = time.process_time()
    with pytest.raises(InvalidFiles) as caught:
        load_desired([Source("environments.yaml", content)])
    assert time.process_time() - began < 1.5  # half a second on an idle machine
    assert rule in {problem.rule for problem in caught.value.problems}
    assert len(caught.value.problems) <= 3 * (MOST_OF_A_KIND + 1)


MODEL = b"version: 1\nmodels:\n  churn-eu:\n    staging:\n      use: 4\n"
SLIPS = {
    "a byte order mark": (codecs.BOM_UTF8 + MODEL, None),
    "CRLF": (MODEL.replace(b"\n", b"\r\n"), None),
    "both": (codecs.BOM_UTF8 + MODEL.replace(b"\n", b"\r\n"), None),
    "no end of line": (MODEL.rstrip(b"\n"), None),
    "1.0": (MODEL.replace(b"4", b"1.0"), "5:12 1.0 is not a whole number in plain digits | write the version as a plain number: use: 1"),
    "010": (
        MODEL.replace(b"4", b"010"),
        "5:12 010 is 8 (octal) in YAML 1.1 and 10 in YAML 1.2 | write the version as a plain number: use: 10",
    ),
    "an alias": (
        MODEL.replace(b"4", b"*v"),
        "5:12 aliases (*v) are not used here | write the value out: a reviewer must see what is declared",
    ),
    "an anchor": (MODEL.replace(b"4", b"&v 4"), "5:12 anchors (&v) are not used here | write the value out where it is needed"),
    "a tab": (MODEL.replace(b"      use", b"\tuse"), "5:1 a tab: YAML indents and separates with spaces | replace it by spaces"),
    "a key": (MODEL.replace(b"use", b"usse"), "5:7 unknown key 'usse' | did you mean 'use'?"),
    "a key at the top": (MODEL.replace(b"models", b"model"), "2:1 unknown key 'model' | did you mean 'models'?"),
    "an environment": (MODEL.replace(b"staging", b"stagging"), "4:5 there is no environment 'stagging' | did you mean 'staging'?"),
    "a key twice": (MODEL + b"  churn-eu: {}\n", "6:3 'churn-eu' stands twice in this mapping, first in line 3 | delete one of the two"),
    "a conflict": (
        b"version: 1\nmodels:\n<<<<<<< ours\n",
        (
            "3:1 a merge conflict was left here: <<<<<<< ours | keep what is meant, delete the lines <<<<<<<, ======= and >>>>>>>, "
            "and commit the result"
        ),
    ),
    "Latin-1": (MODEL.replace(b"churn", b"ch\xfcrn"), "3:5 byte 0xfc is not UTF-8 | save the file as UTF-8"),
    "NUL": (MODEL.replace(b"churn", b"ch\0rn"), "3:5 the character U+0000 must not stand in this file | delete it"),
}


@pytest.mark.parametrize(("content", "told"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_told_at_its_place_or_does_no_harm(content: bytes, told: str | None) -> None:
    if told is None:
        assert [(one.model, one.version, str(one.place)) for one in load_desired([Source("e.yaml", content)]).bindings] == [
            ("churn-eu", 4, "e.yaml:5:12")
        ]
        return
    with pytest.raises(InvalidFiles) as caught:
        load_desired([Source("e.yaml", content)])
    lines = [f"{one.place.line}:{one.place.column} {one.message} | {one.hint}" for one in caught.value.problems]
    assert told in lines


@pytest.mark.parametrize(
    "name", ["yes", "no", "on", "off", "y", "N", "True", "null", "~", "12", "1.0", "010", "1_000", "0x1F", ".nan", "2:30"]
)
@pytest.mark.parametrize(
    "where", ["  {}:\n    staging:\n      use: 1\n", "  churn-eu:\n    {}:\n      use: 1\n"], ids=["model", "environment"]
)
def test_a_name_that_readers_take_for_something_else_is_refused_until_it_is_quoted(name: str, where: str) -> None:
    with pytest.raises(InvalidFiles) as caught:
        load_desired([Source("e.yaml", f"version: 1\nmodels:\n{where.format(name)}".encode())])
    problem = next(one for one in caught.value.problems if one.rule == "ambiguous-name")
    assert problem.message.startswith(f"the name {name!r} is ")
    assert problem.hint == f'write it in quotes: "{name}"'
    if where.startswith("  {}") and ":" not in name:
        quoted = where.format(f'"{name}"')
        assert load_desired([Source("e.yaml", f"version: 1\nmodels:\n{quoted}".encode())]).models == (name,)


@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(str.encode),
        st.text("[]{}:,-&*!|>'\"%@`#?\n\t 1aé模", max_size=120).map(str.encode),
    )
)
def test_no_bytes_break_it(content: bytes) -> None:
    for read in (load_desired, load_policies):
        try:
            read([Source("file.yaml", content)])
        except InvalidFiles as error:
            assert error.problems  # noqa: PT017 - any bytes may also be valid
            for problem in error.problems:
                assert problem.place.line >= 1
                assert problem.place.column >= 1


def test_what_is_many_is_counted() -> None:
    content = b"version: 1\nmodels:\n" + b"".join(b"  m-%d: {staging: {use: 1}}\n" % number for number in range(200))
    with pytest.raises(InvalidFiles) as caught:
        load_desired([Source("e.yaml", content)])
    assert len(caught.value.problems) == MOST_OF_A_KIND + 1
    assert "and 174 more like this further down" in [problem.message for problem in caught.value.problems]


def test_ten_thousand_models_load_in_time() -> None:
    lines = ["version: 1", "models:"]
    for number in range(10_000):
        lines += [
            f"  model-number-{number:05d}:",
            "    staging:",
            f"      use: {number + 2}",
            "    production:",
            f"      use: {number + 1}",
        ]
    source = Source("environments.yaml", "\n".join(lines).encode())
    began = time.process_time()
    desired = load_desired([source])
    assert time.process_time() - began < 1.5
    assert len(desired.bindings) == 20_000
    assert [one.place.line for one in desired.of("model-number-00002")] == [15, 17]


def test_the_parser_in_python_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "version: 1\r\nmodels:\r\n  模型:  # ключ\r\n    staging:\r\n      use: 4\r\n"
    fast = load_desired([Source("e.yaml", text.encode())])
    fast_tree = yamlsource.read(Source("e.yaml", text.encode())).root
    monkeypatch.delattr(yaml, "CLoader")
    assert load_desired([Source("e.yaml", text.encode())]) == fast
    assert yamlsource.read(Source("e.yaml", text.encode())).root == fast_tree
    for content, rule in (HOSTILE["10,000 levels of lists"], HOSTILE["billion laughs"]):
        with pytest.raises(InvalidFiles) as caught:
            load_desired([Source("e.yaml", content)])
        assert caught.value.problems[0].rule == rule


@pytest.mark.parametrize(
    "text", ["0", "7", "-3", "12", "1.5", "-0.25", "1.0e-3", "true", "false", "null", "~", "", "text", "a-b", "2026-01-01", "3@sha256:ab"]
)
def test_plain_scalars_mean_what_every_reader_takes_them_for(text: str) -> None:
    said = yaml.safe_load(text) if text != "2026-01-01" else text
    assert (resolve(text), type(resolve(text))) == (said, type(said))


@pytest.mark.parametrize(
    "text",
    [
        "010",
        "08",
        "0o17",
        "0x1F",
        "0b101",
        "1_000",
        "1:30",
        "+4",
        ".5",
        "5.",
        "yes",
        "No",
        "ON",
        "off",
        "y",
        ".nan",
        "-.inf",
        "1e999",
        "9" * 40,
    ],
)
def test_plain_scalars_that_readers_take_differently_are_odd(text: str) -> None:
    found = resolve(text)
    assert isinstance(found, Odd)
    assert found.meaning
    assert found.write


def test_reading_needs_no_more_than_it_imports() -> None:
    heavy = ("mlflow", "requests", "click", "torch", "numpy", "pandas")
    code = f"import sys, promotion.config.load, promotion.config.rules; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
