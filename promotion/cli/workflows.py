"""init-workflows: the lines by which another repository uses these workflows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import show
from promotion.errors import Exit, UsageError

if TYPE_CHECKING:
    from promotion.calling.protection import Protected


@click.command("init-workflows", cls=Command)
@shared
@click.option("--from", "source", metavar="OWNER/REPO@TAG", help="Where the workflows are, and their release (or a commit's hash).")
@click.option("--owners", multiple=True, metavar="OWNER", help="Who reviews what judges: @name or @org/team (repeatable).")
@click.option(
    "--install",
    type=click.Choice(["base", "all"]),
    default="base",
    help="What measuring needs: promotion alone, or torch, XGBoost and the like too [base].",
)
@click.option("--requirements", default="", metavar="FILE", help="Your evaluators' requirements, installed where models are measured.")
@click.option("--rows", default="", metavar="COMMAND", help="Makes the rows that the policies pin, where they are not committed.")
@click.option("--force", is_flag=True, help="Write over files that differ (to CODEOWNERS, only add).")
@click.option("--check", "check", flag_value="all", help="Write nothing; tell whether files and protection are as they must be.")
@click.option("--check-files", "check", flag_value="files", help="The same, without asking GitHub for the protection.")
def init_workflows(
    options: Shared,
    source: str | None,
    owners: tuple[str, ...],
    install: str,
    requirements: str,
    rows: str,
    force: bool,  # noqa: FBT001 - click's value
    check: str | None,
) -> int:
    """Let this repository use the workflows of OWNER/REPO: a few lines each for gate, apply, drift and rollback, CODEOWNERS, and a page
    on what to protect.

    A file that differs is never written over without --force. --check needs GH_TOKEN for the protection: exit 3 when something is not as
    it must be, 5 when it could not be looked at.
    """
    from promotion.calling import setup
    from promotion.calling.workflows import Settings, Source

    if options.file or options.policies:
        raise UsageError("the workflows read environments.yaml and policies/", hint="leave --file and --policies out")
    repository = build.git(options)
    if check:
        found = setup.check(repository, None if check == "files" else _protections(options))
        show(options, "workflows_checked", found)
        if found.faults or any(one.holds is False for one in found.protections or ()):
            return Exit.PENDING
        return Exit.ERRORED if any(one.holds is None for one in found.protections or ()) else Exit.DONE
    if source is None or not owners:
        raise UsageError("--from and --owners are needed", hint="for example: --from your-org/promotion@v1.2.0 --owners @your-org/ml")
    settings = Settings(Source.parse(source), install, requirements, rows)
    show(options, "workflows_written", setup.install(repository, settings, owners, force=force))
    return Exit.DONE


def _protections(options: Shared) -> tuple[Protected, ...]:
    from promotion.calling.protection import Protected, look, repository

    git = build.git(options)
    remote = build.remote(git, options)
    name = os.environ.get("GITHUB_REPOSITORY") or (repository(git.address(remote)) if remote else None)
    if name is None:
        why = "this repository has no remote on github.com" if remote else "this repository has no remote"
        return (Protected("the protection of main and promotion-journal", holds=None, why=f"{why}, so it could not be looked at"),)
    token = os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN")
    return look(name, token, os.environ.get("GITHUB_API_URL") or "https://api.github.com")
