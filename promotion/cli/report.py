"""report: the page that people look at."""

from __future__ import annotations

from pathlib import Path

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import show
from promotion.errors import Exit


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

    found = document(gather(build.workspace(options), build.commits(commits)))
    paths = write(found, out)
    told = f"{paths[0]}: {len(found['models'])} models, {len(found['entries'])} entries, {len(attention(found))} to look at"
    show(options, "nothing", told)
    return Exit.DONE
