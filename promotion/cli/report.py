"""report: the page that people look at."""

from __future__ import annotations

import os
from pathlib import Path

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.errors import Exit, UsageError


@click.command(cls=Command)
@shared
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Write index.html and report.json here.")
@click.option("--commits", metavar="URL", help="Where a commit's page is found, by its hash after this [on GitHub, the repository's].")
def report(options: Shared, out: Path, commits: str | None) -> int:
    """Write a page that shows what is where, since when, by whom and on which evidence.

    It needs no server and asks nobody for anything: open index.html. The registry is read once, as status does; no model code is run.
    """
    from promotion.report.document import attention, document
    from promotion.report.page import write
    from promotion.report.reading import gather

    found = document(gather(build.workspace(options), _commits(commits)))
    paths = write(found, out)
    click.echo(f"{paths[0]}: {len(found['models'])} models, {len(found['entries'])} entries, {len(attention(found))} to look at")
    return Exit.DONE


def _commits(given: str | None) -> str | None:
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if given is None and server and repository:
        given = f"{server}/{repository}/commit/"
    if given is not None and not given.startswith(("https://", "http://")):
        raise UsageError("--commits is not an http(s) address", hint="write it as https://example.org/team/models/commit/")
    return given.rstrip("/") + "/" if given else None
