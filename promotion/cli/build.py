"""From options to the things that commands work with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promotion.cli.key import FILE_VARIABLE
from promotion.cli.options import Shared
from promotion.errors import UsageError

if TYPE_CHECKING:
    from promotion.git import Git
    from promotion.journal import Journal
    from promotion.pulls import PullRequest
    from promotion.registry.interface import Registry
    from promotion.repository import Layout
    from promotion.survey import Workspace

AUTHOR_VARIABLE = "PROMOTION_AUTHOR"
"""Who opened the pull request that is applied, as the host names them."""
PULLS_VARIABLE = "PROMOTION_PULL_REQUESTS"
"""A file with GitHub's answer about the pull requests that brought each commit: who opened and who approved them."""


def git(shared: Shared, until: datetime | None = None) -> Git:
    """The repository that this is run in; raises UsageError outside of one. Its remotes are not waited for beyond ``until``."""
    from promotion.git import Git

    return Git(shared.directory or Path.cwd(), left=_left(until))


def layout(shared: Shared) -> Layout:
    """Where the declarations and the policies are."""
    from promotion.repository import Layout

    standard = Layout()
    return Layout(shared.file or standard.files, shared.policies or standard.policies)


def remote(repository: Git, shared: Shared) -> str | None:
    """The remote that main and the journal live on; None for this clone alone."""
    known = repository.remotes()
    if shared.remote is None:
        return "origin" if "origin" in known else None
    if shared.remote == "none":
        return None
    if shared.remote not in known:
        raise UsageError(f"this repository has no remote {shared.remote!r}", hint=f"it has: {', '.join(known) or 'none at all'}")
    return shared.remote


def journal(repository: Git, shared: Shared) -> Journal:
    """The journal's branch, with the key that signs its entries when there is one."""
    from promotion.journal import Journal

    return Journal(
        repository,
        remote=remote(repository, shared),
        signing_key=_signing_key(repository, shared),
        signers_path=f"{layout(shared).policies}/allowed_signers",
        main=shared.branch or "main",
    )


def registry(shared: Shared, until: datetime | None = None) -> Registry:
    """The registry that the options or MLflow's own variables name; it is not waited for beyond ``until``."""
    from promotion.registry.connect import connect

    return connect(shared.tracking_uri, shared.registry_uri, left=_left(until))


def names_registry(shared: Shared) -> bool:
    """Whether the options or MLflow's own variables name a registry."""
    from promotion.registry.connect import named

    return named(shared.tracking_uri, shared.registry_uri)[1] is not None


def workspace(shared: Shared, timeout: float | None = None, *, jobs: int | None = None) -> Workspace:
    """Everything that observing, judging and applying need; ``timeout`` in seconds bounds all of it; ``jobs`` are measured at once."""
    from promotion.survey import Workspace

    until = None if timeout is None else now() + timedelta(seconds=timeout)
    repository = git(shared, until)
    return Workspace(
        git=repository,
        layout=layout(shared),
        registry=registry(shared, until),
        journal=journal(repository, shared),
        evidence=shared.evidence,
        by=by(repository),
        now=now,
        report=report(shared),
        author=os.environ.get(AUTHOR_VARIABLE) or None,
        pulls=_pulls(),
        until=until,
        jobs=jobs,
    )


def commits(given: str | None = None) -> str | None:
    """The address under which a commit's page is found by its hash; without one, the CI's own repository. Raises UsageError."""
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if given is None and server and repository:
        given = f"{server}/{repository}/commit/"
    if given is not None and not given.startswith(("https://", "http://")):
        raise UsageError("--commits is not an http(s) address", hint="write it as https://example.org/team/models/commit/")
    return given.rstrip("/") + "/" if given else None


def run() -> str | None:
    """The address of the run of a workflow that this is part of; None outside of one."""
    home, number = commits(), os.environ.get("GITHUB_RUN_ID")
    return f"{home.removesuffix('/commit/')}/actions/runs/{number}" if home and number else None


def by(repository: Git) -> str:
    """Who runs this: the CI's actor, else git's user."""
    actor = os.environ.get("GITHUB_ACTOR")
    if actor and os.environ.get("CI"):
        return f"{actor} (CI)"
    return repository.user()


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def report(shared: Shared) -> Callable[[str], None]:
    """Progress on stderr: always on a terminal, elsewhere with -v."""
    wanted = shared.verbose > 0 or sys.stderr.isatty()

    def tell(line: str) -> None:
        if wanted:
            click.echo(f"  … {line}", err=True)

    return tell


def _pulls() -> Mapping[str, tuple[PullRequest, ...]]:
    path = os.environ.get(PULLS_VARIABLE)
    if not path:
        return {}
    from promotion.pulls import read

    return read(Path(path))


def _left(until: datetime | None) -> Callable[[], float | None]:
    """Tells how many seconds there are until a time; None where there is none."""

    def left() -> float | None:
        return None if until is None else (until - now()).total_seconds()

    return left


def _signing_key(repository: Git, shared: Shared) -> Path | None:
    named = shared.signing_key or (Path(value) if (value := os.environ.get(FILE_VARIABLE)) else None)
    if named is not None:
        if not named.is_file():
            raise UsageError(f"there is no signing key at {named}", hint="make one: ssh-keygen -t ed25519 -f FILE -N ''")
        return named.resolve()
    return repository.configured_signing_key()
