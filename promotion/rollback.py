"""Pure: the journal's memory and the declaration → what a rollback returns to, and the commit message that says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from promotion.domain import Declared, Desired
from promotion.errors import Conflict, UsageError

if TYPE_CHECKING:
    from promotion.domain import AppliedModel, Bound


class NoPredecessor(UsageError):
    """There is nothing to return to: the version stays (exit 2)."""


def predecessor(memory: AppliedModel | None, name: str, environment: str, only: Bound | None = None) -> tuple[Bound | None, Bound]:
    """What is applied, and its immediate predecessor.

    Raises Conflict when something else than ``only`` is applied, NoPredecessor when there is none to return to, UsageError when nothing
    was ever applied.
    """
    binding = memory.bindings.get(environment) if memory else None
    if binding is None:
        raise UsageError(
            f"nothing was ever applied to {environment} of {name!r}", hint=f"promotion history {name} shows what was applied where"
        )
    if only is not None and binding.bound != only:
        now = f"version {binding.bound.version}" if binding.bound else "nothing"
        message = f"{environment} of {name!r} has {now} by now, not version {only.version}"
        raise Conflict(message, hint="promotion status shows what is applied")
    if binding.previous is None:
        now = f"version {binding.bound.version}" if binding.bound else "nothing"
        raise NoPredecessor(
            f"{environment} of {name!r} has {now} and no predecessor to return to",
            hint="declare the version that you want in environments.yaml: it is judged like every promotion",
        )
    return binding.bound, binding.previous


def target(desired: Desired, memory: AppliedModel, environment: str, to: Bound) -> Desired:
    """One model as it was applied last, with one binding brought back; what is pending in the file stays pending."""
    kept = []
    for binding in desired.of(memory.name):
        if binding.environment == environment:
            kept.append(replace(binding, version=to.version, digest=to.digest))
        elif (last := memory.bindings.get(binding.environment)) is not None:
            kept.append(replace(binding, version=last.bound.version if last.bound else None, digest=None))
    return replace(desired, bindings=tuple(kept))


def use(binding: Declared, to: Bound) -> str:
    """The text that declares ``to`` in place of ``binding``: pinned where the old one was."""
    return f"{to.version}@sha256:{to.digest}" if binding.digest else str(to.version)


def message(name: str, environment: str, before: Bound | None, to: Bound, *, reason: str, entry: str) -> str:
    """The commit message: what, why, and trailers that name both digests and the journal's entry.

    The trailers are for people and search; they authorise nothing, only the journal does (rule 3).
    """
    now = "nothing" if before is None else str(before.version)
    digest = "none" if before is None else before.digest
    return (
        f"Roll back {name} {environment}: {now} to {to.version}\n\n{reason}\n\n"
        f"Promotion-Model: {name}\nPromotion-Environment: {environment}\n"
        f"Promotion-From: {now}@sha256:{digest}\nPromotion-To: {to.version}@sha256:{to.digest}\nPromotion-Journal: {entry}\n"
    )
