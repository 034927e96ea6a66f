"""bound: a measured figure must not fall below ``min`` or rise above ``max``.

The figure comes from evidence that this program measured on pinned rows, never from what a run logged. A figure that is
NaN or infinite fails; one that nobody measured, or missing evidence, is an error: it never passes.

Sample (policies/production.yaml):
    rules:
      - gate: bound
        metric: f1
        min: 0.95

Passes: evidence says f1 = 0.971.
Fails: evidence says f1 = 0.62, whatever the run's own metrics claim.
"""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from promotion.domain import Status
from promotion.gates import interface
from promotion.gates.interface import Facts, Measured, Ruling, Unknown

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Parameters(interface.Parameters):
    """``metric`` names a figure; ``evaluation`` is needed where several evaluations measure the model."""

    metric: str = Field(min_length=1)
    min: Finite | None = None
    max: Finite | None = None
    evaluation: str | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            msg = "give min, max or both: a bound without either passes everything"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"min must not be above max, however: {self.min=}, {self.max=}"
            raise ValueError(msg)
        return self

    def __str__(self) -> str:
        if self.max is None:
            return f"{self.metric} ≥ {self.min:g}"
        if self.min is None:
            return f"{self.metric} ≤ {self.max:g}"
        return f"{self.min:g} ≤ {self.metric} ≤ {self.max:g}"


class Bound:
    """Holds one figure of the evidence between two numbers."""

    name: ClassVar[str] = "bound"
    summary: ClassVar[str] = "a measured figure lies within min and max"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED without evidence or without such a figure; FAILED outside the bounds, NaN and infinity included."""
        expected = str(rule)
        measured = _evidence(rule, facts)
        if isinstance(measured, Unknown):
            return Ruling(Status.ERRORED, expected, measured.reason, measured.hint)
        value = measured.figures.get(rule.metric)
        if value is None:
            return Ruling(Status.ERRORED, expected, f"nobody measured {rule.metric!r}", _suggest(rule.metric, list(measured.figures)))
        if not math.isfinite(value):
            hint = "the counts do not define this figure (0/0); look at the rows and at what the model predicts"
            return Ruling(Status.FAILED, expected, f"{rule.metric} is {value}", hint)
        inside = (rule.min is None or value >= rule.min) and (rule.max is None or value <= rule.max)
        got = f"{rule.metric} = {value:.6g} on {measured.rows} rows"
        if inside:
            return Ruling(Status.PASSED, expected, got)
        return Ruling(Status.FAILED, expected, got, "train or choose a better version; compare it with what is in service")


def _evidence(rule: Parameters, facts: Facts) -> Measured | Unknown:
    """The one piece of evidence that the rule speaks of, or why there is none."""
    names = sorted(facts.evidence)
    if rule.evaluation is not None:
        found = facts.evidence.get(rule.evaluation)
        return (
            found
            if found is not None
            else Unknown(f"no evaluation {rule.evaluation!r} measures this model", _suggest(rule.evaluation, names))
        )
    if not names:
        return Unknown("no evaluation measures this model", "add an evaluation whose models pattern matches it")
    if len(names) > 1:
        return Unknown(f"several evaluations measure this model: {', '.join(names)}", "name one of them by 'evaluation'")
    return facts.evidence[names[0]]


def _suggest(wanted: str, known: list[str]) -> str:
    close = get_close_matches(wanted, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(sorted(known)[:20])}" if known else "there is none"
