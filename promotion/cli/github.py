"""github: what the workflows tell GitHub and ask it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promotion.cli import build
from promotion.cli.ending import in_workflow, say
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import hand_on, show
from promotion.errors import Exit, UsageError

if TYPE_CHECKING:
    from promotion.hosting.client import GitHub

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group("github")
def github() -> None:
    """Speak to GitHub, by GH_TOKEN about GITHUB_REPOSITORY. Without a token each command shows what it would say, and says nothing."""


@github.command(cls=Command)
@shared
@click.argument("number", type=click.IntRange(min=1))
@click.argument("folder", type=_FOLDER)
@click.option("--verdict", default="", help="The sentence that it begins with.")
@click.option("--only-update", is_flag=True, help="Begin none: bring up to date the one that there is.")
def comment(options: Shared, number: int, folder: Path, verdict: str, only_update: bool) -> int:  # noqa: FBT001 - click's values
    """Keep one comment on pull request NUMBER up to date, made of the pages (--page) in FOLDER. It mentions nobody."""
    from promotion.hosting import pages, telling

    text = pages.body(_ended(verdict), pages.read(folder))
    hosting = _hosting()
    if hosting is None:
        return _unsaid(options, text)
    there = telling.comment(hosting, number, text, only_update=only_update)
    show(options, "nothing", f"pull request {number} has {'its comment' if there else 'no comment, and needs none'}")
    return Exit.DONE


@github.command(cls=Command)
@shared
@click.argument("title")
@click.argument("folder", type=_FOLDER, required=False)
@click.option("--text", required=True, help="What happened, in a sentence.")
@click.option("--loud", is_flag=True, help="Comment as well where it is open already: an edit alone tells nobody.")
@click.option("--close", "closing", is_flag=True, help="Close it instead, where it is open.")
def issue(options: Shared, title: str, folder: Path | None, text: str, loud: bool, closing: bool) -> int:  # noqa: FBT001 - click's values
    """Keep one issue of this TITLE up to date: the text, and the pages (--page) in FOLDER. It mentions nobody."""
    from promotion.hosting import pages, telling
    from promotion.render import marks

    if in_workflow() and not closing:
        say((marks.alarm(title, text),))
    hosting = _hosting()
    told = pages.body(_ended(text), pages.read(folder))
    if hosting is None:
        return _unsaid(options, f"{title}\n\n{told}")
    if closing:
        number = telling.close(hosting, title, told)
        show(options, "nothing", f"issue {number} is closed" if number else "there is no such issue open")
    else:
        show(options, "nothing", f"{text} (issue {telling.issue(hosting, title, told, loud=loud)})")
    return Exit.DONE


@github.command(cls=Command)
@shared
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
def reviews(options: Shared, out: Path) -> int:
    """Ask who opened and who approved the pull requests that are on main; OUT is for reconcile (PROMOTION_PULL_REQUESTS).

    No answer is no fault: the gate approval then goes by signatures alone. --outputs gets ``file``, OUT where there is an answer.
    """
    from promotion.errors import PromotionError
    from promotion.hosting import reviewed
    from promotion.render import marks

    hosting, git = _hosting(), build.git(options)
    remote = build.remote(git, options)
    if hosting is None or remote is None:
        return _unsaid(options, "nobody was asked who opened and who approved what: the gate approval goes by signatures alone")
    notes: list[str] = []
    try:
        count = reviewed.ask(hosting, git, remote, build.layout(options).files[0], out, notes.append)
    except PromotionError as error:
        out.unlink(missing_ok=True)
        told = f"{error.message}. The gate approval goes by signatures alone."
        say((marks.warning("Nobody knows who opened what", told),) if in_workflow() else ())
        show(options, "nothing", told)
        return Exit.DONE
    show(options, "nothing", "; ".join((f"{count} pull requests are known", *notes)))
    hand_on(options, file=str(out))
    return Exit.DONE


@github.command("pull-request", cls=Command)
@shared
@click.argument("branches", metavar="PATTERN")
@click.option("--note", default="", help="Added to the text, which is that of the branch's last commit.")
def pull_request(options: Shared, branches: str, note: str) -> int:
    """Open a pull request for each pushed branch that PATTERN matches and that never had one."""
    from promotion.hosting.opening import open_for

    hosting, git = _hosting(), build.git(options)
    remote = build.remote(git, options)
    if hosting is None or remote is None:
        return _unsaid(options, f"pull requests for {branches}")
    made = open_for(hosting, git, remote, branches, main=options.branch or "main", note=note)
    told = ", ".join(f"pull request {number} for {branch}" for branch, number in made)
    show(options, "nothing", told or "no branch needs a pull request")
    return Exit.DONE


def _hosting() -> GitHub | None:
    """The repository by the token at hand; None without one. Raises UsageError when it is not named."""
    from promotion.hosting.client import API, GitHub

    token = os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN")
    if not token:
        return None
    name = os.environ.get("GITHUB_REPOSITORY", "")
    if name.count("/") != 1:
        raise UsageError("GITHUB_REPOSITORY does not name the repository", hint="set it to OWNER/NAME")
    api = os.environ.get("GITHUB_API_URL") or API
    return GitHub(name, token, api, os.environ.get("GITHUB_GRAPHQL_URL") or f"{api}/graphql")


def _unsaid(options: Shared, text: str) -> int:
    show(options, "unsaid", text)
    return Exit.DONE


def _ended(sentence: str) -> str:
    run = build.run()
    return " ".join(part for part in (sentence, f"[The run]({run})" if run else "") if part)
