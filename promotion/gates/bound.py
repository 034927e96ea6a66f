"""bound: a measured figure must not fall below ``min`` or rise above ``max``.

The figure comes from evidence that this program measured on pinned rows, never from what a run logged. A figure that is
NaN or infinite fails; one that nobody measured, or missing evidence, is an error: it never passes.

``metric`` is a figure's name, or a pattern with ``*``: then every such figure must keep to the bound. Beside the model's own figures there
are those of each named part (``tabular.f1``), of each class (``class.DDoS.recall``), the means of the router's weights
(``router.tabular``), the mixture less its best single part (``ablation.f1``), ``size_bytes`` of the artifact and ``age_days`` of the
evidence. ``min_support`` asks for that many rows: a class with fewer is INCONCLUSIVE, and left out of a pattern.

``of: lower`` or ``upper`` bounds that end of the interval (95 %, or ``confidence``) instead of the point: an interval on the wrong side
fails, one across the bound is INCONCLUSIVE. What is bounded may be a ratio to another figure of the same run (``relative_to``) or to the
version in an environment (``against``), or the distance between the same figure of two evaluations (``evaluation`` and ``spread``). Latency
belongs to a machine: ``seconds_per_row`` is bounded as a ratio alone, and ``against`` only where both were measured on the same kind of
processor, as many of them and as many threads. A ratio of figures below zero is an error: -2 is no better than -1.

Sample (policies/production.yaml):
    rules:
      - gate: bound
        metric: f1
        min: 0.95
        of: lower
      - gate: bound
        metric: class.*.recall
        min: 0.7
        min_support: 50
      - gate: bound
        metric: seconds_per_row
        against: production
        max: 1.5
        first: pass

Passes: evidence says f1 = 0.971, with an interval from 0.962 to 0.979.
Fails: evidence says f1 = 0.62, whatever the run's own metrics claim.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from promotion.gates import interface, measured
from promotion.gates.interface import Facts, Measured, Ruling, Unknown
from promotion.intervals import LARGEST_CONFIDENCE, Estimate, Interval, ratio
from promotion.verdicts import Status

Finite = Annotated[float, Field(allow_inf_nan=False)]
Confidence = Annotated[float, Field(ge=0.5, le=LARGEST_CONFIDENCE)]
LATENCY = "seconds_per_row"
AGE, SIZE = "age_days", "size_bytes"
_DAY = 86_400


class Parameters(interface.Parameters):
    """``metric`` names a figure; ``evaluation`` is needed where several evaluations measure the model."""

    metric: str = Field(min_length=1)
    min: Finite | None = None
    max: Finite | None = None
    evaluation: str | None = None
    of: Literal["point", "lower", "upper"] = "point"
    confidence: Confidence = 0.95
    min_support: Annotated[int, Field(ge=1)] | None = None
    relative_to: str | None = Field(default=None, min_length=1)
    against: str | None = Field(default=None, min_length=1)
    spread: str | None = Field(default=None, min_length=1)
    first: Literal["pass", "fail"] | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            msg = "give min, max or both: a bound without either passes everything"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"min must not be above max, however: {self.min=}, {self.max=}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("relative_to", "against", "spread") if getattr(self, name) is not None]
        if len(ways) > 1:
            msg = f"give one of {' and '.join(ways)}: a figure is bounded as one of them"
            raise ValueError(msg)
        if self.relative_to == self.metric:
            msg = f"{self.metric} relative to itself is always 1: name another figure"
            raise ValueError(msg)
        if self.spread is not None and self.evaluation in {None, self.spread}:
            msg = "spread is the distance between two evaluations: name the other one with evaluation"
            raise ValueError(msg)
        if fnmatchcase(LATENCY, self.metric) and not {"relative_to", "against"} & set(ways):
            msg = f"{LATENCY} belongs to the machine that measured: bound its ratio, with against or relative_to"
            raise ValueError(msg)
        if self.first is not None and self.against is None:
            msg = "first says what happens where nothing is there to compare with: give against"
            raise ValueError(msg)
        if self.of != "point" and (self.spread is not None or self.metric in {AGE, SIZE, LATENCY}):
            msg = f"of: {self.of} needs an interval, and this figure has none: bound its point"
            raise ValueError(msg)
        return self

    def __str__(self) -> str:
        return self.told(self.metric)

    def told(self, metric: str) -> str:
        """The bound of one figure, in words."""
        what = self.what(metric)
        if self.of != "point":
            what = f"{self.of} {self.confidence:.0%} end of {what}"
        if self.max is None:
            return f"{what} ≥ {self.min:g}"
        if self.min is None:
            return f"{what} ≤ {self.max:g}"
        return f"{self.min:g} ≤ {what} ≤ {self.max:g}"

    def what(self, metric: str) -> str:
        """What is bounded of one figure: itself, a ratio, a distance."""
        if self.relative_to is not None:
            return f"{metric} / {self.relative_to}"
        if self.against is not None:
            return f"{metric} / {metric} in {self.against}"
        return metric if self.spread is None else f"|{metric} − {metric} by {self.spread}|"


class Bound:
    """Holds one figure of the evidence between two numbers."""

    name: ClassVar[str] = "bound"
    summary: ClassVar[str] = "a measured figure, or an end of its interval, lies within min and max"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED without evidence or without such a figure; FAILED outside the bounds, NaN and infinity included."""
        expected = str(rule)
        found = measured.evidence(rule.evaluation, facts.evidence)
        if isinstance(found, Unknown):
            return Ruling(Status.ERRORED, expected, found.reason, found.hint)
        more = _with_more(found, facts) if {AGE, SIZE} & {rule.metric, rule.relative_to} else found
        names = measured.chosen(rule.metric, more)
        if isinstance(names, Unknown):
            return Ruling(Status.ERRORED, expected, names.reason, names.hint)
        enough = measured.supported(rule.metric, names, found, rule.min_support)
        if isinstance(enough, Ruling):
            return enough
        return measured.worst(_judge(rule, name, more, facts) for name in enough)


def _with_more(found: Measured, facts: Facts) -> Measured:
    """The evidence with what is known of it beside its figures: how old it is, and how large its artifact."""
    more = {AGE: (facts.now - found.at).total_seconds() / _DAY}
    if not isinstance(facts.artifact, Unknown) and facts.artifact.files:
        more[SIZE] = float(sum(file.size for file in facts.artifact.files))
    return replace(found, figures={**found.figures, **more})


def _judge(rule: Parameters, name: str, found: Measured, facts: Facts) -> Ruling:
    expected = rule.told(name)
    estimate = _estimate(rule, name, found, facts)
    if isinstance(estimate, Ruling):
        return estimate
    if not math.isfinite(estimate.point):
        hint = "the counts do not define this figure (0/0); look at the rows and at what the model predicts"
        return Ruling(Status.FAILED, expected, f"{name} is {estimate.point}", hint)
    interval = None
    if rule.of != "point":
        interval = estimate.interval(rule.confidence)
        if interval is None:
            return measured.without_interval(estimate, name, expected)
    got = f"{rule.what(name)} = {measured.shown(estimate.point, interval, rule.confidence)} on {measured.support(name, found):g} rows"
    return _held(rule, expected, got, estimate.point, interval)


def _held(rule: Parameters, expected: str, got: str, point: float, interval: Interval | None) -> Ruling:
    value = point if interval is None else interval.low if rule.of == "lower" else interval.high
    if _inside(rule, value):
        return Ruling(Status.PASSED, expected, got)
    ends = (point,) if interval is None else (interval.low, interval.high)
    beyond = all(rule.min is not None and end < rule.min for end in ends) or all(rule.max is not None and end > rule.max for end in ends)
    if beyond:
        return Ruling(Status.FAILED, expected, got, "train or choose a better version; compare it with what is in service")
    return Ruling(Status.INCONCLUSIVE, expected, got, "the interval lies across the bound: more rows tell, or a better version")


def _inside(rule: Parameters, value: float) -> bool:
    return (rule.min is None or value >= rule.min) and (rule.max is None or value <= rule.max)


def _estimate(rule: Parameters, name: str, found: Measured, facts: Facts) -> Estimate | Ruling:
    """What is bounded: the figure itself, a ratio, or a distance."""
    mine = found.estimate(name)
    assert mine is not None
    expected = rule.told(name)
    if rule.relative_to is not None:
        other = found.estimate(rule.relative_to)
        if other is None:
            hint = measured.suggest(rule.relative_to, list(found.figures))
            return Ruling(Status.ERRORED, expected, f"nobody measured {rule.relative_to!r}", hint)
        return _ratio(rule, name, mine, other)
    if rule.spread is not None:
        elsewhere = measured.evidence(rule.spread, facts.evidence)
        if isinstance(elsewhere, Unknown):
            return Ruling(Status.ERRORED, expected, elsewhere.reason, elsewhere.hint)
        if name not in elsewhere.figures:
            hint = measured.suggest(name, list(elsewhere.figures))
            return Ruling(Status.ERRORED, expected, f"{rule.spread} does not measure {name!r}", hint)
        return Estimate(abs(mine.point - elsewhere.figures[name]))
    return mine if rule.against is None else _over(rule, name, mine, found, facts)


def _over(rule: Parameters, name: str, mine: Estimate, found: Measured, facts: Facts) -> Estimate | Ruling:
    """The figure over that of the version in an environment."""
    assert rule.against is not None
    expected = rule.told(name)
    reference = measured.reference(rule.against, rule.first, expected, facts)
    if isinstance(reference, Ruling):
        return reference
    theirs = measured.evidence(rule.evaluation, reference.evidence)
    if isinstance(theirs, Unknown):
        return Ruling(Status.ERRORED, expected, f"{reference.model}/{reference.version} was not measured: {theirs.reason}", theirs.hint)
    if name == LATENCY and theirs.hardware != found.hardware:
        got = f"{reference.model}/{reference.version} was measured on {theirs.hardware or 'another machine'}, this one on {found.hardware}"
        return Ruling(Status.ERRORED, expected, got, "compare with a figure of the same run: relative_to; or measure both on one machine")
    other = theirs.estimate(name)
    if other is None:
        return Ruling(Status.ERRORED, expected, f"{reference.model}/{reference.version} has no {name!r}", "name a figure that both have")
    if found.sample is None or theirs.sample is None or not found.sample.pairs(theirs.sample):
        return _ratio(rule, name, Estimate(mine.point), Estimate(other.point))
    return _ratio(rule, name, mine, other)


def _ratio(rule: Parameters, name: str, mine: Estimate, other: Estimate) -> Estimate | Ruling:
    """One figure over the other. Below zero the larger ratio is not the better figure, and a bound on it would pass the worse."""
    if -math.inf < min(mine.point, other.point) < 0:
        got = f"{mine.point:.6g} / {other.point:.6g}: a ratio of figures below zero tells nothing"
        return Ruling(Status.ERRORED, rule.told(name), got, "bound the figure itself, or hold it against the other with the gate compare")
    return ratio(mine, other)
