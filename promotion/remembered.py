"""What the registry remembers of the journal: entries that were removed from the branch show by it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from promotion.errors import InvalidFiles, JournalError, UsageError
from promotion.repository import Layout, desired_at

if TYPE_CHECKING:
    from promotion.domain import Observed
    from promotion.git import Git
    from promotion.journal import Journal, State
    from promotion.registry.interface import Registry

JOURNAL_TAG = "promotion.journal"
"""The registered model's tag in which the registry keeps the journal's root and head: ``ROOT/HEAD``."""


def check_memory(journal: Journal, state: State, observed: Observed) -> None:
    """Compare the journal with what the registry remembers of its head. Raises JournalError when they do not belong together.

    Reading the journal verifies its newest entry alone; what was added since the newest entry that the registry remembers is
    verified here, entry by entry, so that the holder of a removed key cannot slip two entries in.
    """
    remembered = {name: tag for name, model in sorted(observed.models.items()) if (tag := model.tags.get(JOURNAL_TAG))}
    # One process for all models: each may remember an entry of its own.
    entries = journal.git.first_parents(state.head) if remembered and state.head else ()
    known = frozenset(entries)
    for name, tag in remembered.items():
        root, _, head = tag.partition("/")
        if state.root != root:
            raise JournalError(
                f"{name!r} belongs to another journal: it starts at {root[:12]}, this one at {(state.root or 'nothing')[:12]}",
                hint=f"run this in the repository that owns {name}; "
                f"if the journal was replaced on purpose, delete the tag {JOURNAL_TAG} of the model",
            )
        if head not in known:
            raise JournalError(
                f"the journal was cut: the registry remembers entry {head[:12]} for {name!r}, which the branch no longer has",
                hint=f"restore the branch from a clone that has this entry: git push origin {head[:12]}:refs/heads/promotion-journal",
            )
    heads = {tag.partition("/")[2] for tag in remembered.values()}
    newest = next((sha for sha in entries if sha in heads), None)
    if newest not in {None, state.head} and (faults := journal.verify(since=newest, fetch=False)):
        raise JournalError(f"the journal does not verify: {faults[0]}", hint="promotion journal verify shows every fault")


def ask(registry: Registry, git: Git, layout: Layout, journal: Journal) -> Observed:
    """What the registry shows of all models that the journal knows or the newest commit declares: each may remember an entry.

    Raises Unavailable when it does not answer.
    """
    names: set[str] = set()
    # Files that are wrong and a journal that does not verify are told by those whose work it is: here they name no models.
    with suppress(InvalidFiles, UsageError):
        declared = desired_at(git, "HEAD", layout)
        names |= set(declared.models) if declared else set()
    with suppress(JournalError):
        names |= journal.read().applied_all().keys()
    return registry.observe(sorted(names))


def compare(journal: Journal, state: State, observed: Observed) -> int:
    """Raise as ``check_memory``; gives how many models remember an entry."""
    check_memory(journal, state, observed)
    return sum(JOURNAL_TAG in model.tags for model in observed.models.values())
