"""What commands have in common: options, and how a result is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
DATASET = click.option(
    "--dataset", type=click.Choice(["synthetic", "cicids2017", "unsw-nb15"]), required=True, help="The format of the rows."
)
DATA = click.option(
    "--data",
    type=PATH,
    multiple=True,
    required=True,
    metavar="PATH...",
    help="Files or folders of rows: CSV, gzip or Parquet (repeatable).",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
SEED = click.option("--seed", type=int, default=0, show_default=True)


class Several(click.Command):
    """A command whose repeatable options take several values at once as well: ``--data a b`` is ``--data a --data b``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write the option's name before each of its values."""
        repeatable = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        written: list[str] = []
        last = ""
        for word in args:
            if word.startswith("-") and not word[1:].isdigit():
                name = word.split("=")[0]
                last = name if name in repeatable else ""
            elif last and written[-1] != last:
                written.append(last)
            written.append(word)
        return super().parse_args(ctx, written)


def training(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of everything that trains."""
    options = (
        DATASET,
        DATA,
        click.option("--out", type=PATH, help="Leave model/, plots/ and report.json in this folder."),
        SEED,
        click.option("--register", "name", metavar="NAME", help="Log a run and register a version under this name."),
        click.option("--allow-dirty", is_flag=True, help="Register although train/ has uncommitted changes (lineage gates refuse it)."),
        click.option("--outputs", type=PATH, help="Append version=N to this file once it is registered, for later steps of a job."),
        JSON,
    )
    for option in reversed(options):
        command = option(command)
    return command


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """Print a document: as JSON, or the plain values of it."""
    if as_json:
        from train.report import document

        click.echo(document(found))
        return
    for key, value in found.items():
        if not isinstance(value, (dict, list)) and value is not None:
            click.echo(f"{key:<32} {value:.4f}" if isinstance(value, float) else f"{key:<32} {value}")


def say(text: str) -> None:
    """Progress, on stderr."""
    click.echo(text, err=True)
