"""The options that every command has, before or after the command's name, as one frozen value."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Shared:
    """What every command may be told; None where nothing was said."""

    directory: Path | None = None
    file: tuple[str, ...] = ()
    policies: str | None = None
    tracking_uri: str | None = None
    registry_uri: str | None = None
    remote: str | None = None
    branch: str | None = None
    evidence: Path | None = None
    signing_key: Path | None = None
    format: str | None = None
    page: tuple[Path, ...] = ()
    outputs: Path | None = None
    color: bool | None = None
    verbose: int = 0

    def over(self, other: Shared) -> Shared:
        """These options, and ``other``'s where these say nothing."""
        values = {name: getattr(self, name) or getattr(other, name) for name in self.__slots__ if name != "color"}
        return Shared(**values, color=self.color if self.color is not None else other.color)


_OPTIONS = (
    click.option("-C", "--directory", type=click.Path(path_type=Path, file_okay=False), help="Work in this folder of the repository."),
    click.option(
        "--file", multiple=True, metavar="FILE", help="A declaration, relative to the repository (repeatable) [environments.yaml]."
    ),
    click.option("--policies", metavar="FOLDER", help="The folder of the rules, relative to the repository [policies]."),
    click.option("--tracking-uri", metavar="URI", help="MLflow's tracking server [MLFLOW_TRACKING_URI]."),
    click.option("--registry-uri", metavar="URI", help="The registry, if it is another [MLFLOW_REGISTRY_URI]."),
    click.option("--remote", metavar="NAME", help="The remote that main and the journal live on; 'none' for this clone alone [origin]."),
    click.option("--branch", metavar="NAME", help="The branch that is the truth [main]."),
    click.option(
        "--evidence", type=click.Path(path_type=Path, file_okay=False), help="Keep evidence in this folder, and use what is there."
    ),
    click.option(
        "--signing-key", type=click.Path(path_type=Path), help="SSH key for the journal [PROMOTION_SIGNING_KEY(_FILE), or git's own]."
    ),
    click.option("--format", type=click.Choice(["text", "json", "markdown"]), help="How to print the result [text]."),
    click.option(
        "--page",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="Append the result to this file as Markdown, as to the summary of a job (repeatable).",
    ),
    click.option(
        "--outputs", type=click.Path(path_type=Path, dir_okay=False), help="Append NAME=VALUE lines to this file, for later steps of a job."
    ),
    click.option("--color/--no-color", default=None, help="Colour, or none (also NO_COLOR) [by terminal]."),
    click.option("-v", "--verbose", count=True, help="Tell more on stderr; -vv shows tracebacks."),
)


def shared(command: F) -> F:
    """Add the shared options to a command or group; a command gets them merged, as its first argument."""

    @click.pass_context
    @functools.wraps(command)
    def wrapped(ctx: click.Context, /, **options: Any) -> Any:  # noqa: ANN401 - click's values
        own = Shared(**{name: options.pop(name) for name in Shared.__slots__})
        if isinstance(ctx.command, click.Group) and ctx.parent is None:
            ctx.obj = own
            return command()
        ctx.obj = own.over(ctx.obj or Shared())
        return command(ctx.obj, **options)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


class Command(click.Command):
    """A command whose help shows its own options, and points at the shared ones."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options that are this command's alone."""
        own = [record for one in self.get_params(ctx) if one.name not in Shared.__slots__ and (record := one.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(own)
        formatter.write_paragraph()
        formatter.write_text("The shared options (promotion --help) may stand here as well.")
