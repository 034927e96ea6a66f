"""validate, propose, gates, schema: the commands that need no registry."""

from __future__ import annotations

import json

import click

from promotion.cli import build
from promotion.cli.options import Command, Shared, shared
from promotion.cli.show import show
from promotion.errors import Exit, UsageError


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
def propose(options: Shared, name: str, bindings: tuple[str, ...]) -> int:
    """Declare versions by changing only their bytes in the file; commit it and open a pull request."""
    from promotion.config.edit import edits
    from promotion.repository import working_files, write

    repository = build.git(options)
    uses = {}
    for binding in bindings:
        environment, equals, version = binding.partition("=")
        if not equals or not version:
            raise UsageError(f"{binding!r} is not ENVIRONMENT=VERSION", hint=f"for example: promotion propose {name} staging=4")
        uses[name, environment] = version
    changed = edits(working_files(repository, build.layout(options)), uses)
    write(repository, changed)
    show(options, "nothing", f"{', '.join(changed)}: {name} {' '.join(bindings)}")
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("action", type=click.Choice(["list", "explain"]), default="list")
@click.argument("name", required=False)
def gates(options: Shared, action: str, name: str | None) -> int:
    """List the gates, or explain one: what it checks, with a sample that passes and one that fails."""
    from promotion.gates import GATES, gate

    if action == "explain":
        show(options, "gate", gate(name or ""))
        return Exit.DONE
    show(options, "gates", tuple(GATES.values()))
    return Exit.DONE


@click.command(cls=Command)
@shared
@click.argument("kind", type=click.Choice(["environments", "policy", "evaluations"]), default="environments")
def schema(options: Shared, kind: str) -> int:  # noqa: ARG001 - a schema is always JSON
    """Print the JSON Schema of a file format, for editors that complete and check the file."""
    from promotion.config.schema import json_schema

    click.echo(json.dumps(json_schema(kind), indent=2))
    return Exit.DONE
