"""reconcile, rollback, hold: the commands that write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promotion.cli import build
from promotion.cli.judge import JOBS, NO_MEASURE, read_agreed
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import show
from promotion.errors import Exit, UsageError

if TYPE_CHECKING:
    from promotion.reconcile import Options
    from promotion.restore import Restored

IF_NEWEST = click.option(
    "--if-newest", is_flag=True, help="Do nothing where main has moved on meanwhile: who pushed that applies it, and this with it."
)
BREAK_LEASE = click.option(
    "--break-lease", is_flag=True, help="Take over from a reconcile that still holds the lock, knowing that it is dead."
)


TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop before the next step when this time is over; what is left is done by the next run.",
)


@click.command(cls=Command)
@shared
@click.option(
    "--plan", "agreed", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Apply exactly this plan, or refuse (exit 6)."
)
@click.option("--max-changes", type=click.IntRange(min=0), metavar="N", help="Allow N changes at once, this time.")
@click.option("--dry-run", is_flag=True, help="Judge and show, but write nothing.")
@click.option(
    "--lease", type=click.FloatRange(min=30), default=300.0, show_default=True, metavar="SECONDS", help="How long the lock may be held."
)
@click.option("--allow-older", is_flag=True, help="Apply this commit although it does not descend from the last applied one.")
@IF_NEWEST
@BREAK_LEASE
@TIMEOUT
@NO_MEASURE
@JOBS
def reconcile(
    options: Shared,
    agreed: Path | None,
    timeout: float,
    jobs: int | None,
    if_newest: bool,  # noqa: FBT001 - click's values
    **chosen: Any,  # noqa: ANN401 - the fields of Options
) -> int:
    """Make the registry match the newest commit: judge, write what differs, read back, record in the journal.

    A refused model is left as it was applied last and the others go on; the exit code is then 4 or 5. Running it again changes nothing.
    """
    from promotion.commits import NotNewest
    from promotion.reconcile import Options
    from promotion.reconcile import reconcile as run

    workspace = build.workspace(options, timeout, jobs=jobs)
    settings = Options(remote=workspace.journal.remote, branch=options.branch or "main", agreed=read_agreed(agreed), **chosen)
    try:
        outcome = run(workspace, settings)
    except NotNewest as moved:
        if not if_newest:
            raise
        show(options, "nothing", f"nothing was done: {moved.message}; its own run applies it")
        return Exit.DONE
    show(options, "outcome", outcome)
    return outcome.exit_code


@click.command(cls=Command)
@shared
@click.argument("name", required=False)
@click.argument("environment", required=False)
@click.option("--commit", metavar="REF", help="Roll back what this commit promoted: NAME and ENVIRONMENT choose where it promoted several.")
@click.option("--over-later", is_flag=True, help="With --commit, also where a later commit declares something else there.")
@click.option(
    "--failed", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Instead, all that failed in this file of verify --out."
)
@click.option("--reason", default="Rolled back by hand.", show_default=True, help="Why; stands in the commit, the hold and the journal.")
@click.option("--push", is_flag=True, help="Push the commit to the branch, or to one of its own where that takes no push.")
@click.option("--apply", "then", is_flag=True, help="Then reconcile, where the commit is on main: a job's own push starts no workflow.")
@BREAK_LEASE
def rollback(
    options: Shared,
    name: str | None,
    environment: str | None,
    commit: str | None,
    failed: Path | None,
    reason: str,
    push: bool,  # noqa: FBT001 - click's values
    then: bool,  # noqa: FBT001 - click's values
    **chosen: bool,
) -> int:
    """Bring back the version that was in ENVIRONMENT (production) before: the registry first, then a hold, then the commit.

    The hold keeps the version that was rolled back from being applied again until a person releases it (promotion hold release). With
    --failed, a version that has no predecessor stays in service, on hold (exit 4).
    """
    from promotion.failed import answer, read
    from promotion.reconcile import Options
    from promotion.restore import rollback as run

    if (name is None and commit is None) == (failed is None):
        hint = "name the model, or give --commit REF, or --failed FILE, which promotion verify --out wrote"
        raise UsageError("what is to be rolled back?", hint=hint)
    if then and options.format == "json":
        raise UsageError(
            "--apply has two results, and JSON is one document", hint="leave --apply out, and run promotion reconcile after it"
        )
    workspace = build.workspace(options)
    settings = Options(remote=workspace.journal.remote, branch=options.branch or "main", break_lease=chosen["break_lease"])
    if failed is not None:
        found = answer(workspace, settings, read(failed), push=push)
        show(options, "answered", found)
        done = max((one.exit_code for one in found), default=Exit.DONE)
        return max(done, _apply(options, settings, [one.restored for one in found if one.restored]) if then else Exit.DONE)
    only = None
    if commit is not None:
        from promotion.promoted import one_of
        from promotion.restore import still_applied

        binding = one_of(workspace.git, workspace.layout, commit, name=name, environment=environment, over_later=chosen["over_later"])
        name, environment, only = binding.model, binding.environment, still_applied(workspace.journal, binding)
        reason = f"{reason} It was promoted by commit {workspace.git.resolve(commit)[:12]}."
    result = run(workspace, settings, name or "", environment or "production", reason=reason, push=push, only=only)
    show(options, "rollback", result)
    return max(result.outcome.exit_code, _apply(options, settings, [result]) if then else Exit.DONE)


def _apply(options: Shared, settings: Options, restored: Sequence[Restored]) -> int:
    """Reconcile where a commit that reverts is on main; where somebody pushed on top of it, their own run does."""
    from promotion.commits import NotNewest
    from promotion.reconcile import reconcile

    if not any(one.branch == settings.branch for one in restored):
        return Exit.DONE
    try:
        outcome = reconcile(build.workspace(options), replace(settings, measure=False))
    except NotNewest as moved:
        show(options, "nothing", f"the commit is not applied here: {moved.message}; its own run applies it")
        return Exit.DONE
    show(options, "outcome", outcome)
    return outcome.exit_code


@click.command(cls=Command)
@shared
@click.argument("action", type=click.Choice(["list", "add", "release"]), default="list")
@click.argument("version", metavar="[NAME/VERSION@sha256:DIGEST]", required=False)
@click.option("--environment", default="production", show_default=True)
@click.option("--reason", help="Why; required to add or release.")
def hold(options: Shared, action: str, version: str | None, environment: str, reason: str | None) -> int:
    """List, add or release holds. A held version is refused in its environment until the hold is released.

    It is released once main no longer declares the version, by another person than the author of the commit that promoted it.
    """
    from promotion.repository import desired_at
    from promotion.restore import change_hold

    repository = build.git(options)
    journal = build.journal(repository, options)
    if action == "list":
        show(options, "holds", journal.read().holds())
        return Exit.DONE
    tip = repository.resolve("HEAD") if journal.remote is None else repository.fetch_tip(journal.remote, options.branch or "main")
    declared = None if tip is None else desired_at(repository, tip, build.layout(options))
    entry = change_hold(journal, build.by(repository), build.now(), action, version, environment, reason, declared=declared)
    show(options, "nothing", f"{'held' if action == 'add' else 'released'} {version} in {environment} (journal {entry[:12]})")
    return Exit.DONE
