"""fetch and measure: the steps before a decision, where each has its own rights."""

from __future__ import annotations

from pathlib import Path

import click

from promotion.cli import build
from promotion.cli.judge import BASE, JOBS, SINCE
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import hand_on, show
from promotion.errors import Exit


@click.command(cls=Command)
@shared
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@BASE
@click.option("--model", metavar="NAME", help="Only what one model needs.")
@SINCE
def fetch(options: Shared, folder: Path, base: str | None, model: str | None, since: str | None) -> int:
    """Fetch into FOLDER what is to be measured before the plan's promotions can be decided. Runs no model code.

    Needs a credential that reads. Digests and formats are checked; what must not be loaded is not fetched, and the gates will say so.
    With --since, what is bound is fetched instead, for promotion verify: it is measured anew, whatever evidence there is. --outputs gets
    ``wanted``, whether there is anything to measure, and with --since ``applied``, whether anything was applied.
    """
    from promotion.judging import evaluating
    from promotion.kept import FolderEvidence
    from promotion.orders import compared, promoted
    from promotion.orders import fetch as run
    from promotion.repository import working
    from promotion.survey import only, survey
    from promotion.verify import refs

    workspace = build.workspace(options)
    found = survey(workspace, working(workspace.git, workspace.layout), base=base)
    commit = workspace.git.resolve("HEAD")
    if since is not None:
        own = ((commit, found.declaration.policies, workspace.git.root),)
        bound = refs(workspace, found, name=model, since=since)
        made = run(workspace, bound, own, folder, commit=commit, sources=())
        hand_on(options, applied=bool(bound))
    else:
        plan = found.plan if model is None else only(found.plan, model)
        kept = () if workspace.evidence is None else (FolderEvidence(workspace.evidence),)
        with evaluating(workspace, found, commit) as sets:
            others = compared(plan, sets, found.applied, (found.state, *kept))
            made = run(workspace, (*promoted(plan), *others), sets, folder, commit=commit, sources=(found.state, *kept))
    show(options, "fetched", made, folder)
    hand_on(options, wanted=bool(made.orders))
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@JOBS
def measure(options: Shared, folder: Path, jobs: int | None) -> int:
    """Measure what was fetched into FOLDER: runs model code, each in a confined child, and needs no credential.

    Evidence goes to --evidence, or to FOLDER/evidence. It is decided upon by: promotion reconcile --no-measure --evidence FOLDER.
    Exit 5: something could not be measured; the others were.
    """
    from promotion.judging import ordered
    from promotion.orders import measure as run
    from promotion.orders import read

    repository = build.git(options)
    orders = read(folder)
    with ordered(repository, build.layout(options), orders) as wanted:
        out = options.evidence or folder
        done = tuple(run(folder, wanted, out, jobs=jobs, by=build.by(repository), now=build.now, report=build.report(options)))
    show(options, "measured", done)
    return Exit.ERRORED if any(one.failure for one in done) else Exit.DONE
