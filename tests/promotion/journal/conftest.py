"""Real repositories for the journal's tests: a bare origin, clones, SSH keys."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from promotion.git import Git, Identity
from promotion.journal import Journal
from tests.promotion.journal.samples import START

# What a developer's git configuration says must not reach the tests.
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
SIGNERS = "policies/allowed_signers"


def git(folder: Path, *arguments: str) -> str:
    command = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main", *arguments)
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def make_key(folder: Path, name: str) -> Path:
    path = folder / name
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)), check=True)
    return path


def signer_line(principal: str, key: Path, options: str = 'namespaces="git"') -> str:
    kind, public = key.with_suffix(".pub").read_text().split()[:2]
    return f"{principal} {options} {kind} {public}\n"


class Site:
    """A bare origin with a main branch, and clones of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = folder / "origin.git"
        git(folder, "init", "-q", "--bare", str(self.origin))
        self.work = folder / "work"
        git(folder, "clone", "-q", str(self.origin), str(self.work))
        self.count = 0
        self.forger: Git | None = None
        self.commit({"environments.yaml": "version: 1\n"})

    def commit(self, files: dict[str, str | None], subject: str = "A change", *, push: bool = True) -> str:
        """Commit files on main (None removes one); returns the commit."""
        for name, content in files.items():
            path = self.work / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "--allow-empty", "-m", subject)
        if push:
            git(self.work, "push", "-q", "origin", "HEAD:main")
        return git(self.work, "rev-parse", "HEAD")

    def clone(self, *options: str) -> Git:
        """A new clone, by file:// so that depth counts."""
        self.count += 1
        path = self.folder / f"clone-{self.count}"
        git(self.folder, "clone", "-q", *options, f"file://{self.origin}", str(path))
        return Git(path)

    def journal(self, key: Path | None = None, *options: str) -> Journal:
        """The journal at origin, seen from a new clone."""
        return Journal(self.clone(*options), remote="origin", signing_key=key)

    def head(self) -> str:
        return git(self.origin, "rev-parse", "refs/heads/promotion-journal")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("keys")

    def named(name: str) -> Path:
        return folder / name if (folder / name).exists() else make_key(folder, name)

    return named


@pytest.fixture
def signed(site: Site, keys: Callable[[str], Path]) -> tuple[Site, Path]:
    """An origin whose main trusts one key for the journal."""
    key = keys("job")
    site.commit({SIGNERS: signer_line("job@example.org", key)}, "Trust the journal's key")
    return site, key


def forge(
    site: Site,
    content: bytes,
    *,
    key: Path | None = None,
    parent: str | None = "",
    files: Mapping[str, bytes | None] | None = None,
    more: tuple[str, ...] = (),
) -> str:
    """Push a commit onto the journal as somebody with the right to push would, by hand; returns it."""
    repository = site.forger = site.forger or site.clone()
    git(repository.root, "fetch", "-q", "origin", "+refs/heads/*:refs/all/*")
    base = repository.refs("refs/all/promotion-journal").get("refs/all/promotion-journal") if parent == "" else parent
    tree = repository.make_tree(base, {"entry.json": content, **(files or {})})
    at = datetime.fromisoformat(json.loads(content)["at"]) if b'"at"' in content else START
    parents = (*((base,) if base else ()), *more)
    sha = repository.commit_tree(tree, parents, "outcome: nothing to see\n", who=Identity("Eve", "eve@example.org"), at=at, key=key)
    git(repository.root, "push", "-q", "--force", "origin", f"{sha}:refs/heads/promotion-journal")
    return sha
