"""Collects what gates may know of a change: registry, artifact, lineage, journal, evidence, the time.

Every failure becomes an Unknown with its reason, never an exception: one model that cannot be looked at must not keep the
others from being judged. An artifact is downloaded once for each version (again
only when a version is both healed and promoted, and needs measuring for that).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from promotion.abreast import Abreast
from promotion.ahead import Need
from promotion.attempt import attempt
from promotion.changes import Change, ChangeKind
from promotion.errors import Unavailable
from promotion.evidence import Evidence
from promotion.gates.interface import Approvals, Facts, Lineage, Signature, Unknown
from promotion.kept import EvidenceSource
from promotion.lineage import trace
from promotion.looks import Look, Looks
from promotion.measurements import Measurements

if TYPE_CHECKING:
    from promotion.domain import AppliedBinding, AppliedModel, Observed, ObservedModel, ObservedVersion
    from promotion.policies import Policies, Rule
    from promotion.registry.interface import Registry, Run
    from promotion.verdicts import Waiver

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
    statement: Callable[[str], bytes | None] = lambda _: None
    """A statement that the journal keeps, by its digest."""
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
    _looks: Looks = field(init=False)
    _measurements: Measurements = field(init=False)
    _runs: dict[str, Run | Unknown | None] = field(default_factory=dict)
    _rules: dict[tuple[str, str], tuple[Rule, ...]] = field(default_factory=dict)
    _awaited: set[_Place] = field(default_factory=set)
    """Versions whose bytes are needed until their own change is judged."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_looks", Looks(self.registry, self.report))
        measurements = Measurements(
            registry=self.registry,
            root=self.root,
            root_applied=self.root_applied,
            applied=self.applied,
            policies=self.policies,
            sources=self.sources,
            statement=self.statement,
            folder=self.folder,
            by=self.by,
            measure=self.measure,
            clock=self.clock,
            report=self.report,
            statements=self.statements,
            replicates=self.replicates,
        )
        object.__setattr__(self, "_measurements", measurements)

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
        promoted = {place for place, group in groups.items() if any(map(self._measurements.measures, group))}
        with (
            ThreadPoolExecutor(AHEAD) as fetching,
            ThreadPoolExecutor(1) as ordering,
            Abreast(self.jobs, most=len(promoted), report=self.report) as measuring,
        ):

            def begin(needs: Future[list[Need]]) -> tuple[Future[Evidence], ...]:
                return self._measurements.begin(needs.result(), measuring)

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
        known = self._looks.at(group[0].model, version)
        for change in group:
            self._run_asked(change, version)
        promotions = filter(self._measurements.measures, group)
        needs = [need for change in promotions for need in self._measurements.needs(change, known)]
        if not needs:
            # Nobody will ask for the bytes: removing them takes a disk as long as writing them, and here nobody waits for it.
            known.drop()
        return needs

    def _facts(self, change: Change, model: ObservedModel | Unknown, version: ObservedVersion | Unknown) -> Facts:
        known = Look(version, version, version, None) if isinstance(version, Unknown) else self._looks.at(change.model, version)
        run = version if isinstance(version, Unknown) else self._run_asked(change, version)
        evidence = [self._measurements.evidence(change, known, position) for position in range(len(self.policies))] or [{}]
        references = [self._measurements.references(change, position) for position in range(len(self.policies))] or [{}]
        # All that can be asked of the bytes was asked; another environment of the same version gets the same answers.
        known.drop()
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

    def _rules_of(self, change: Change) -> tuple[Rule, ...]:
        """The rules of all sets that judge a change: found once, since each kind of fact asks for them."""
        place = (change.environment, change.model)
        if place not in self._rules:
            self._rules[place] = tuple(rule for one in self.policies for rule in one.rules_for(*place))
        return self._rules[place]

    def _approved(self, change: Change) -> Approvals | Unknown:
        """Who approved the change, where a rule asks for it."""
        if self.approvals is None or not any(rule.gate == "approval" for rule in self._rules_of(change)):
            return Unknown("approvals were not looked for")
        ask = self.approvals
        return attempt(lambda: ask(change))

    def _counts(self, waiver: Waiver) -> bool:
        """Whether an exception counts: it stood in the rules before this change, and still does."""
        return self.established and all(waiver in rules.waivers for rules in self.policies)

    def _signatures(self, change: Change, model: ObservedModel | Unknown) -> Mapping[str, Signature | Unknown]:
        """The columns of what was applied, in the environments that a rule compares with: their bytes are read for no other reason."""
        asked = [rule.parameters for rule in self._rules_of(change) if rule.gate == "signature"]
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
        known = self._looks.at(change.model, version)
        if version.version != change.after and (change.model, version.version) not in self._awaited:
            known.drop()
        if not isinstance(known.artifact, Unknown) and known.artifact.digest != bound.digest:
            return Unknown(f"version {bound.version} has other bytes than were applied", "promotion drift --bytes tells more")
        return known.signature

    def _run_asked(self, change: Change, version: ObservedVersion) -> Run | Unknown | None:
        """The run that made a version, where a rule looks at it: a call for each change, of those that cost the server most."""
        if any(rule.gate in RUN_READERS for rule in self._rules_of(change)):
            return self._run(version)
        return Unknown("no rule asks for the run")

    def _run(self, version: ObservedVersion) -> Run | Unknown | None:
        run_id = version.identity.run_id
        if not run_id:
            return Unknown(
                "the version was registered without a run", "register it from a run: python -m train register --run ID --name NAME"
            )
        if run_id not in self._runs:
            self._runs[run_id] = attempt(lambda: self.registry.run(run_id))
        return self._runs[run_id]

    def _lineage(
        self, version: ObservedVersion, run: Run | Unknown | None, known: Callable[[str], bool], where: str = "this repository"
    ) -> Lineage | Unknown:
        if isinstance(run, Unknown) and version.identity.run_id:
            return run
        return attempt(lambda: trace(version, None if isinstance(run, Unknown) else run, known, where))

    def _lineages(self, change: Change, version: ObservedVersion, run: Run | Unknown | None) -> Mapping[str, Lineage | Unknown]:
        """The chain with its commit in each other repository that a rule names."""
        asked = [rule.parameters for rule in self._rules_of(change) if rule.gate == "lineage"]
        named = {where for one in asked if (where := getattr(one, "repository", None)) is not None}
        return {where: self._lineage(version, run, partial(self.in_history_of, where), where) for where in sorted(named)}


def _elsewhere(where: str) -> bool:
    """Nobody looks at other repositories here."""
    msg = f"{where} was not looked at"
    raise Unavailable(msg, hint="the gate looks there when a change is judged")
