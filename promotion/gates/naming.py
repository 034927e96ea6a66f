"""naming: the model's name says what it is, in one form for all.

By default: lower-case words joined by hyphens, at least two of them, such as ``architecture-purpose-dataset``; no words that
say nothing (``model``, ``test``, ``final``, ``v2``, …). A policy may give a regular expression of its own, with examples.

Sample (policies/staging.yaml):
    rules:
      - gate: naming
        pattern: "moe-[a-z]+-[a-z0-9]+"
        examples: [moe-cybersecurity-cicids]

Passes: moe-cybersecurity-cicids, ft-transformer-unsw, xgboost-baseline-cicids.
Fails: model1 (one word), my_model_final_v2 (underscores; 'model', 'final', 'v2' say nothing), test_model.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling
from promotion.verdicts import Status

DEFAULT_PATTERN = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+"
DEFAULT_EXAMPLES = ("moe-cybersecurity-cicids", "ft-transformer-unsw", "xgboost-baseline-cicids")
_EMPTY_WORDS = re.compile(r"(?:my|model|test|tmp|temp|final|new|old|copy|latest|foo|bar|untitled|v)\d*|\d+")


class Parameters(interface.Parameters):
    """``pattern`` must match the whole name, and each of the examples. With the default one, empty words are refused too."""

    pattern: str = Field(default=DEFAULT_PATTERN, min_length=1, max_length=500)
    examples: Annotated[tuple[str, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            compiled = re.compile(self.pattern)
        except (re.error, RecursionError, OverflowError) as error:
            msg = f"pattern is not a regular expression: {error}"
            raise ValueError(msg) from error
        for example in self.examples:
            if compiled.fullmatch(example) is None:
                msg = f"the example {example!r} does not match the pattern {self.pattern!r}"
                raise ValueError(msg)
        return self


class Naming:
    """Holds model names to one form."""

    name: ClassVar[str] = "naming"
    summary: ClassVar[str] = "the model's name follows the convention"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """PASSED, or FAILED with every reason at once."""
        usual = rule.pattern == DEFAULT_PATTERN
        expected = "lower-case words joined by hyphens, at least two" if usual else f"a name like {rule.pattern}"
        name = facts.change.model
        reasons = _reasons(name) if usual else []
        if not reasons and re.fullmatch(rule.pattern, name) is None:
            reasons = ["does not match"]
        if not reasons:
            return Ruling(Status.PASSED, expected, name)
        examples = rule.examples or (DEFAULT_EXAMPLES if usual else ())
        hint = f"register it under another name, such as {', '.join(examples)}" if examples else "register it under a name that matches"
        return Ruling(Status.FAILED, expected, f"{name}: {'; '.join(reasons)}", hint)


def _reasons(name: str) -> list[str]:
    """What is wrong with a name by the default convention, in words."""
    reasons = ["underscores"] if "_" in name else []
    reasons += ["capital letters"] if name != name.lower() else []
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    empty = [word for word in words if _EMPTY_WORDS.fullmatch(word)]
    reasons += [f"{', '.join(repr(word) for word in empty)} say{'s' if len(empty) == 1 else ''} nothing"] if empty else []
    reasons += ["one word alone"] if len(words) == 1 else []
    return reasons
