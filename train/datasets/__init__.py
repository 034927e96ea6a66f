"""The datasets by the names that the command line uses."""

from __future__ import annotations

from pathlib import Path

from train.datasets import cicids2017, unsw_nb15
from train.errors import TrainError
from train.flows import Flows

FORMATS = {"synthetic": cicids2017, "cicids2017": cicids2017, "unsw-nb15": unsw_nb15}
"""Synthetic flows come in CICIDS2017's format."""


def load(name: str, paths: list[Path]) -> Flows:
    """Read files of a dataset; raises TrainError with file and line for what is not as the owners write it."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise TrainError(f"there is no file {missing[0]}", hint="python -m train data --help tells how to make synthetic flows")
    flows: Flows = FORMATS[name].load(paths, name)
    return flows
