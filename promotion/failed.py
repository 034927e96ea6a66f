"""When the check after a promotion failed: the registry back first, a hold, the commit that reverts; without a predecessor the hold alone.

What ``verify --out`` wrote says what failed; it authorises nothing. Only what the journal applied last is brought back, only while that is
the version that failed, and only to its immediate predecessor. What could not be measured, or not be told, is no failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from promotion.domain import Bound
from promotion.errors import Exit, PromotionError, UsageError
from promotion.restore import Restored, change_hold, rollback
from promotion.rollback import NoPredecessor
from promotion.verdicts import Status

if TYPE_CHECKING:
    from promotion.reconcile import Options
    from promotion.survey import Workspace

_MOST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Failed:
    """One binding that failed its check: ``reasons`` are the failed verdicts, one sentence each."""

    model: str
    environment: str
    bound: Bound
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What followed for one binding: it was brought back, or ``stayed`` tells why not; ``held`` is then the entry of the hold, if any."""

    failed: Failed
    restored: Restored | None
    stayed: PromotionError | None = None
    held: str | None = None

    @property
    def exit_code(self) -> Exit:
        """FAILED where the version that failed is still in service."""
        if self.restored is not None:
            return self.restored.outcome.exit_code
        return self.stayed.exit_code if self.stayed is not None and self.held is None else Exit.FAILED


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Verdict(_Loose):
    gate: str
    status: str
    got: str


class _Change(_Loose):
    model: str
    environment: str


class _Bound(_Loose):
    version: int
    digest: str = Field(pattern="^[0-9a-f]{64}$")


class _Binding(_Loose):
    change: _Change
    bound: _Bound
    verdicts: tuple[_Verdict, ...]


class _File(_Loose):
    schema_: Literal["promotion/verify/v1"] = Field(alias="schema")
    bindings: tuple[_Binding, ...]


def read(file: Path) -> tuple[Failed, ...]:
    """What failed according to a file that ``verify --out`` wrote. Raises UsageError when it is no such file."""
    try:
        with file.open("rb") as opened:
            found = _File.model_validate_json(opened.read(_MOST_BYTES))
    except (OSError, ValueError) as error:
        told = " ".join(str(error).splitlines()[:3])
        raise UsageError(f"{file} cannot be used: {told}", hint="make it with: promotion verify --out FILE") from error
    return tuple(_failed(found.bindings))


def _failed(bindings: Sequence[_Binding]) -> Iterator[Failed]:
    for one in bindings:
        reasons = tuple(f"{verdict.gate}: {verdict.got}" for verdict in one.verdicts if verdict.status == Status.FAILED)
        if reasons:
            yield Failed(one.change.model, one.change.environment, Bound(one.bound.version, one.bound.digest), reasons)


def answer(workspace: Workspace, options: Options, failed: Sequence[Failed], *, push: bool) -> tuple[Answered, ...]:
    """Bring back what failed, one binding after the other. A fault of one does not keep the next from being brought back."""
    return tuple(_answer(workspace, options, one, push=push) for one in failed)


def _answer(workspace: Workspace, options: Options, one: Failed, *, push: bool) -> Answered:
    reason = f"The check after the promotion failed. {'; '.join(one.reasons)}"
    try:
        return Answered(one, rollback(workspace, options, one.model, one.environment, reason=reason, push=push, only=one.bound))
    except NoPredecessor as stayed:
        ref = f"{one.model}/{one.bound.version}@sha256:{one.bound.digest}"
        try:
            held = change_hold(workspace.journal, workspace.by, workspace.now(), "add", ref, one.environment, reason)
        except PromotionError as error:
            return Answered(one, None, error)
        return Answered(one, None, stayed, held)
    except PromotionError as error:
        return Answered(one, None, error)
