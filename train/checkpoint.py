"""Where training stands, in one file that is replaced whole: a killed run goes on from its last epoch and ends with the same weights."""

from __future__ import annotations

import contextlib
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from train.errors import TrainError

VERSION = 1


class Checkpoint:
    """The file of one run. ``identity``: what must be the same for its states to be of use (data, settings, stage)."""

    def __init__(self, file: Path | None, identity: dict[str, str]) -> None:
        """Without a file nothing is kept."""
        self.file = file
        self.identity = identity

    def read(self) -> dict[str, Any] | None:
        """What was written last; None when there is nothing. Raises TrainError for a file of another run, or one that is damaged."""
        if self.file is None or not self.file.exists():
            return None
        hint = f"remove {self.file} to train from the start"
        try:
            found: dict[str, Any] = torch.load(self.file, map_location="cpu", weights_only=True)
            version, identity = found["version"], found["identity"]
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise TrainError(f"{self.file} is no checkpoint that can be read", hint=hint) from error
        other = sorted(name for name in {*self.identity, *identity} if self.identity.get(name) != identity.get(name))
        if version != VERSION or other:
            raise TrainError(f"{self.file} is of another run: {', '.join(other) or 'version'} differ", hint=hint)
        return found

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file; a reader or a kill at any moment finds the old one or the new one, whole."""
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_name(f"{self.file.name}.new")
        with new.open("wb") as file:
            torch.save({"version": VERSION, "identity": self.identity, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.file)

    def remove(self) -> None:
        """The model is saved: nothing is left to resume."""
        if self.file is not None:
            for path in (self.file, self.file.with_name(f"{self.file.name}.new")):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
