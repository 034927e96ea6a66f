"""Whose signature counts: forged, foreign, downgraded, rotated; main rewritten; the journal cut or replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promotion.errors import JournalError, UsageError
from promotion.git import Git
from promotion.journal import Journal
from promotion.journal.codec import encode_entry
from promotion.journal.trust import names_a_key
from tests.promotion.journal.conftest import SIGNERS, Site, forge, git, signer_line
from tests.promotion.journal.samples import entry


def begun(site: Site, key, *, entries: int = 1):
    """A journal with a few good entries; returns it with its newest state."""
    commit = git(site.work, "rev-parse", "HEAD")
    journal = site.journal(key)
    state = journal.read()
    for minute in range(entries):
        state = journal.append(state, entry(commit, minutes=minute))
    return journal, state


def refused(site: Site, told: str, *, clone: tuple[str, ...] = ()) -> JournalError:
    with pytest.raises(JournalError) as caught:
        site.journal(None, *clone).read()
    assert told in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("clone", [(), ("--depth", "1")])
def test_an_unsigned_entry_on_a_signed_journal(signed, clone):
    site, key = signed
    _, state = begun(site, key)
    forge(site, encode_entry(entry(state.recorded, minutes=5, by="Eve"), state.root))
    error = refused(site, "is not signed, although policies/allowed_signers of commit", clone=clone)
    assert "outcome by Eve" in error.message
    assert f"git push --force origin {state.head}:refs/heads/promotion-journal" in str(error.hint)


@pytest.mark.parametrize("clone", [(), ("--depth", "1")])
def test_an_entry_by_a_strangers_key(signed, keys, clone):
    site, key = signed
    _, state = begun(site, key)
    forge(site, encode_entry(entry(state.recorded, minutes=5), state.root), key=keys("stranger"))
    refused(site, "it is signed by the key SHA256:", clone=clone)


def test_a_first_entry_by_a_stranger(signed, keys):
    site, _ = signed
    forge(site, encode_entry(entry(git(site.work, "rev-parse", "HEAD")), None), key=keys("stranger"))
    refused(site, "it is signed by the key SHA256:")
    forge(site, encode_entry(entry(git(site.work, "rev-parse", "HEAD")), None), parent=None)
    refused(site, "is not signed, although")


def test_two_forged_entries_where_the_first_appoints_the_second_ones_key(signed, keys):
    """The commit that trusts the stranger is on a branch, or is the journal's own: neither is main, so it vouches for nobody."""
    site, key = signed
    _, state = begun(site, key)
    stranger = keys("stranger")
    git(site.work, "checkout", "-q", "-b", "evil")
    evil = site.commit({SIGNERS: signer_line("job@example.org", stranger)}, "Trust me", push=False)
    git(site.work, "push", "-q", "origin", "evil")
    first = forge(site, encode_entry(replace(entry(evil, minutes=5)), state.root), key=stranger)
    forge(site, encode_entry(entry(evil, minutes=6), state.root), key=stranger)
    refused(site, "does not allow")
    files = {SIGNERS: signer_line("job@example.org", stranger).encode()}
    own = forge(site, encode_entry(entry(evil, minutes=5), state.root), key=stranger, parent=state.head, files=files)
    second = forge(site, encode_entry(entry(own, minutes=6), state.root), key=stranger)
    forge(site, encode_entry(entry(own, minutes=7), state.root), key=stranger)
    refused(site, "does not allow")
    reader = site.journal()
    with pytest.raises(JournalError):
        reader.read()
    assert first != second


@pytest.mark.parametrize("by", [None, "stranger"])
def test_a_downgrade_by_pointing_at_a_commit_from_before_the_file(signed, keys, by):
    """Two entries, the first of which claims a commit of main that knew no signers yet."""
    site, key = signed
    old = git(site.work, "rev-parse", "HEAD^")
    _, state = begun(site, key)
    forge(site, encode_entry(entry(old, minutes=5), state.root))
    forge(site, encode_entry(entry(old, minutes=6), state.root), key=keys(by) if by else None)
    if by:
        refused(site, "it is signed, but at that time no policies/allowed_signers of main named who may sign")
        return
    error = refused(site, f"is not signed, although {state.head[:12]} before it is")
    assert state.head in str(error.hint)


@pytest.mark.parametrize("left", [None, "", "# nobody any more\n", "job@example.org ssh-ed25519 rubbish\n"])
def test_removing_or_emptying_the_file_does_not_turn_signatures_off(signed, left, keys):
    site, key = signed
    journal, state = begun(site, key)
    without = site.commit({SIGNERS: left}, "Remove the signers")
    state = journal.append(journal.read(), entry(without, minutes=1))
    state = journal.append(journal.read(), entry(without, minutes=2))
    assert site.journal().read().signer == "job@example.org"
    with pytest.raises(UsageError, match="must be signed"):
        site.journal(None).append(site.journal().read(), entry(without, minutes=3))
    assert journal.verify() == ()
    forge(site, encode_entry(entry(without, minutes=3), state.root))
    refused(site, "is not signed, although policies/allowed_signers of commit")
    git(site.origin, "update-ref", "refs/heads/promotion-journal", state.head)
    # A person goes on by naming a key again: it counts once the old key has recorded that commit.
    new = keys("next")
    again = site.commit({SIGNERS: signer_line("next@example.org", new)}, "Name another key")
    journal.append(journal.read(), entry(again, minutes=4))
    later = site.journal(new)
    assert later.append(later.read(), entry(again, minutes=5)).signer == "next@example.org"
    assert later.verify() == ()


def test_a_journal_becomes_signed_by_the_commit_that_names_signers(site, keys):
    key = keys("job")
    begun(site, None, entries=2)
    commit = site.commit({SIGNERS: signer_line("job@example.org", key)}, "Trust the journal's key")
    journal = site.journal(key)
    assert not journal.read().signed
    assert journal.append(journal.read(), entry(commit, minutes=5)).signed
    assert site.journal().read().signer == "job@example.org"
    assert journal.verify() == ()


def test_keys_are_rotated_by_two_commits(signed, keys):
    site, old = signed
    new = keys("next")
    begun(site, old)
    both = site.commit({SIGNERS: signer_line("job@example.org", old) + signer_line("next@example.org", new)}, "Add a key")
    early = site.journal(new)
    with pytest.raises(UsageError, match="would not verify") as caught:
        early.append(early.read(), entry(both, minutes=1))
    assert "recorded with an old one" in str(caught.value.hint)
    journal = site.journal(old)
    journal.append(journal.read(), entry(both, minutes=2))
    only = site.commit({SIGNERS: signer_line("next@example.org", new)}, "Remove the old key")
    later = site.journal(new)
    later.append(later.read(), entry(only, minutes=3))
    with pytest.raises(UsageError, match="would not verify"):
        journal.append(journal.read(), entry(only, minutes=4))
    assert [one.entry.at.minute for one in later.entries()] == [3, 2, 0]
    assert list(later.signers(later.entries()).values()) == ["next@example.org", "job@example.org", "job@example.org"]
    assert later.verify() == ()


def test_a_removed_key_forges_two_entries_and_the_audit_since_the_registrys_memory_finds_them(signed, keys):
    """Reading checks the newest entry alone; who held a key once can appoint himself by an old commit. The audit sees it."""
    site, old = signed
    new = keys("next")
    first = git(site.work, "rev-parse", "HEAD")
    _, state = begun(site, old)
    commit = site.commit({SIGNERS: signer_line("next@example.org", new)}, "Another key alone")
    journal = site.journal(old)
    known = journal.append(journal.read(), entry(commit, minutes=1))
    bad = forge(site, encode_entry(entry(first, minutes=5), state.root), key=old)
    forge(site, encode_entry(entry(first, minutes=6), state.root), key=old)
    reader = site.journal()
    reader.read()
    faults = reader.verify(since=known.head)
    assert [(fault.sha, fault.rule) for fault in faults] == [(bad, "foreign-key")]
    assert reader.verify() == faults


def test_signatures_of_other_kinds_do_not_count(signed, tmp_path):
    """A program that calls every OpenPGP signature good, as somebody's keyring might."""
    site, key = signed
    _, state = begun(site, key)
    repository = site.clone()
    git(repository.root, "fetch", "-q", "origin", "promotion-journal")
    program = tmp_path / "gpg"
    program.write_text("#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] NEWSIG'\necho '[GNUPG:] GOODSIG 0123456789ABCDEF Job <job@example.org>'\n"
                       "echo '[GNUPG:] TRUST_ULTIMATE 0 pgp'\n")  # fmt: skip
    program.chmod(0o755)
    tree = repository.make_tree("FETCH_HEAD", {"entry.json": encode_entry(entry(state.recorded, minutes=5), state.root)})
    raw = git(repository.root, "cat-file", "commit", repository.commit_tree(tree, (state.head,), "x", who=_eve(), at=entry("").at))
    seconds = int(entry("", minutes=5).at.timestamp())
    headers, _, body = raw.replace(str(int(entry("").at.timestamp())), str(seconds)).partition("\n\n")
    block = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEz\n -----END PGP SIGNATURE-----"
    object_file = tmp_path / "commit"
    object_file.write_text(f"{headers}\n{block}\n\n{body}")
    sha = git(repository.root, "hash-object", "-t", "commit", "-w", str(object_file))
    assert "G" in git(repository.root, "-c", f"gpg.program={program}", "log", "-1", "--format=%G?", sha)
    git(repository.root, "push", "-q", "origin", f"{sha}:refs/heads/promotion-journal")
    reader = site.journal()
    git(reader.git.root, "config", "gpg.program", str(program))
    git(reader.git.root, "config", "gpg.openpgp.program", str(program))
    with pytest.raises(JournalError, match="does not verify"):
        reader.read()


def _eve():
    from promotion.git import Identity

    return Identity("Eve", "eve@example.org")


def test_a_signature_moved_to_another_entry_is_bad(signed):
    site, key = signed
    _, state = begun(site, key, entries=2)
    repository = site.clone()
    git(repository.root, "fetch", "-q", "origin", "promotion-journal")
    raw = git(repository.root, "cat-file", "commit", state.head)
    tree = repository.make_tree(state.head, {"entry.json": encode_entry(replace(state.entry, by="Eve"), state.root)})
    edited = repository.folder / "commit"
    edited.write_text(raw.replace(git(repository.root, "rev-parse", f"{state.head}^{{tree}}"), tree) + "\n")
    sha = git(repository.root, "hash-object", "-t", "commit", "-w", str(edited))
    git(repository.root, "push", "-q", "--force", "origin", f"{sha}:refs/heads/promotion-journal")
    refused(site, "its signature does not fit its content")


def test_replaced_objects_are_not_looked_at(signed):
    """``git replace`` shows another commit under a known hash to commands that let it."""
    site, key = signed
    journal, state = begun(site, key)
    fake = forge(site, encode_entry(entry(state.recorded, minutes=5), None), parent=None)
    git(journal.git.root, "fetch", "-q", "origin", "promotion-journal")
    git(site.origin, "update-ref", "refs/heads/promotion-journal", state.head)
    git(journal.git.root, "replace", state.head, fake)
    assert "Eve" in git(journal.git.root, "log", "-1", "--format=%an", state.head)
    assert journal.read() == state


def test_a_signer_whose_time_is_over(signed, keys):
    site, _ = signed
    brief = keys("brief")
    commit = site.commit({SIGNERS: signer_line("brief@example.org", brief, 'valid-before="20261001120500Z",namespaces="git"')}, "Briefly")
    journal = site.journal(brief)
    journal.append(journal.read(), entry(commit))
    with pytest.raises(UsageError, match="would not verify"):
        journal.append(journal.read(), entry(commit, minutes=9))


def test_a_key_for_another_namespace(site, keys):
    commit = site.commit({SIGNERS: signer_line("job@example.org", keys("job"), 'namespaces="file"')}, "Wrong namespace")
    journal = site.journal(keys("job"))
    with pytest.raises(UsageError, match="would not verify"):
        journal.append(journal.read(), entry(commit))


def test_a_rewritten_main_vouches_with_its_newest_commit(signed, keys):
    """The recorded commit is gone from main: the signers of main's newest commit decide, and nobody is locked out."""
    site, key = signed
    _, state = begun(site, key)
    git(site.work, "checkout", "-q", "--orphan", "other")
    new = site.commit({"rewritten": "yes"}, "Rewritten", push=False)
    git(site.work, "push", "-q", "--force", "origin", f"{new}:main")
    assert site.journal(key, "--depth", "1").read().head == state.head
    journal = site.journal(key)
    assert journal.read().head == state.head
    state = journal.append(journal.read(), entry(new, minutes=1))
    assert site.journal().read() == state
    assert journal.verify() == ()
    git(site.work, "checkout", "-q", "--orphan", "third")
    third = site.commit({SIGNERS: signer_line("next@example.org", keys("next"))}, "Rewritten again, with another key", push=False)
    git(site.work, "push", "-q", "--force", "origin", f"{third}:main")
    refused(site, f"which policies/allowed_signers of commit {third[:12]} does not allow")


def test_a_journal_that_was_cut_is_noticed_by_a_clone_that_saw_it(signed):
    site, key = signed
    journal, state = begun(site, key, entries=3)
    git(site.origin, "update-ref", "refs/heads/promotion-journal", f"{state.head}^")
    with pytest.raises(JournalError, match="does not continue what this clone saw") as caught:
        journal.read()
    assert state.head in str(caught.value.hint)
    assert site.journal().read().head != state.head
    git(site.origin, "update-ref", "-d", "refs/heads/promotion-journal")
    with pytest.raises(JournalError, match="had a branch promotion-journal when this clone saw it last, and has none now"):
        journal.read()
    git(site.origin, "update-ref", "refs/heads/promotion-journal", state.head)
    assert journal.read() == state


def test_a_journal_that_was_replaced_by_another(signed):
    site, key = signed
    journal, state = begun(site, key)
    commit = git(site.work, "rev-parse", "HEAD")
    other = forge(site, encode_entry(entry(commit, minutes=9), None), key=key, parent=None)
    with pytest.raises(JournalError, match="does not continue what this clone saw"):
        journal.read()
    fresh = site.journal().read()
    assert fresh.root == other != state.root
    git(journal.git.root, "update-ref", "-d", "refs/promotion/origin/journal")
    assert journal.read().root == other


def test_two_histories_merged(signed):
    site, key = signed
    _, state = begun(site, key)
    other = forge(site, encode_entry(entry(state.recorded, minutes=1), None), key=key, parent=None)
    forge(site, encode_entry(entry(state.recorded, minutes=2), state.root), key=key, parent=state.head, more=(other,))
    refused(site, "another history was merged into the journal")


def test_an_entry_that_lies_about_the_first(signed):
    site, key = signed
    _, state = begun(site, key, entries=2)
    forge(site, encode_entry(entry(state.recorded, minutes=3), "1" * 40), key=key)
    refused(site, "names another first entry")
    forge(site, encode_entry(entry(state.recorded, minutes=3), None), key=key, parent=state.head)
    refused(site, "root: only the first entry has none")


@pytest.mark.parametrize(("content", "told"), [(b"{}", "schema: is missing"), (b"\0", "not JSON")])
def test_a_malformed_newest_entry(signed, content, told):
    site, key = signed
    _, state = begun(site, key)
    forge(site, content, key=key)
    error = refused(site, "is malformed")
    assert told in error.message
    git(site.origin, "update-ref", "refs/heads/promotion-journal", state.head)
    assert site.journal().read().head == state.head


def test_a_local_journal_whose_commit_is_gone_asks_head(signed):
    site, key = signed
    root = site.clone().root
    journal = Journal(Git(root), remote=None, signing_key=key)
    state = journal.append(journal.read(), entry("1" * 40))
    assert journal.read() == state
    assert state.signed


def test_what_names_a_key(keys):
    line = signer_line("a@b", keys("job")).encode()
    assert names_a_key(line)
    assert names_a_key(b"# comment\n\n" + line)
    assert names_a_key(b'*@b cert-authority,namespaces="git" ' + b" ".join(line.split()[-2:]))
    for other in (b"", b"# " + line, b"a@b ssh-ed25519 AAAA", b"a@b ssh-ed25519", b"ssh-ed25519 !!!! x", b"\xff\xfe"):
        assert not names_a_key(other)
