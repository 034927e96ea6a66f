"""Collects what gates may know of a change: registry, artifact, lineage, journal, evidence, the time.

Every failure becomes an Unknown with its reason, never an exception: one model that cannot be looked at must not keep the
others from being judged. An artifact is downloaded once for each version (again
only when a version is both healed and promoted, and needs measuring for that).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol, TypeVar

from promotion import evaluate, formats, signatures
from promotion.abreast import Abreast
from promotion.ahead import Ahead, Need
from promotion.changes import Change, ChangeKind
from promotion.confine import Share
from promotion.domain import ModelVersionRef
from promotion.errors import PromotionError, Unavailable
from promotion.evidence import Evidence, EvidenceSource, FolderEvidence, search
from promotion.figures import derived
from promotion.gates.interface import Approvals, Facts, Format, Lineage, Measured, Reference, Signature, Unknown
from promotion.lineage import trace
from promotion.policies import matches
from promotion.references import wanted
from promotion.replicates import Sampled

if TYPE_CHECKING:
    from promotion.domain import AppliedBinding, AppliedModel, Observed, ObservedModel, ObservedVersion
    from promotion.policies import Evaluation, Policies
    from promotion.registry.interface import Artifact, Registry, Run
    from promotion.verdicts import Waiver

T = TypeVar("T")

RUN_READERS = frozenset({"lineage", "metadata"})
"""Gates that look at the run: no other may, since it is not read for them."""
AHEAD = 8
"""Versions that are fetched at once, and lie on the disk until they are judged; as many as are measured at once where those are more."""
_Place = tuple[str, int | None]


class Held(Protocol):
    """One hold, as the journal keeps it."""

    @property
    def model(self) -> str: ...  # noqa: D102 - the words of the journal
    @property
    def environment(self) -> str: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102


@dataclass(slots=True)
class _Bytes:
    """What is known of a version's bytes; ``folder`` is there until nothing more can be asked of them."""

    artifact: Artifact | Unknown
    format: Format | Unknown
    signature: Signature | Unknown
    folder: tempfile.TemporaryDirectory[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Collects facts for the changes of one plan.

    ``policies`` are those of HEAD and, where they differ, those of the last applied commit, whose evaluators are looked for
    below ``root_applied`` (``root`` when None). ``environments`` are in the order of promotion. ``in_history`` tells whether a
    commit is in the repository's history, and may raise. ``measure`` False uses only the evidence at hand in ``sources`` and
    ``folder``; new evidence is put into ``folder``. ``statements`` gathers the bytes of all evidence used, by digest.
    """

    registry: Registry
    root: Path
    observed: Observed
    applied: Mapping[str, AppliedModel]
    holds: Iterable[Held]
    environments: tuple[str, ...]
    policies: tuple[Policies, ...]
    sources: Sequence[EvidenceSource]
    folder: Path | None
    in_history: Callable[[str], bool]
    now: datetime
    by: str
    measure: bool
    touched: tuple[str, ...] | None = None
    report: Callable[[str], None] = lambda _: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    """Tells when measuring starts and ends."""
    root_applied: Path | None = None
    in_history_of: Callable[[str, str], bool] = lambda where, _: _elsewhere(where)
    """Whether the repository at an address has a commit in the history of its main branch; may raise."""
    approvals: Callable[[Change], Approvals | Unknown] | None = None
    """Tells who approved a change, and may raise."""
    established: bool = False
    """Whether a commit was applied before: until then every waiver came with the change that would use it."""
    jobs: int | None = None
    """How many versions are measured at once; None: as many as there are cores."""
    statements: dict[str, bytes] = field(default_factory=dict)
    replicates: dict[str, bytes] = field(default_factory=dict)
    """The files of resamples that these statements name, by the statement's digest."""
    _bytes: dict[tuple[str, int], _Bytes] = field(default_factory=dict)
    _runs: dict[str, Run | Unknown | None] = field(default_factory=dict)
    _measured: dict[str, tuple[bool, Measured | Unknown]] = field(default_factory=dict)
    """By key: whether measuring was tried, and what is known now."""
    _ahead: Ahead = field(default_factory=Ahead)
    _awaited: set[_Place] = field(default_factory=set)
    """Versions whose bytes are needed until their own change is judged."""
    _locks: dict[_Place, Lock] = field(default_factory=dict)

    def collect(self, change: Change) -> Facts:
        """All that gates may know of one change; never raises for what registry, artifact, model or repository hold."""
        model = self.observed.models.get(change.model) or Unknown(f"the registry has no model {change.model!r}")
        if change.after is None:
            return self._facts(change, model, Unknown("the environment is emptied: there is no version to look at"))
        if isinstance(model, Unknown):
            return self._facts(change, model, model)
        version = model.versions.get(change.after) or Unknown(f"{change.model!r} has no version {change.after}")
        return self._facts(change, model, version)

    def collect_all(self, changes: Sequence[Change]) -> dict[tuple[str, str], Facts]:
        """As ``collect`` for each of several changes, by model and environment; the next versions are fetched and measured meanwhile.

        ``jobs`` are measured at once, begun in the order of the changes, and no more than ``AHEAD`` versions lie on the disk at once.
        """
        found: dict[tuple[str, str], Facts] = {}
        groups: dict[_Place, list[Change]] = {}
        for change in changes:
            groups.setdefault((change.model, change.after), []).append(change)
        self._awaited.update(groups)
        waiting = iter(groups.items())
        under_way: dict[_Place, Future[tuple[Future[Evidence], ...]]] = {}
        promoted = {place for place, group in groups.items() if self.measure and any(map(_may_be_measured, group))}
        with (
            ThreadPoolExecutor(AHEAD) as fetching,
            ThreadPoolExecutor(1) as ordering,
            Abreast(self.jobs, most=len(promoted), report=self.report) as measuring,
        ):

            def begin(needs: Future[list[Need]]) -> tuple[Future[Evidence], ...]:
                return self._ahead.begin(needs.result(), measuring)

            for change in changes:
                while len(under_way) < max(AHEAD, measuring.jobs) and (ahead := next(waiting, None)) is not None:
                    under_way[ahead[0]] = ordering.submit(begin, fetching.submit(self._fetch, ahead[1]))
                if (mine := under_way.pop((change.model, change.after), None)) is not None:
                    # Nobody may read the bytes any more when the first of the changes has been judged.
                    wait(mine.result())
                    self._awaited.discard((change.model, change.after))
                found[change.model, change.environment] = self.collect(change)
        return found

    def _fetch(self, group: Sequence[Change]) -> list[Need]:
        """Have at hand what ``collect`` asks the registry for, for changes to one version; gives what it will measure."""
        model = self.observed.models.get(group[0].model)
        version = None if model is None or group[0].after is None else model.versions.get(group[0].after)
        if version is None:
            return []
        known = self._look(group[0], version)
        for change in group:
            self._run_asked(change, version)
        promotions = [change for change in group if self.measure and _may_be_measured(change)]
        return [need for change in promotions for need in self._needs(change, known)]

    def _needs(self, change: Change, known: _Bytes) -> Iterator[Need]:
        """What is to be measured for a change: itself and what the rules compare it with, where there is no evidence."""
        asked: list[Need | Unknown] = []
        for position, rules in enumerate(self.policies):
            asked += [self._need(change, known, one, self._root(position)) for one in rules.evaluations_for(change.model)]
            for what in wanted(rules, self.applied, change).values():
                if isinstance(what, ModelVersionRef):
                    asked += [self._need_of_reference(what, one, self._root(position)) for one in rules.evaluations_for(change.model)]
        for need in asked:
            if isinstance(need, Need) and not isinstance(found := _try(partial(search, self._sources(), need.key)), Unknown):
                self._ahead.sought(need.key, found)
                if found.evidence is None:
                    yield need

    def _facts(self, change: Change, model: ObservedModel | Unknown, version: ObservedVersion | Unknown) -> Facts:
        known = _Bytes(version, version, version, None) if isinstance(version, Unknown) else self._look(change, version)
        run = version if isinstance(version, Unknown) else self._run_asked(change, version)
        evidence = [self._evidence(change, known, position) for position in range(len(self.policies))] or [{}]
        references = [self._references(change, position) for position in range(len(self.policies))] or [{}]
        if known.folder is not None:
            # All that can be asked of the bytes was asked; another environment of the same version gets the same answers.
            known.folder.cleanup()
            known.folder = None
        waivers = tuple(dict.fromkeys(w for p in self.policies for w in p.waivers_for(change.environment, change.model, change.after)))
        counts = self._counts
        before = self.environments[: self.environments.index(change.environment)] if change.environment in self.environments else ()
        return Facts(
            change=change,
            now=self.now,
            model=model,
            version=version,
            run=Unknown("the run that made this version does not exist") if run is None else run,
            artifact=known.artifact,
            format=known.format,
            lineage=version if isinstance(version, Unknown) else self._lineage(version, run, self.in_history),
            lineages={} if isinstance(version, Unknown) else self._lineages(change, version, run),
            applied=self.applied.get(change.model),
            evidence=evidence[0],
            evidence_applied=evidence[-1],
            references=references[0],
            references_applied=references[-1],
            holds={one.digest: one.reason for one in self.holds if (one.model, one.environment) == (change.model, change.environment)},
            touched=self.touched,
            approvals=self._approved(change),
            signature=known.signature,
            signatures=self._signatures(change, model),
            barred=tuple(dict.fromkeys(one for rules in self.policies for one in rules.barred)),
            waivers=tuple(one for one in waivers if counts(one)),
            waivers_new=tuple(one for one in waivers if not counts(one)),
            stages_before=before,
        )

    def _approved(self, change: Change) -> Approvals | Unknown:
        """Who approved the change, where a rule asks for it."""
        rules = [rule for one in self.policies for rule in one.rules_for(change.environment, change.model)]
        if self.approvals is None or not any(rule.gate == "approval" for rule in rules):
            return Unknown("approvals were not looked for")
        ask = self.approvals
        return _try(lambda: ask(change))

    def _counts(self, waiver: Waiver) -> bool:
        """Whether an exception counts: it stood in the rules before this change, and still does."""
        return self.established and all(waiver in rules.waivers for rules in self.policies)

    def _look(self, change: Change, version: ObservedVersion) -> _Bytes:
        """Download a version once and look at its bytes."""
        place = (change.model, version.version)
        with self._locks.setdefault(place, Lock()):
            if place not in self._bytes:
                self.report(f"reading {change.model}/{version.version}")
                temporary = tempfile.TemporaryDirectory(prefix="promotion-", ignore_cleanup_errors=True)
                folder = Path(temporary.name) / "model"
                artifact = _try(lambda: self.registry.download(change.model, version.version, folder))
                form = artifact if isinstance(artifact, Unknown) else _try(lambda: formats.inspect(folder))
                signature = artifact if isinstance(artifact, Unknown) else _try(lambda: signatures.read(folder))
                self._bytes[place] = _Bytes(artifact, form, signature, temporary)
            return self._bytes[place]

    def _signatures(self, change: Change, model: ObservedModel | Unknown) -> Mapping[str, Signature | Unknown]:
        """The columns of what was applied, in the environments that a rule compares with: their bytes are read for no other reason."""
        asked = [
            rule.parameters
            for rules in self.policies
            for rule in rules.rules_for(change.environment, change.model)
            if rule.gate == "signature"
        ]
        memory = self.applied.get(change.model)
        if not asked or memory is None or change.kind is not ChangeKind.PROMOTE:
            return {}
        names = {getattr(one, "against", None) or change.environment for one in asked}
        found = {name: self._applied_signature(change, model, memory.bindings[name]) for name in sorted(names & memory.bindings.keys())}
        return {name: one for name, one in found.items() if one is not None}

    def _applied_signature(self, change: Change, model: ObservedModel | Unknown, binding: AppliedBinding) -> Signature | Unknown | None:
        """Of the version that a binding has, where its bytes are still those that were applied; None where it has none."""
        bound = binding.bound
        if bound is None:
            return None
        version = model.versions.get(bound.version) if not isinstance(model, Unknown) else None
        if version is None:
            return Unknown(f"version {bound.version}, which was applied, is not there any more", "bring it back, or waive this rule once")
        known = self._look(change, version)
        if known.folder is not None and version.version != change.after and (change.model, version.version) not in self._awaited:
            known.folder.cleanup()
            known.folder = None
        if not isinstance(known.artifact, Unknown) and known.artifact.digest != bound.digest:
            return Unknown(f"version {bound.version} has other bytes than were applied", "promotion drift --bytes tells more")
        return known.signature

    def _run_asked(self, change: Change, version: ObservedVersion) -> Run | Unknown | None:
        """The run that made a version, where a rule looks at it: a call for each change, of those that cost the server most."""
        if any(rule.gate in RUN_READERS for one in self.policies for rule in one.rules_for(change.environment, change.model)):
            return self._run(version)
        return Unknown("no rule asks for the run")

    def _run(self, version: ObservedVersion) -> Run | Unknown | None:
        run_id = version.identity.run_id
        if not run_id:
            return Unknown(
                "the version was registered without a run", "register it from a run: python -m train register --run ID --name NAME"
            )
        if run_id not in self._runs:
            self._runs[run_id] = _try(lambda: self.registry.run(run_id))
        return self._runs[run_id]

    def _lineage(
        self, version: ObservedVersion, run: Run | Unknown | None, known: Callable[[str], bool], where: str = "this repository"
    ) -> Lineage | Unknown:
        if isinstance(run, Unknown) and version.identity.run_id:
            return run
        return _try(lambda: trace(version, None if isinstance(run, Unknown) else run, known, where))

    def _lineages(self, change: Change, version: ObservedVersion, run: Run | Unknown | None) -> Mapping[str, Lineage | Unknown]:
        """The chain with its commit in each other repository that a rule names."""
        rules = [rule for one in self.policies for rule in one.rules_for(change.environment, change.model) if rule.gate == "lineage"]
        named = {where for rule in rules if (where := getattr(rule.parameters, "repository", None)) is not None}
        return {where: self._lineage(version, run, partial(self.in_history_of, where), where) for where in sorted(named)}

    def _root(self, position: int) -> Path:
        """Where the evaluators of one set of policies lie."""
        return self.root if position == 0 or self.root_applied is None else self.root_applied

    def _sources(self) -> Sequence[EvidenceSource]:
        return [*self.sources, *([FolderEvidence(self.folder)] if self.folder is not None else [])]

    def _evidence(self, change: Change, known: _Bytes, position: int) -> Mapping[str, Measured | Unknown]:
        """Evidence by evaluation under one set of policies: found, or measured now."""
        known_as = {
            one.name: self._need(change, known, one, self._root(position)) for one in self.policies[position].evaluations_for(change.model)
        }
        return {name: need if isinstance(need, Unknown) else self._measure(change, need) for name, need in known_as.items()}

    def _references(self, change: Change, position: int) -> Mapping[str, Reference | Unknown | None]:
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

    def _need(self, change: Change, known: _Bytes, evaluation: Evaluation, root: Path) -> Need | Unknown:
        """What measuring the version of a change takes."""
        artifact, form = known.artifact, known.format
        if isinstance(artifact, Unknown):
            return artifact
        if change.after is None:
            return Unknown("there is nothing to measure")
        key = _try(lambda: evaluate.evidence_key(artifact.digest, evaluation, root))
        if isinstance(key, Unknown):
            return key
        ref = ModelVersionRef(change.model, change.after, artifact.digest)

        def work(share: Share) -> Evidence:
            if isinstance(form, Unknown):
                raise evaluate.NotMeasured(form.reason, hint=form.hint)
            if known.folder is None:
                # The same version was looked at for a healing or a rollback, which measure nothing.
                return evaluate.evaluate(self.registry, ref, evaluation, root, by=self.by, now=self.clock, share=share)
            fetched = evaluate.Fetched(ref, Path(known.folder.name) / "model", artifact, form)
            return evaluate.measure(fetched, evaluation, root, by=self.by, now=self.clock, share=share)

        told = "" if isinstance(form, Unknown) else f"measuring {ref.name}/{ref.version} by {evaluation.name}"
        return Need(key, told, work)

    def _need_of_reference(self, ref: ModelVersionRef, evaluation: Evaluation, root: Path) -> Need | Unknown:
        """What measuring a version that a rule compares with takes."""
        if not matches(ref.name, evaluation.models):
            return Unknown(f"the evaluation {evaluation.name!r} is not for {ref.name!r}", "let its models match that name as well")
        key = _try(lambda: evaluate.evidence_key(ref.digest or "", evaluation, root))
        if isinstance(key, Unknown):
            return key

        def work(share: Share) -> Evidence:
            return evaluate.evaluate(self.registry, ref, evaluation, root, by=self.by, now=self.clock, share=share)

        return Need(key, f"measuring {ref.name}/{ref.version} by {evaluation.name}, to compare with it", work)

    def _measure(self, change: Change, need: Need) -> Measured | Unknown:
        allowed = self.measure and _may_be_measured(change)
        tried, before = self._measured.get(need.key, (False, None))
        if before is not None and (tried or isinstance(before, Measured) or not allowed):
            return before
        found = self._search(need.key, allowed=allowed) or self._kept(_try(lambda: self._ahead.measured(need, self.report)))
        self._measured[need.key] = (allowed, found)
        return found

    def _search(self, key: str, *, allowed: bool) -> Measured | Unknown | None:
        """Valid evidence at hand; None when there is none and it may be measured."""
        ahead = self._ahead.search(key)
        found = _try(lambda: search(self._sources(), key)) if ahead is None else ahead
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
            kept = _try(lambda: FolderEvidence(self.folder or Path()).put(evidence))
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


def _may_be_measured(change: Change) -> bool:
    """What only brings back an earlier version is not kept waiting: it is measured afterwards."""
    return change.kind is ChangeKind.PROMOTE


def _elsewhere(where: str) -> bool:
    """Nobody looks at other repositories here."""
    msg = f"{where} was not looked at"
    raise Unavailable(msg, hint="the gate looks there when a change is judged")


def _try(ask: Callable[[], T]) -> T | Unknown:
    """The answer, or why there is none."""
    try:
        return ask()
    except PromotionError as error:
        return Unknown(error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - a fact that cannot be had blocks its change alone
        return Unknown(f"{type(error).__name__}: {error}", "report this as a fault if it stays so")
