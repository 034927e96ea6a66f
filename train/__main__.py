"""``python -m train``: make data, train, measure, compare, register."""

from __future__ import annotations

import os
import sys
import warnings

import click

from train.commands.data import data
from train.commands.measuring import compare, evaluate
from train.commands.register import register
from train.commands.training import baseline, fit
from train.errors import TrainError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def root() -> None:
    """Train, measure and register the models that detect intrusions in network flows."""


for command in (data, fit, baseline, evaluate, compare, register):
    root.add_command(command)


def main() -> None:
    """Run a command; an error that a user can act on is one line and a hint, exit 2."""
    # Threads that spin while they wait for each other hardly get on where anything else keeps a core busy: one epoch took 24 s of CPU
    # time instead of 6. OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.filterwarnings("ignore", module=r"(mlflow|torch)\..*")
    try:
        root(standalone_mode=False, prog_name="python -m train")
    except TrainError as error:
        click.echo(f"error: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""), err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except Exception as error:
        # Looked up by name: importing MLflow takes seconds, and whoever raised this has done so.
        if not any(kind.__name__ == "MlflowException" for kind in type(error).__mro__):
            raise
        told = (str(error).strip() or repr(error)).splitlines()[0]
        click.echo(f"error: MLflow: {told}\n  hint: is MLFLOW_TRACKING_URI right, and does the server answer?", err=True)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)


if __name__ == "__main__":
    main()
