"""What can go wrong, with what to do next and the exit code that scripts see.

The exit codes are a contract (README, "Exit codes"):

    0 done or nothing to do     1 internal error       2 bad arguments or file
    3 changes pending           4 a gate failed        5 errored, inconclusive or no answer
    6 not the agreed plan, another reconcile under way, or a journal that does not verify
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from promotion.domain import Place
from promotion.domain import Problem as Problem  # noqa: PLC0414 - part of this module's words


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    PENDING = 3
    FAILED = 4
    ERRORED = 5
    CONFLICT = 6


class PromotionError(Exception):
    """Something a user can act on: what happened, where, and what to do next.

    ``exit_code`` is what the process ends with. Anything that is not a PromotionError is a fault of this program (exit 1).
    """

    exit_code: Exit = Exit.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place


class UsageError(PromotionError):
    """Bad arguments, or a file, commit or repository that is not as it must be (exit 2)."""

    exit_code = Exit.USAGE


class InvalidFiles(UsageError):
    """One or more files are wrong: every problem of every file at once (exit 2)."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} found")
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.place, problem.rule)))


class Unavailable(PromotionError):
    """The registry, a remote or a dataset did not answer or could not be read (exit 5)."""

    exit_code = Exit.ERRORED


class Conflict(PromotionError):
    """Somebody else holds the lock, won the race, or the plan is not the one that was agreed (exit 6)."""

    exit_code = Exit.CONFLICT


class JournalError(PromotionError):
    """The journal is cut, forged, malformed or belongs to another repository (exit 6)."""

    exit_code = Exit.CONFLICT
