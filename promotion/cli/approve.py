"""approve: sign a plan."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from promotion.cli import build
from promotion.cli.judge import read_agreed
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import show
from promotion.errors import Conflict, Exit


@click.command(cls=Command)
@shared
@click.argument("plan", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True, help="How long it counts, if it is not used before.")
def approve(options: Shared, plan: Path, days: int) -> int:
    """Approve exactly the plan that PLAN holds (promotion plan --out PLAN) by a signed tag, which is pushed where there is a remote.

    It counts once, for this plan alone: the same bytes, rules and registry. Whoever promotes cannot approve it. The signing key is
    your own: --signing-key, or git's user.signingkey.
    """
    from promotion.agreement import check_agreed
    from promotion.approvals import make
    from promotion.judging import judge
    from promotion.repository import at
    from promotion.survey import survey

    workspace = build.workspace(options)
    commit = workspace.git.resolve("HEAD")
    found = survey(workspace, at(workspace.git, commit, workspace.layout))
    check_agreed(found.plan, read_agreed(plan))
    decision = judge(workspace, found, commit=commit, measure=False).decision
    expires = workspace.now() + timedelta(days=days)
    name, sha = make(workspace, found, decision, commit, expires)
    if (remote := workspace.journal.remote) is not None:
        pushed = workspace.git.push(remote, sha, f"refs/tags/{name}", expected=None)
        if not pushed.accepted:
            workspace.git.delete_tag(name)
            raise Conflict(f"{remote} refused the tag: {pushed.reason}", hint="you may have approved this plan already")
    show(options, "nothing", f"approved plan {found.plan.digest[:12]} until {expires:%Y-%m-%d %H:%M} UTC by the tag {name}")
    return Exit.DONE
