"""``data``: rows that the project makes itself."""

from __future__ import annotations

from pathlib import Path

import click

from train.commands.options import PATH, SEED


@click.command()
@click.option("--dataset", type=click.Choice(["synthetic"]), default="synthetic", show_default=True)
@SEED
@click.option("--rows", type=click.IntRange(min=1), default=6000, show_default=True)
@click.option(
    "--defects", is_flag=True, help="With the defects of the owners' files: infinite rates, negative durations, a dash in a label."
)
@click.option("--out", type=PATH, required=True)
def data(dataset: str, seed: int, rows: int, out: Path, *, defects: bool) -> None:
    """Make synthetic flows in CICIDS2017's format; a seed gives the same bytes on every machine."""
    from train.datasets.synthetic import write
    from train.flows import digest

    write(out, rows=rows, seed=seed, defects=defects)
    click.echo(f"{out}: {rows} {dataset} flows, sha256 {digest([out])}")
