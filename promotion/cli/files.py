"""validate, propose, gates, schema, evidence: the commands that need no registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import hand_on, show
from promotion.errors import Exit, UsageError

if TYPE_CHECKING:
    from promotion.git import Git

_KINDS = ("environments", "policy", "evaluations", "waivers", "quarantine", "evidence")


@click.command(cls=Command)
@shared
def validate(options: Shared) -> int:
    """Check the declarations and the policies alone: every problem of every file at once, each with its place."""
    from promotion.repository import working

    declaration = working(build.git(options), build.layout(options))
    show(options, "valid", declaration)
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("name")
@click.argument("bindings", metavar="ENVIRONMENT=VERSION...", nargs=-1, required=True)
@click.option("--new", is_flag=True, help="Add a model that is not declared yet.")
@click.option(
    "--push", is_flag=True, help="Commit it on a branch of its own, on top of main's newest commit, and push that; nothing here changes."
)
def propose(options: Shared, name: str, bindings: tuple[str, ...], *, new: bool, push: bool) -> int:
    """Declare versions by changing only their bytes in the file; commit it and open a pull request.

    An environment of the model that is not declared yet is added in lines of its own. --outputs gets ``branch``, where it was pushed.
    """
    from promotion.config.insert import proposed
    from promotion.repository import working_files, write

    repository = build.git(options)
    versions = {}
    for binding in bindings:
        environment, equals, version = binding.partition("=")
        if not equals or not version:
            raise UsageError(f"{binding!r} is not ENVIRONMENT=VERSION", hint=f"for example: promotion propose {name} staging=4")
        versions[environment] = version
    if push:
        return _push(options, repository, name, versions, new=new)
    uses = {(name, environment): version for environment, version in versions.items()}
    changed = proposed(working_files(repository, build.layout(options)), uses, new_model=new)
    write(repository, changed)
    show(options, "nothing", f"{', '.join(changed)}: {name} {' '.join(bindings)}")
    return Exit.DONE


def _push(options: Shared, repository: Git, name: str, versions: Mapping[str, str], *, new: bool) -> int:
    from promotion.proposing import propose as make

    remote = build.remote(repository, options)
    if remote is None:
        raise UsageError("this repository has no remote to push to", hint="name one with --remote, or leave --push out")
    made = make(repository, build.layout(options), remote, options.branch or "main", name, versions, new=new, at=build.now())
    told = " and ".join(f"version {version} for {where}" for where, version in versions.items())
    show(options, "nothing", f"proposed {name} {told} on the branch {made.branch} ({made.commit[:12]})")
    hand_on(options, branch=made.branch)
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("action", type=click.Choice(["list", "explain", "show", "selftest"]), default="list")
@click.argument("name", required=False)
@click.argument("environment", required=False)
def gates(options: Shared, action: str, name: str | None, environment: str | None) -> int:
    r"""List the gates; or what judges a model, or whether the gates can refuse.

    \b
    gates                            every gate
    gates explain GATE               what one checks, with a sample that passes and one that fails
    gates show NAME ENVIRONMENT      what judges a model on its way into an environment, and where each line comes from
    gates selftest                   show each gate in force what it must refuse; exit 4: one lets it pass, 5: one cannot be tried
    """
    from promotion.gates import GATES, gate

    if action == "explain":
        show(options, "gate", gate(name or ""))
    elif action == "show":
        _show_rules(options, name, environment)
    elif action == "selftest":
        return _selftest(options)
    else:
        show(options, "gates", tuple(GATES.values()))
    return Exit.DONE


def _show_rules(options: Shared, name: str | None, environment: str | None) -> None:
    from datetime import UTC, datetime

    from promotion.inforce import in_force
    from promotion.repository import working

    if name is None or environment is None:
        raise UsageError("name a model and an environment", hint="for example: promotion gates show NAME production")
    declaration = working(build.git(options), build.layout(options))
    show(options, "in_force", in_force(declaration.policies, declaration.desired, name, environment, datetime.now(UTC).date()))


def _selftest(options: Shared) -> int:
    from promotion.repository import working
    from promotion.selftest import selftest
    from promotion.verdicts import Status

    declaration = working(build.git(options), build.layout(options))
    environments = [one.name for one in declaration.desired.environments]
    tried = selftest(declaration.policies, environments, declaration.desired.models)
    show(options, "selftest", tried)
    found = {one.status for one in tried}
    if Status.FAILED in found:
        return Exit.FAILED
    return Exit.DONE if found == {Status.PASSED} else Exit.ERRORED


@click.command(cls=Command)
@shared
@click.argument("kind", type=click.Choice(_KINDS), default="environments")
def schema(options: Shared, kind: str) -> int:  # noqa: ARG001 - a schema is always JSON
    """Print the JSON Schema of a file format: of declarations and policies, for editors that complete and check them, or of evidence."""
    if kind == "evidence":
        from promotion.predicate import json_schema as of_evidence

        click.echo(json.dumps(of_evidence(), indent=2))
        return Exit.DONE
    from promotion.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(kind), indent=2))
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("action", type=click.Choice(["verify"]))
@click.argument("statement", metavar="FILE|DIGEST")
@click.option("--artifact", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The model's folder that it must be of.")
def evidence(options: Shared, action: str, statement: str, artifact: Path | None) -> int:  # noqa: ARG001 - the one action so far
    """Check one statement of evidence offline: its form, its name, its subject, and the signed entry of the journal that brought it.

    A statement of the journal is named by its digest, or by eight characters of it. Exit 4: it is not what it says; 5: no entry of the
    journal brought it; 6: the entry that did is not signed as it must be.
    """
    from promotion.statement import examine

    repository = build.git(options)
    found = examine(build.journal(repository, options), statement, artifact)
    show(options, "examined", found)
    return found.exit_code
