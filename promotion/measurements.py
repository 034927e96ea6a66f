"""Evidence of the versions that rules ask for: found where it is kept, or measured now; each measurement once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from promotion import evaluate
from promotion.ahead import Ahead, Need
from promotion.attempt import attempt
from promotion.changes import Change, ChangeKind
from promotion.confine import Share
from promotion.domain import ModelVersionRef
from promotion.evidence import Evidence, changed, read
from promotion.figures import derived
from promotion.gates.interface import Measured, Reference, Unknown
from promotion.kept import EvidenceSource, FolderEvidence, search
from promotion.policies import matches
from promotion.references import wanted
from promotion.replicates import Sampled

if TYPE_CHECKING:
    from promotion.abreast import Abreast
    from promotion.domain import AppliedModel
    from promotion.looks import Look
    from promotion.policies import Evaluation, Policies
    from promotion.registry.interface import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Evidence for the changes of one plan, under each set of ``policies``; the fields are those of ``facts.Collector``."""

    registry: Registry
    root: Path
    root_applied: Path | None
    applied: Mapping[str, AppliedModel]
    policies: tuple[Policies, ...]
    sources: Sequence[EvidenceSource]
    statement: Callable[[str], bytes | None]
    folder: Path | None
    by: str
    measure: bool
    clock: Callable[[], datetime]
    report: Callable[[str], None]
    statements: dict[str, bytes]
    replicates: dict[str, bytes]
    _measured: dict[str, tuple[bool, Measured | Unknown]] = field(default_factory=dict)
    """By key: whether measuring was tried, and what is known now."""
    _ahead: Ahead = field(default_factory=Ahead)

    def measures(self, change: Change) -> bool:
        """Whether what a change brings is measured now; what only brings back an earlier version is not kept waiting for it."""
        return self.measure and change.kind is ChangeKind.PROMOTE

    def begin(self, needs: Iterable[Need], pool: Abreast) -> tuple[Future[Evidence], ...]:
        """Have measured ahead what will be asked for."""
        return self._ahead.begin(needs, pool)

    def needs(self, change: Change, known: Look) -> Iterator[Need]:
        """What is to be measured for a change: itself and what the rules compare it with, where there is no evidence."""
        asked: list[tuple[Need | Unknown, Evaluation, Path]] = []
        for position, rules in enumerate(self.policies):
            root, evaluations = self._root(position), rules.evaluations_for(change.model)
            asked += [(self._need(change, known, one, root), one, root) for one in evaluations]
            for what in wanted(rules, self.applied, change).values():
                if isinstance(what, ModelVersionRef):
                    asked += [(self._need_of_reference(what, one, root), one, root) for one in evaluations]
        for need, evaluation, root in asked:
            if isinstance(need, Need) and not isinstance(found := attempt(partial(search, self._sources(), need.key)), Unknown):
                self._ahead.sought(need.key, found)
                if found.evidence is None:
                    yield replace(need, told=f"{need.told}{self._why(need, evaluation, root)}")

    def _why(self, need: Need, evaluation: Evaluation, root: Path) -> str:
        """What changed since the version was measured for what is applied now, where it was: the reason why it is measured again."""
        bindings = [one for memory in self.applied.values() for one in memory.bindings.values() if one.bound is not None]
        digests = {digest for one in bindings if one.bound is not None and one.bound.digest == need.artifact for digest in one.evidence}
        for digest in sorted(digests) if need.told else ():
            data = attempt(partial(self.statement, digest))
            before = attempt(partial(read, data)) if isinstance(data, bytes) else None
            if isinstance(before, Evidence) and (before.evaluation, before.artifact) == (evaluation.name, need.artifact):
                what = changed(before, evaluation.dataset.sha256, evaluate.evaluator_of(evaluation, root), evaluation.settings)
                return f", again: {' and '.join(what)} changed" if what else ""
        return ""

    def evidence(self, change: Change, known: Look, position: int) -> Mapping[str, Measured | Unknown]:
        """Evidence by evaluation under one set of policies: found, or measured now."""
        known_as = {
            one.name: self._need(change, known, one, self._root(position)) for one in self.policies[position].evaluations_for(change.model)
        }
        return {name: need if isinstance(need, Unknown) else self._measure(change, need) for name, need in known_as.items()}

    def references(self, change: Change, position: int) -> Mapping[str, Reference | Unknown | None]:
        """What the rules of one set compare this change with, measured like the change itself."""
        found: dict[str, Reference | Unknown | None] = {}
        for name, what in wanted(self.policies[position], self.applied, change).items():
            if not isinstance(what, ModelVersionRef):
                found[name] = what
                continue
            assert what.digest is not None
            evaluations = self.policies[position].evaluations_for(change.model)
            needs = {one.name: self._need_of_reference(what, one, self._root(position)) for one in evaluations}
            known = {one: need if isinstance(need, Unknown) else self._measure(change, need) for one, need in needs.items()}
            found[name] = Reference(what.name, what.version, what.digest, known)
        return found

    def _root(self, position: int) -> Path:
        """Where the evaluators of one set of policies lie."""
        return self.root if position == 0 or self.root_applied is None else self.root_applied

    def _sources(self) -> Sequence[EvidenceSource]:
        return [*self.sources, *([FolderEvidence(self.folder)] if self.folder is not None else [])]

    def _need(self, change: Change, known: Look, evaluation: Evaluation, root: Path) -> Need | Unknown:
        """What measuring the version of a change takes."""
        artifact, form = known.artifact, known.format
        if isinstance(artifact, Unknown):
            return artifact
        if change.after is None:
            return Unknown("there is nothing to measure")
        key = attempt(lambda: evaluate.evidence_key(artifact.digest, evaluation, root))
        if isinstance(key, Unknown):
            return key
        ref = ModelVersionRef(change.model, change.after, artifact.digest)

        def work(share: Share) -> Evidence:
            if isinstance(form, Unknown):
                raise evaluate.NotMeasured(form.reason, hint=form.hint)
            if known.model is None:
                # The same version was looked at for a healing or a rollback, which measure nothing.
                return evaluate.evaluate(self.registry, ref, evaluation, root, by=self.by, now=self.clock, share=share)
            fetched = evaluate.Fetched(ref, known.model, artifact, form)
            return evaluate.measure(fetched, evaluation, root, by=self.by, now=self.clock, share=share)

        told = "" if isinstance(form, Unknown) else f"measuring {ref.name}/{ref.version} by {evaluation.name}"
        return Need(key, told, work, artifact.digest)

    def _need_of_reference(self, ref: ModelVersionRef, evaluation: Evaluation, root: Path) -> Need | Unknown:
        """What measuring a version that a rule compares with takes."""
        if not matches(ref.name, evaluation.models):
            return Unknown(f"the evaluation {evaluation.name!r} is not for {ref.name!r}", "let its models match that name as well")
        key = attempt(lambda: evaluate.evidence_key(ref.digest or "", evaluation, root))
        if isinstance(key, Unknown):
            return key

        def work(share: Share) -> Evidence:
            return evaluate.evaluate(self.registry, ref, evaluation, root, by=self.by, now=self.clock, share=share)

        return Need(key, f"measuring {ref.name}/{ref.version} by {evaluation.name}, to compare with it", work, ref.digest or "")

    def _measure(self, change: Change, need: Need) -> Measured | Unknown:
        allowed = self.measures(change)
        tried, before = self._measured.get(need.key, (False, None))
        if before is not None and (tried or isinstance(before, Measured) or not allowed):
            return before
        found = self._search(need.key, allowed=allowed) or self._kept(attempt(lambda: self._ahead.measured(need, self.report)))
        self._measured[need.key] = (allowed, found)
        return found

    def _search(self, key: str, *, allowed: bool) -> Measured | Unknown | None:
        """Valid evidence at hand; None when there is none and it may be measured."""
        ahead = self._ahead.search(key)
        found = attempt(lambda: search(self._sources(), key)) if ahead is None else ahead
        if isinstance(found, Unknown):
            return None if allowed else found
        if found.evidence is not None:
            return self._keep(found.evidence)
        if allowed:
            return None
        what = f"; what is kept does not count: {'; '.join(found.rejected)}" if found.rejected else ""
        return Unknown(f"nothing was measured for this artifact, data and evaluator{what}", "measure it: promotion evaluate NAME/VERSION")

    def _kept(self, evidence: Evidence | Unknown) -> Measured | Unknown:
        """What was measured now, kept in the folder where there is one."""
        if isinstance(evidence, Unknown):
            return evidence
        if self.folder is not None:
            kept = attempt(lambda: FolderEvidence(self.folder or Path()).put(evidence))
            if isinstance(kept, Unknown):
                return kept
        return self._keep(evidence)

    def _keep(self, evidence: Evidence) -> Measured:
        self.statements[evidence.digest] = evidence.to_bytes()
        if evidence.resampled is not None:
            self.replicates[evidence.digest] = evidence.resampled
        sample = None if evidence.resampled is None else Sampled(evidence.resampled, evidence.counts)
        hardware = " ".join(f"{name} {value}" for name, value in sorted(evidence.hardware.items()))
        return Measured(evidence.digest, derived(evidence.counts), evidence.counts.rows, evidence.finished, hardware, sample)
