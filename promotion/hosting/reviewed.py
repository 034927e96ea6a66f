"""Who opened and who approved the pull requests that are on main: asked of GitHub, kept in a file for ``reconcile``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promotion.errors import Unavailable
from promotion.pulls import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from promotion.git import Git
    from promotion.hosting.client import GitHub

QUERY = """
query($owner: String!, $name: String!, $commit: GitObjectID!, $path: String!) {
  repository(owner: $owner, name: $name) { object(oid: $commit) { ... on Commit {
    history(first: 50, path: $path) { nodes { oid associatedPullRequests(first: 5) { nodes {
      number author { login } headRefOid
      latestReviews(first: 50) { nodes { state author { login } commit { oid } } }
    } } } }
  } } }
}
"""


def ask(github: GitHub, git: Git, remote: str, path: str, out: Path, report: Callable[[str], None]) -> int:
    """Write GitHub's answer about the newest 50 commits of HEAD that changed ``path``; returns how many pull requests it names.

    What was approved is compared with what main declares, so the last commit of each is fetched: a branch that was squashed is in no
    history of main. One that is gone is reported, and its reviews do not count. Raises Unavailable, and UsageError for another answer.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(github.query(QUERY, commit=git.resolve("HEAD"), path=path))
    found = {one.number: one.head for pulls in read(out).values() for one in pulls}
    for number, head in found.items():
        if git.contains(head):
            continue
        try:
            git.fetch(remote, head)
        except Unavailable:
            report(f"commit {head} of pull request {number} is gone: its reviews do not count")
    return len(found)
