"""Bad ways into production: each is a story of commits, of writes to the registry and of the journal, refused by the gate meant for it."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from promotion.domain import SetAlias, SetStage, Status
from promotion.errors import Conflict, InvalidFiles, JournalError, PromotionError, UsageError
from promotion.evidence import FolderEvidence, canonical, read
from promotion.git import Git, Identity
from promotion.reconcile import Options, Refused
from promotion.restore import rollback
from promotion.taking import take
from tests.promotion.corpus.world import World, refusals, refused_by, said, telling
from tests.promotion.journal.conftest import make_key, signer_line

FAILED, ERRORED, INCONCLUSIVE = Status.FAILED, Status.ERRORED, Status.INCONCLUSIVE
YESTERDAY, TOMORROW = (datetime.now(UTC).date() + timedelta(days=days) for days in (-1, 1))
STAGING = """  - gate: naming
    pattern: "[a-z0-9-]+"
  - gate: bound
    metric: f1
    min: 0.8
"""
PRODUCTION = "  - gate: staging_first\n" + STAGING + "  - gate: bound\n    metric: class.rare.recall\n    min: 0.9\n"


class Way(World):
    """One model whose version 1 went through staging into production; version 2 is as good and registered alone."""

    def set_out(self) -> None:
        self.evaluations(("rows", "*", "told", b"rows\n", {}))
        self.rule("staging", STAGING)
        self.rule("production", PRODUCTION)
        self.add(telling())
        self.add(telling(96))
        self.to(staging=1)
        self.to(staging=1, production=1)

    def to(self, **bindings: Any) -> None:
        """Declare, reconcile, and see that it was applied."""
        self.declare(**bindings)
        outcome = self.reconcile()
        assert outcome.exit_code == 0, [refusals(list(one.verdicts)) for one in outcome.refused]

    def lower(self, environment: str = "production") -> None:
        """Lower a bound in a policy."""
        path = self.folder / "policies" / f"{environment}.yaml"
        path.write_text(path.read_text().replace("min: 0.8", "min: 0.1").replace("min: 0.9", "min: 0.1"))

    def by_hand(self, version: int, stage: str = "Production", alias: str = "production") -> None:
        """What somebody with rights to the registry does."""
        self.registry.apply(SetStage(self.name, version, stage, archive_existing=True))
        self.registry.apply(SetAlias(self.name, alias, version))

    @property
    def repository(self) -> Git:
        return Git(self.folder)

    def statement(self) -> bytes:
        """The newest statement of the journal."""
        found = self.repository.list("promotion-journal", "evidence", recursive=True)
        return self.repository.read("promotion-journal", found[0]) or b""


@dataclass(frozen=True)
class Bad:
    """A way, told by its name: what is done, and which gate refuses version 2 (or another) with which words."""

    name: str
    does: Callable[[Way], Options | None]
    gate: str
    status: Status
    words: str
    environment: str = "production"
    policy: str | None = None
    """Which set of rules refuses it: ``applied`` where a change tried to lower its own bar."""


def skipping_staging(way: Way) -> None:
    way.declare(staging=1, production=2)


def staging_in_the_same_commit(way: Way) -> None:
    way.declare(staging=2, production=2)


def through_two_parents(way: Way) -> None:
    """Staging on one branch, production on the other: the merged file has both, and no commit of main ever had staging alone."""
    way.git("checkout", "-q", "-b", "aside")
    way.declare(staging=2, production=1)
    way.git("checkout", "-q", "main")
    way.declare(staging=1, production=2)
    way.git("merge", "-q", "-s", "ours", "--no-commit", "aside")
    way.declare(staging=2, production=2)


def bytes_replaced_after_staging(way: Way) -> None:
    way.to(staging=2, production=1)
    way.registry.replace_files(way.name, 2, telling(97))
    way.declare(staging=2, production=2)


def bytes_replaced_by_bad_ones(way: Way) -> None:
    way.to(staging=2, production=1)
    way.registry.replace_files(way.name, 2, telling(10))
    way.declare(staging=2, production=2)


def other_bytes_than_pinned(way: Way) -> None:
    way.declare(staging=f"2@sha256:{'0' * 64}", production=1)


def deleted_and_made_again(way: Way) -> None:
    """The model is deleted and registered anew: version 1 is another one, under the number that is applied."""
    pin = way.registry.artifact(way.name, 1).digest
    way.registry.delete_model(way.name)
    way.add(telling(97, seed=3))
    way.declare(staging=f"1@sha256:{pin}", production=1)


def moved_by_hand_then_declared(way: Way) -> None:
    """The registry shows it already, so nothing would have to be written: it is gated like any promotion."""
    way.by_hand(2)
    way.declare(staging=1, production=2)


def moved_by_hand_and_bad(way: Way) -> None:
    way.add(telling(30))
    way.by_hand(3)
    way.declare(staging=1, production=3)


def tags_forged(way: Way) -> None:
    """Stage, alias and every tag that a tool might believe, set through the registry's own API."""
    way.by_hand(2, "Staging", "staging")
    for key in ("promotion.staging", "approved", "Approved by", "validation_status", "gate", "promotion.digest"):
        way.registry.set_version_tag(way.name, 2, key, way.registry.artifact(way.name, 2).digest)
    way.declare(staging=1, production=2)


def adopted_not_judged(way: Way) -> None:
    """What drift --adopt journals was found, not judged."""
    way.by_hand(2, "Staging", "staging")
    take(way.workspace(), Options())
    way.commit("adopt")
    way.reconcile()
    way.declare(staging=2, production=2)


def on_hold(way: Way) -> None:
    way.to(staging=2, production=1)
    way.to(staging=2, production=2)
    rollback(way.workspace(), Options(), way.name, "production", reason="it misses scans", push=False)
    way.declare(staging=2, production=2)


def regression_on_a_rare_class(way: Way) -> None:
    """Better on average, and worse where it matters."""
    way.add(telling(98, rare=17))
    way.to(staging=3, production=1)
    way.declare(staging=3, production=3)


def policy_lowered_beside(way: Way) -> None:
    way.add(telling(50))
    way.lower("staging")
    way.declare(staging=3, production=1)


def policy_lowered_before_within_one_push(way: Way) -> None:
    way.add(telling(50))
    way.lower("staging")
    way.commit("lower the bar")
    way.declare(staging=3, production=1)


def rule_deleted_beside(way: Way) -> None:
    way.add(telling(50))
    way.rule("staging", '  - gate: naming\n    pattern: "[a-z0-9-]+"\n')
    way.declare(staging=3, production=1)


def rule_only_shown_beside(way: Way) -> None:
    way.add(telling(50))
    path = way.folder / "policies" / "staging.yaml"
    path.write_text(path.read_text().replace("metric: f1", "metric: f1\n    mode: observe"))
    way.declare(staging=3, production=1)


def staging_rule_deleted_beside(way: Way) -> None:
    way.rule("production", STAGING)
    way.declare(staging=1, production=2)


def evaluator_replaced_beside(way: Way) -> None:
    way.add(telling(50))
    path = way.folder / "judge" / "told.py"
    path.write_text(path.read_text().replace('int(said["hits"])', "99"))
    way.declare(staging=3, production=1)


def data_replaced_beside(way: Way) -> None:
    """The pin is moved to easier rows: the rows that the last applied rules pin are not at hand any more."""
    way.evaluations(("rows", "*", "told", b"easier rows\n", {}))
    way.declare(staging=2, production=1)


def data_replaced_without_its_pin(way: Way) -> None:
    (way.folder / "rows-rows.csv").write_text("easier rows\n")
    way.declare(staging=2, production=1)


def rules_that_only_show(way: Way) -> None:
    """A policy of which nothing is enforced is no policy."""
    text = STAGING.replace("    pattern", "    mode: observe\n    pattern").replace("    metric", "    mode: observe\n    metric")
    way.rule("staging", text)
    way.commit("only look")
    way.declare(staging=2, production=1)


def metric_of_nobody(way: Way) -> None:
    way.rule("staging", STAGING + "  - gate: bound\n    metric: f2\n    min: 0.1\n")
    way.declare(staging=2, production=1)


def _waiver(way: Way, *, expires: date, version: int | str = 3, gate: str = "bound") -> None:
    (way.folder / "policies" / "waivers.yaml").write_text(
        f"version: 1\nwaivers:\n  - gate: {gate}\n    model: {way.name}\n    version: {version}\n    environment: staging\n"
        f"    owner: ada@example.org\n    reason: A pilot.\n    expires: {expires}\n"
    )


def _waived_before(way: Way, **given: Any) -> None:
    """A bad version, and an exception that was applied before it is declared."""
    way.add(telling(50))
    _waiver(way, **given)
    way.to(staging=1, production=1)
    way.declare(staging=3, production=1)


def waiver_expired(way: Way) -> None:
    _waived_before(way, expires=YESTERDAY)


def waiver_for_another_version(way: Way) -> None:
    _waived_before(way, expires=TOMORROW, version=2)


def waiver_for_other_bytes(way: Way) -> None:
    _waived_before(way, expires=TOMORROW, version=f"3@sha256:{'0' * 64}")


def waiver_of_another_gate(way: Way) -> None:
    _waived_before(way, expires=TOMORROW, gate="naming")


def waiver_beside_its_use(way: Way) -> None:
    way.add(telling(50))
    _waiver(way, expires=TOMORROW)
    way.declare(staging=3, production=1)


def waiver_of_what_was_not_measured(way: Way) -> None:
    """An exception excuses what is known to be bad, never what nobody knows."""
    way.rule("staging", STAGING + "  - gate: bound\n    metric: f2\n    min: 0.1\n")
    way.add(telling())
    _waiver(way, expires=TOMORROW)
    way.commit("rules and a waiver")
    way.reconcile()
    way.declare(staging=3, production=1)


def _bar(way: Way, line: str) -> None:
    (way.folder / "policies" / "quarantine.yaml").write_text(
        f"version: 1\nquarantine:\n  - model: {way.name}\n    {line}\n    reason: It saw the test rows.\n    by: ada@example.org\n"
    )


def in_quarantine(way: Way) -> None:
    _bar(way, "version: 2")
    way.declare(staging=2, production=1)


def in_quarantine_by_its_bytes(way: Way) -> None:
    """Barred bytes come back under another number."""
    way.add(telling(96))
    _bar(way, f"version: 2\n    digest: sha256:{way.registry.artifact(way.name, 3).digest}")
    way.declare(staging=3, production=1)


def quarantine_lifted_beside(way: Way) -> None:
    _bar(way, "version: 2")
    way.to(staging=1, production=1)
    (way.folder / "policies" / "quarantine.yaml").unlink()
    way.declare(staging=2, production=1)


FREEZE = "  - gate: freeze\n    timezone: UTC\n    windows: [{days: [mon, tue, wed, thu, fri, sat, sun], reason: holidays}]\n"


def frozen(way: Way) -> None:
    way.rule("staging", STAGING + FREEZE)
    way.declare(staging=2, production=1)


def freeze_lifted_beside(way: Way) -> None:
    way.rule("staging", STAGING + FREEZE)
    way.to(staging=1, production=1)
    way.rule("staging", STAGING)
    way.declare(staging=2, production=1)


def not_long_enough_in_staging(way: Way) -> None:
    way.rule("production", PRODUCTION.replace("staging_first\n", "staging_first\n    soak: 24h\n"))
    way.to(staging=2, production=1)
    way.declare(staging=2, production=2)


def soak_lowered_beside(way: Way) -> None:
    way.rule("production", PRODUCTION.replace("staging_first\n", "staging_first\n    soak: 24h\n"))
    way.to(staging=2, production=1)
    way.rule("production", PRODUCTION)
    way.declare(staging=2, production=2)


def evidence_of_another_version(way: Way) -> Options:
    """A good version's statement, under the key of a bad one."""
    return _planted(way, lambda bad, good: good)


def evidence_edited(way: Way) -> Options:
    def edited(bad: bytes, good: bytes) -> bytes:
        value = json.loads(bad)
        value["predicate"]["figures"]["f1"] = 1.0
        return canonical(value)

    return _planted(way, edited)


def evidence_truncated(way: Way) -> Options:
    return _planted(way, lambda bad, good: bad[:-20])


def evidence_of_other_data(way: Way) -> Options:
    return _planted(way, lambda bad, good: replace(read(bad), dataset="0" * 64).to_bytes())


def evidence_of_another_evaluator(way: Way) -> Options:
    return _planted(way, lambda bad, good: replace(read(bad), evaluator=replace(read(bad).evaluator, digest="0" * 64)).to_bytes())


def no_evidence_at_all(way: Way) -> Options:
    way.declare(staging=2, production=1)
    return Options(measure=False)


def _planted(way: Way, made: Callable[[bytes, bytes], bytes]) -> Options:
    """Keep a statement where evidence of version 2 is looked for, and decide without measuring."""
    folder = way.folder.parent / "evidence"
    good = way.statement()
    statement = replace(read(good), artifact=way.registry.artifact(way.name, 2).digest, subject=f"{way.name}/2")
    path = FolderEvidence(folder).put(statement)
    content = made(statement.to_bytes(), good)
    path.unlink()
    path.with_name(f"{hashlib.sha256(content).hexdigest()}.json").write_bytes(content)
    way.shared = {**way.shared, "evidence": folder}
    way.declare(staging=2, production=1)
    return Options(measure=False)


BAD = [
    Bad("staging is skipped", skipping_staging, "staging_first", FAILED, "no passing entry"),
    Bad("staging and production in one commit", staging_in_the_same_commit, "staging_first", FAILED, "no passing entry"),
    Bad("a merge of two parents", through_two_parents, "staging_first", FAILED, "no passing entry"),
    Bad("bytes replaced after staging", bytes_replaced_after_staging, "staging_first", FAILED, "other bytes"),
    Bad("bytes replaced by bad ones", bytes_replaced_by_bad_ones, "digest", FAILED, "sha256:"),
    Bad("other bytes than pinned", other_bytes_than_pinned, "digest", FAILED, "sha256:", "staging"),
    Bad("deleted and made again", deleted_and_made_again, "digest", FAILED, "sha256:", "staging"),
    Bad("moved by hand, then declared", moved_by_hand_then_declared, "staging_first", FAILED, "no passing entry"),
    Bad("moved by hand, and bad", moved_by_hand_and_bad, "bound", FAILED, "f1 = 0.3"),
    Bad("tags forged", tags_forged, "staging_first", FAILED, "no passing entry"),
    Bad("adopted in staging", adopted_not_judged, "staging_first", FAILED, "adopted in staging, never judged there"),
    Bad("a metric that nobody measures", metric_of_nobody, "bound", ERRORED, "nobody measured 'f2'", "staging"),
    Bad("waiver expired", waiver_expired, "bound", FAILED, "expired on", "staging"),
    Bad("waiver for another version", waiver_for_another_version, "bound", FAILED, "f1 = 0.5", "staging"),
    Bad("waiver for other bytes", waiver_for_other_bytes, "bound", FAILED, "is for other bytes", "staging"),
    Bad("waiver of another gate", waiver_of_another_gate, "bound", FAILED, "f1 = 0.5", "staging"),
    Bad("waiver beside its use", waiver_beside_its_use, "bound", FAILED, "came with this change", "staging", "both"),
    Bad("waiver of what was not measured", waiver_of_what_was_not_measured, "bound", ERRORED, "cannot be waived", "staging"),
    Bad("in quarantine", in_quarantine, "quarantine", FAILED, "It saw the test rows.", "staging"),
    Bad("in quarantine by its bytes", in_quarantine_by_its_bytes, "quarantine", FAILED, "It saw the test rows.", "staging"),
    Bad("quarantine lifted beside", quarantine_lifted_beside, "quarantine", FAILED, "It saw the test rows.", "staging"),
    Bad("frozen", frozen, "freeze", FAILED, "holidays", "staging"),
    Bad("freeze lifted beside", freeze_lifted_beside, "freeze", FAILED, "holidays", "staging", "applied"),
    Bad("not long enough in staging", not_long_enough_in_staging, "staging_first", INCONCLUSIVE, "in staging for"),
    Bad("soak lowered beside", soak_lowered_beside, "staging_first", INCONCLUSIVE, "in staging for", policy="applied"),
    Bad("on hold", on_hold, "hold", FAILED, "it misses scans"),
    Bad("worse on a rare class", regression_on_a_rare_class, "bound", FAILED, "class.rare.recall = 0.85"),
    Bad("policy lowered beside", policy_lowered_beside, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("policy lowered before", policy_lowered_before_within_one_push, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("rule deleted beside", rule_deleted_beside, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("rule only shown beside", rule_only_shown_beside, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("staging's rule deleted beside", staging_rule_deleted_beside, "staging_first", FAILED, "no passing entry", policy="applied"),
    Bad("evaluator replaced beside", evaluator_replaced_beside, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("data replaced beside", data_replaced_beside, "bound", ERRORED, "where the policy pins", "staging", "applied"),
    Bad("data replaced, not its pin", data_replaced_without_its_pin, "bound", ERRORED, "where the policy pins", "staging"),
    Bad("nothing is enforced", rules_that_only_show, "policy", ERRORED, "no enforced rule", "staging"),
    Bad("evidence of another version", evidence_of_another_version, "bound", ERRORED, "is of another artifact", "staging"),
    Bad("evidence edited", evidence_edited, "bound", ERRORED, "its figures do not follow from its counts", "staging"),
    Bad("evidence truncated", evidence_truncated, "bound", ERRORED, "not JSON", "staging"),
    Bad("evidence of other data", evidence_of_other_data, "bound", ERRORED, "is of another artifact, dataset", "staging"),
    Bad("evidence of another evaluator", evidence_of_another_evaluator, "bound", ERRORED, "is of another artifact, dataset", "staging"),
    Bad("no evidence", no_evidence_at_all, "bound", ERRORED, "nothing was measured", "staging"),
]


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
    _waiver(way, expires=TOMORROW, gate="formats")
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


@pytest.fixture(scope="module")
def began(tmp_path_factory: pytest.TempPathFactory) -> Way:
    """Version 1 in staging and in production, all of it signed."""
    folder = tmp_path_factory.mktemp("way")
    key = make_key(folder, "job")
    way = Way(folder / "models", "memory://", name="flows-way", shared={"signing_key": key})
    way.begin()
    (way.folder / "policies" / "allowed_signers").write_text(signer_line("job@example.org", key))
    way.set_out()
    return way


@pytest.fixture
def way(began: Way, tmp_path: Path) -> Way:
    """A copy of repository and registry, to go on from."""
    shutil.copytree(began.folder, tmp_path / "models")
    return replace(began, folder=tmp_path / "models", registry=copy.deepcopy(began.registry))


@pytest.mark.parametrize("bad", BAD, ids=[one.name for one in BAD])
def test_it_is_refused_by_the_gate_meant_for_it(way: Way, bad: Bad) -> None:
    options = bad.does(way)
    before = way.bound(bad.environment)
    # A job that is started again must not find it good because it was recorded meanwhile.
    for _ in range(2 if bad.policy else 1):
        outcome = way.reconcile(options)
        verdicts = said(outcome, way.name, bad.environment)
        refusing = [one for one in verdicts if bad.policy in {None, one.policy}]
        assert refused_by(refusing, bad.gate, bad.status, bad.words), refusals(verdicts)
        assert outcome.exit_code in {4, 5}
    # What was bound by hand is healed to what was applied last; nothing else moves.
    assert way.bound(bad.environment) in {before, 1}
    memory = way.workspace().journal.read().applied(way.name)
    assert memory is not None
    binding = memory.bindings[bad.environment].bound
    assert binding is not None
    assert binding.version == 1


@pytest.mark.parametrize("name", STOPPED)
def test_it_is_stopped_before_anything_is_judged(way: Way, name: str) -> None:
    does, kind, words = STOPPED[name]
    does(way)
    with pytest.raises(kind) as caught:
        way.reconcile()
    told = [caught.value.message, *(problem.message for problem in getattr(caught.value, "problems", ()))]
    assert any(words in one for one in told), told
    assert caught.value.hint or isinstance(caught.value, InvalidFiles)
    assert way.bound("production") == 1


def test_what_is_good_enters(way: Way) -> None:
    """The same repository lets a version through that takes no short cut."""
    way.to(staging=2, production=1)
    way.to(staging=2, production=2)
    assert way.bound("production") == 2
    assert way.workspace().journal.verify() == ()


def test_what_is_waived_in_time_enters_and_is_told(way: Way) -> None:
    _waived_before(way, expires=TOMORROW)
    outcome = way.reconcile()
    assert outcome.exit_code == 0
    assert [one.reason for one in outcome.decision.waived] == ["A pilot."]


def test_a_rollback_passes_a_freeze(way: Way) -> None:
    way.to(staging=2, production=1)
    way.to(staging=2, production=2)
    way.rule("production", PRODUCTION + FREEZE)
    way.to(staging=2, production=2)
    rollback(way.workspace(), Options(), way.name, "production", reason="alarms", push=False)
    assert way.bound("production") == 1


def test_a_policy_that_is_lowered_by_itself_counts_afterwards(way: Way) -> None:
    """Not in the commit that promotes: in one of its own, which was applied."""
    way.add(telling(50))
    way.lower("staging")
    way.to(staging=1, production=1)
    way.to(staging=3, production=1)
