"""``journal verify``: every kind of fault is found, at the entry that brought it, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promotion.changes import ChangeKind
from promotion.domain import Bound
from promotion.git import Identity
from promotion.journal import EntryKind, Statement
from promotion.journal.codec import encode_applied, encode_entry, encode_holds, evidence_folder
from promotion.journal.model import Hold
from tests.promotion.journal.conftest import Site, forge, git
from tests.promotion.journal.samples import START, digest, entry, memory, promoting


@pytest.fixture
def told(signed):
    """A journal that says m/4 is in staging; then whatever a test forges with the right key."""
    site, key = signed
    commit = git(site.work, "rev-parse", "HEAD")
    journal = site.journal(key)
    statement = Statement(digest(5), b"{}")
    state = journal.append(journal.read(), promoting(entry(commit), "m", 4), applied={"m": memory("m", 4, commit)}, evidence=[statement])
    return site, key, state, commit


def faults(site: Site, sha: str) -> list[tuple[str, str]]:
    found = site.journal().verify()
    assert {fault.sha for fault in found} <= {sha}
    assert all(str(fault).startswith(sha[:12]) for fault in found)
    return [(fault.rule, fault.message) for fault in found]


HOLD = Hold("m", "staging", 4, digest(4), "why", START, "Eve")
PATH = f"{evidence_folder(digest(5))}/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.json"


def _applied(version: int) -> bytes:
    return encode_applied(memory("m", version, "a" * 40))


@pytest.mark.parametrize(
    ("files", "rule", "message"),
    [
        ({"applied/m.yaml": _applied(5)}, "memory", "staging of 'm' changed, and the entry does not say so"),
        ({"applied/m.yaml": None}, "memory", "staging of 'm' was forgotten"),
        ({"applied/n.yaml": encode_applied(memory("n", 1, "a" * 40))}, "memory", "staging of 'n' changed"),
        ({"applied/n.yaml": encode_applied(memory("m", 1, "a" * 40))}, "malformed", "whose file is m.yaml"),
        ({"applied/m.yaml": b"model: m\n"}, "malformed", "applied/m.yaml is malformed"),
        ({"holds/m.yaml": encode_holds("m", (HOLD,))}, "holds", "it changes holds/m.yaml, and does not say so"),
        ({"holds/m.yaml": b"{}"}, "malformed", "holds/m.yaml is malformed"),
        ({PATH: None}, "evidence", "removes"),
        ({PATH: b"{ }"}, "evidence", "changes"),
        ({PATH.replace(digest(5), digest(6)): b"{ }"}, "evidence", "is not named by its content"),
        ({PATH.replace(".json", ".replicates"): b"other"}, "evidence", "is not named by its content"),
        ({"README.md": b"hello"}, "foreign-file", "README.md, which is no file of a journal"),
        ({"policies/allowed_signers": b"x"}, "foreign-file", "policies/allowed_signers"),
        ({"applied/deep/m.yaml": b"x"}, "foreign-file", "applied/deep/m.yaml"),
    ],
)
def test_files_that_change_without_a_word(told, files, rule, message):
    site, key, state, commit = told
    sha = forge(site, encode_entry(entry(commit, minutes=1), state.root), key=key, files=files)
    found = faults(site, sha)
    assert any(one == rule and message in text for one, text in found), found


def test_an_entry_that_says_another_version_than_the_memory(told):
    site, key, state, commit = told
    one = promoting(entry(commit, minutes=1), "m", 6, 4)
    sha = forge(site, encode_entry(one, state.root), key=key, files={"applied/m.yaml": _applied(5)})
    assert (
        "memory",
        f"staging of 'm' is now version 5 (sha256:{digest(5)[:12]}…), but the entry says version 6 (sha256:{digest(6)[:12]}…)",
    ) in (faults(site, sha))


def test_an_entry_that_tells_of_a_change_that_is_not_there(told):
    site, key, state, commit = told
    sha = forge(site, encode_entry(promoting(entry(commit, minutes=1), "m", 6, 4), state.root), key=key)
    assert [rule for rule, _ in faults(site, sha)] == ["memory"]


def test_a_proof_that_was_taken_away(told):
    site, key, state, commit = told
    one = promoting(entry(commit, minutes=1), "m", 5, 4)
    sha = forge(site, encode_entry(one, state.root), key=key, files={"applied/m.yaml": _applied(5)})
    assert faults(site, sha) == [("memory", "a proof that 'm' passed staging was removed")]


def test_an_intent_that_changes_the_memory(told):
    site, key, state, commit = told
    one = promoting(entry(commit, kind=EntryKind.INTENT, minutes=1), "m", 5, 4)
    sha = forge(site, encode_entry(one, state.root), key=key, files={"applied/m.yaml": _applied(5)})
    assert faults(site, sha) == [("memory", "the memory of 'm' changed, which an entry of kind intent must not do")]


def test_entries_out_of_order(told):
    site, key, state, commit = told
    sha = forge(site, encode_entry(entry(commit, minutes=-10), state.root), key=key)
    assert [rule for rule, _ in faults(site, sha)] == ["time"]


def test_an_open_intent_that_somebody_stepped_over(signed):
    site, key = signed
    commit = git(site.work, "rev-parse", "HEAD")
    journal = site.journal(key)
    state = journal.append(journal.read(), entry(commit, kind=EntryKind.INTENT))
    sha = forge(site, encode_entry(entry(commit, minutes=1), state.root), key=key)
    assert [rule for rule, _ in faults(site, sha)] == ["lock"]


def test_an_entry_committed_at_another_time_than_it_says(told):
    site, key, state, commit = told
    repository = site.clone()
    git(repository.root, "fetch", "-q", "origin", "promotion-journal")
    one = entry(commit, minutes=3)
    tree = repository.make_tree(state.head, {"entry.json": encode_entry(one, state.root)})
    sha = repository.commit_tree(tree, (state.head,), "x", who=Identity("E", "e@e"), at=START, key=key)
    git(repository.root, "push", "-q", "origin", f"{sha}:refs/heads/promotion-journal")
    assert [rule for rule, _ in faults(site, sha)] == ["date"]


def test_the_same_entry_twice(told):
    site, key, state, _ = told
    content = encode_entry(entry(state.recorded, minutes=1), state.root)
    forge(site, content, key=key)
    same = forge(site, content, key=key)
    assert ("repeated", "it has the same entry as the one before it") in faults(site, same)


def test_unsigned_foreign_malformed_and_merged_entries_are_each_found(told, keys):
    site, key, state, commit = told
    bad = {}
    bad["unsigned"] = forge(site, encode_entry(entry(commit, minutes=1), state.root))
    bad["foreign-key"] = forge(site, encode_entry(entry(commit, minutes=2), state.root), key=keys("stranger"))
    bad["malformed"] = forge(site, b'{"at": "2026-10-01T12:03:00+00:00"}', key=key)
    side = forge(site, encode_entry(entry(commit, minutes=4), None), key=key, parent=None)
    bad["merge"] = forge(site, encode_entry(entry(commit, minutes=4), state.root), key=key, parent=bad["malformed"], more=(side,))
    good = forge(site, encode_entry(entry(commit, minutes=5), state.root), key=key)
    journal = site.journal()
    found = journal.verify()
    assert {fault.rule: fault.sha for fault in found} == bad
    assert [fault.sha for fault in found] == [bad["unsigned"], bad["foreign-key"], bad["malformed"], bad["merge"]]
    assert good not in {fault.sha for fault in found}
    assert journal.verify(since=bad["merge"]) == ()
    assert [fault.rule for fault in journal.verify(since=bad["foreign-key"])] == ["malformed", "merge"]


def test_a_bound_without_environment_is_still_a_memory(told):
    """Retiring empties the environment; the memory keeps that as a binding to nothing."""
    site, key, state, commit = told
    journal = site.journal(key)
    known = state.applied("m")
    retired = replace(known.bindings["staging"], bound=None, previous=Bound(4, digest(4)), identity=None)
    one = entry(commit, minutes=1)
    change = replace(promoting(one, "m", 9, 4).changes[0], kind=ChangeKind.RETIRE, after=None)
    journal.append(journal.read(), replace(one, changes=(change,)), applied={"m": replace(known, bindings={"staging": retired})})
    assert journal.verify() == ()
    assert site.journal().read().applied("m").bindings["staging"].bound is None
