"""One comment on a pull request, one issue of a title: found again and edited in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promotion.hosting.client import BOT

if TYPE_CHECKING:
    from promotion.hosting.client import GitHub

MARK = "<!-- promotion -->"


def comment(github: GitHub, number: int, text: str, *, only_update: bool = False) -> bool:
    """Keep one comment on a pull request; returns whether there is one now. With ``only_update`` none is begun.

    Who may write there may as well write the mark: only what the workflow's own token wrote is edited. Raises Unavailable.
    """
    marked = f"{MARK}\n{text}"
    for one in github.all(f"issues/{number}/comments"):
        if one["user"]["login"] == BOT and one["body"].startswith(MARK):
            github.patch(f"issues/comments/{one['id']}", body=marked)
            return True
    if not only_update:
        github.post(f"issues/{number}/comments", body=marked)
    return not only_update


def issue(github: GitHub, title: str, text: str, *, loud: bool = False) -> int:
    """Open an issue, or bring the open one of this title up to date; returns its number. ``loud`` comments on it as well.

    Raises Unavailable.
    """
    number = _open(github, title)
    if number is None:
        return int(github.post("issues", title=title, body=text)["number"])
    github.patch(f"issues/{number}", body=text)
    if loud:  # an edit alone tells nobody
        github.post(f"issues/{number}/comments", body=text)
    return number


def close(github: GitHub, title: str, text: str) -> int | None:
    """Close the open issue of this title with a comment; returns its number, None where there is none. Raises Unavailable."""
    number = _open(github, title)
    if number is not None:
        github.post(f"issues/{number}/comments", body=text)
        github.patch(f"issues/{number}", state="closed")
    return number


def _open(github: GitHub, title: str) -> int | None:
    found = github.all("issues", state="open")
    own = (one["number"] for one in found if one["title"] == title and one["user"]["login"] == BOT and "pull_request" not in one)
    return next(own, None)
