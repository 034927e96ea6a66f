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
