"""Reading and appending: at a remote, in one repository, and when many try at once."""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from promotion.changes import ChangeKind
from promotion.domain import AppliedModel, Bound
from promotion.errors import Conflict, JournalError, Unavailable, UsageError
from promotion.git import Git
from promotion.journal import EntryKind, Hold, Journal, Lease, RecordedChange, Statement, check_free, open_intent
from promotion.verdicts import Status
from tests.promotion.journal.conftest import SIGNERS, git
from tests.promotion.journal.samples import START, digest, entry, memory, promoting

MINUTE = timedelta(minutes=1)


def test_an_empty_journal(site):
    state = site.journal().read()
    assert (state.head, state.root, state.entry, state.signed, state.recorded) == (None, None, None, False, None)
    assert (state.applied_all(), state.holds(), state.find(digest(1)), state.evidence(digest(1)), state.applied("m")) == (
        {},
        (),
        (),
        None,
        None,
    )
    journal = site.journal()
    assert (list(journal.entries()), journal.verify(), journal.state_at(START)) == ([], (), None)


@pytest.mark.parametrize("remote", ["origin", None])
def test_what_is_appended_is_read_by_others(signed, remote):
    site, key = signed
    commit = git(site.work, "rev-parse", "HEAD")
    repository = site.clone()
    journal = Journal(repository, remote=remote, signing_key=key)
    intent = entry(commit, kind=EntryKind.INTENT)
    first = journal.append(journal.read(), intent)
    assert first.root == first.head
    assert (first.recorded, first.signed, first.signer) == (None, True, "job@example.org")
    done = promoting(replace(entry(commit, minutes=1), id=intent.id), "m/odd name ö", 4)
    known = memory("m/odd name ö", 4, commit, done.at)
    statement = Statement(digest(5), b'{"measured": 1}', b"\0resamples")
    packed = sha256(b"\0resamples").hexdigest()
    second = journal.append(first, done, applied={known.name: known}, evidence=[statement])
    other = Journal(Git(repository.root) if remote is None else site.clone(), remote=remote)
    state = other.read()
    assert state == second
    assert (state.root, state.entry, state.recorded, state.signer) == (first.head, done, commit, "job@example.org")
    assert state.applied_all() == {known.name: known}
    assert state.applied(known.name) == known
    assert state.applied("other") is None
    assert state.find(digest(5)) == (statement.content,)
    assert state.find(digest(6)) == state.find("../applied") == ()
    assert state.resampled(digest(5), packed) == b"\0resamples"
    assert state.resampled(digest(6), packed) is state.resampled(digest(5), digest(6)) is state.resampled("..", packed) is None
    assert state.evidence(sha256(statement.content).hexdigest()) == statement.content
    assert state.evidence(digest(5)) is None
    assert [one.entry.kind for one in other.entries()] == [EntryKind.OUTCOME, EntryKind.INTENT]
    assert other.verify() == ()
    assert git(repository.root, "status", "--porcelain") == ""
    branches = git(repository.root, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes", "refs/tags").splitlines()
    assert ("refs/heads/promotion-journal" in branches) == (remote is None)
    assert git(repository.root, "for-each-ref", "refs/promotion/scratch") == ""


def test_holds_are_kept_and_removed(signed):
    site, key = signed
    commit = git(site.work, "rev-parse", "HEAD")
    journal = site.journal(key)
    hold = Hold("m", "production", 4, digest(4), "lost rows", START, "Ada <ada@example.org>")
    change = RecordedChange(ChangeKind.ROLLBACK, "m", "production", Bound(4, digest(4)), Bound(3, digest(3)), (), Status.WARNED)
    held = replace(entry(commit, kind=EntryKind.HOLD), changes=(change,))
    state = journal.append(journal.read(), held, holds={"m": (hold,)})
    assert site.journal().read().holds() == (hold,)
    released = replace(entry(commit, kind=EntryKind.RELEASE, minutes=1), changes=(change,))
    journal.append(state, released, holds={"m": ()})
    reader = site.journal()
    assert reader.read().holds() == ()
    assert reader.verify() == ()


def test_history_by_model_and_time(signed):
    site, key = signed
    commit = git(site.work, "rev-parse", "HEAD")
    journal = site.journal(key)
    state = journal.read()
    known: dict[str, AppliedModel] = {}
    for minute, (model, version) in enumerate([("a", 1), ("b", 1), ("a", 2)]):
        one = promoting(entry(commit, minutes=minute), model, version, version - 1 or None)
        fresh = memory(model, version, commit, one.at)
        passed = {"staging": {**(known[model].passed["staging"] if model in known else {}), **fresh.passed["staging"]}}
        known[model] = replace(fresh, passed=passed)
        state = journal.append(state, one, applied={model: known[model]})
    reader = site.journal()
    reader.read()
    assert [one.entry.at for one in reader.entries()] == [START + 2 * MINUTE, START + MINUTE, START]
    assert [one.entry.changes[0].after.version for one in reader.entries(model="a")] == [2, 1]
    assert [one.entry.changes[0].model for one in reader.entries(until=START + MINUTE)] == ["b", "a"]
    assert set(reader.signers(reader.entries()).values()) == {"job@example.org"}
    assert reader.state_at(START - MINUTE) is None
    assert reader.state_at(START + 1.5 * MINUTE).applied("a").bindings["staging"].bound.version == 1
    assert reader.state_at(START + 9 * MINUTE) == state


def test_the_loser_learns_who_holds_the_lock(signed):
    site, key = signed
    commit = git(site.work, "rev-parse", "HEAD")
    one, two = site.journal(key), site.journal(key)
    empty = two.read()
    state = one.append(one.read(), entry(commit, kind=EntryKind.INTENT, by="Ada <ada@example.org>"))
    with pytest.raises(Conflict) as caught:
        two.append(empty, entry(commit, kind=EntryKind.INTENT, by="Bob <bob@example.org>"))
    told = "Ada <ada@example.org> holds the lock since 2026-10-01 12:00:00 UTC until 2026-10-01 12:05:00 UTC"
    assert told in caught.value.message
    assert "--break-lease" in str(caught.value.hint)
    with pytest.raises(Conflict, match="Ada"):
        check_free(two.read(), START + 5 * MINUTE)
    check_free(two.read(), START + 5 * MINUTE, break_lease=True)
    check_free(two.read(), START + 6 * MINUTE)
    assert open_intent(two.read(), START).lease is Lease.HELD
    assert open_intent(two.read(), START + 6 * MINUTE).lease is Lease.EXPIRED
    assert open_intent(empty, START).lease is Lease.NONE
    # Even who has read the newest state must say that it takes over.
    with pytest.raises(Conflict, match="holds the lock"):
        two.append(two.read(), entry(commit, kind=EntryKind.HOLD, minutes=1))
    successor = replace(entry(commit, minutes=6, by="Bob"), takes_over=state.entry.id)
    two.append(two.read(), successor)
    with pytest.raises(Conflict, match="somebody was faster: Bob recorded the outcome"):
        one.append(state, replace(entry(commit, minutes=7), id=state.entry.id))
    assert open_intent(one.read(), START).lease is Lease.NONE
    assert one.verify() == ()


def test_an_entry_that_does_not_say_what_it_changes_is_not_written(site):
    commit = git(site.work, "rev-parse", "HEAD")
    journal = site.journal()
    state = journal.read()
    known = {"m": memory("m", 4, commit)}
    cases = [
        (entry(commit), known, "staging of 'm' changed, and the entry does not say so"),
        (promoting(entry(commit), "m", 5), known, "is now version 4"),
        (promoting(entry(commit), "m", 4), {}, "but the memory was not changed so"),
        (promoting(entry(commit, kind=EntryKind.INTENT), "m", 4), known, "which an entry of kind intent must not do"),
        (replace(entry("abc")), {}, "malformed: commit: is 'abc'"),
    ]
    for one, applied, told in cases:
        with pytest.raises(JournalError) as caught:
            journal.append(state, one, applied=applied)
        assert told in caught.value.message
    state = journal.append(state, promoting(entry(commit), "m", 4), applied=known)
    with pytest.raises(JournalError, match=r"set the clock|newest one is of"):
        journal.append(state, entry(commit, minutes=-6))
    assert site.head() == state.head


def test_an_unsigned_journal_says_so(site):
    commit = git(site.work, "rev-parse", "HEAD")
    journal = site.journal()
    state = journal.append(journal.read(), entry(commit))
    assert (state.signed, state.signer) == (False, None)
    assert site.journal().read() == state
    assert journal.verify() == ()


def test_a_key_that_may_not_sign_is_told_before_anything_is_pushed(signed, keys):
    site, _ = signed
    commit = git(site.work, "rev-parse", "HEAD")
    stranger = site.journal(keys("stranger"))
    with pytest.raises(UsageError, match=r"this entry would not verify: it is signed by the key SHA256:.* does not allow"):
        stranger.append(stranger.read(), entry(commit))
    without = site.journal(None)
    with pytest.raises(UsageError, match=r"must be signed.*and there is no key"):
        without.append(without.read(), entry(commit))
    assert git(site.origin, "for-each-ref", "refs/heads/promotion-journal") == ""


def test_a_key_with_a_passphrase_is_told(signed, tmp_path, keys):
    site, key = signed
    locked = tmp_path / "locked"
    locked.write_bytes(key.read_bytes())
    locked.chmod(0o600)
    subprocess.run(("ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(locked)), check=True, capture_output=True)
    journal = site.journal(locked)
    with pytest.raises(UsageError, match=r"could not be signed with .*locked"):
        journal.append(journal.read(), entry(git(site.work, "rev-parse", "HEAD")))


@pytest.mark.parametrize("options", [("--depth", "1"), ("--single-branch",), ("--depth", "1", "--no-single-branch"), ()])
def test_every_kind_of_clone_reads_and_appends(signed, options):
    site, key = signed
    commit = site.commit({"a": "a"}, "Newest")
    writer = site.journal(key)
    state = writer.append(writer.read(), entry(commit))
    state = writer.append(state, entry(commit, minutes=1))
    journal = site.journal(key, *options)
    shallow = journal.git.is_shallow()
    found = journal.read()
    assert (found.head, found.root, found.signer) == (state.head, state.root, "job@example.org")
    journal.append(found, entry(commit, minutes=2))
    assert len(list(journal.entries())) == 3
    assert journal.verify() == ()
    assert state.root in journal.git.first_parents(journal.read().head)
    assert journal.git.is_shallow() == shallow


def _race(journals, commit, number, states=None):
    """All append at the same instant to what they read before; returns winners and losers' messages."""
    barrier = threading.Barrier(len(journals))
    states = states or [journal.read() for journal in journals]

    def run(pair):
        index, journal = pair
        mine = entry(commit, minutes=number, by=f"Runner {index}")
        if states[index].entry is not None:
            mine = replace(mine, takes_over=states[index].entry.id)
        barrier.wait()
        try:
            return journal.append(states[index], mine), None
        except Conflict as error:
            return None, error.message

    with ThreadPoolExecutor(len(journals)) as pool:
        answers = list(pool.map(run, enumerate(journals)))
    return [state for state, _ in answers if state], [told for _, told in answers if told]


@pytest.mark.parametrize("place", ["clones", "one clone", "no remote"])
def test_of_thirty_at_once_exactly_one_wins_each_round(site, place):
    commit = git(site.work, "rev-parse", "HEAD")
    if place == "clones":
        journals = [site.journal() for _ in range(30)]
    else:
        root = site.clone().root
        journals = [Journal(Git(root), remote="origin" if place == "one clone" else None) for _ in range(30)]
    for number in range(2):
        won, lost = _race(journals, commit, number)
        assert len(won) == 1, lost
        assert len(lost) == 29
        assert all(won[0].entry.by in told for told in lost), lost
        assert journals[0].read().head == won[0].head
    assert len(list(journals[0].entries())) == 2
    assert journals[0].verify() == ()


def test_an_answer_that_comes_too_late_is_looked_up(signed):
    """The push arrives, the answer does not: the entry is found at the remote and counts."""
    site, key = signed
    commit = git(site.work, "rev-parse", "HEAD")
    repository = site.clone()
    git(repository.root, "config", "remote.origin.receivepack", 'late() { git-receive-pack "$@" </dev/stdin; sleep 600; }; late')
    journal = Journal(Git(repository.root, network_timeout=3), remote="origin", signing_key=key)
    state = journal.append(journal.read(), entry(commit))
    assert site.head() == state.head
    assert site.journal().read() == state


def test_a_remote_that_is_down_leaves_nothing_behind(signed):
    site, key = signed
    commit = git(site.work, "rev-parse", "HEAD")
    journal = site.journal(key)
    state = journal.append(journal.read(), entry(commit))
    site.origin.rename(site.folder / "away.git")
    with pytest.raises(Unavailable, match=r"origin .*could not be read"):
        journal.read()
    with pytest.raises(Unavailable, match=r"not known whether the journal's entry .* arrived"):
        journal.append(state, entry(commit, minutes=1))
    assert journal.read(fetch=False) == state
    (site.folder / "away.git").rename(site.origin)
    assert journal.read() == state


def test_a_remote_that_refuses_the_push_is_quoted(signed):
    site, key = signed
    hook = site.origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'GH006: Protected branch update failed' >&2\nexit 1\n")
    hook.chmod(0o755)
    journal = site.journal(key)
    with pytest.raises(Unavailable) as caught:
        journal.append(journal.read(), entry(git(site.work, "rev-parse", "HEAD")))
    assert "GH006: Protected branch update failed" in caught.value.message
    assert "a protected branch must allow it" in str(caught.value.hint)


def test_a_local_journal_is_not_begun_anew_when_a_remote_appears(site):
    commit = git(site.work, "rev-parse", "HEAD")
    repository = site.clone()
    local = Journal(repository, remote=None)
    state = local.append(local.read(), entry(commit))
    journal = Journal(repository, remote="origin")
    with pytest.raises(JournalError, match="beginning another would lose it") as caught:
        journal.read()
    assert "git push origin promotion-journal" in str(caught.value.hint)
    git(repository.root, "push", "-q", "origin", "promotion-journal")
    assert journal.read().head == state.head


def test_hooks_and_configuration_of_the_user_do_not_meddle(signed):
    site, key = signed
    repository = site.clone()
    for name in ("pre-push", "reference-transaction", "pre-commit"):
        hook = repository.root / ".git/hooks" / name
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    for option, value in {"push.gpgSign": "true", "log.showSignature": "true", "commit.gpgSign": "true", "fetch.prune": "true",
                          "gpg.ssh.program": "/nowhere", "core.abbrev": "4", "fetch.writeCommitGraph": "true"}.items():  # fmt: skip
        git(repository.root, "config", option, value)
    journal = Journal(repository, remote="origin", signing_key=key)
    state = journal.append(journal.read(), entry(git(site.work, "rev-parse", "HEAD")))
    assert journal.read() == state
    assert journal.verify() == ()
    assert SIGNERS in repository.list("HEAD", "policies")
