"""Print a result on stdout, in the form that was asked for, and leave it in files for a job."""

from __future__ import annotations

import importlib
from typing import Any

import click

from promotion.cli.ending import append, colour, in_workflow, say
from promotion.cli.options import Shared


def show(options: Shared, view: str, *values: Any, **facts: Any) -> None:  # noqa: ANN401 - each view has its own values
    """Render ``view`` (a function of the renderers of the same name) and print it; append it to the pages as Markdown."""
    form = options.format or "text"
    renderer = importlib.import_module(f"promotion.render.{form}")
    text = getattr(renderer, view)(*values, **facts)
    click.echo(text if colour(options) else click.unstyle(text), color=True)
    if options.page:
        from promotion.render import markdown

        append(options.page, getattr(markdown, view)(*values, **facts) + "\n")
    if in_workflow():
        from promotion.render import marks

        say(marks.view(view, *values))


def wants_page(options: Shared) -> bool:
    """Whether anything of the result becomes Markdown."""
    return bool(options.page) or options.format == "markdown"


def add(options: Shared, view: str, *values: Any) -> None:  # noqa: ANN401 - each view has its own values
    """Add what only a page has room for: to the pages, and to what is printed where that is one."""
    from promotion.render import markdown

    text = getattr(markdown, view)(*values)
    if options.format == "markdown":
        click.echo(text)
    append(options.page, text + "\n")


def hand_on(options: Shared, **outputs: str | bool) -> None:
    """Append NAME=VALUE lines for later steps of a job, where a file for them was named. A value is one line."""
    if options.outputs is not None:
        lines = (f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in outputs.items())
        append((options.outputs,), "".join(f"{line}\n" for line in lines))
