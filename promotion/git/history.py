"""Questions about history and about the working tree."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from promotion.errors import Conflict, UsageError
from promotion.git.command import checked
from promotion.git.objects import Identity, Objects


@dataclass(frozen=True, slots=True)
class Changed:
    """One file that a commit changed: the blobs before and after, None where there is no file; its mode after."""

    path: str
    before: str | None
    after: str | None
    mode: str


class History(Objects):
    """Commits in their order, and what differs."""

    __slots__ = ()

    def is_shallow(self) -> bool:
        """Whether the history of this clone is cut off."""
        return self.run("rev-parse", "--is-shallow-repository").text == "true"

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether ``new`` descends from ``old``, or is it.

        Raises UsageError for an unknown commit, and in a shallow clone where the answer seems to be no: it cannot tell.
        """
        answer = self.run("merge-base", "--is-ancestor", checked(old), checked(new), good=(0, 1))
        if answer.code == 1 and self.is_shallow():
            raise UsageError(f"a shallow clone cannot tell whether {new[:12]} descends from {old[:12]}", hint="git fetch --unshallow")
        return answer.code == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest common ancestor, None when there is none; raises UsageError for an unknown commit."""
        answer = self.run("merge-base", checked(one), checked(other), good=(0, 1))
        return answer.text.splitlines()[0] if answer.code == 0 else None

    def first_parents(self, ref: str, *, limit: int | None = None) -> tuple[str, ...]:
        """The commits of a branch itself, newest first, without what was merged into it."""
        count = () if limit is None else (f"--max-count={limit}",)
        return tuple(self.run("rev-list", "--first-parent", *count, self.resolve(ref)).text.splitlines())

    def dated(self, ref: str) -> tuple[tuple[str, datetime], ...]:
        """As ``first_parents``, each with the time it was committed (UTC, seconds)."""
        rows = self.run("log", "--first-parent", "--no-show-signature", "--format=%H %ct", self.resolve(ref)).text.splitlines()
        return tuple((row.split(" ")[0], datetime.fromtimestamp(int(row.split(" ")[1]), UTC)) for row in rows)

    def log(self, ref: str, *paths: str, limit: int | None = None, first_parent: bool = False) -> tuple[str, ...]:
        """Commits that changed any of these paths (all commits without a path), newest first."""
        options = [*(() if limit is None else (f"--max-count={limit}",)), *(("--first-parent",) if first_parent else ())]
        return tuple(self.run("rev-list", *options, self.resolve(ref), "--", *paths).text.splitlines())

    def changed_paths(self, base: str, head: str) -> tuple[str, ...]:
        """Paths that differ between two commits, sorted; a renamed file counts as two."""
        answer = self.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", self.resolve(base), self.resolve(head))
        return tuple(sorted(answer.out.decode("utf-8", "surrogateescape").split("\0")[:-1]))

    def raw_diffs(self, shas: Sequence[str]) -> dict[str, tuple[Changed, ...]]:
        """What each of these commits changed against its first parent; one process."""
        options = ("-r", "--root", "--raw", "--no-abbrev", "--no-renames", "--diff-merges=first-parent", "--stdin")
        rows = self.run("diff-tree", *options, stdin="".join(f"{sha}\n" for sha in shas).encode()).text.splitlines()
        found: dict[str, list[Changed]] = {}
        changes: list[Changed] = []
        for row in rows:
            if not row.startswith(":"):
                changes = found.setdefault(row.strip(), [])
                continue
            meta, _, path = row.partition("\t")
            _, mode, before, after, _ = meta.split(" ")
            changes.append(Changed(path, _blob(before), _blob(after), mode))
        return {sha: tuple(one) for sha, one in found.items()}

    def difference(self, before: str, after: str, paths: Sequence[str]) -> str | None:
        """How these files (relative to the top) differ between two commits, as a patch; None when one of the commits is not here."""
        plain = ("-p", "-U2", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        answer = self.run("-C", str(self.root), "diff-tree", *plain, checked(before), checked(after), "--", *paths, good=(0, 128))
        return answer.text if answer.code == 0 else None

    def dirty(self, paths: Sequence[str]) -> tuple[str, ...]:
        """The files under these paths that differ from HEAD, in the index or the working tree, or are not tracked; sorted."""
        answer = self.run("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *paths)
        return tuple(sorted({row[3:] for row in answer.out.decode("utf-8", "surrogateescape").split("\0")[:-1]}))

    def commit_file(self, paths: Sequence[str], message: str, trailers: Sequence[tuple[str, str]] = ()) -> str:
        """Commit these files as they are in the working tree, and nothing else that may be staged; returns the commit.

        Raises UsageError when nothing differs. Hooks do not run: a rollback must not hang on them.
        """
        extra = [part for name, value in trailers for part in ("--trailer", f"{name}: {value}")]
        fallback = {} if self._identity() else _person(Identity.parse(self.user()))
        arguments = ("commit", "--quiet", "--only", "--no-verify", "--file=-", "--cleanup=verbatim", *extra, "--", *paths)
        answer = self.run(*arguments, stdin=message.encode(), environment=fallback, good=range(256))
        if answer.code != 0:
            raise UsageError(f"{', '.join(paths)} could not be committed: {answer.reason if answer.err else answer.text.splitlines()[-1]}")
        return self.resolve("HEAD")

    def rebase(self, *, onto: str) -> str:
        """Put HEAD's newest commit on top of another; returns it as it is then. Raises Conflict, with all as before, when they collide."""
        before = self.resolve("HEAD")
        answer = self.run("rebase", "--quiet", "--no-autostash", "--onto", onto, "HEAD^", good=range(256))
        if answer.code != 0:
            self.run("rebase", "--abort", good=range(256))
            raise Conflict(
                f"commit {before[:12]} does not go on top of {onto[:12]}: {answer.reason}",
                hint="somebody changed the same lines meanwhile: look at both, then git rebase and push, or declare what shall be there",
            )
        return self.resolve("HEAD")

    def back_to(self, commit: str) -> None:
        """Move HEAD, and its branch, to a commit; changes that are not committed stay. Raises UsageError where they are in the way."""
        self.run("reset", "--quiet", "--keep", checked(commit))

    def has_commits(self) -> bool:
        """Whether HEAD is a commit: False in a repository that was just made."""
        return self.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", good=(0, 1, 128)).code == 0

    def first_commit(self, message: str, at: datetime) -> str:
        """Begin the history of HEAD's branch by an empty commit; index and working tree stay as they are.

        Raises UsageError when there is a commit already.
        """
        sha = self.commit_tree(self.make_tree(None, {}), (), message, who=Identity.parse(self.user()), at=at)
        if not self.update_ref("HEAD", sha, None):
            raise UsageError("this repository has commits already")
        return sha

    def user(self) -> str:
        """Who works here, as ``Name <mail>``; without a configured identity the name of the system's user."""
        return self._identity() or str(Identity.parse(getpass.getuser()))

    def configured_signing_key(self) -> Path | None:
        """The SSH key that git signs with here (``gpg.format=ssh``, ``user.signingkey``), None when there is none in a file."""
        form = self.run("config", "--get", "gpg.format", good=(0, 1))
        key = self.run("config", "--get", "--type=path", "user.signingkey", good=(0, 1))
        if form.code != 0 or form.text != "ssh" or key.code != 0 or key.text.startswith(("key::", "ssh-")):
            return None
        return (self.root / Path(key.text)).resolve()

    def _identity(self) -> str | None:
        answer = self.run("var", "GIT_COMMITTER_IDENT", good=(0, 128))
        return answer.text.rsplit(" ", 2)[0] if answer.code == 0 else None


def _blob(sha: str) -> str | None:
    return sha if sha.strip("0") else None


def _person(who: Identity) -> dict[str, str]:
    roles = ("AUTHOR", "COMMITTER")
    return {f"GIT_{role}_NAME": who.name for role in roles} | {f"GIT_{role}_EMAIL": who.mail for role in roles}
