"""A long journal costs no more to read than a short one."""

from __future__ import annotations

import time
from dataclasses import replace
from hashlib import sha256

import pytest

from promotion.domain import AppliedModel
from promotion.git import Git
from promotion.journal import Journal, Statement
from promotion.journal.codec import encode_applied, encode_entry, evidence_folder, file_name
from tests.promotion.journal.conftest import SIGNERS, git, signer_line
from tests.promotion.journal.samples import digest, entry, memory, promoting


class Counting(Git):
    """Notes each git command with the bytes that went in and came out."""

    calls: list[tuple[str, int, int]]

    def run(self, *arguments, **options):
        answer = super().run(*arguments, **options)
        self.calls = [*getattr(self, "calls", ()), (arguments[0], len(options.get("stdin", b"")), len(answer.out))]
        return answer


def reading(site, options):
    """A journal that has read once, in a new clone that counts."""
    counting = Counting(site.clone(*options).root)
    journal = Journal(counting, remote="origin")
    journal.read()
    counting.calls = []
    return journal, counting


def grow(site, count: int) -> None:
    """An unsigned journal of ``count`` promotions of a hundred models, in one process."""
    commit = git(site.work, "rev-list", "--max-parents=0", "HEAD")  # it names no signers
    stream, root = bytearray(), None
    state: dict[str, AppliedModel] = {}
    for number in range(count):
        name, version, old = f"model-{number % 100}", number // 100 + 1, state.get(f"model-{number % 100}")
        one = promoting(entry(commit, minutes=number), name, version, version - 1 if old else None)
        new = memory(name, version, commit, one.at)
        passed = {**(old.passed["staging"] if old else {}), **new.passed["staging"]}
        state[name] = replace(new, passed={"staging": passed})
        files = {
            "entry.json": encode_entry(one, root),
            f"applied/{file_name(name)}": encode_applied(state[name]),
            f"{evidence_folder(digest(number))}/{sha256(b'{}').hexdigest()}.json": b"{}",
        }
        stream += f"commit refs/heads/promotion-journal\ncommitter J <j@j> {int(one.at.timestamp())} +0000\ndata 0\n".encode()
        for path, content in files.items():
            stream += f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
        if number == 0:
            Git(site.work).run("fast-import", "--quiet", stdin=bytes(stream))
            root = git(site.work, "rev-parse", "promotion-journal")
            stream = bytearray()
            continue
        if number == 1:
            stream = bytearray(stream.replace(b"\nM 100644 inline entry", f"\nfrom {root}\nM 100644 inline entry".encode(), 1))
    Git(site.work).run("fast-import", "--quiet", stdin=bytes(stream))
    git(site.work, "push", "-q", "origin", "promotion-journal")
    git(site.work, "branch", "-q", "-D", "promotion-journal")


@pytest.mark.parametrize("options", [(), ("--depth", "1")])
def test_reading_the_last_state_asks_git_the_same_at_10_and_at_1000_entries(site, keys, options, capsys):
    key = keys("job")
    asked, seconds = {}, {}
    for count in (10, 1_000):
        git(site.origin, "update-ref", "-d", "refs/heads/promotion-journal")
        grow(site, count)
        commit = site.commit({SIGNERS: signer_line("job@example.org", key) + f"# {count}\n"}, "Trust")
        writer = site.journal(key)
        state = writer.append(writer.read(), entry(commit, minutes=count), evidence=[Statement("f" * 64, b"{}")])
        writer.append(state, entry(commit, minutes=count + 1))
        journal, counting = reading(site, options)
        started = time.perf_counter()
        state = journal.read()
        seconds[count] = time.perf_counter() - started
        assert state.signer == "job@example.org"
        asked[count] = counting.calls
        assert len(state.applied_all()) == min(count, 100)
        assert state.find("f" * 64) == (b"{}",)
        assert len(list(journal.entries())) == count + 2
    with capsys.disabled():
        print(f" read: {seconds[10] * 1e3:.0f} ms at 10, {seconds[1_000] * 1e3:.0f} ms at 1,000 entries", end="")
    assert [call for call, *_ in asked[10]] == [call for call, *_ in asked[1_000]]
    for (_, given_10, got_10), (call, given, got) in zip(asked[10], asked[1_000], strict=True):
        assert given == given_10, call
        assert got <= got_10 * 1.1 + 200, call


def test_verifying_a_thousand_entries_starts_few_processes(site, keys):
    grow(site, 1_000)
    journal, counting = reading(site, ())
    assert journal.verify() == ()
    assert len(counting.calls) < 15
