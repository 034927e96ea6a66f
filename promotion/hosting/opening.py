"""Pull requests for branches that were pushed: what a job pushed where it may not merge."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promotion.git import Git
    from promotion.hosting.client import GitHub


def open_for(github: GitHub, git: Git, remote: str, pattern: str, *, main: str, note: str) -> tuple[tuple[str, int], ...]:
    """Open a pull request for each branch of the remote that ``pattern`` matches and that never had one; returns branch and number.

    Title and text are those of the branch's last commit; ``note`` is added. One that somebody closed is not opened again. Raises
    Unavailable.
    """
    made = []
    owner = github.name.partition("/")[0]
    for branch in fnmatch.filter(git.branches(remote), pattern):
        if github.get("pulls", head=f"{owner}:{branch}", state="all"):
            continue
        tip = git.fetch_tip(remote, branch)
        commit = git.commit(tip or branch)
        text = "\n\n".join(part for part in (commit.body, note) if part)
        made.append((branch, int(github.post("pulls", title=commit.subject, head=branch, base=main, body=text)["number"])))
    return tuple(made)
