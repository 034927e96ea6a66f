"""notify: tell webhooks what happened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import show
from promotion.errors import Exit, UsageError

if TYPE_CHECKING:
    from promotion.notifying.delivery import Letter
    from promotion.notifying.happenings import Happening
    from promotion.notifying.receivers import Receiver
    from promotion.render.messages import Origin


@click.command(cls=Command)
@shared
@click.option("--since", metavar="ENTRY", help="What the journal tells after this entry ('none': all of it).")
@click.option("--drift", "drifted", is_flag=True, help="What the registry shows otherwise than it was applied.")
@click.option("--expiring", is_flag=True, help="Waivers that expire within 14 days, or have expired and still stand in the file.")
@click.option("--dry-run", is_flag=True, help="Show what would be told, and tell nobody.")
def notify(options: Shared, since: str | None, drifted: bool, expiring: bool, dry_run: bool) -> int:  # noqa: FBT001 - click's values
    """Tell webhooks what was promoted, refused, rolled back or held, what drifted and what expires.

    PROMOTION_WEBHOOKS names them, a line each: slack, teams or cloudevents, the URL and, where not all is wanted, kinds such as
    refused,rolled-back,drifted. CloudEvents are signed with PROMOTION_WEBHOOK_SECRET, as Standard Webhooks has it. Nothing is written
    anywhere; exit 5 when a receiver did not take all of it.
    """
    from promotion.notifying.delivery import Delivery, deliver
    from promotion.notifying.receivers import SECRET_VARIABLE, VARIABLE, key, receivers

    if since is None and not drifted and not expiring:
        raise UsageError("nothing to tell was asked for", hint="name --since ENTRY, --drift or --expiring")
    chosen = receivers(os.environ.get(VARIABLE, ""))
    secret = os.environ.get(SECRET_VARIABLE)
    signing = key(secret) if secret else None
    told = tuple(_happenings(options, since, drifted=drifted, expiring=expiring)) if chosen or dry_run else ()
    origin = _origin(options)
    mail = [(one, letters) for one in chosen if (letters := _letters(one, told, origin))]
    sent = [Delivery(one, len(letters)) for one, letters in mail] if dry_run else deliver(mail, key=signing)
    show(options, "notified", told, sent, declared=len(chosen), dry_run=dry_run)
    return Exit.DONE if dry_run or all(one.fault is None for one in sent) else Exit.ERRORED


def _happenings(options: Shared, since: str | None, *, drifted: bool, expiring: bool) -> Iterator[Happening]:
    from promotion.notifying import happenings
    from promotion.repository import working

    if since is not None:
        journal = build.journal(build.git(options), options)
        holds = journal.read().holds()
        yield from happenings.recorded(journal.after(since), holds)
    if drifted:
        from promotion.drift import look

        workspace = build.workspace(options)
        yield from happenings.drifted(look(workspace, working(workspace.git, workspace.layout)).drifts, build.now())
    if expiring:
        repository = build.git(options)
        yield from happenings.expiring(working(repository, build.layout(options)).policies.waivers, build.now())


def _letters(receiver: Receiver, told: tuple[Happening, ...], origin: Origin) -> list[Letter]:
    from promotion.notifying.delivery import Letter
    from promotion.notifying.receivers import Format
    from promotion.render import messages

    wanted = receiver.wants(told)
    if not wanted:
        return []
    if receiver.format is Format.CLOUDEVENTS:
        kind = "application/cloudevents+json; charset=utf-8"
        return [Letter(messages.encoded(messages.cloudevent(one, origin)), kind, one.id) for one in wanted]
    write = messages.slack if receiver.format is Format.SLACK else messages.teams
    return [Letter(messages.encoded(write(wanted, origin)), "application/json")]


def _origin(options: Shared) -> Origin:
    from promotion.render.messages import Origin

    commits = build.commits()
    if commits is None:
        return Origin(f"/{quote(build.git(options).root.name)}")
    return Origin(commits.removesuffix("/commit/"), build.run(), commits)
