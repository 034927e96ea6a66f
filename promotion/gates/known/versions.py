"""Versions as they must be, and as they must not: their bytes, columns, origin, description, name, and what was in service before."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from promotion.domain import ObservedVersion, Passed
from promotion.gates import formats, lineage, metadata, naming, signature, staging_first
from promotion.gates.interface import (
    Column,
    Facts,
    Format,
    Lineage,
    Parameters,
    Signature,
    Unknown,
)
from promotion.gates.known.sound import DIGEST, OTHER, UNKNOWN, Bad, Known, proof
from promotion.registry.interface import Run
from promotion.verdicts import Status

_NAMES = ("my_model_final_v2", "Model", "x y", "", "🙂", "a", "model-1")


def known_digest(_: Parameters, facts: Facts) -> Known:
    """The bytes that are pinned, others, and bytes that are unknown."""

    def pinned(digest: str) -> Facts:
        return replace(facts, change=replace(facts.change, digest=digest))

    return Known(
        pinned(DIGEST),
        (
            Bad("other bytes than are pinned", pinned(OTHER)),
            Bad("bytes that cannot be read", replace(facts, artifact=UNKNOWN), Status.ERRORED),
        ),
    )


def known_formats(rule: formats.Parameters, facts: Facts) -> Known:
    """A format that is allowed, others, and a loader that is not."""
    loader, kind = rule.loaders[0], rule.allow[0]

    def form(found: Format) -> Facts:
        return replace(facts, format=found)

    def named_not(known: Facts) -> Facts:
        return replace(known, change=replace(known.change, model=f"{known.change.model}-of-no-list"))

    pickle, own = "model.bin: a pickle, which runs code when it is loaded", "model.pkl: a pickle"
    return Known(
        form(Format(loader, kind, ())),
        (
            Bad("a pickle behind another name", form(Format(loader, kind, (pickle,)))),
            Bad("a kind that is not on the list", form(Format(loader, "archive", ()))),
            Bad("a loader that is not on the list", form(Format("mlflow.pyfunc.model", kind, ()))),
            Bad("no loader", form(Format(None, kind, ()))),
            Bad("a pickle of a model that is not named", named_not(form(Format("mlflow.sklearn", "pickle", (own,), (own,))))),
            Bad("files that cannot be read", replace(facts, format=UNKNOWN), Status.ERRORED),
        ),
    )


def known_lineage(rule: lineage.Parameters, facts: Facts) -> Known:
    """A whole chain, a broken one, and one that is unknown."""
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


def known_metadata(rule: metadata.Parameters, facts: Facts) -> Known:
    """Everything that is asked for, and each thing left out."""
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
    if not rule.metrics:
        bad.append(Bad("a run whose metrics are all NaN", replace(good, run=replace(run, metrics={"any": math.nan}))))
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


def known_naming(rule: naming.Parameters, facts: Facts) -> Known:
    """A name that fits, where the pattern tells one, and names that do not."""

    def named(name: str) -> Facts:
        return replace(facts, change=replace(facts.change, model=name))

    usual = rule.pattern == naming.DEFAULT_PATTERN
    right = [name for name in (*rule.examples, *naming.DEFAULT_EXAMPLES, facts.change.model) if re.fullmatch(rule.pattern, name)]
    wrong = next((name for name in _NAMES if re.fullmatch(rule.pattern, name) is None), None)
    # A pattern that matches all of these refuses nothing that anybody would call a name: shown the last, the rule fails its test.
    bad = Bad(f"the name {wrong or _NAMES[0]!r}", named(wrong or _NAMES[0]))
    empty = [Bad("words that say nothing", named("model-final"))] if usual else []
    return Known(named(right[0]) if right else None, (bad, *empty))


def known_signature(rule: signature.Parameters, facts: Facts) -> Known:
    """The same columns, and each change that is not allowed."""
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


def known_staging_first(rule: staging_first.Parameters, facts: Facts) -> Known:
    """Everything in place, and each way around staging."""
    return Known(facts, tuple(_skipping(rule, facts)))


def _skipping(rule: staging_first.Parameters, facts: Facts) -> Iterator[Bad]:
    def proven(where: str, proof: Mapping[str, Passed]) -> Facts:
        assert facts.applied is not None
        return replace(facts, applied=replace(facts.applied, passed={**facts.applied.passed, where: proof}))

    yield Bad("nothing was ever applied", replace(facts, applied=None))
    yield Bad("a digest that is unknown", replace(facts, artifact=UNKNOWN), Status.ERRORED)
    for where in facts.stages_before:
        yield Bad(f"never in {where}", proven(where, {}))
        yield Bad(f"other bytes in {where}", proven(where, {OTHER: proof(timedelta(days=3650))}))
        yield Bad(f"in {where} without evidence", proven(where, {DIGEST: proof(timedelta(days=3650), ())}))
        if rule.soak:
            early = timedelta(seconds=rule.soak * 0.999)
            yield Bad(f"in {where} for less than the soak", proven(where, {DIGEST: proof(early)}), Status.INCONCLUSIVE)
