"""What goes wrong in a way that a user can act on."""

from __future__ import annotations


class TrainError(Exception):
    """A message and what to do next; the command line ends with exit code 2."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
