"""Inputs whose verdict is known beforehand, made from a rule's own values: what ``promotion gates selftest`` shows each gate.

For every gate there is a function in ``KNOWN`` that gets the rule's parameters and facts in which nothing is wrong, and gives one
input that the gate must pass and at least one that it must refuse. Whatever a policy's thresholds are, the bad input lies just
beyond them. A new gate adds its function here; one without it makes the self-test ERRORED.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from promotion.domain import (
    AppliedModel,
    Barred,
    Change,
    ChangeKind,
    ObservedModel,
    ObservedVersion,
    Passed,
    Place,
    Shown,
    Status,
    VersionIdentity,
)
from promotion.gates import approval, bound, compare, formats, freeze, lineage, metadata, naming, signature, staging_first
from promotion.gates.interface import (
    Approval,
    Approvals,
    Column,
    Facts,
    Format,
    Lineage,
    Measured,
    Parameters,
    Reference,
    Signature,
    Unknown,
)
from promotion.registry.interface import Artifact, ArtifactFile, Run

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
"""The time at which the known inputs are judged."""
DIGEST = "a" * 64
OTHER = "b" * 64
UNKNOWN = Unknown("it could not be read", "a known-bad input of the self-test")


@dataclass(frozen=True, slots=True)
class Bad:
    """An input that must be refused: what is wrong with it, and what the gate must say."""

    what: str
    facts: Facts
    status: Status = Status.FAILED
    ruled: bool = True
    """Whether any rule applies to it at all."""


@dataclass(frozen=True, slots=True)
class Known:
    """``good`` None: no value is known that this rule passes, such as a name for a pattern without examples."""

    good: Facts | None
    bad: tuple[Bad, ...]


def sound(model: str, environment: str, before: tuple[str, ...]) -> Facts:
    """Facts of a promotion into an environment, after these others, in which nothing is wrong."""
    identity = VersionIdentity(1_700_000_000_000, "models:/m-1", "run1")
    tags = {"dataset": "rows", "architecture": "trees", "date": "2026-01-01"}
    version = ObservedVersion(2, "None", identity, 1_700_000_000_000, description="what it is", tags=tags)
    change = Change(ChangeKind.PROMOTE, model, environment, 1, 2, Shown((1,), 1), None, Place("environments.yaml", 1, 1))
    applied = AppliedModel(model, {}, {one: {DIGEST: _proof(timedelta(days=3650))} for one in before})
    return Facts(
        change=change,
        now=NOW,
        model=ObservedModel(model, {2: version}, {}),
        version=version,
        run=Run("run1", "FINISHED", "ci", {"seed": "1"}, {"f1": 1.0}, {}),
        artifact=Artifact(DIGEST, ()),
        format=Format("mlflow.xgboost", "xgboost", ()),
        lineage=Lineage("v1", DIGEST, "c" * 40, "run1", ()),
        applied=applied,
        holds={},
        touched=(),
        barred=(),
        stages_before=before,
    )


def _proof(age: timedelta, evidence: tuple[str, ...] = (DIGEST,)) -> Passed:
    return Passed(2, NOW - age, "c" * 40, evidence)


@dataclass(frozen=True, slots=True)
class _Spread:
    """Resamples made up: every figure lies within ``half`` of its value in all of them, at both ends in some."""

    figures: Mapping[str, float]
    half: float
    many: float = 1000.0

    def values(self, figure: str) -> Sequence[float] | None:
        value = self.figures.get(figure)
        return None if value is None else [value + self.half * (place % 3 - 1) for place in range(1000)]

    def units(self, _figure: str) -> float:
        return self.many

    def pairs(self, other: object) -> bool:
        return isinstance(other, _Spread)


def _sample(figures: Mapping[str, float], half: float = 0.0, many: float = 1e12) -> Measured:
    return Measured(DIGEST, figures, 1000, NOW, "a machine", _Spread(figures, half, many))


def _named(pattern: str) -> str:
    """A figure that a rule's pattern matches; the names themselves are their own."""
    return pattern.replace("*", "any")


def _approval(rule: approval.Parameters, facts: Facts) -> Known:
    right = Approvals((DIGEST,), OTHER, "sqlite:", OTHER, None, ("somebody else",), ())

    def signed(name: str) -> Approval:
        return Approval(name, (name,), DIGEST, OTHER, "sqlite:", OTHER, None, DIGEST, (), NOW + timedelta(days=1))

    def found(*approvals: Approval, among: Approvals = right) -> Facts:
        return replace(facts, touched=None, approvals=replace(among, found=approvals))

    enough = tuple(dict.fromkeys(rule.signers))[: rule.count]
    good = tuple(signed(name) for name in enough)
    return Known(
        found(*good),
        (
            Bad("no approval", found()),
            Bad("one approval too few", found(*good[1:])),
            Bad("an approval by the author", found(*good, among=replace(right, authors=enough[:1]))),
            Bad("an approval of another plan", found(*(replace(one, plan=OTHER) for one in good))),
            Bad("an approval of other bytes", found(*(replace(one, after=OTHER) for one in good))),
            Bad("an approval that was used", found(*good, among=replace(right, used=OTHER))),
            Bad("an approval that expired", found(*(replace(one, expires=NOW - timedelta(days=1)) for one in good))),
            Bad("an approval by a stranger", found(*(signed(f"stranger-{one.tag}") for one in good))),
            Bad("an author whom nobody knows", found(*good, among=replace(right, authors=UNKNOWN)), Status.ERRORED),
            Bad("approvals that cannot be read", replace(facts, touched=None, approvals=UNKNOWN), Status.ERRORED),
        ),
    )


def _bound(rule: bound.Parameters, facts: Facts) -> Known:
    low, high = rule.min, rule.max
    name, evaluation = _named(rule.metric), rule.evaluation or "rows"
    width = (high - low) / 4 if low is not None and high is not None else 1.0
    # An end that lies just inside, with the rest of the interval inside as well where there is room for it.
    if rule.spread is not None:
        low, width = max(low or 0.0, 0.0), 0.0
    within = low + width if low is not None else (high or 0.0) - width

    def given(value: float | None, **more: float) -> Facts:
        """Facts in which what the rule bounds has this value."""
        if rule.metric == bound.AGE and value is not None:
            measured = replace(_sample({}), at=NOW - timedelta(days=value)) if math.isfinite(value) else _sample({})
            return replace(facts, evidence={evaluation: measured})
        if rule.metric == bound.SIZE and value is not None and math.isfinite(value):
            return replace(
                facts, artifact=Artifact(DIGEST, (ArtifactFile("model", round(value), DIGEST),)), evidence={evaluation: _sample({})}
            )
        figures: dict[str, float] = {} if value is None else {name: value, _support(name): float(rule.min_support or 1000)}
        others: dict[str, Measured | Unknown] = {}
        references: dict[str, Reference | Unknown | None] = {}
        if value is not None and rule.relative_to is not None:
            figures[rule.relative_to] = 1.0
        if rule.spread is not None:
            others[rule.spread] = _sample({name: 0.0})
        if rule.against is not None:
            references[rule.against] = Reference(facts.change.model, 1, OTHER, {evaluation: _sample({name: 1.0})})
        return replace(
            facts, evidence={evaluation: replace(_sample(figures | more), rows=rule.min_support or 1000), **others}, references=references
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
            yield Bad("an interval across the bound", wide(good, sample=_Spread(figures, 1e6)), Status.INCONCLUSIVE)
            yield Bad("too few rows for an interval", wide(good, sample=_Spread(figures, 0.0, 5)), Status.INCONCLUSIVE)
    if rule.min_support is not None and rule.min_support > 1:
        support = {_support(_named(rule.metric)): float(rule.min_support - 1)}
        yield Bad("fewer rows than min_support", wide(given(within, **support), rows=rule.min_support - 1), Status.INCONCLUSIVE)
    if rule.against is not None:
        yield Bad("a reference that was not measured", replace(good, references={rule.against: UNKNOWN}), Status.ERRORED)
        if rule.first != "pass":
            status = Status.FAILED if rule.first == "fail" else Status.ERRORED
            yield Bad(f"nothing in {rule.against}", replace(good, references={rule.against: None}), status)


def _compare(rule: compare.Parameters, facts: Facts) -> Known:
    name, evaluation, up = _named(rule.metric), rule.evaluation or "rows", 1.0 if rule.better == "higher" else -1.0
    many = rule.min_support or 1000

    def given(ahead: float, half: float = 0.0, **changed: Any) -> Facts:  # noqa: ANN401 - members of Facts
        """Facts in which the version is ahead of its reference by this much, give or take ``half``."""
        there, here = {name: 0.5, _support(name): float(many)}, {name: 0.5 + up * ahead, _support(name): float(many)}
        mine = replace(_sample(here, half), rows=many)
        reference = Reference(facts.change.model, 1, OTHER, {evaluation: replace(_sample(there), rows=many)})
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


def _digest(_: Parameters, facts: Facts) -> Known:
    def pinned(digest: str) -> Facts:
        return replace(facts, change=replace(facts.change, digest=digest))

    return Known(
        pinned(DIGEST),
        (
            Bad("other bytes than are pinned", pinned(OTHER)),
            Bad("bytes that cannot be read", replace(facts, artifact=UNKNOWN), Status.ERRORED),
        ),
    )


def _formats(rule: formats.Parameters, facts: Facts) -> Known:
    loader, kind = rule.loaders[0], rule.allow[0]

    def form(found: Format) -> Facts:
        return replace(facts, format=found)

    pickle = "model.bin: a pickle, which runs code when it is loaded"
    return Known(
        form(Format(loader, kind, ())),
        (
            Bad("a pickle behind another name", form(Format(loader, kind, (pickle,)))),
            Bad("a kind that is not on the list", form(Format(loader, "archive", ()))),
            Bad("a loader that is not on the list", form(Format("mlflow.pyfunc.model", kind, ()))),
            Bad("no loader", form(Format(None, kind, ()))),
            Bad("files that cannot be read", replace(facts, format=UNKNOWN), Status.ERRORED),
        ),
    )


def _hold(_: Parameters, facts: Facts) -> Known:
    return Known(
        replace(facts, holds={OTHER: "another one"}),
        (
            Bad("a digest on hold", replace(facts, holds={DIGEST: "rolled back"})),
            Bad("a promotion after two that were taken back", replace(facts, holds={OTHER: "it failed", "f" * 64: "it failed too"})),
            Bad("holds that cannot be read", replace(facts, holds=UNKNOWN), Status.ERRORED),
            Bad("a digest that is unknown beside holds", replace(facts, holds={OTHER: "another one"}, artifact=UNKNOWN), Status.ERRORED),
        ),
    )


def _lineage(rule: lineage.Parameters, facts: Facts) -> Known:
    whole = Lineage("v1", DIGEST, "c" * 40, "run1", ())
    broken = replace(whole, breaks=("commit cccccccccccc is not in this repository's history",))

    def found(chain: Lineage | Unknown) -> Facts:
        return replace(facts, lineage=chain) if rule.repository is None else replace(facts, lineages={rule.repository: chain})

    return Known(
        found(whole),
        (
            Bad("a commit that was never pushed", found(broken)),
            Bad("a chain without its data", found(replace(whole, data_version=None)), Status.ERRORED),
            Bad("a chain that cannot be walked", found(UNKNOWN), Status.ERRORED),
        ),
    )


def _metadata(rule: metadata.Parameters, facts: Facts) -> Known:
    assert isinstance(facts.version, ObservedVersion)
    version = replace(facts.version, description="what it is", tags=dict.fromkeys(rule.tags, "said"))
    run = Run("run1", "FINISHED", "ci", dict.fromkeys((*rule.params, "any"), "1"), dict.fromkeys((*rule.metrics, "any"), 1.0), {})
    good = replace(facts, version=version, run=run)
    bad = [Bad("no description", replace(good, version=replace(version, description="  ")))] if rule.description else []
    bad += [Bad(f"no tag {name}", replace(good, version=replace(version, tags=_without(version.tags, name)))) for name in rule.tags]
    bad += [Bad(f"no parameter {name}", replace(good, run=replace(run, params=_without(run.params, name)))) for name in rule.params]
    bad += [
        Bad(f"the metric {name} is NaN", replace(good, run=replace(run, metrics={**run.metrics, name: math.nan}))) for name in rule.metrics
    ]
    return Known(
        good,
        (
            *bad,
            Bad("a run that logged nothing", replace(good, run=replace(run, params={}, metrics={}))),
            Bad("a run that cannot be read", replace(good, run=UNKNOWN), Status.ERRORED),
        ),
    )


def _without(values: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if key != name}


_NAMES = ("my_model_final_v2", "Model", "x y", "", "🙂", "a", "model-1")


def _naming(rule: naming.Parameters, facts: Facts) -> Known:
    def named(name: str) -> Facts:
        return replace(facts, change=replace(facts.change, model=name))

    usual = rule.pattern == naming.DEFAULT_PATTERN
    right = [name for name in (*rule.examples, *naming.DEFAULT_EXAMPLES, facts.change.model) if re.fullmatch(rule.pattern, name)]
    wrong = next((name for name in _NAMES if re.fullmatch(rule.pattern, name) is None), None)
    # A pattern that matches all of these refuses nothing that anybody would call a name: shown the last, the rule fails its test.
    bad = Bad(f"the name {wrong or _NAMES[0]!r}", named(wrong or _NAMES[0]))
    empty = [Bad("words that say nothing", named("model-final"))] if usual else []
    return Known(named(right[0]) if right else None, (bad, *empty))


def _policy(_: Parameters, facts: Facts) -> Known:
    return Known(facts, (Bad("no rule at all", facts, Status.ERRORED, ruled=False),))


def _quarantine(_: Parameters, facts: Facts) -> Known:
    change = facts.change
    assert change.after is not None

    def barred(model: str, version: int | None, digest: str | None) -> Facts:
        return replace(facts, barred=(Barred(model, version, digest, "leaks", "ada", Place("quarantine.yaml", 1, 1)),))

    return Known(
        barred(change.model, change.after + 1, OTHER),
        (
            Bad("a version that is barred", barred(change.model, change.after, None)),
            Bad("bytes that are barred under another name", barred("another", 1, DIGEST)),
            Bad("a list that cannot be read", replace(facts, barred=UNKNOWN), Status.ERRORED),
            Bad("a digest that is unknown beside barred ones", replace(barred("another", 1, OTHER), artifact=UNKNOWN), Status.ERRORED),
        ),
    )


def _freeze(rule: freeze.Parameters, facts: Facts) -> Known:
    zone = ZoneInfo(rule.timezone)
    firsts = [one.first for one in rule.windows if one.first] + [one.last - timedelta(days=7) for one in rule.windows if one.last]
    # Every five minutes of eight days, from now on and around each window's dates; and every day of a year.
    starts = [NOW, *(datetime(day.year, day.month, day.day, tzinfo=zone) for day in firsts)]
    moments = [start + timedelta(minutes=5 * step) for start in starts for step in range(8 * 24 * 12)]
    moments += [NOW + timedelta(days=step) for step in range(366)]
    shut = [_shut(rule, at.astimezone(zone)) for at in moments]
    free = next((at for at, is_shut in zip(moments, shut, strict=True) if not is_shut), None)
    bad = next((at for at, is_shut in zip(moments, shut, strict=True) if is_shut), NOW)
    # A calendar that is never shut refuses nothing: shown now, the rule fails its test.
    asked = (Bad("a promotion while a window is shut", replace(facts, now=bad)),)
    return Known(None if free is None else replace(facts, now=free), asked)


def _shut(rule: freeze.Parameters, at: datetime) -> bool:
    return any(freeze.shuts(one, at.replace(tzinfo=None)) is not None for one in rule.windows)


def _separate(_: Parameters, facts: Facts) -> Known:
    return Known(facts, (Bad("a promotion beside a lowered bound", replace(facts, touched=("policies/production.yaml",))),))


def _signature(rule: signature.Parameters, facts: Facts) -> Known:
    # Names that no pattern of the rule is likely to allow.
    kept, extra = Column("kept column", "double"), Column("another column", "double")
    where = rule.against or facts.change.environment

    def given(mine: tuple[Column, ...] | None, theirs: Signature | Unknown | None = None) -> Facts:
        before = theirs or Signature((kept, extra), (kept,))
        return replace(facts, signature=Signature(mine, (kept,)), signatures={where: before})

    return Known(
        given((kept, extra)),
        (
            Bad("a column is gone", given((kept,))),
            Bad("a column is new", given((kept, extra, Column("third column", "double")))),
            Bad("a column has another type", given((kept, replace(extra, type="string")))),
            Bad("no signature", given(None)),
            Bad("a signature that cannot be read", replace(given((kept,)), signature=UNKNOWN), Status.ERRORED),
            Bad("a version in service that cannot be read", given((kept,), UNKNOWN), Status.ERRORED),
        ),
    )


def _staging_first(rule: staging_first.Parameters, facts: Facts) -> Known:
    return Known(facts, tuple(_skipping(rule, facts)))


def _skipping(rule: staging_first.Parameters, facts: Facts) -> Iterator[Bad]:
    def proven(where: str, proof: Mapping[str, Passed]) -> Facts:
        assert facts.applied is not None
        return replace(facts, applied=replace(facts.applied, passed={**facts.applied.passed, where: proof}))

    yield Bad("nothing was ever applied", replace(facts, applied=None))
    yield Bad("a digest that is unknown", replace(facts, artifact=UNKNOWN), Status.ERRORED)
    for where in facts.stages_before:
        yield Bad(f"never in {where}", proven(where, {}))
        yield Bad(f"other bytes in {where}", proven(where, {OTHER: _proof(timedelta(days=3650))}))
        yield Bad(f"in {where} without evidence", proven(where, {DIGEST: _proof(timedelta(days=3650), ())}))
        if rule.soak:
            early = timedelta(seconds=rule.soak * 0.999)
            yield Bad(f"in {where} for less than the soak", proven(where, {DIGEST: _proof(early)}), Status.INCONCLUSIVE)


KNOWN: Mapping[str, Callable[[Any, Facts], Known]] = MappingProxyType(
    {
        "approval": _approval,
        "bound": _bound,
        "compare": _compare,
        "digest": _digest,
        "formats": _formats,
        "freeze": _freeze,
        "hold": _hold,
        "lineage": _lineage,
        "metadata": _metadata,
        "naming": _naming,
        "policy": _policy,
        "quarantine": _quarantine,
        "separate": _separate,
        "signature": _signature,
        "staging_first": _staging_first,
    }
)
"""By the gate's name: (parameters, sound facts) → what it must pass and what it must refuse."""
