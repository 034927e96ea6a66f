"""What is stopped before anything is judged: a journal that does not verify, commits out of order, files that are wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from promotion.errors import Conflict, InvalidFiles, JournalError, PromotionError, UsageError
from promotion.evidence import canonical
from promotion.git import Identity
from promotion.reconcile import Refused
from tests.promotion.corpus.way import TOMORROW, Way, waive
from tests.promotion.corpus.world import telling
from tests.promotion.journal.conftest import make_key, signer_line


def journal_cut(way: Way) -> None:
    """Somebody sets the branch back: what was applied would be forgotten, and could be applied again ungated."""
    head = way.git("rev-parse", "promotion-journal")
    way.git("update-ref", "refs/heads/promotion-journal", f"{head}~1")
    way.declare(staging=1, production=2)


def journal_replaced(way: Way) -> None:
    repository = way.repository
    head = repository.resolve("promotion-journal")
    entry = json.loads(repository.read(head, "entry.json") or b"")
    tree = repository.make_tree(head, {"entry.json": canonical({**entry, "root": None})})
    forged = _forged(way, tree, (), way.shared["signing_key"])
    way.git("update-ref", "refs/heads/promotion-journal", forged)
    way.declare(staging=1, production=2)


def journal_removed(way: Way) -> None:
    way.git("update-ref", "-d", "refs/heads/promotion-journal")
    way.declare(staging=1, production=2)


def journal_entry_unsigned(way: Way) -> None:
    _append(way, None)


def journal_entry_by_a_stranger(way: Way) -> None:
    _append(way, make_key(way.folder.parent, "eve"))


def two_entries_by_a_removed_key(way: Way) -> None:
    """The newest entry is signed as it must be, the one below it is not: what the registry remembers is older than both."""
    _append(way, make_key(way.folder.parent, "eve"))
    _append(way, way.shared["signing_key"])


def signers_replaced_beside(way: Way) -> None:
    """The commit that promotes names its own signer as well."""
    eve = make_key(way.folder.parent, "eve")
    (way.folder / "policies" / "allowed_signers").write_text(signer_line("eve@example.org", eve))
    way.shared = {**way.shared, "signing_key": eve}
    way.declare(staging=2, production=1)


def _append(way: Way, key: Path | None) -> None:
    """An entry that says that version 2 passed in staging, by whoever can write the branch."""
    head = way.repository.resolve("promotion-journal")
    applied = way.repository.list(head, "applied")[0]
    digest = way.registry.artifact(way.name, 1).digest
    memory = (way.repository.read(head, applied) or b"").replace(digest.encode(), way.registry.artifact(way.name, 2).digest.encode())
    forged = _forged(way, way.repository.make_tree(head, {applied: memory}), (head,), key)
    way.git("update-ref", "refs/heads/promotion-journal", forged)
    way.declare(staging=1, production=2)


def _forged(way: Way, tree: str, parents: tuple[str, ...], key: Path | None) -> str:
    at = datetime.fromisoformat(json.loads(way.repository.read("promotion-journal", "entry.json") or b"")["at"])
    return way.repository.commit_tree(tree, parents, "outcome", who=Identity("Eve", "eve@example.org"), at=at.astimezone(UTC), key=key)


def an_older_commit(way: Way) -> None:
    way.git("reset", "-q", "--hard", "HEAD~1")


def a_commit_beside(way: Way) -> None:
    """Main was rewritten: the history that was applied is gone from it."""
    way.git("reset", "-q", "--hard", "HEAD~1")
    way.declare(staging=2, production=1)


def policies_deleted(way: Way) -> None:
    shutil.rmtree(way.folder / "policies")
    way.declare(staging=1, production=2)


def rules_of_production_deleted(way: Way) -> None:
    (way.folder / "policies" / "production.yaml").unlink()
    way.declare(staging=1, production=2)


def pattern_that_matches_nothing(way: Way) -> None:
    path = way.folder / "policies" / "production.yaml"
    path.write_text(path.read_text().replace("metric: f1", "metric: f1\n    models: [moe-*]"))
    way.declare(staging=1, production=2)


def gate_that_there_is_not(way: Way) -> None:
    path = way.folder / "policies" / "production.yaml"
    path.write_text(path.read_text().replace("gate: bound", "gate: bounds"))
    way.declare(staging=1, production=2)


def built_in_gate_switched_off(way: Way) -> None:
    path = way.folder / "policies" / "production.yaml"
    path.write_text(path.read_text() + "  - gate: digest\n    mode: observe\n")
    way.declare(staging=1, production=2)


def bound_without_a_number(way: Way) -> None:
    path = way.folder / "policies" / "staging.yaml"
    path.write_text(path.read_text().replace("min: 0.8", "min: .nan"))
    way.declare(staging=2, production=1)


def waiver_of_a_gate_that_none_may_open(way: Way) -> None:
    waive(way, expires=TOMORROW, gate="formats")
    way.declare(staging=2, production=1)


def policy_edited_and_not_committed(way: Way) -> None:
    way.add(telling(50))
    way.declare(staging=3, production=1)
    way.lower("staging")


def everything_at_once(way: Way) -> None:
    """More changes than one commit may bring."""
    path = way.folder / "environments.yaml"
    way.declare(staging=2, production=1, commit=False)
    path.write_text(path.read_text().replace("models:", "limits: {max_changes: 0}\nmodels:"))
    way.commit("everything")


STOPPED: Mapping[str, tuple[Callable[[Way], None], type[PromotionError], str]] = {
    "journal cut": (journal_cut, JournalError, "the journal was cut"),
    "journal replaced": (journal_replaced, JournalError, "belongs to another journal"),
    "journal removed": (journal_removed, JournalError, "belongs to another journal"),
    "an entry that is unsigned": (journal_entry_unsigned, JournalError, "it is not signed"),
    "an entry by a stranger": (journal_entry_by_a_stranger, JournalError, "does not allow"),
    "a stranger's entry below a good one": (two_entries_by_a_removed_key, JournalError, "does not verify"),
    "signers replaced beside": (signers_replaced_beside, UsageError, "would not verify"),
    "an older commit": (an_older_commit, Conflict, "is older than"),
    "a commit beside": (a_commit_beside, Conflict, "does not descend"),
    "policies deleted": (policies_deleted, UsageError, "no policies"),
    "the rules of production deleted": (rules_of_production_deleted, InvalidFiles, "no policy has rules for 'production'"),
    "a pattern that matches nothing": (pattern_that_matches_nothing, InvalidFiles, "matches no declared model"),
    "a gate that there is not": (gate_that_there_is_not, InvalidFiles, "there is no gate 'bounds'"),
    "a built-in gate switched off": (built_in_gate_switched_off, InvalidFiles, "runs by itself"),
    "a bound that is no number": (bound_without_a_number, InvalidFiles, "is not a finite number"),
    "a waiver that nobody may give": (waiver_of_a_gate_that_none_may_open, InvalidFiles, "formats"),
    "a policy edited, not committed": (policy_edited_and_not_committed, UsageError, "differ from commit"),
    "more changes than allowed": (everything_at_once, Refused, "at most 0 are allowed"),
}
