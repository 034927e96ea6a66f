"""What was measured, just within a rule's values and just beyond them: for the gates bound and compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from promotion.gates import bound, compare
from promotion.gates.interface import (
    Facts,
    Measured,
    Reference,
    Unknown,
)
from promotion.gates.known.sound import DIGEST, NOW, OTHER, UNKNOWN, Bad, Known, Spread, named, sample
from promotion.registry.interface import Artifact, ArtifactFile
from promotion.verdicts import Status


def known_bound(rule: bound.Parameters, facts: Facts) -> Known:
    """Figures at the bound, just beyond it, unclear, and not measured at all."""
    low, high = rule.min, rule.max
    name, evaluation = named(rule.metric), rule.evaluation or "rows"
    width = (high - low) / 4 if low is not None and high is not None else 1.0
    # An end that lies just inside, with the rest of the interval inside as well where there is room for it.
    if rule.spread is not None:
        low, width = max(low or 0.0, 0.0), 0.0
    within = low + width if low is not None else (high or 0.0) - width

    def given(value: float | None, **more: float) -> Facts:
        """Facts in which what the rule bounds has this value."""
        if rule.metric == bound.AGE and value is not None:
            measured = replace(sample({}), at=NOW - timedelta(days=value)) if math.isfinite(value) else sample({})
            return replace(facts, evidence={evaluation: measured})
        if rule.metric == bound.SIZE and value is not None and math.isfinite(value):
            return replace(
                facts, artifact=Artifact(DIGEST, (ArtifactFile("model", round(value), DIGEST),)), evidence={evaluation: sample({})}
            )
        figures: dict[str, float] = {} if value is None else {name: value, _support(name): float(rule.min_support or 1000)}
        others: dict[str, Measured | Unknown] = {}
        references: dict[str, Reference | Unknown | None] = {}
        if value is not None and rule.relative_to is not None:
            figures[rule.relative_to] = 1.0
        if rule.spread is not None:
            others[rule.spread] = sample({name: 0.0})
        if rule.against is not None:
            references[rule.against] = Reference(facts.change.model, 1, OTHER, {evaluation: sample({name: 1.0})})
        return replace(
            facts, evidence={evaluation: replace(sample(figures | more), rows=rule.min_support or 1000), **others}, references=references
        )

    odd = (
        []
        if rule.metric in {bound.AGE, bound.SIZE}
        else [
            Bad(f"{rule.metric} is NaN", given(math.nan)),
            Bad(f"{rule.metric} is infinite", given(math.inf if high is None else -math.inf)),
            Bad(f"nobody measured {rule.metric}", given(None), Status.ERRORED),
        ]
    )
    return Known(
        given(within),
        (
            *_beyond(rule, given, width),
            *odd,
            *_unclear(rule, given, within),
            Bad("no evidence", replace(facts, evidence={evaluation: UNKNOWN}), Status.ERRORED),
            Bad("no evaluation", replace(facts, evidence={}), Status.ERRORED),
        ),
    )


def _support(name: str) -> str:
    return f"{name.rpartition('.')[0]}.support"


def _beyond(rule: bound.Parameters, given: Callable[..., Facts], width: float) -> Iterator[Bad]:
    """Values outside: just outside, or by as much as an interval and whole bytes and distances have room for."""
    exact = rule.of == "point" and rule.metric not in {bound.AGE, bound.SIZE}
    for limit, way, words in ((rule.min, -math.inf, "below min"), (rule.max, math.inf, "above max")):
        if limit is not None and not (rule.spread is not None and way < 0 and limit <= 0):
            step = math.nextafter(limit, way) if exact else limit + math.copysign(max(width, 1.0), way)
            yield Bad(f"{rule.metric} {'just ' if exact else ''}{words}", given(step))


def _unclear(rule: bound.Parameters, given: Callable[..., Facts], within: float) -> Iterator[Bad]:
    name = rule.evaluation or "rows"

    def wide(facts: Facts, **changed: Any) -> Facts:  # noqa: ANN401 - members of Measured
        (found,) = (one for key, one in facts.evidence.items() if key == name)
        assert isinstance(found, Measured)
        return replace(facts, evidence={**facts.evidence, name: replace(found, **changed)})

    good = given(within)
    if rule.of != "point":
        yield Bad("evidence without resamples", wide(good, sample=None), Status.ERRORED)
        figures = next(one.figures for key, one in good.evidence.items() if key == name and isinstance(one, Measured))
        if rule.relative_to is None and rule.against is None:
            yield Bad("an interval across the bound", wide(good, sample=Spread(figures, 1e6)), Status.INCONCLUSIVE)
            yield Bad("too few rows for an interval", wide(good, sample=Spread(figures, 0.0, 5)), Status.INCONCLUSIVE)
    if rule.min_support is not None and rule.min_support > 1:
        support = {_support(named(rule.metric)): float(rule.min_support - 1)}
        yield Bad("fewer rows than min_support", wide(given(within, **support), rows=rule.min_support - 1), Status.INCONCLUSIVE)
    if rule.against is not None:
        yield Bad("a reference that was not measured", replace(good, references={rule.against: UNKNOWN}), Status.ERRORED)
        if rule.first != "pass":
            status = Status.FAILED if rule.first == "fail" else Status.ERRORED
            yield Bad(f"nothing in {rule.against}", replace(good, references={rule.against: None}), status)


def known_compare(rule: compare.Parameters, facts: Facts) -> Known:
    """A candidate at the margin, beyond it, unclear, and nothing to compare with."""
    name, evaluation, up = named(rule.metric), rule.evaluation or "rows", -1.0 if rule.lower else 1.0
    many = rule.min_support or 1000

    def given(ahead: float, half: float = 0.0, **changed: Any) -> Facts:  # noqa: ANN401 - members of Facts
        """Facts in which the version is ahead of its reference by this much, give or take ``half``."""
        there, here = {name: 0.5, _support(name): float(many)}, {name: 0.5 + up * ahead, _support(name): float(many)}
        mine = replace(sample(here, half), rows=many)
        reference = Reference(facts.change.model, 1, OTHER, {evaluation: replace(sample(there), rows=many)})
        return replace(facts, **{"evidence": {evaluation: mine}, "references": {rule.reference: reference}, **changed})

    limit = rule.margin if rule.require == "superior" else -rule.margin
    bad = [
        Bad("worse by more than the margin", given(limit - 0.01)),
        Bad("an interval across the margin", given(limit, 0.01), Status.INCONCLUSIVE),
        Bad(f"{rule.metric} is NaN", given(math.nan)),
        Bad("a reference that was not measured", given(limit + 0.01, references={rule.reference: UNKNOWN}), Status.ERRORED),
        Bad("no evidence", given(limit + 0.01, evidence={evaluation: UNKNOWN}), Status.ERRORED),
        Bad(
            "evidence without resamples",
            given(limit + 0.01, evidence={evaluation: Measured(DIGEST, {name: 1.0}, many, NOW)}),
            Status.ERRORED,
        ),
    ]
    if rule.baseline is None and rule.first != "pass":
        status = Status.FAILED if rule.first == "fail" else Status.ERRORED
        bad.append(Bad(f"nothing in {rule.against}", given(limit + 0.01, references={rule.against: None}), status))
    return Known(given(limit + 0.01), tuple(bad))
