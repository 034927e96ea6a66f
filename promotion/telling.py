"""What reconcile leaves on the registry beside the bindings: the journal's newest head, and who approved. Neither is a proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promotion.errors import PromotionError, Unavailable
from promotion.remembered import JOURNAL_TAG
from promotion.verdicts import Status
from promotion.writing import Pace, write

if TYPE_CHECKING:
    from promotion.journal import State
    from promotion.survey import Survey, Workspace
    from promotion.verdicts import Judged

REMEMBERING = 20
"""Models that remember the journal's newest head when more than these change at once."""


@dataclass(frozen=True, slots=True)
class _Tag:
    """The tag of one model."""

    model: str


def tell_head(workspace: Workspace, found: Survey, state: State, done: tuple[Judged, ...], pace: Pace) -> tuple[str, ...]:
    """Let the registry remember the journal's head. A tag that fails is behind, never wrong: it is noted, not raised."""
    value = f"{state.root}/{state.head}"

    def send(one: _Tag) -> None:
        workspace.registry.set_model_tag(one.model, JOURNAL_TAG, value)

    sent = write(map(_Tag, _remembering(found, done)), send, pace, check=lambda: None, report=workspace.report)
    untold = Unavailable("it was not asked, since it did not answer for others")
    failures = {one.model: sent.failures.get(one.model, untold) for one in sent.missing}
    return tuple(f"{name}: the registry does not remember this entry: {error.message}" for name, error in sorted(failures.items()))


def tell_approvals(workspace: Workspace, done: tuple[Judged, ...]) -> tuple[str, ...]:
    """Write on each version who approved it: for people to read, never a proof, so a failure is noted and no more."""
    notes = []
    for one in done:
        told = next((v.got for v in one.verdicts if v.gate == "approval" and v.status is Status.PASSED), None)
        if told is None or one.change.after is None:
            continue
        key, value = f"promotion.approval.{one.change.environment}", f"{told[:1].upper()}{told[1:]}"
        try:
            workspace.registry.set_version_tag(one.change.model, one.change.after, key, value)
        except PromotionError as error:
            notes.append(f"{one.change.model}/{one.change.after} does not say who approved it: {error.message}")
    return tuple(notes)


def _remembering(found: Survey, done: tuple[Judged, ...]) -> list[str]:
    """Models that shall remember the journal's new head: all that do not know their journal yet, and enough of the others.

    A journal that was cut shows by the newest head that any model remembers; whose a model is, each must say itself.
    """
    models = sorted({one.change.model for one in done})
    known = [name for name in models if JOURNAL_TAG in found.observed.models[name].tags]
    return [name for name in models if name not in known[REMEMBERING:]]
