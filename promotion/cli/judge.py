"""plan, evaluate, gate: what would change, how good it is, and whether it may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import add, hand_on, show, wants_page
from promotion.errors import Exit, UsageError

if TYPE_CHECKING:
    from promotion.agreement import Agreed

BASE = click.option("--base", metavar="REF", help="Only what differs from REF, as a pull request against it would.")

NO_MEASURE = click.option(
    "--no-measure", "measure", flag_value=False, default=True, help="Run no model code: decide by the evidence at hand alone."
)

JOBS = click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Measure N at once [as many as there are cores].")

SINCE = click.option("--since", metavar="ENTRY", help="Only what was applied after this entry of the journal ('none': all).")


@click.command(cls=Command)
@shared
@BASE
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan to this file, for reconcile --plan.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 when changes are pending.")
def plan(options: Shared, base: str | None, out: Path | None, detailed_exitcode: bool) -> int:  # noqa: FBT001 - click's values
    """Show what reconcile would change, why, and the registry writes that it needs. Nothing is written.

    --outputs gets ``models``, the names of those that change, as JSON.
    """
    from promotion.repository import working
    from promotion.survey import survey, unchanged

    repository = build.git(options)
    declaration = working(repository, build.layout(options))
    if base is not None and unchanged(repository, build.layout(options), base, declaration.desired):
        show(options, "nothing", f"no declaration differs from {base}")
        hand_on(options, models="[]")
        return Exit.DONE
    found = survey(build.workspace(options), declaration, base=base)
    if out is not None:
        from promotion.render.json import plan as as_json

        out.write_text(as_json(found.plan) + "\n", encoding="utf-8")
    show(options, "plan", found.plan, signed=found.state.signed or found.state.head is None)
    hand_on(options, models=json.dumps(sorted({change.model for change in found.plan.changes})))
    if found.plan.problems:
        return Exit.USAGE
    return Exit.PENDING if detailed_exitcode and found.plan.changes else Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("version", metavar="NAME/VERSION")
def evaluate(options: Shared, version: str) -> int:
    """Measure one version on the pinned data of every evaluation that matches it; keep and print the evidence."""
    from promotion.confine import Share
    from promotion.domain import ModelVersionRef
    from promotion.evaluate import evaluate as measure
    from promotion.kept import FolderEvidence
    from promotion.repository import working

    try:
        ref = ModelVersionRef.parse(version)
    except ValueError as error:
        raise UsageError(str(error)) from error
    repository, layout = build.git(options), build.layout(options)
    evaluations = working(repository, layout).policies.evaluations_for(ref.name)
    if not evaluations:
        raise UsageError(f"no evaluation measures {ref.name!r}", hint=f"add one that matches it to {layout.policies}/evaluations.yaml")
    registry, by = build.registry(options), build.by(repository)
    share = Share(report=build.report(options))
    measured = tuple(measure(registry, ref, evaluation, repository.root, by=by, now=build.now, share=share) for evaluation in evaluations)
    if options.evidence is not None:
        for evidence in measured:
            FolderEvidence(options.evidence).put(evidence)
    show(options, "evidence", measured)
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("name")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--confidence", type=click.FloatRange(0.5, 0.99), default=0.95, show_default=True, help="Of the intervals, two-sided.")
@NO_MEASURE
@JOBS
def compare(
    options: Shared,
    name: str,
    first: str,
    second: str,
    confidence: float,
    measure: bool,  # noqa: FBT001 - click's values
    jobs: int | None,
) -> int:
    """Two versions of a model side by side, on pinned data: figures with intervals, and that of the difference on the same rows.

    A and B are version numbers, or environments: what the journal says is applied there. What was measured before is not measured again.
    """
    from promotion.comparison import chosen
    from promotion.comparison import compare as side_by_side
    from promotion.repository import working

    workspace = build.workspace(options, jobs=jobs)
    declaration = working(workspace.git, workspace.layout)
    environments = tuple(one.name for one in declaration.desired.environments)
    one, other = (chosen(workspace, name, text, environments) for text in (first, second))
    found = side_by_side(workspace, declaration.policies, one, other, confidence=confidence, measure=measure)
    show(options, "compared", found)
    return Exit.DONE


@click.command(cls=Command)
@shared
@BASE
@click.option("--plan", "agreed", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Judge exactly this plan, or refuse.")
@click.option("--model", metavar="NAME", help="Judge the changes of one model only.")
@NO_MEASURE
@JOBS
def gate(
    options: Shared,
    base: str | None,
    agreed: Path | None,
    model: str | None,
    measure: bool,  # noqa: FBT001 - click's values
    jobs: int | None,
) -> int:
    """Evaluate what lacks evidence, then let every rule decide. Exit 4: a gate failed; 5: errored or inconclusive.

    In a pull request this is advice to the author; the decision falls when the commit is reconciled.
    """
    from promotion.agreement import check_agreed
    from promotion.judging import judge
    from promotion.reconcile import exit_of
    from promotion.repository import check_declared, working
    from promotion.survey import survey, unchanged

    repository, layout = build.git(options), build.layout(options)
    declaration = working(repository, layout)
    if model is not None:
        check_declared(declaration.desired, model)
    if base is not None and unchanged(repository, layout, base, declaration.desired):
        show(options, "nothing", f"no declaration differs from {base}: nothing to judge")
        return Exit.DONE
    workspace = build.workspace(options, jobs=jobs)
    found = survey(workspace, declaration, base=base)
    check_agreed(found.plan, read_agreed(agreed))
    judgement = judge(workspace, found, commit=repository.resolve("HEAD"), measure=measure, model=model, base=base)
    show(options, "decision", judgement.decision, signed=found.state.signed or found.state.head is None)
    if wants_page(options):
        from promotion.beside import beside

        add(options, "beside", tuple(beside(workspace, found, judgement)))
    return exit_of(judgement.decision)


@click.command(cls=Command)
@shared
@click.argument("name", required=False)
@click.option("--environment", metavar="NAME", help="Only what is in this environment.")
@SINCE
@NO_MEASURE
@JOBS
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write what was found to this file, for rollback --failed.")
def verify(
    options: Shared,
    name: str | None,
    environment: str | None,
    since: str | None,
    measure: bool,  # noqa: FBT001 - click's values
    jobs: int | None,
    out: Path | None,
) -> int:
    """Look anew at what is bound now: as readers find it, measured in a fresh process, against the gates of its environment.

    Tells which versions in service no longer have evidence, because data, evaluator or settings changed. With --no-measure, what was
    measured anew is in --evidence. Exit 4: something failed; 5: something could not be measured, or too few rows tell. --outputs gets
    ``failed``, whether anything is to be rolled back.
    """
    from promotion.repository import working
    from promotion.verdicts import Status
    from promotion.verify import verdict
    from promotion.verify import verify as look

    workspace = build.workspace(options, jobs=jobs)
    found = look(workspace, working(workspace.git, workspace.layout), name=name, environment=environment, since=since, measure=measure)
    if out is not None:
        from promotion.render.json import verify as as_json

        out.write_text(as_json(found) + "\n", encoding="utf-8")
    show(options, "verify", found)
    hand_on(options, failed=any(one.status is Status.FAILED for each in found for one in each.judged.verdicts))
    return verdict(found)


def read_agreed(file: Path | None) -> Agreed | None:
    """The plan in a file that ``plan --out`` wrote; None without a file."""
    if file is None:
        return None
    from promotion.render.json import agreed

    return agreed(file.name, file.read_bytes())
