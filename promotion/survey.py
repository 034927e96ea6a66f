"""Observe and plan: what plan, gate, drift, status, reconcile and rollback have in common. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from promotion.changes import Plan
from promotion.cycles import collector_paused
from promotion.domain import Desired, Observed
from promotion.errors import JournalError, Unavailable
from promotion.plan import plan
from promotion.remembered import check_memory
from promotion.repository import Declaration, Layout, desired_at

if TYPE_CHECKING:
    from promotion.domain import AppliedModel
    from promotion.git import Git
    from promotion.journal import Journal, State
    from promotion.pulls import PullRequest
    from promotion.registry.interface import Registry


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


@collector_paused()
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
    workspace.report(f"reading the journal and the registry at {workspace.registry.address}; declared models: {len(models)}")
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


def unchanged(git: Git, layout: Layout, base: str, desired: Desired) -> bool:
    """Whether nothing is declared otherwise than in ``base``: such a change needs no registry to be judged."""
    return not since(git, layout, base, desired).bindings


def only(made: Plan, model: str) -> Plan:
    """The part of a plan that concerns one model."""
    return replace(
        made,
        changes=tuple(change for change in made.changes if change.model == model),
        operations=tuple(operation for operation in made.operations if operation.model == model),
    )
