"""Let the rules judge what a survey found: those of a commit, and beside them those of the last applied one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from promotion.errors import UsageError
from promotion.policies import matches
from promotion.repository import Layout, policies_at
from promotion.sources import committed, same
from promotion.survey import Survey, Workspace, only
from promotion.verdicts import Decision

if TYPE_CHECKING:
    from promotion import facts as collecting
    from promotion.git import Git
    from promotion.orders import Order, Orders
    from promotion.policies import Evaluation, Policies


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision, the statements of evidence behind it and the files of resamples that those name, by the statement's digest."""

    decision: Decision
    statements: Mapping[str, bytes]
    replicates: Mapping[str, bytes] = field(default_factory=dict)


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
        statement=found.state.evidence,
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


def touched(workspace: Workspace, policies: Policies, base: str) -> tuple[str, ...]:
    """What changes since ``base`` of all that judges: files of the policies folder, and evaluators' sources and locks."""
    git, folder = workspace.git, workspace.layout.policies
    head = git.resolve("HEAD")
    start = git.merge_base(git.resolve(base), head) or git.resolve(base)
    patterns = tuple(pattern for evaluation in policies.evaluations for pattern in evaluation.files)
    changed = {*git.changed_paths(start, head), *git.dirty(())}
    judging = (path for path in changed if (path.startswith(f"{folder}/") and not path.endswith(".md")) or matches(path, patterns))
    return tuple(sorted(judging))


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
