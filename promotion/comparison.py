"""Two versions of one model side by side: each evaluation's figures with their intervals, and the paired difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from promotion import evaluate
from promotion.abreast import Abreast
from promotion.domain import ModelVersionRef
from promotion.errors import Unavailable, UsageError
from promotion.evidence import Evidence
from promotion.intervals import Estimate, Interval, difference
from promotion.kept import EvidenceSource, FolderEvidence, search
from promotion.replicates import Sampled

if TYPE_CHECKING:
    from promotion.confine import Share
    from promotion.policies import Evaluation, Policies
    from promotion.survey import Workspace

_NO_FIGURES = frozenset({"rows", "seconds_per_row"})
_SHARES = frozenset({"f1", "precision", "recall", "accuracy", "macro_f1", "false_alarm_rate", "roc_auc", "pr_auc"})
"""Figures that lie between 0 and 1, whatever resamples allow."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure, and its interval where its resamples are known and rows enough."""

    point: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of both versions; one that a version does not have is None. ``apart`` is the second's minus the first's."""

    figure: str
    first: Measure | None
    second: Measure | None
    apart: Measure | None

    @property
    def told(self) -> str:
        """``higher`` or ``lower`` where the interval of the difference leaves zero out, ``same`` where nothing differs, else nothing."""
        if self.apart is None:
            return ""
        if self.first is not None and self.second is not None and self.first.point == self.second.point:
            return "same"
        interval = self.apart.interval
        if interval is None or interval.low <= 0 <= interval.high:
            return ""
        return "higher" if interval.low > 0 else "lower"


@dataclass(frozen=True, slots=True)
class Compared:
    """One evaluation of both versions. ``rows`` are the second's; ``evidence`` are the digests of both statements.

    ``note`` says why there are no intervals of differences; None where there are.
    """

    evaluation: str
    first: ModelVersionRef
    second: ModelVersionRef
    rows: int
    dataset: str
    evidence: tuple[str, str]
    confidence: float
    note: str | None
    lines: tuple[Line, ...]


def compare(
    workspace: Workspace, policies: Policies, first: ModelVersionRef, second: ModelVersionRef, *, confidence: float, measure: bool
) -> tuple[Compared, ...]:
    """Every evaluation that measures this model, of both versions; what was measured before is not measured again.

    Raises UsageError where no evaluation matches, Unavailable where evidence is missing and ``measure`` is False, and as ``evaluate``.
    """
    evaluations = policies.evaluations_for(first.name)
    if not evaluations:
        raise UsageError(f"no evaluation measures {first.name!r}", hint="add one that matches it to the policies' evaluations.yaml")
    sources: list[EvidenceSource] = [workspace.journal.read()]
    if workspace.evidence is not None:
        sources.append(FolderEvidence(workspace.evidence))
    found = _Measuring(workspace, tuple(sources), measure)
    asked = [(ref, one) for one in evaluations for ref in (first, second)]
    kept = [found.kept(*one) for one in asked]
    with Abreast(workspace.jobs, most=kept.count(None), report=workspace.report) as pool:
        begun = [
            known or pool.submit(f"measuring {ref.name}/{ref.version} by {one.name}", partial(found.made, ref, one))
            for known, (ref, one) in zip(kept, asked, strict=True)
        ]
        both = [one if isinstance(one, Evidence) else one.result() for one in begun]
    pairs = zip(both[::2], both[1::2], strict=True)
    return tuple(_compared(one.name, (first, second), pair, confidence) for one, pair in zip(evaluations, pairs, strict=True))


@dataclass(frozen=True, slots=True)
class _Measuring:
    workspace: Workspace
    sources: tuple[EvidenceSource, ...]
    measure: bool

    def kept(self, ref: ModelVersionRef, evaluation: Evaluation) -> Evidence | None:
        """Evidence at hand; None where it may be measured."""
        workspace, root = self.workspace, self.workspace.git.root
        digest = ref.digest or workspace.registry.artifact(ref.name, ref.version).digest
        kept = search(self.sources, evaluate.evidence_key(digest, evaluation, root)).evidence
        if kept is None and not self.measure:
            msg = f"{ref.name}/{ref.version} was not measured by {evaluation.name}, as data and evaluator are now"
            raise Unavailable(msg, hint=f"promotion evaluate {ref.name}/{ref.version}, or leave out --no-measure")
        return kept

    def made(self, ref: ModelVersionRef, evaluation: Evaluation, share: Share) -> Evidence:
        """Evidence measured now, and kept in the folder where there is one."""
        workspace = self.workspace
        made = evaluate.evaluate(workspace.registry, ref, evaluation, workspace.git.root, by=workspace.by, now=workspace.now, share=share)
        if workspace.evidence is not None:
            FolderEvidence(workspace.evidence).put(made)
        return made


def _compared(
    evaluation: str, refs: tuple[ModelVersionRef, ModelVersionRef], both: tuple[Evidence, Evidence], confidence: float
) -> Compared:
    first, second = both
    note, lines = side_by_side(first, second, confidence)
    digests = (first.digest, second.digest)
    return Compared(evaluation, *refs, second.counts.rows, second.dataset_path, digests, confidence, note, lines)


def side_by_side(first: Evidence | None, second: Evidence, confidence: float) -> tuple[str | None, tuple[Line, ...]]:
    """A line for each figure of both, or of the second alone; and why differences have no interval, None where they have."""
    both = (first, second)
    samples = [None if one is None or one.resampled is None else Sampled(one.resampled, one.counts) for one in both]
    note = None
    if samples[0] is None or samples[1] is None:
        note = "the evaluator yields counts, whose resamples are not known: no intervals"
    elif not samples[0].pairs(samples[1]):
        note = "they were not measured on the same rows: no intervals of differences"
    estimates = [_estimates(one, sample) for one, sample in zip(both, samples, strict=True)]
    names = dict.fromkeys([*(first.figures if first else ()), *second.figures])
    ordered = [name for name in names if name not in _NO_FIGURES and not name.endswith(".support")]
    return note, tuple(_line(name, estimates[0](name), estimates[1](name), confidence, paired=note is None) for name in ordered)


def _estimates(evidence: Evidence | None, sample: Sampled | None) -> Callable[[str], Estimate | None]:
    def of(name: str) -> Estimate | None:
        point = None if evidence is None else evidence.figures.get(name)
        values = None if sample is None or point is None else sample.values(name)
        if point is None or sample is None or values is None:
            return None if point is None else Estimate(point)
        return Estimate(point, values, sample.units(name))

    return of


def _line(name: str, first: Estimate | None, second: Estimate | None, confidence: float, *, paired: bool) -> Line:
    apart = None
    if first is not None and second is not None and math.isfinite(first.point) and math.isfinite(second.point):
        whole = difference(second, first)
        apart = Measure(whole.point, whole.interval(confidence) if paired else None)
    share = name.rpartition(".")[2] in _SHARES and not name.startswith("ablation.")
    return Line(name, _measure(first, confidence, share=share), _measure(second, confidence, share=share), apart)


def _measure(estimate: Estimate | None, confidence: float, *, share: bool) -> Measure | None:
    interval = None if estimate is None else estimate.interval(confidence)
    if interval is not None and share:
        interval = Interval(max(0.0, interval.low), min(1.0, interval.high))
    return None if estimate is None else Measure(estimate.point, interval)


def chosen(workspace: Workspace, name: str, text: str, environments: tuple[str, ...]) -> ModelVersionRef:
    """A version by its number, or that which the journal says is applied in an environment. Raises UsageError for any other text."""
    if text.isascii() and text.isdigit() and not text.startswith("0"):
        return _registered(workspace, ModelVersionRef(name, int(text)))
    if text not in environments:
        raise UsageError(f"{text!r} is neither a version's number nor an environment", hint=f"environments: {', '.join(environments)}")
    memory = workspace.journal.read().applied(name)
    binding = memory.bindings.get(text) if memory is not None else None
    if binding is None or binding.bound is None:
        hint = "give the version's number; promotion status shows what is applied"
        raise UsageError(f"nothing is applied in {text} of {name!r}", hint=hint)
    return ModelVersionRef(name, binding.bound.version, binding.bound.digest)


def _registered(workspace: Workspace, ref: ModelVersionRef) -> ModelVersionRef:
    model = workspace.registry.model(ref.name)
    if model is None:
        raise UsageError(f"the registry has no model {ref.name!r}", hint="register it first, or correct the name")
    if ref.version not in model.versions:
        newest = max(model.versions, default=None)
        hint = f"its newest version is {newest}" if newest else "it has no versions yet"
        raise UsageError(f"{ref.name!r} has no version {ref.version}", hint=hint)
    return ref
