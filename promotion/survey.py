"""Observe, plan and judge: what plan, gate, drift, status, reconcile and rollback have in common. Nothing is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from promotion.changes import Plan
from promotion.domain import Desired, Observed
from promotion.errors import JournalError, Unavailable, UsageError
from promotion.plan import plan
from promotion.policies import matches
from promotion.repository import Declaration, Layout, desired_at, policies_at
from promotion.sources import committed, same
from promotion.verdicts import Decision

if TYPE_CHECKING:
    from promotion import facts as collecting
    from promotion.domain import AppliedModel
    from promotion.git import Git
    from promotion.journal import Journal, State
    from promotion.orders import Order, Orders
    from promotion.policies import Evaluation, Policies
    from promotion.pulls import PullRequest
    from promotion.registry.interface import Registry

JOURNAL_TAG = "promotion.journal"
"""The registered model's tag in which the registry keeps the journal's root and head: ``ROOT/HEAD``."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where the work is done: repository, registry, journal, the folder for evidence, who asks, and the clock."""

    git: Git
    layout: Layout
    registry: Registry
    journal: Journal
    evidence: Path | None
    by: str
    now: Callable[[], datetime]
    report: Callable[[str], None]
    """Progress, one line at a time."""
    author: str | None = None
    """Who promotes, as the host says: names divided by commas; None without a host."""
    pulls: Mapping[str, tuple[PullRequest, ...]] = field(default_factory=dict)
    """The pull requests that brought a commit, as the host says; empty without a host."""
    until: datetime | None = None
    """When all of it must be done; None: whenever it is."""
    jobs: int | None = None
    """How many versions are measured at once; None: as many as there are cores."""

    def in_time(self, doing: str) -> None:
        """Raise Unavailable (exit 5) when the time that was allowed is over before ``doing``."""
        if self.until is not None and self.now() >= self.until:
            raise Unavailable(
                f"the time allowed ran out before {doing}", hint="run it again: it goes on from what is done; --timeout allows more"
            )


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found: declared, observed, applied, and the plan that follows."""

    declaration: Declaration
    state: State
    observed: Observed
    applied: Mapping[str, AppliedModel]
    plan: Plan

    @property
    def desired(self) -> Desired:
        """What git declares."""
        return self.declaration.desired


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision, the statements of evidence behind it and the files of resamples that those name, by the statement's digest."""

    decision: Decision
    statements: Mapping[str, bytes]
    replicates: Mapping[str, bytes] = field(default_factory=dict)


def survey(
    workspace: Workspace, declaration: Declaration, *, base: str | None = None, to_write: bool = False, fetch: bool = True
) -> Survey:
    """Read the journal and the registry, and plan. With ``base``, only what differs from that commit's declaration.

    ``to_write``: the registry is read after the journal, not at the same time. Whoever then appends to that entry of the journal knows that
    no reconcile ended after the registry was read: else what is recorded as applied might not be what the registry shows.

    Raises JournalError when the journal does not verify, or is behind what the registry remembers of it.
    """
    desired = declaration.desired
    if base is not None:
        desired = since(workspace.git, workspace.layout, base, desired)
    state, applied, observed = _read(workspace, desired.models, at_once=not to_write, fetch=fetch)
    made = plan(desired, observed, applied, policies=declaration.policies.digest)
    return Survey(replace(declaration, desired=desired), state, observed, applied, made)


def _read(
    workspace: Workspace, models: tuple[str, ...], *, at_once: bool, fetch: bool
) -> tuple[State, Mapping[str, AppliedModel], Observed]:
    """The journal, what it says was applied, and the registry; at once, since both wait for somebody else most of the time, or in turn."""
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(workspace.registry.observe, models) if at_once else None
        state = workspace.journal.read(fetch=fetch)
        applied = state.applied_all()
        observed = early.result() if early else workspace.registry.observe(models)
    while True:
        try:
            check_memory(workspace.journal, state, observed)
        except JournalError:
            # A reconcile may have ended between the two readings. The registry is told of an entry after it was pushed: a journal that
            # has not grown since lacks it indeed.
            newer = workspace.journal.read(fetch=fetch)
            if newer.head == state.head:
                raise
            state, applied, observed = newer, newer.applied_all(), workspace.registry.observe(models)
        else:
            return state, applied, observed


def since(git: Git, layout: Layout, base: str, desired: Desired) -> Desired:
    """The bindings of the models whose declaration differs from the one in ``base`` (where they parted, if they did)."""
    head = git.resolve("HEAD")
    start = git.merge_base(git.resolve(base), head) or git.resolve(base)
    before = desired_at(git, start, layout)
    old = {(b.model, b.environment): (b.version, b.digest) for b in before.bindings} if before else {}
    changed = {b.model for b in desired.bindings if old.get((b.model, b.environment), (None, None)) != (b.version, b.digest)}
    changed |= {model for model, environment in old if (model, environment) not in {(b.model, b.environment) for b in desired.bindings}}
    return replace(desired, bindings=tuple(b for b in desired.bindings if b.model in changed))


def judge(
    workspace: Workspace, found: Survey, *, commit: str, measure: bool, model: str | None = None, base: str | None = None
) -> Judgement:
    """Collect the facts of every change and let the rules of ``declaration`` and of the last applied commit decide.

    ``measure`` False judges with the evidence at hand. ``model`` restricts the decision to one model. ``base`` says that a pull
    request against it is judged.
    """
    # Here, since commands that judge nothing are spared the time that it takes to import them.
    from promotion.approvals import Reader
    from promotion.decide import decide

    made = found.plan if model is None else only(found.plan, model)
    head = found.declaration.policies
    changed = None if base is None else touched(workspace, head, base)
    approvals = cache(lambda: Reader(workspace, found, commit, judged_before(workspace, found, commit)))
    with before(workspace, found, commit) as (earlier, root):
        policies = (head,) if earlier is None else (head, earlier)
        collector = replace(
            collector_of(workspace, found, commit, policies),
            measure=measure,
            touched=changed,
            root_applied=root,
            established=judged_before(workspace, found, commit) is not None,
            approvals=lambda change: approvals().of(change),
        )
        facts = collector.collect_all(made.changes)
    return Judgement(decide(made, head, earlier, facts), collector.statements, collector.replicates)


def collector_of(workspace: Workspace, found: Survey, commit: str, policies: tuple[Policies, ...]) -> collecting.Collector:
    """What collects the facts of one survey; it measures nothing and looks for evidence in the journal and the folder."""
    from promotion import facts as collecting

    heads = cache(partial(_head_of, workspace.git))
    return collecting.Collector(
        registry=workspace.registry,
        root=workspace.git.root,
        observed=found.observed,
        applied=found.applied,
        holds=found.state.holds(),
        environments=tuple(environment.name for environment in found.desired.environments),
        policies=policies,
        sources=(found.state,),
        folder=workspace.evidence,
        in_history=cache(lambda sha: in_history(workspace.git, sha, commit)),
        in_history_of=cache(lambda where, sha: in_history(workspace.git, sha, heads(where))),
        now=workspace.now(),
        by=workspace.by,
        measure=False,
        established=found.state.recorded is not None,
        report=workspace.report,
        jobs=workspace.jobs,
    )


def judged_before(workspace: Workspace, found: Survey, commit: str) -> str | None:
    """The commit whose rules judge beside those of ``commit``: the newest recorded one that is another; None where there is none.

    A commit that was recorded with refusals is judged again by the same two sets of rules, however often the job is started again: else
    the second run would let in what came with rules of its own. A commit that this clone does not have counts as none.
    """
    recorded = found.state.recorded
    if recorded == commit and found.plan.changes:
        recorded = next((one.entry.recorded for one in workspace.journal.entries() if one.entry.recorded != commit), None)
    return recorded if recorded not in {None, commit} and workspace.git.contains(recorded or "") else None


@contextmanager
def before(workspace: Workspace, found: Survey, commit: str) -> Iterator[tuple[Policies | None, Path | None]]:
    """The rules of the last applied commit, which judge as well (rule 5), and a folder with its evaluators.

    None and None where nothing was applied yet, or both are the same as those that judge anyway.
    """
    recorded = judged_before(workspace, found, commit)
    if recorded is None:
        yield None, None
        return
    head, earlier = found.declaration.policies, policies_at(workspace.git, recorded, workspace.layout)
    with committed(workspace.git, recorded, earlier) as root:
        if earlier.digest == head.digest and same(workspace.git.root, root, head.evaluations):
            yield None, None
        else:
            yield earlier, root


@contextmanager
def evaluating(workspace: Workspace, found: Survey, commit: str) -> Iterator[tuple[tuple[str, Policies, Path], ...]]:
    """The sets of rules that judge a commit: the commit they are of, the rules, and the folder in which their evaluators lie."""
    own = (commit, found.declaration.policies, workspace.git.root)
    recorded = judged_before(workspace, found, commit)
    with before(workspace, found, commit) as (earlier, root):
        yield (own,) if earlier is None or root is None or recorded is None else (own, (recorded, earlier, root))


@contextmanager
def ordered(git: Git, layout: Layout, orders: Orders) -> Iterator[tuple[tuple[Order, Evaluation, Path], ...]]:
    """Each order with its evaluation, and the folder in which its evaluator lies.

    Raises UsageError when this checkout is not the commit that was fetched for, or has no such evaluation.
    """
    head = git.resolve("HEAD")
    if head != orders.commit:
        raise UsageError(f"this checkout is at {head[:12]}, but {orders.commit[:12]} was fetched for", hint=f"git checkout {orders.commit}")
    rules = {sha: policies_at(git, sha, layout) for sha in {order.policies for order in orders.orders}}
    with ExitStack() as folders:
        roots = {sha: git.root if sha == head else folders.enter_context(committed(git, sha, one)) for sha, one in rules.items()}
        found = []
        for order in orders.orders:
            evaluation = next((one for one in rules[order.policies].evaluations_for(order.model) if one.name == order.evaluation), None)
            if evaluation is None:
                raise UsageError(
                    f"commit {order.policies[:12]} has no evaluation {order.evaluation!r} for {order.model!r}", hint="fetch again"
                )
            found.append((order, evaluation, roots[order.policies]))
        yield tuple(found)


def unchanged(git: Git, layout: Layout, base: str, desired: Desired) -> bool:
    """Whether nothing is declared otherwise than in ``base``: such a change needs no registry to be judged."""
    return not since(git, layout, base, desired).bindings


def touched(workspace: Workspace, policies: Policies, base: str) -> tuple[str, ...]:
    """What changes since ``base`` of all that judges: files of the policies folder, and evaluators' sources."""
    git, folder = workspace.git, workspace.layout.policies
    head = git.resolve("HEAD")
    start = git.merge_base(git.resolve(base), head) or git.resolve(base)
    patterns = tuple(pattern for evaluation in policies.evaluations for pattern in evaluation.sources)
    changed = {*git.changed_paths(start, head), *git.dirty(())}
    judging = (path for path in changed if (path.startswith(f"{folder}/") and not path.endswith(".md")) or matches(path, patterns))
    return tuple(sorted(judging))


def only(made: Plan, model: str) -> Plan:
    """The part of a plan that concerns one model."""
    return replace(
        made,
        changes=tuple(change for change in made.changes if change.model == model),
        operations=tuple(operation for operation in made.operations if operation.model == model),
    )


def in_history(git: Git, sha: str, commit: str) -> bool:
    """Whether ``sha`` is a commit in the history of ``commit``. Raises UsageError in a shallow clone, which cannot tell."""
    if git.contains(sha) and git.is_ancestor(sha, commit):
        return True
    if git.is_shallow():
        raise UsageError("a shallow clone cannot tell what is in its history", hint="git fetch --unshallow")
    return False


def _head_of(git: Git, address: str) -> str:
    """The newest commit of the main branch of another repository, with its history; raises Unavailable when it does not answer."""
    here = f"refs/promotion/lineage/{hashlib.sha256(address.encode()).hexdigest()[:16]}"
    git.fetch(address, f"+HEAD:{here}")
    return git.resolve(here)


def check_memory(journal: Journal, state: State, observed: Observed) -> None:
    """Compare the journal with what the registry remembers of its head. Raises JournalError when they do not belong together.

    Reading the journal verifies its newest entry alone; what was added since the newest entry that the registry remembers is
    verified here, entry by entry, so that the holder of a removed key cannot slip two entries in.
    """
    remembered = {name: tag for name, model in sorted(observed.models.items()) if (tag := model.tags.get(JOURNAL_TAG))}
    # One process for all models: each may remember an entry of its own.
    entries = journal.git.first_parents(state.head) if remembered and state.head else ()
    known = frozenset(entries)
    for name, tag in remembered.items():
        root, _, head = tag.partition("/")
        if state.root != root:
            raise JournalError(
                f"{name!r} belongs to another journal: it starts at {root[:12]}, this one at {(state.root or 'nothing')[:12]}",
                hint=f"run this in the repository that owns {name}; "
                f"if the journal was replaced on purpose, delete the tag {JOURNAL_TAG} of the model",
            )
        if head not in known:
            raise JournalError(
                f"the journal was cut: the registry remembers entry {head[:12]} for {name!r}, which the branch no longer has",
                hint=f"restore the branch from a clone that has this entry: git push origin {head[:12]}:refs/heads/promotion-journal",
            )
    heads = {tag.partition("/")[2] for tag in remembered.values()}
    newest = next((sha for sha in entries if sha in heads), None)
    if newest not in {None, state.head} and (faults := journal.verify(since=newest, fetch=False)):
        raise JournalError(f"the journal does not verify: {faults[0]}", hint="promotion journal verify shows every fault")
