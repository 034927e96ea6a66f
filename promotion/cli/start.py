"""init, pin: the commands that write files from what a registry shows."""

from __future__ import annotations

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import show
from promotion.errors import Exit, UsageError


@click.command(cls=Command)
@shared
@click.option("--model", "models", multiple=True, metavar="PATTERN", help="Only models that match this shell pattern (repeatable).")
@click.option(
    "--by",
    type=click.Choice(["stage", "alias", "both"]),
    help="How environments show [the ways that the models use: stage, alias or both].",
)
@click.option(
    "--alias", "aliases", multiple=True, metavar="ENVIRONMENT=ALIAS", help="Another alias for an environment, as production=champion."
)
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def init(options: Shared, models: tuple[str, ...], by: str | None, aliases: tuple[str, ...], dry_run: bool) -> int:  # noqa: FBT001 - click's value
    """Begin: write environments.yaml and first policies from what the registry shows, and journal what is in service as adopted.

    Nothing that is in service changes, and the first plan is empty. A model that is not clear (two versions in one stage, stage and alias
    that disagree) stands commented out with the reason. No file is ever written over (exit 2).
    """
    from promotion.inservice import By
    from promotion.start import Options, start

    chosen = Options(models=models, by=None if by is None else By(by), aliases=_aliases(aliases), dry_run=dry_run)
    result = start(build.workspace(options), chosen)
    show(options, "started", result)
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("name", required=False)
@click.option("--check", is_flag=True, help="Write nothing; exit 3 when something is not pinned.")
def pin(options: Shared, name: str | None, check: bool) -> int:  # noqa: FBT001 - click's value
    """Pin declared versions to their bytes (N@sha256:…), by changing only the bytes of those values: those of NAME, or all.

    The digest is computed now. Exit 4, and nothing is written, where the bytes are not those that were pinned or applied before.
    """
    from promotion.pin import pin as make
    from promotion.repository import write

    workspace = build.workspace(options)
    result = make(workspace, name)
    if not check:
        write(workspace.git, result.files)
    show(options, "pinned", result, check=check)
    return Exit.PENDING if check and result.bindings else Exit.DONE


def _aliases(texts: tuple[str, ...]) -> dict[str, str]:
    from promotion.config.values import check_alias

    found = {}
    for text in texts:
        environment, equals, alias = text.partition("=")
        reason = check_alias(alias) if equals else "it is not ENVIRONMENT=ALIAS"
        if reason is not None:
            raise UsageError(f"--alias {text!r}: {reason}", hint="for example: --alias production=champion")
        found[environment] = alias
    return found
