"""The git wrapper against real repositories."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC
from pathlib import Path

import pytest

from promotion.errors import Unavailable, UsageError
from promotion.git import Git, Identity, without_credentials
from tests.promotion.journal.conftest import Site, git
from tests.promotion.journal.samples import START

ADA = Identity("Ada", "ada@example.org")


def test_outside_of_a_repository_is_the_users_mistake(tmp_path):
    with pytest.raises(UsageError, match="is not in the working tree of a git repository"):
        Git(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        Git(tmp_path / "none")


def test_without_git_it_says_so(site, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="git was not found"):
        Git(site.work)


def test_a_hooks_variables_do_not_lead_to_another_repository(site, tmp_path, monkeypatch):
    other = Site(_folder(tmp_path / "other"))
    monkeypatch.setenv("GIT_DIR", str(other.work / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert Git(site.work).root == site.work


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_commit_and_its_words(site):
    sha = site.commit({"a.txt": "ä"}, "Ümlaut: näher\n\nBody line\n\nSigned-off-by: x")
    found = Git(site.work).commit("HEAD")
    assert (found.sha, found.author, found.subject) == (sha, "Ada <ada@example.org>", "Ümlaut: näher")
    assert found.body == "Body line\n\nSigned-off-by: x"
    assert len(found.parents) == 1
    assert found.at.tzinfo is UTC


@pytest.mark.parametrize("ref", ["nothing", "--all", "", "HEAD\nHEAD", "deadbeef" * 5])
def test_an_unknown_ref_is_the_users_mistake(site, ref):
    repository = Git(site.work)
    for ask in (repository.resolve, repository.commit, lambda ref: repository.read(ref, "a"), lambda ref: repository.list(ref, "a")):
        with pytest.raises(UsageError, match=r"no commit"):
            ask(ref)


def test_reading_files_of_a_commit(site):
    site.commit({"p/b.yaml": "b", "p/a.yaml": "a\n", "p/deep/c.yaml": "c", "p/ö *.yaml": "star", "empty": ""})
    repository = Git(site.work)
    assert repository.read("HEAD", "p/a.yaml") == b"a\n"
    assert repository.read("HEAD", "p") is None
    assert repository.read("HEAD", "p/none.yaml") is None
    assert repository.read("HEAD", "empty") == b""
    assert repository.list("HEAD", "p") == ("p/a.yaml", "p/b.yaml", "p/ö *.yaml")
    assert repository.list("HEAD", "p/", recursive=True) == ("p/a.yaml", "p/b.yaml", "p/deep/c.yaml", "p/ö *.yaml")
    assert repository.list("HEAD", "none") == ()
    many = repository.read_many("HEAD", ("p/b.yaml", "x missing", "p/ö *.yaml", "two\nlines"))
    assert many == {"p/b.yaml": b"b", "x missing": None, "p/ö *.yaml": b"star", "two\nlines": None}


def test_listing_from_a_subfolder_starts_at_the_root(site):
    site.commit({"p/a.yaml": "a"})
    assert Git(site.work / "p").list("HEAD", "p") == ("p/a.yaml",)


def test_what_is_dirty(site):
    site.commit({"p/a.yaml": "a", "p/b.yaml": "b", "other": "o"})
    repository = Git(site.work)
    assert repository.dirty(("p", "environments.yaml")) == ()
    (site.work / "p/a.yaml").write_text("changed")
    (site.work / "p/new *.yaml").write_text("new")
    (site.work / "other").write_text("changed")
    git(site.work, "rm", "-q", "--cached", "p/b.yaml")
    assert repository.dirty(("p", "environments.yaml")) == ("p/a.yaml", "p/b.yaml", "p/new *.yaml")


def test_history_questions(site):
    first = git(site.work, "rev-parse", "HEAD")
    git(site.work, "checkout", "-q", "-b", "side")
    side = site.commit({"s": "s"}, "Side", push=False)
    git(site.work, "checkout", "-q", "main")
    second = site.commit({"a": "a", "b": "b"}, "Second")
    git(site.work, "merge", "-q", "--no-ff", "-m", "Merge", "side")
    repository = Git(site.work)
    head = repository.resolve("HEAD")
    assert repository.is_ancestor(side, head)
    assert not repository.is_ancestor(head, side)
    assert repository.merge_base(side, second) == first
    assert repository.first_parents("HEAD") == (head, second, first)
    assert repository.first_parents("HEAD", limit=1) == (head,)
    assert repository.log("HEAD", "s") == (side,)
    assert repository.changed_paths(first, head) == ("a", "b", "s")
    assert repository.contains(side)
    assert not repository.contains("1" * 40)
    git(site.work, "checkout", "-q", "--orphan", "alone")
    alone = site.commit({"z": "z"}, "Alone", push=False)
    assert repository.merge_base(alone, head) is None
    with pytest.raises(UsageError):
        repository.is_ancestor("1" * 40, head)


def test_a_shallow_clone_does_not_guess(site):
    old = git(site.work, "rev-parse", "HEAD")
    new = site.commit({"a": "a"})
    repository = site.clone("--depth", "1")
    assert repository.is_shallow()
    assert repository.is_ancestor(new, new)
    with pytest.raises(UsageError):
        repository.is_ancestor(old, new)
    git(repository.root, "fetch", "-q", "--depth", "1", "origin", old)
    with pytest.raises(UsageError, match="a shallow clone cannot tell"):
        repository.is_ancestor(old, new)


@pytest.mark.parametrize("options", [(), ("--depth", "1"), ("--single-branch", "--branch", "side"), ("--depth", "1", "--branch", "side")])
def test_fetching_a_tip_in_every_kind_of_clone(site, options):
    git(site.work, "push", "-q", "origin", "HEAD:side")
    repository = site.clone(*options)
    shallow, refs = repository.is_shallow(), git(repository.root, "for-each-ref", "refs/remotes", "refs/heads", "refs/tags")
    tip = site.commit({"a": "a"}, "Later")
    git(site.work, "tag", "later")
    git(site.work, "push", "-q", "--tags")
    assert repository.fetch_tip("origin", "main") == tip
    assert repository.contains(tip)
    assert repository.fetch_tip("origin", "none") is None
    assert repository.is_shallow() == shallow
    assert git(repository.root, "for-each-ref", "refs/remotes", "refs/heads", "refs/tags") == refs


def test_a_remote_that_is_not_there_is_named_without_its_password(site):
    repository = site.clone()
    git(repository.root, "remote", "set-url", "origin", "http://user:secret@127.0.0.1:1/x.git")
    with pytest.raises(Unavailable) as caught:
        repository.fetch_tip("origin", "main")
    assert "origin (http://127.0.0.1:1/x.git)" in caught.value.message
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


def test_a_remote_that_hangs_is_left_with_all_its_processes(site, tmp_path):
    repository = site.clone()
    marker = tmp_path / "pid"
    git(repository.root, "config", "remote.origin.uploadpack", f"echo $$ > {marker}; sleep 600; git-upload-pack")
    hanging = Git(repository.root, network_timeout=1.5)
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"origin \(file://.*\) did not answer within 1.5 s"):
        hanging.fetch_tip("origin", "main")
    assert time.monotonic() - start < 20
    alive = subprocess.run(("ps", "-o", "stat=", "-p", marker.read_text().strip()), capture_output=True, text=True, check=False)
    assert alive.stdout.strip()[:1] in {"", "Z"}, "dead, whether its parent knows it yet or not"


def test_trees_are_made_without_index_or_working_tree(site):
    base = site.commit({"keep": "k", "d/a": "a", "d/b": "b"})
    (site.work / "keep").write_text("dirty")
    (site.work / "staged").write_text("s")
    git(site.work, "add", "staged")
    before = git(site.work, "status", "--porcelain")
    repository = Git(site.work)
    changes = {"d/a": None, "d/b": b"B\n", 'odd "name" ö': b"\0bin", "new/deep/file": b""}
    tree = repository.make_tree(base, changes)
    sha = repository.commit_tree(tree, (base,), "Made\n", who=ADA, at=START)
    assert git(site.work, "-c", "core.quotePath=false", "ls-tree", "-r", "-z", "--name-only", sha).split("\0") == [
        "d/b", "environments.yaml", "keep", "new/deep/file", 'odd "name" ö', "",
    ]  # fmt: skip
    assert repository.read(sha, 'odd "name" ö') == b"\0bin"
    assert repository.read(sha, "keep") == b"k"
    assert git(site.work, "status", "--porcelain") == before
    assert git(site.work, "for-each-ref", "refs/promotion") == ""
    assert repository.commit(sha).at == START
    empty = repository.commit_tree(repository.make_tree(None, {"one": b"1"}), (), "Root", who=ADA, at=START)
    assert repository.read(empty, "one") == b"1"
    assert repository.commit(empty).parents == ()


def test_a_ref_moves_only_from_where_it_was_expected(site):
    repository = Git(site.work)
    one, two = git(site.work, "rev-parse", "HEAD"), site.commit({"a": "a"})
    assert repository.update_ref("refs/promotion/x", one, None)
    assert not repository.update_ref("refs/promotion/x", two, None)
    assert not repository.update_ref("refs/promotion/x", one, two)
    assert repository.update_ref("refs/promotion/x", two, one)
    assert repository.refs("refs/promotion/x", "refs/promotion/none") == {"refs/promotion/x": two}


def test_a_push_wins_only_from_where_it_was_expected(site):
    repository = site.clone()
    base = repository.resolve("HEAD")
    one, two = (repository.commit_tree(repository.make_tree(base, {"f": x}), (base,), "m", who=ADA, at=START) for x in (b"1", b"2"))
    assert repository.push("origin", one, "refs/heads/j", expected=None).accepted
    lost = repository.push("origin", two, "refs/heads/j", expected=None)
    assert not lost.accepted
    assert lost.reason
    assert not repository.push("origin", two, "refs/heads/j", expected=base).accepted
    assert git(site.origin, "rev-parse", "refs/heads/j") == one


def test_committing_one_file_leaves_the_rest_alone(site):
    site.commit({"a.yaml": "a", "b.yaml": "b"})
    repository = Git(site.work)
    git(site.work, "config", "user.name", "Bob")
    git(site.work, "config", "user.email", "bob@example.org")
    hook = site.work / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (site.work / "a.yaml").write_text("A")
    (site.work / "b.yaml").write_text("B")
    git(site.work, "add", "b.yaml")
    sha = repository.commit_file(("a.yaml",), "Roll back\n\nWhy\n", (("Promotion-Model", "m"),))
    assert repository.changed_paths(f"{sha}^", sha) == ("a.yaml",)
    assert repository.commit(sha).body == "Why\n\nPromotion-Model: m"
    assert repository.dirty(("b.yaml",)) == ("b.yaml",)
    with pytest.raises(UsageError, match=r"a.yaml could not be committed"):
        repository.commit_file(("a.yaml",), "Again")


def test_who_works_here_and_with_which_key(site, tmp_path):
    repository = Git(site.work)
    git(site.work, "config", "user.name", "Bob")
    git(site.work, "config", "user.email", "bob@example.org")
    assert repository.user() == "Bob <bob@example.org>"
    assert repository.configured_signing_key() is None
    git(site.work, "config", "user.signingkey", "../key.pub")
    assert repository.configured_signing_key() is None
    git(site.work, "config", "gpg.format", "ssh")
    assert repository.configured_signing_key() == tmp_path / "key.pub"
    git(site.work, "config", "user.signingkey", "ssh-ed25519 AAAA")
    assert repository.configured_signing_key() is None


@pytest.mark.parametrize(
    ("text", "name", "mail"),
    [
        ("Ada L <ada@example.org>", "Ada L", "ada@example.org"),
        ("octocat (CI)", "octocat (CI)", "nobody@promotion.invalid"),
        ("", "unknown", "nobody@promotion.invalid"),
        ("a<b>c<d", "abcd", "nobody@promotion.invalid"),
    ],
)
def test_identities(text, name, mail):
    assert Identity.parse(text) == Identity(name, mail)


def test_credentials_are_cut_from_every_address():
    assert without_credentials("fatal: https://u:p@h/x and ssh://git@h/y") == "fatal: https://h/x and ssh://h/y"
