"""What the registry shows that differs from what was applied last, whatever git declares since; and healing it."""

from __future__ import annotations

from dataclasses import replace

from promotion.errors import UsageError
from promotion.journal import check_free
from promotion.plan import plan
from promotion.reconcile import Options, Outcome, apply
from promotion.record import restored
from promotion.repository import Declaration
from promotion.survey import Survey, Workspace, judge, survey


def find(workspace: Workspace, declaration: Declaration) -> Survey:
    """Survey against what was applied last: its plan holds healing alone."""
    found = survey(workspace, declaration)
    desired = restored(declaration.desired, found.applied, found.observed)
    return replace(
        found,
        declaration=replace(declaration, desired=desired),
        plan=plan(desired, found.observed, found.applied),
    )


def heal(workspace: Workspace, options: Options, declaration: Declaration) -> Outcome:
    """Restore what was applied last, and record it under the last applied commit. Raises as ``reconcile``."""
    found = find(workspace, declaration)
    check_free(found.state, workspace.now(), break_lease=options.break_lease)
    if found.state.recorded is None:
        raise UsageError("nothing was ever applied from this repository", hint="promotion reconcile applies what is declared")
    commit = workspace.git.commit(found.state.recorded)
    judgement = judge(workspace, found, commit=commit.sha, measure=False)
    return apply(workspace, options, found, judgement, commit)
