"""Bring back what was in an environment before: the registry first, then a hold, then the commit that says so in git.

Registry first, because that is where users are; if git cannot be reached afterwards, they are served well all the same.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from promotion import __version__
from promotion import rollback as returning
from promotion.changes import ChangeKind
from promotion.commits import at_hand, newest
from promotion.config.edit import edit
from promotion.domain import Bound, ModelVersionRef
from promotion.errors import Conflict, InvalidFiles, Unavailable, UsageError
from promotion.journal import EntryKind, Hold, RecordedChange, check_free, open_intent
from promotion.judging import judge
from promotion.plan import plan
from promotion.reconcile import Options, Outcome, apply
from promotion.releasing import check_release
from promotion.repository import at, working_files
from promotion.survey import Survey, Workspace, survey
from promotion.verdicts import Status
from promotion.waiting import deliver, with_waiting

if TYPE_CHECKING:
    from promotion.domain import Declared, Desired
    from promotion.git import Commit
    from promotion.journal import Journal

_TRIES = 5
"""How often a commit is put on top of what others pushed meanwhile."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a rollback did: the registry's part, what was held, and the commit (None when the file said so already)."""

    model: str
    environment: str
    before: Bound | None
    to: Bound
    outcome: Outcome
    hold: Hold | None
    commit: str | None
    branch: str | None = None
    """The remote's branch that the commit was pushed to: main's, or one of its own where main takes no push."""

    @property
    def pushed(self) -> bool:
        """Whether the remote has the commit."""
        return self.branch is not None


def rollback(
    workspace: Workspace, options: Options, name: str, environment: str, *, reason: str, push: bool, only: Bound | None = None
) -> Restored:
    """Return one environment of one model to its immediate predecessor in the journal; with ``only``, while that is what is applied.

    Raises UsageError when the model is not declared, NoPredecessor when there is nothing to return to, Conflict when something else than
    ``only`` is applied; otherwise as ``reconcile``. While the remote does not answer, the registry is brought back all the same, and the
    signed entry waits there for the next run. When the gates refuse (the bytes differ, the predecessor is on hold), nothing is
    written.
    """
    options, commit = _newest(workspace, options)
    declaration = at(workspace.git, commit.sha, workspace.layout)
    found = survey(workspace, declaration, to_write=True, fetch=not options.waits)
    if options.waits:
        state = with_waiting(workspace, found.state, found.observed)
        found = replace(found, state=state, applied=state.applied_all())
    elif deliver(workspace, found):
        found = survey(workspace, declaration, to_write=True)
    check_free(found.state, workspace.now(), break_lease=options.break_lease)
    declared = next((one for one in found.desired.bindings if (one.model, one.environment) == (name, environment)), None)
    if declared is None:
        raise UsageError(f"{environment} of {name!r} is not declared", hint=f"declared are: {', '.join(found.desired.models)}")
    memory = found.applied.get(name)
    before, to = returning.predecessor(memory, name, environment, only)
    assert memory is not None
    desired = returning.target(found.desired, memory, environment, to)
    aimed = replace(found, declaration=replace(found.declaration, desired=desired), plan=plan(desired, found.observed, found.applied))
    if aimed.plan.problems:
        # Nothing could be brought back, so there is nothing to hold and nothing to commit.
        raise InvalidFiles(aimed.plan.problems)
    # The same bytes under another number: a hold on them would bar what is brought back.
    held = None if before is None or before.digest == to.digest else _hold(workspace, name, environment, before, reason)
    # What was adopted may be rolled back before any commit was applied.
    last = commit if found.state.recorded is None else workspace.git.commit(found.state.recorded)
    outcome = _registry_first(workspace, options, aimed, held, last)
    if outcome.refused or outcome.unwritten or outcome.dry_run or outcome.entry is None:
        return Restored(name, environment, before, to, outcome, None, None)
    text = returning.message(name, environment, before, to, reason=reason, entry=outcome.entry)
    written = _commit(workspace, declared, to, text)
    restored = Restored(name, environment, before, to, outcome, held, written)
    if written is None or not push or options.remote is None or options.waits:
        return restored
    own = f"rollback-{outcome.entry[:12]}"
    commit_pushed, branch = _push(workspace, options.remote, written, expected=commit.sha, main=options.branch, own=own)
    return replace(restored, commit=commit_pushed, branch=branch)


def _newest(workspace: Workspace, options: Options) -> tuple[Options, Commit]:
    """The newest commit; while git hosting is down the one at hand, if this clone knows the journal: users come before the record."""
    try:
        return options, newest(workspace, options.remote, options.branch)
    except Unavailable:
        if workspace.journal.read(fetch=False).head is None:
            raise
        workspace.report(f"{options.remote} does not answer: going by what this clone knows of the journal")
        return replace(options, waits=True), at_hand(workspace)


def still_applied(journal: Journal, binding: Declared) -> Bound:
    """What is applied where ``binding`` declares its version; raises Conflict when that is not this version (any more)."""
    memory = journal.read().applied(binding.model)
    last = memory.bindings.get(binding.environment) if memory else None
    bound = last.bound if last else None
    if bound is None or bound.version != binding.version:
        now = f"version {bound.version}" if bound else "nothing"
        wanted = f"version {binding.version}" if binding.version else "the explicit none"
        raise Conflict(
            f"{binding.environment} of {binding.model!r} has {now}, not {wanted}, which that commit declared",
            hint=f"promotion history {binding.model} shows what was applied when; without --commit it goes back from what is applied now",
        )
    return bound


def change_hold(
    journal: Journal,
    by: str,
    now: datetime,
    action: str,
    version: str | None,
    environment: str,
    reason: str | None,
    *,
    declared: Desired | None = None,
) -> str:
    """Add or release a hold by an entry of its own; returns the entry's commit. ``declared`` is what main declares.

    Raises UsageError for what cannot be done, and as ``check_release``.
    """
    if not version or not reason:
        raise UsageError(
            f"hold {action} needs NAME/VERSION@sha256:DIGEST and --reason", hint="promotion hold list shows the holds in force"
        )
    try:
        ref = ModelVersionRef.parse(version)
    except ValueError as error:
        raise UsageError(str(error)) from error
    state = journal.read()
    if open_intent(state, now).entry is not None:
        raise Conflict(
            "a reconcile is under way or was left unfinished", hint="wait for it, or run promotion reconcile, which completes it"
        )
    if state.head is None or ref.digest is None:
        raise UsageError("a hold names a digest of something that was applied", hint="promotion history shows digests")
    same = [one for one in state.holds() if (one.model, one.environment, one.digest) == (ref.name, environment, ref.digest)]
    if action == "release" and not same:
        raise UsageError(f"{version} is not on hold in {environment}", hint="promotion hold list shows the holds in force")
    if action == "release":
        check_release(journal, state, same[0], by, declared)
    bound = Bound(ref.version, ref.digest)
    others = tuple(one for one in state.holds() if one.model == ref.name and one not in same)
    kept = (*others, Hold(ref.name, environment, ref.version, ref.digest, reason, now, by)) if action == "add" else others
    assert state.entry is not None
    entry = replace(
        state.entry,
        kind=EntryKind.HOLD if action == "add" else EntryKind.RELEASE,
        id=uuid.uuid4().hex,
        subject=reason,
        author=by,
        at=now,
        by=by,
        tool=__version__,
        plan=None,
        # What it concerns: the binding itself does not change.
        changes=(RecordedChange(ChangeKind.HEAL, ref.name, environment, bound, bound, (), Status.PASSED),),
        refusals=(),
        lease_until=None,
        takes_over=None,
    )
    return journal.append(state, entry, holds={ref.name: kept}).head or ""


def _push(workspace: Workspace, remote: str, commit: str, *, expected: str, main: str, own: str) -> tuple[str, str]:
    """Push HEAD's newest commit to main, on top of what others pushed meanwhile; to a branch of its own where main takes no push.

    Returns the commit as it was pushed, and the branch. Raises Conflict when neither is taken, or somebody changed the same lines.
    """
    git, reason = workspace.git, ""
    for _ in range(_TRIES):
        answer = git.push(remote, commit, f"refs/heads/{main}", expected=expected)
        if answer.accepted:
            return commit, main
        reason = answer.reason
        tip = git.fetch_tip(remote, main)
        if tip is None or tip == expected:  # nobody was faster: it does not take this push
            break
        commit, expected = git.rebase(onto=tip), tip
    aside = git.push(remote, commit, f"refs/heads/{own}", expected=None)
    if aside.accepted:
        git.back_to(expected)  # the next rollback starts at main again, and does not carry this commit
        return commit, own
    raise Conflict(
        f"the registry is back, but {remote} does not take commit {commit[:12]}: {reason}",
        hint=f"git pull --rebase {remote} {main} && git push, or open a pull request with it",
    )


def _registry_first(workspace: Workspace, options: Options, found: Survey, held: Hold | None, commit: Commit) -> Outcome:
    """Apply the rollback and record it with its hold, under the commit that was applied last."""
    judgement = judge(workspace, found, commit=commit.sha, measure=False)
    return apply(workspace, options, found, judgement, commit, holds=() if held is None else (held,))


def _hold(workspace: Workspace, name: str, environment: str, before: Bound, reason: str) -> Hold:
    return Hold(name, environment, before.version, before.digest, reason, workspace.now(), workspace.by)


def _commit(workspace: Workspace, declared: Declared, to: Bound, text: str) -> str | None:
    """Write the predecessor into the file and commit it; None when the file declares it already."""
    if declared.version == to.version:
        return None
    source = next(one for one in working_files(workspace.git, workspace.layout) if one.name == declared.place.file)
    content = edit(source, declared.model, declared.environment, returning.use(declared, to))
    (workspace.git.root / source.name).write_bytes(content)
    return workspace.git.commit_file([source.name], text)
