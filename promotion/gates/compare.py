"""compare: a version must not be worse than the one in production (or than a named baseline), by more than a margin.

Both were measured on the same rows and in the same 1,000 resamples, so the interval is that of the paired difference. With
``require: non_inferior`` the version passes when the whole interval lies above −margin, fails when all of it lies below, and is
INCONCLUSIVE where it lies across: more rows tell. With ``require: superior`` it must lie above +margin. ``metric`` may be a pattern
with ``*``, such as ``class.*.recall``: then each must hold, those with fewer rows than ``min_support`` left out. Of ``mae``, ``rmse``,
``log_loss``, ``brier`` and ``false_alarm_rate`` less is better, of the other figures of a model more; of a mean that an evaluator sums
up by itself the rule must say (``better: higher`` or ``lower``).

``against`` is an environment (production by default); ``baseline`` instead is a pattern that matches one other model that is
applied, such as ``xgboost-baseline-*``. What a first promotion means, when nothing is there yet, the policy must say: ``first: pass``
or ``first: fail``; else it is an error. The same bytes as the reference are not inferior, whatever the rows tell.

How often it is wrong, measured (``make coverage``): 2,000 datasets of 1,000 independent rows, F1 near 0.92, a margin of 0.02, 95 %. A
version that is truly behind by the margin passed in 2.1 % and failed in 2.4 %; one that is truly equal passed in 24.8 %, failed in 0.1 %
and was INCONCLUSIVE in the rest: so few rows do not tell 0.02 apart. One behind by twice the margin passed in 0.1 %. On 400 bursts
of 1 to 10 rows with their group declared: 2.6 % and 2.7 % at the margin, 12.5 % and 0.4 % when equal, 0.4 % passed at twice the margin.

Sample (policies/production.yaml):
    rules:
      - gate: compare
        metric: f1
        margin: 0.01
        first: pass

Passes: f1 is 0.004 higher, with an interval from −0.002 to 0.010.
Fails: f1 is 0.031 lower, with an interval from −0.038 to −0.025.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from promotion.counting import LESS_IS_BETTER, MORE_IS_BETTER
from promotion.gates import interface, measured
from promotion.gates.interface import Facts, Measured, Reference, Ruling, Unknown
from promotion.intervals import LARGEST_CONFIDENCE, Estimate, difference
from promotion.verdicts import Status


class Parameters(interface.Parameters):
    """``margin`` is in the figure's own unit; ``confidence`` is that of the two-sided interval."""

    metric: str = Field(min_length=1)
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    require: Literal["non_inferior", "superior"] = "non_inferior"
    against: str = Field(default="production", min_length=1)
    baseline: str | None = Field(default=None, min_length=1)
    confidence: Annotated[float, Field(ge=0.5, le=LARGEST_CONFIDENCE)] = 0.95
    better: Literal["higher", "lower"] | None = None
    evaluation: str | None = None
    min_support: Annotated[int, Field(ge=1)] | None = None
    first: Literal["pass", "fail"] | None = None

    @model_validator(mode="after")
    def _one_reference(self) -> Self:
        if self.baseline is not None and {"against", "first"} & self.model_fields_set:
            msg = "give against (with first) or baseline: a version is compared with one of them"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        known = _known_side(self.metric)
        if self.metric.rpartition(".")[2] == "bias":
            msg = "of bias neither more nor less is better: bound it by min and max"
            raise ValueError(msg)
        if known is not None and self.better not in {None, known}:
            msg = f"of {self.metric} {'less' if known == 'lower' else 'more'} is better: leave better out"
            raise ValueError(msg)
        if known is None and self.better is None:
            msg = f"say whether more of {self.metric} is better, or less: better: higher, or better: lower"
            raise ValueError(msg)
        return self

    @property
    def lower(self) -> bool:
        """Whether less is better."""
        return (self.better or _known_side(self.metric)) == "lower"

    @property
    def reference(self) -> str:
        """What it is compared with, as facts name it."""
        return self.baseline or self.against

    def __str__(self) -> str:
        return self.told(self.metric)

    def told(self, metric: str) -> str:
        """What is asked of one figure, in words."""
        words = "not below" if self.require == "non_inferior" else "above"
        sign = "−" if self.require == "non_inferior" else "+"
        if self.lower:
            words, sign = {"not below": "not above", "above": "below"}[words], {"−": "+", "+": "−"}[sign]
        return f"{metric} {words} that of {self.reference} {sign} {self.margin:g} at {self.confidence:.0%}"


def _known_side(metric: str) -> Literal["higher", "lower"] | None:
    """Which side of a figure is the better one, as far as its name tells."""
    figure = metric.rpartition(".")[2].lstrip("*")
    return "lower" if figure in LESS_IS_BETTER else "higher" if figure in MORE_IS_BETTER else None


class Compare:
    """Holds a version against another one, on the same rows."""

    name: ClassVar[str] = "compare"
    summary: ClassVar[str] = "no figure is worse than in production, beyond a margin, by the interval of the paired difference"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED without evidence of both, FAILED and INCONCLUSIVE by the interval; NaN never passes."""
        expected = str(rule)
        mine = measured.evidence(rule.evaluation, facts.evidence)
        if isinstance(mine, Unknown):
            return Ruling(Status.ERRORED, expected, mine.reason, mine.hint)
        reference = measured.reference(rule.reference, rule.first, expected, facts)
        if isinstance(reference, Ruling):
            return reference
        name = rule.evaluation or next(iter(facts.evidence))
        theirs = reference.evidence.get(name, Unknown(f"no evaluation {name!r} measures it", "let the evaluation's models match it"))
        if isinstance(theirs, Unknown):
            return Ruling(Status.ERRORED, expected, f"{_named(reference)} was not measured: {theirs.reason}", theirs.hint)
        names = measured.chosen(rule.metric, mine)
        if isinstance(names, Unknown):
            return Ruling(Status.ERRORED, expected, names.reason, names.hint)
        enough = measured.supported(rule.metric, names, mine, rule.min_support)
        if isinstance(enough, Ruling):
            return enough
        same = not isinstance(facts.artifact, Unknown) and facts.artifact.digest == reference.digest
        return measured.worst(_judge(rule, one, mine, theirs, reference, same=same) for one in enough)


def _named(reference: Reference) -> str:
    return f"{reference.model}/{reference.version}"


def _judge(rule: Parameters, name: str, mine: Measured, theirs: Measured, reference: Reference, *, same: bool) -> Ruling:
    expected = rule.told(name)
    here, there = mine.estimate(name), theirs.estimate(name)
    if here is None or there is None:
        return Ruling(Status.ERRORED, expected, f"{_named(reference)} has no {name!r}", "name a figure that both have")
    points = f"{name} = {here.point:.6g}, {_named(reference)} has {there.point:.6g}"
    if not (math.isfinite(here.point) and math.isfinite(there.point)):
        return Ruling(Status.FAILED, expected, points, "the counts do not define this figure (0/0); look at the rows")
    if same and rule.require == "non_inferior":
        return Ruling(Status.PASSED, expected, f"{points}: the same bytes")
    if here.values is None or there.values is None or mine.sample is None or theirs.sample is None:
        return Ruling(Status.ERRORED, expected, f"{points}; the difference has no interval", measured.NO_INTERVAL)
    if not mine.sample.pairs(theirs.sample):
        hint = "both must be measured on the same rows with the same groups, labels and classes"
        return Ruling(Status.ERRORED, expected, f"{points}; they were not measured on the same rows", hint)
    return _ruling(rule, name, expected, points, difference(here, there))


def _ruling(rule: Parameters, name: str, expected: str, points: str, apart: Estimate) -> Ruling:
    interval = apart.interval(rule.confidence)
    if interval is None:
        return measured.without_interval(apart, f"the difference of {name}", expected)
    got = f"{points}: difference {measured.shown(apart.point, interval, rule.confidence)}"
    low, high = (interval.low, interval.high) if not rule.lower else (-interval.high, -interval.low)
    limit = -rule.margin if rule.require == "non_inferior" else rule.margin
    if low > limit:
        return Ruling(Status.PASSED, expected, got)
    if high < limit:
        return Ruling(Status.FAILED, expected, got, "it is worse by more than the margin: train or choose a better version")
    return Ruling(Status.INCONCLUSIVE, expected, got, "the interval lies across the margin: more rows tell, or a better version")
