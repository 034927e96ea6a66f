"""What is not declared yet is added in lines of its own; every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promotion.config.insert import proposed
from promotion.config.load import Source, load_desired
from promotion.errors import InvalidFiles, UsageError
from tests.promotion.config.test_edit import DIGEST, files, names, uses, values

TWO = """# what is where
version: 1
models:
  # ours
  churn-eu:
    production:  # since May
      use: 3  # the careful one
  fraud-eu:
    staging:
        use: 1

limits: {max_changes: 5}
"""


@given(source=files(), name=names, environment=st.sampled_from(["staging", "production"]), use=uses)
def test_a_binding_is_added_and_no_other_byte_changes(source: Source, name: str, environment: str, use: str) -> None:
    model = name.strip("\"'")
    before = load_desired([source])
    assume((model, environment) not in {(one.model, one.environment) for one in before.bindings})
    content = proposed([source], {(model, environment): use}, new_model=True)[source.name]
    after = load_desired([Source(source.name, content)])
    version, _, digest = use.partition("@sha256:")
    added = (model, environment, None if use == "none" else int(version), digest or None)
    assert sorted(map(str, values(after))) == sorted(map(str, [*values(before), added]))
    old, new = source.content.rstrip(b"\r\n").split(b"\n"), iter(content.split(b"\n"))
    assert all(any(one.rstrip(b"\r") == line.rstrip(b"\r") for one in new) for line in old)
    assert len(content) - len(source.content) < 200


def added(text: str, *bindings: tuple[str, str, str], new_model: bool = False) -> str:
    found = proposed([Source("e.yaml", text.encode())], {(model, one): use for model, one, use in bindings}, new_model=new_model)
    return found["e.yaml"].decode()


def test_an_environment_goes_before_the_later_ones_and_behind_the_earlier_ones() -> None:
    assert added(TWO, ("churn-eu", "staging", "4")) == TWO.replace("  churn-eu:\n", "  churn-eu:\n    staging:\n      use: 4\n")
    use = f"2@sha256:{DIGEST}"
    behind = f"        use: 1\n    production:\n        use: {use}\n"
    assert added(TWO, ("fraud-eu", "production", use)) == TWO.replace("        use: 1\n", behind)


def test_what_is_declared_and_what_is_not_go_together() -> None:
    found = added(TWO, ("churn-eu", "production", "4"), ("churn-eu", "staging", "5"))
    assert found == TWO.replace("use: 3", "use: 4").replace("  churn-eu:\n", "  churn-eu:\n    staging:\n      use: 5\n")


def test_a_new_model_goes_where_its_name_belongs() -> None:
    lines = "  dark-eu:\n    staging:\n      use: 1\n    production:\n      use: 2\n"
    found = added(TWO, ("dark-eu", "production", "2"), ("dark-eu", "staging", "1"), new_model=True)
    assert found == TWO.replace("  fraud-eu:\n", f"{lines}  fraud-eu:\n")
    assert added(TWO, ("zebra", "staging", "1"), new_model=True) == TWO.replace(
        "use: 1\n", "use: 1\n  zebra:\n    staging:\n      use: 1\n"
    )
    unsorted = TWO.replace("churn-eu", "zebra")
    assert added(unsorted, ("a", "staging", "1"), new_model=True) == unsorted.replace(
        "use: 1\n", "use: 1\n  a:\n    staging:\n      use: 1\n"
    )


@pytest.mark.parametrize("models", ["models: {}\n", "models:\n", "models: {}  # none yet\n", "models: # none yet\n#  a: b\n"])
def test_the_first_model(models: str) -> None:
    found = added(f"version: 1\n{models}", ("on", "staging", "none"), new_model=True)
    assert '  "on":\n    staging:\n      use: none\n' in found
    assert ("# none yet" in found) == ("# none yet" in models)


def test_line_ends_stay_what_they_are() -> None:
    dos = TWO.replace("\n", "\r\n")
    assert added(dos, ("churn-eu", "staging", "4")) == added(TWO, ("churn-eu", "staging", "4")).replace("\n", "\r\n")
    short = "version: 1\nmodels:\n  a:\n    staging:\n      use: 1"
    assert added(short, ("a", "production", "1")) == f"{short}\n    production:\n      use: 1"
    assert added(short.replace("\n", "\r\n"), ("a", "production", "1")) == f"{short}\n    production:\n      use: 1".replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("model", "environment", "message", "hint"),
    [
        (
            "churn-ue",
            "staging",
            "e.yaml does not declare 'churn-ue'",
            "did you mean 'churn-eu'?\na model that is not declared yet is added with --new",
        ),
        (
            "other",
            "staging",
            "e.yaml does not declare 'other'",
            "known: churn-eu, fraud-eu\na model that is not declared yet is added with --new",
        ),
        ("churn-eu", "stagin", "there is no environment 'stagin'", "did you mean 'staging'?"),
    ],
)
def test_what_may_be_a_mistake_is_not_added(model: str, environment: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        added(TWO, (model, environment, "4"))
    assert caught.value.message == message
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nmodels: {a: {production: {use: 1}}}\n",
        '{"version": 1, "models": {\n"a": {\n"production": {\n"use": 1}}}}\n',
        "version: 1\nmodels:\n  a: {production: {use: 1}}\n",
    ],
)
def test_a_layout_that_takes_no_lines_is_left_alone(text: str) -> None:
    with pytest.raises(UsageError, match="no line can be added") as caught:
        added(text, ("a", "staging", "2"))
    assert "    staging:\n      use: 2" in str(caught.value.hint)
    with pytest.raises(InvalidFiles):
        added(f"{text}\nversion: 1\n", ("a", "staging", "2"))


def test_a_new_model_needs_one_file() -> None:
    sources = [Source(name, b"version: 1\nmodels: {}\n") for name in ("a.yaml", "b.yaml")]
    with pytest.raises(UsageError, match=r"could go into a\.yaml or b\.yaml"):
        proposed(sources, {("a", "staging"): "1"}, new_model=True)
