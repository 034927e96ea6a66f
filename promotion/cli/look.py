"""status, drift, history, lineage, journal: the commands that only look (drift --heal writes what was applied last)."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import hand_on, show
from promotion.errors import Exit, UsageError


@click.command(cls=Command)
@shared
def status(options: Shared) -> int:
    """Declared, applied and shown side by side, the state of the journal and its lock, holds and waivers."""
    from promotion.repository import working
    from promotion.status import rows
    from promotion.survey import survey

    workspace = build.workspace(options)
    found = survey(workspace, working(workspace.git, workspace.layout))
    table = rows(found.desired, found.observed, found.applied, found.plan)
    show(options, "status", table, found.state, found.plan, found.declaration.policies.waivers, now=workspace.now())
    return Exit.USAGE if found.plan.problems else Exit.DONE


@click.command(cls=Command)
@shared
@click.option("--heal", is_flag=True, help="Restore what was applied last: stages, aliases and tags.")
@click.option("--adopt", is_flag=True, help="Take what the registry shows as it is: write the file, and journal it as adopted.")
@click.option("--bytes", "read", is_flag=True, help="Read all artifacts again and compare their digests with the journal's.")
def drift(options: Shared, heal: bool, adopt: bool, read: bool) -> int:  # noqa: FBT001 - click's values
    """What the registry shows that differs from what was applied last: pointers, metadata, with --bytes the artifacts as well.

    Exit 3 when something differs, 4 when --adopt could not take all of it, 5 when something could not be read. --outputs gets ``drifted``.
    """
    from promotion.drift import heal as restore
    from promotion.drift import look
    from promotion.reconcile import Options
    from promotion.repository import working

    if heal and adopt:
        raise UsageError("--heal and --adopt are opposites", hint="--heal restores what was applied, --adopt takes what is shown")
    workspace = build.workspace(options)
    if adopt:
        from promotion.taking import take

        result = take(workspace, Options(remote=workspace.journal.remote, branch=options.branch or "main"))
        show(options, "taken", result)
        return result.exit_code
    declaration = working(workspace.git, workspace.layout)
    if heal:
        outcome = restore(workspace, Options(remote=workspace.journal.remote, branch=options.branch or "main"), declaration)
        show(options, "outcome", outcome)
        return outcome.exit_code
    found = look(workspace, declaration, read=read)
    show(options, "drift", found)
    hand_on(options, drifted=bool(found.drifts))
    if any(one.unknown for one in found.drifts):
        return Exit.ERRORED
    return Exit.PENDING if found.drifts or found.survey.plan.problems else Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("name", required=False)
@click.option("--at", "moment", metavar="TIME", help="What was applied at this time (ISO 8601; without a zone it is UTC).")
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N entries.")
def history(options: Shared, name: str | None, moment: str | None, limit: int | None) -> int:
    """Who changed what, when, why and on which evidence, from the journal; --at tells what was where at a time."""
    from promotion.journal import EntryKind

    repository = build.git(options)
    journal = build.journal(repository, options)
    if moment is None:
        state = journal.read()
        # An intent that was completed is told by its outcome.
        told = (one for one in journal.entries(model=name) if one.entry.kind is not EntryKind.INTENT or one.sha == state.head)
        entries = tuple(islice(told, limit))
        show(
            options, "history", entries, signers=journal.signers(entries) if state.signed else {}, signed=state.signed or state.head is None
        )
        return Exit.DONE
    at = _time(moment)
    journal.read()
    state_then = journal.state_at(at)
    applied = state_then.applied_all() if state_then else {}
    show(options, "applied", {key: value for key, value in applied.items() if name in {None, key}}, at=at)
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("version", metavar="NAME/VERSION")
def lineage(options: Shared, version: str) -> int:
    """Walk from a version back to its run, its commit and its data; exit 4 when a link of the chain is missing."""
    from promotion.domain import ModelVersionRef
    from promotion.judging import in_history
    from promotion.lineage import trace

    try:
        ref = ModelVersionRef.parse(version)
    except ValueError as error:
        raise UsageError(str(error)) from error
    registry, repository = build.registry(options), build.git(options)
    model = registry.model(ref.name)
    found = model.versions.get(ref.version) if model else None
    if found is None:
        raise UsageError(f"the registry has no {ref.name}/{ref.version}", hint="promotion status shows the models that are declared")
    run = registry.run(found.identity.run_id) if found.identity.run_id else None
    chain = trace(found, run, lambda sha: in_history(repository, sha, "HEAD"))
    show(options, "lineage", ref, chain)
    return Exit.FAILED if chain.breaks else Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("action", type=click.Choice(["head", "verify"]))
@click.option("--offline", is_flag=True, help="The branch alone: do not ask the registry which entries it remembers.")
def journal(options: Shared, action: str, offline: bool) -> int:  # noqa: FBT001 - click's value
    r"""Tell the journal's newest entry, or verify every entry.

    \b
    journal head     the newest entry, "none" without one; for --since later on, and as ``entry`` in --outputs
    journal verify   signature, signer, chain and form of all, and that the tree changed only as each entry says

    Where a registry is named, an entry that it remembers and that the branch lacks was removed: exit 6.
    """
    from promotion.journal import State
    from promotion.remembered import ask, compare

    repository = build.git(options)
    branch = build.journal(repository, options)
    if action == "head":
        entry = branch.read().head or "none"
        show(options, "nothing", entry)
        hand_on(options, entry=entry)
        return Exit.DONE
    observed = None
    if not offline and build.names_registry(options):
        # Before the branch is fetched: whatever the registry remembers by now was pushed by then.
        observed = ask(build.registry(options), repository, build.layout(options), branch)
    faults = branch.verify()
    # A journal that does not verify cannot be read either: its faults are told instead.
    state = branch.read(fetch=False) if not faults else State(repository)
    compared = None if observed is None or faults else compare(branch, state, observed)
    entries = len(repository.first_parents(state.head)) if state.head else 0
    signed = len(repository.signed(state.head)) if state.head else 0
    show(options, "verified", state, faults, entries=entries, unsigned=entries - signed, compared=compared)
    return Exit.CONFLICT if faults else Exit.DONE


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a time", hint="write it as 2026-10-01T12:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=build.now().tzinfo)
