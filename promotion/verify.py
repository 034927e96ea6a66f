"""What is bound now, looked at anew: as readers find it, in a fresh process, against the gates of its environment.

Three questions of each binding: do readers by stage and by alias get what was applied; does measuring it again give what the evidence
says; do the rules in force still let it pass. Evidence that no longer counts, because its data, evaluator or settings changed, is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from promotion import evaluate
from promotion.abreast import Abreast
from promotion.changes import Change, ChangeKind, Plan
from promotion.decide import decide
from promotion.domain import AppliedBinding, Bound, Environment, ModelVersionRef, Place
from promotion.errors import Exit, PromotionError, UsageError
from promotion.evidence import Evidence, changed, read
from promotion.judging import collector_of
from promotion.kept import FolderEvidence, search
from promotion.plan import expected, shown
from promotion.survey import Survey, Workspace, survey
from promotion.verdicts import Judged, Status, Verdict

if TYPE_CHECKING:
    from promotion.confine import Share
    from promotion.policies import Evaluation
    from promotion.repository import Declaration

TOLERANCE = 0.005
"""How far a figure may lie from its evidence, as a share where it is above 1: another processor rounds otherwise."""

_MEASURED_BY_TIME = frozenset({"seconds_per_row"})


@dataclass(frozen=True, slots=True)
class Verified:
    """One binding with what was found: ``judged`` holds the verdicts of ``readers``, ``evidence`` and of every rule.

    ``fresh`` is what was measured now. ``stale`` tells why evidence at hand no longer counts, by the evaluation's name.
    """

    judged: Judged
    bound: Bound
    unverified: bool
    fresh: tuple[Evidence, ...]
    stale: Mapping[str, str]


def verify(
    workspace: Workspace,
    declaration: Declaration,
    *,
    name: str | None = None,
    environment: str | None = None,
    since: str | None = None,
    measure: bool = True,
) -> tuple[Verified, ...]:
    """Verify what was applied last: every binding, or those of one model or environment, or those applied after an entry of the journal.

    ``measure`` False runs no model code: what was measured anew is looked for in the workspace's folder of evidence, and nowhere else.
    Nothing is written. Raises UsageError when nothing such was applied, or there is no such entry; otherwise as ``survey``.
    """
    found = survey(workspace, declaration)
    chosen = _chosen(workspace, found, name, environment, since)
    if not chosen and since is None:
        what = " of ".join(one for one in (environment, name) if one) or "this repository"
        raise UsageError(f"nothing that can be verified was applied: {what}", hint="promotion status shows what was applied")
    with Abreast(workspace.jobs, most=len(chosen) if measure else 0, report=workspace.report) as pool:
        asked = [_ask(workspace, found, one[0], one[2], pool if measure else None) for one in chosen]
        return tuple(_verify(workspace, found, *one, fresh) for one, fresh in zip(chosen, asked, strict=True))


def refs(workspace: Workspace, found: Survey, *, name: str | None, since: str) -> tuple[ModelVersionRef, ...]:
    """The versions with their digests that ``verify`` would look at."""
    bound = ((model, binding.bound) for model, _, binding in _chosen(workspace, found, name, None, since))
    return tuple(ModelVersionRef(model, one.version, one.digest) for model, one in bound if one is not None)


def _chosen(
    workspace: Workspace, found: Survey, name: str | None, environment: str | None, since: str | None
) -> list[tuple[str, str, AppliedBinding]]:
    only = None
    if since not in {None, "none"}:
        only = {(change.model, change.environment) for one in workspace.journal.after(since or "") for change in one.entry.changes}
    return [
        (model, one.name, binding)
        for model, memory in sorted(found.applied.items())
        for one in found.desired.environments
        if (binding := memory.bindings.get(one.name)) is not None and binding.bound is not None
        if name in {None, model} and environment in {None, one.name} and model in found.observed.models
        if only is None or (model, one.name) in only
    ]


def verdict(found: Iterable[Verified]) -> Exit:
    """ERRORED for what could not be measured or told, else FAILED, else DONE."""
    statuses = {one.judged.status for one in found}
    if statuses & {Status.ERRORED, Status.INCONCLUSIVE}:
        return Exit.ERRORED
    return Exit.FAILED if Status.FAILED in statuses else Exit.DONE


def _verify(
    workspace: Workspace, found: Survey, name: str, environment: str, binding: AppliedBinding, looks: Mapping[str, _Look]
) -> Verified:
    assert binding.bound is not None
    bound, model = binding.bound, found.observed.models[name]
    place = next((b.place for b in found.desired.bindings if (b.model, b.environment) == (name, environment)), Place(name, 1, 1))
    now = shown(next(one for one in found.desired.environments if one.name == environment), model)
    change = Change(ChangeKind.VERIFY, name, environment, bound.version, bound.version, now, bound.digest, place)
    fresh = {evaluation: look() for evaluation, look in looks.items()}
    measured = [one for one in fresh.values() if isinstance(one, Evidence)]
    head = workspace.git.resolve("HEAD")
    collector = replace(collector_of(workspace, found, head, (found.declaration.policies,)), sources=(_Given(measured),), folder=None)
    facts = collector.collect(change)
    made = Plan(found.plan.target, (change,), (), (), found.plan.digest)
    (judged,) = decide(made, found.declaration.policies, None, {(name, environment): facts}).judged
    stale = dict(_stale(workspace, found, binding, bound.digest, measured))
    verdicts = (
        _readers(change, found.desired.environments, found.applied[name].bindings),
        *_agreement(change, found, fresh, stale),
        *judged.verdicts,
    )
    return Verified(replace(judged, verdicts=verdicts), bound, binding.unverified, tuple(measured), stale)


_Look = Callable[[], Evidence | PromotionError]


def _ask(workspace: Workspace, found: Survey, name: str, binding: AppliedBinding, pool: Abreast | None) -> Mapping[str, _Look]:
    """By evaluation, how to get what is measured of a binding now: begun in the pool; without one, what another step measured."""
    assert binding.bound is not None
    ref = ModelVersionRef(name, binding.bound.version, binding.bound.digest)
    asked: dict[str, _Look] = {}
    for one in found.declaration.policies.evaluations_for(name):
        if pool is None:
            asked[one.name] = partial(_measured, workspace, ref, one)
        else:
            asked[one.name] = pool.submit(f"measuring {name}/{ref.version} by {one.name}", partial(_measure, workspace, ref, one)).result
    return asked


def _measure(workspace: Workspace, ref: ModelVersionRef, evaluation: Evaluation, share: Share) -> Evidence | PromotionError:
    try:
        return evaluate.evaluate(workspace.registry, ref, evaluation, workspace.git.root, by=workspace.by, now=workspace.now, share=share)
    except PromotionError as error:
        return error


def _measured(workspace: Workspace, ref: ModelVersionRef, evaluation: Evaluation) -> Evidence | PromotionError:
    """What another step measured of these bytes."""
    lacking = evaluate.NotMeasured("it was not measured anew", hint="promotion fetch FOLDER --since ENTRY, then promotion measure FOLDER")
    if workspace.evidence is None or ref.digest is None:
        return lacking
    try:
        key = evaluate.evidence_key(ref.digest, evaluation, workspace.git.root)
    except PromotionError as error:
        return error
    return search((FolderEvidence(workspace.evidence),), key).evidence or lacking


@dataclass(frozen=True, slots=True)
class _Given:
    """Evidence at hand, as a source."""

    evidence: Sequence[Evidence]

    def find(self, key: str) -> Sequence[bytes]:
        return tuple(one.to_bytes() for one in self.evidence if one.key == key)

    def resampled(self, key: str, digest: str) -> bytes | None:
        return next((one.resampled for one in self.evidence if (one.key, one.replicates) == (key, digest)), None)


def _readers(change: Change, environments: tuple[Environment, ...], bindings: Mapping[str, AppliedBinding]) -> Verdict:
    """Whether who reads by stage and who reads by alias gets what was applied."""
    applied = {where: one.bound.version if one.bound else None for where, one in bindings.items()}
    wanted = expected([one for one in environments if one.name in applied], applied, change.environment)
    status = Status.PASSED if change.shown == wanted else Status.FAILED
    hint = None if status is Status.PASSED else "promotion drift tells more; promotion drift --heal restores it"
    return _verdict(change, "readers", status, f"readers get {wanted}", f"they get {change.shown}", hint)


def _agreement(
    change: Change, found: Survey, fresh: Mapping[str, Evidence | PromotionError], stale: Mapping[str, str]
) -> Iterator[Verdict]:
    """Whether measuring again gives what the signed evidence says; where there is none that counts, that it was measured anew."""
    for name, now in fresh.items():
        wanted = f"{name} measures what its evidence says, to {TOLERANCE}"
        if isinstance(now, PromotionError):
            yield _verdict(change, "evidence", Status.ERRORED, wanted, f"it could not be measured: {now.message}", now.hint)
            continue
        before = search((found.state,), now.key).evidence
        if before is None:
            told = stale.get(name, "no evidence was kept")
            hint = "the rules judge what was measured now"
            yield _verdict(change, "evidence", Status.WARNED, wanted, f"{told}; it was measured anew", hint)
            continue
        apart = [figure for figure, value in before.figures.items() if _differ(figure, value, now)]
        status = Status.FAILED if apart else Status.PASSED
        got = f"{len(before.figures)} figures agree with evidence {before.digest[:12]}"
        if apart:
            old, new = before.figures[apart[0]], now.figures.get(apart[0], math.nan)
            got = f"{apart[0]} is {new:.4f}, where evidence {before.digest[:12]} says {old:.4f} ({len(apart)} figures differ)"
        yield _verdict(change, "evidence", status, wanted, got)


def _differ(figure: str, before: float, now: Evidence) -> bool:
    value = now.figures.get(figure, math.nan)
    both_undefined = math.isnan(before) and math.isnan(value)
    return figure not in _MEASURED_BY_TIME and not both_undefined and not abs(before - value) <= TOLERANCE * max(1.0, abs(before))


def _stale(
    workspace: Workspace, found: Survey, binding: AppliedBinding, artifact: str, measured: Iterable[Evidence]
) -> Iterator[tuple[str, str]]:
    """What changed since the evidence that this was applied on, for each evaluation whose evidence no longer counts."""
    kept = {one.evaluation: one for digest in binding.evidence if (one := _kept(found, digest)) is not None and one.artifact == artifact}
    for now in measured:
        before = kept.get(now.evaluation)
        if before is not None and before.key != now.key:
            what = " and ".join(changed(before, now.dataset, now.evaluator, now.settings))
            workspace.report(f"{now.subject}: {what} changed since it was measured")
            yield now.evaluation, f"{what} changed since evidence {before.digest[:12]}"


def _kept(found: Survey, digest: str) -> Evidence | None:
    """A statement of the journal by its name; None when it is not there or not sound."""
    data = found.state.evidence(digest)
    try:
        return None if data is None else read(data)
    except PromotionError:
        return None


def _verdict(change: Change, gate: str, status: Status, wanted: str, got: str, hint: str | None = None) -> Verdict:
    return Verdict(gate, status, change.model, change.environment, change.after, wanted, got, hint, change.place)
