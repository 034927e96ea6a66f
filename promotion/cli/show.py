"""Print a result on stdout, in the form that was asked for."""

from __future__ import annotations

import importlib
from typing import Any

import click

from promotion.cli.ending import colour, in_workflow, say
from promotion.cli.options import Shared


def show(options: Shared, view: str, *values: Any, **facts: Any) -> None:  # noqa: ANN401 - each view has its own values
    """Render ``view`` (a function of the renderers of the same name) and print it."""
    form = options.format or "text"
    renderer = importlib.import_module(f"promotion.render.{form}")
    text = getattr(renderer, view)(*values, **facts)
    click.echo(text if colour(options) else click.unstyle(text), color=True)
    if in_workflow():
        from promotion.render import marks

        say(marks.view(view, *values))
