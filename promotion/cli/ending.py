"""How a command ends: its result on stdout, an error on stderr, and the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import click

from promotion.cli.key import given_key
from promotion.cli.options import Shared
from promotion.errors import Exit, PromotionError, UsageError


def run(root: click.Command, arguments: Sequence[str] | None) -> int:
    """Run a command; returns the exit code. No exception gets out, and a closed pipe is not an error."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    shared = _told(arguments)
    try:
        with given_key():
            code = root.main(arguments, prog_name="promotion", standalone_mode=False)
    except PromotionError as error:
        _show(error, shared)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return int(Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.DONE)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a fault of this program, told as such
        click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
        click.echo("This is a fault of promotion itself; -vv shows where.", err=True)
        if shared.verbose > 1:
            traceback.print_exc()
        return int(Exit.INTERNAL)
    return int(code or Exit.DONE)


def colour(shared: Shared, stream: object = None) -> bool:
    """Whether to colour: as told, else by NO_COLOR and whether the stream is a terminal."""
    if shared.color is not None:
        return shared.color
    return "NO_COLOR" not in os.environ and bool(getattr(stream or sys.stdout, "isatty", bool)())


def in_workflow() -> bool:
    """Whether a step of a workflow runs this, so that marks on lines are read."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def say(lines: Sequence[str]) -> None:
    """Print lines on stderr."""
    for line in lines:
        click.echo(line, err=True)


def append(files: Iterable[Path], text: str) -> None:
    """Append text to files, whose folders are made where they lack. Raises UsageError for one that cannot be written."""
    for file in files:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8") as opened:
                opened.write(text)
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror or error}", hint="name a file in a folder of yours") from error


def _show(error: PromotionError, shared: Shared) -> None:
    if shared.page:  # a page, such as a job's summary, must not be empty because something failed
        from promotion.render import markdown

        with suppress(UsageError):  # it may be what failed
            append(shared.page, markdown.error(error) + "\n")
    if shared.format == "json":
        from promotion.render import json as rendering

        click.echo(rendering.error(error))
        return
    from promotion.render.problem import render_error

    if shared.format == "markdown":
        from promotion.render import markdown

        click.echo(markdown.error(error))
    text = render_error(error)
    click.echo(text if colour(shared, sys.stderr) else click.unstyle(text), err=True, color=True)
    if in_workflow():
        from promotion.render import marks

        say(marks.error(error))


def _told(arguments: Sequence[str]) -> Shared:
    """What the arguments say of format, pages and verbosity, even when a command could not be parsed."""
    forms = _values(arguments, "--format")
    verbose = sum(argument.count("v") for argument in arguments if argument.startswith("-v") and set(argument[1:]) == {"v"})
    verbose += arguments.count("--verbose")
    color = False if "--no-color" in arguments else None
    pages = tuple(Path(value) for value in _values(arguments, "--page"))
    return Shared(format=forms[-1] if forms else None, page=pages, verbose=verbose, color=color)


def _values(arguments: Sequence[str], option: str) -> list[str]:
    """Every value that an option is given."""
    after = [value for name, value in pairwise(arguments) if name == option]
    return after + [argument.partition("=")[2] for argument in arguments if argument.startswith(f"{option}=")]
