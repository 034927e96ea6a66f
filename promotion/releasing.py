"""Who may release a hold, and when.

Once main no longer declares the version, so that the release alone brings nothing back, and by another person than the one whose commit
promoted it. What is in service all the same (it had no predecessor) may be released as it stands: nothing changes by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promotion.changes import ChangeKind
from promotion.errors import UsageError
from promotion.git import Identity

if TYPE_CHECKING:
    from promotion.domain import Desired
    from promotion.journal import Hold, Journal, State

_CI = " (CI)"


def check_release(journal: Journal, state: State, hold: Hold, by: str, declared: Desired | None) -> None:
    """Raise UsageError when main (``declared``) would bring the version back at once, or ``by`` is the author of its promotion.

    Names and addresses are those that git and the workflow tell: who may sign the journal is what protects it, this keeps apart two roles.
    """
    memory = state.applied(hold.model)
    binding = memory.bindings.get(hold.environment) if memory else None
    serving = binding is not None and binding.bound is not None and binding.bound.digest == hold.digest
    wanted = next((one for one in declared.of(hold.model) if one.environment == hold.environment), None) if declared else None
    if wanted is not None and wanted.version == hold.version and not serving:
        raise UsageError(
            f"main still declares {hold.model}/{hold.version} in {hold.environment}, so a release would bring it back at once",
            hint="declare another version first; then release the hold, and propose this one again",
            place=wanted.place,
        )
    author = _author(journal, hold)
    if author is not None and same_person(author, by):
        raise UsageError(
            f"{by} promoted {hold.model}/{hold.version} to {hold.environment}: another person releases the hold",
            hint="ask somebody who did not write that commit",
        )


def same_person(author: str, by: str) -> bool:
    """Whether the author of a commit (``Name <mail>``) is who runs this: ``Name <mail>``, or a login and `` (CI)``."""
    wrote = Identity.parse(author)
    if by.endswith(_CI):
        login = by.removesuffix(_CI).casefold()
        # 12345+login@users.noreply… is how hosting writes who pressed the button.
        mail = wrote.mail.casefold().partition("@")[0].rpartition("+")[2]
        return login in {mail, wrote.name.casefold()}
    runs = Identity.parse(by)
    return runs.mail.casefold() == wrote.mail.casefold() or runs.name.casefold() == wrote.name.casefold()


def _author(journal: Journal, hold: Hold) -> str | None:
    """The author of the commit that promoted these bytes there last; None when none did (they were adopted)."""
    wanted = (ChangeKind.PROMOTE, hold.environment)
    for one in journal.entries(model=hold.model):
        there = (change.after for change in one.entry.changes if (change.kind, change.environment) == wanted)
        if any(after is not None and after.digest == hold.digest for after in there):
            return one.entry.author
    return None
