"""``register``: a version afterwards."""

from __future__ import annotations

import click

from train.commands.options import JSON, show


@click.command()
@click.option("--run", "run_id", required=True, help="The run whose model is registered.")
@click.option("--name", required=True)
@JSON
def register(run_id: str, name: str, *, as_json: bool) -> None:
    """Register a version afterwards, from a run."""
    from train.tracking import check_name
    from train.tracking import register as run

    check_name(name)
    from mlflow import MlflowClient

    made = run(MlflowClient(), run_id, name)
    show({"model": made.name, "version": made.version, "run": made.run_id}, as_json=as_json)
