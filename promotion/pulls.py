"""Who opened and who approved the pull requests that brought a commit, as GitHub's GraphQL tells (``promotion github reviews`` asks).

The answer is a file, since asking needs a token that nothing else here needs. Its form is that of the query
``repository.object.history.nodes`` with ``oid`` and ``associatedPullRequests`` (GitHub, "GraphQL API reference", objects Commit,
PullRequest and PullRequestReview).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promotion.errors import UsageError

MAX_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request: its number, who opened it (None: an account that is gone), its last commit, and by (login, commit) who
    approved which state of it. Reviews that were dismissed, or followed by another of the same person, are not among these."""

    number: int
    author: str | None
    head: str
    approved: tuple[tuple[str, str], ...]


def read(path: Path) -> Mapping[str, tuple[PullRequest, ...]]:
    """Pull requests by the commits that they brought. Raises UsageError for what is not such an answer."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UsageError(f"{path} has more than {MAX_BYTES} bytes", hint="ask for fewer commits")
        answer = _Answer.model_validate_json(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="it holds GitHub's answer about pull requests") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise UsageError(
            f"{path} is not GitHub's answer about pull requests: {where}: {first['msg']}",
            hint="make it with: promotion github reviews FILE",
        ) from error
    history = answer.data.repository.object.history
    return {one.oid: tuple(map(_pull_request, one.associatedPullRequests.nodes)) for one in history.nodes}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
_Login = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s,]+$")]


class _Actor(_Part):
    login: _Login


class _Commit(_Part):
    oid: _Sha


class _Review(_Part):
    state: str
    author: _Actor | None
    commit: _Commit | None


class _Reviews(_Part):
    nodes: list[_Review]


class _Pull(_Part):
    number: int
    author: _Actor | None
    headRefOid: _Sha  # noqa: N815 - GitHub's name
    latestReviews: _Reviews  # noqa: N815 - GitHub's name


class _Pulls(_Part):
    nodes: list[_Pull]


class _Node(_Part):
    oid: _Sha
    associatedPullRequests: _Pulls  # noqa: N815 - GitHub's name


class _History(_Part):
    nodes: list[_Node]


class _Object(_Part):
    history: _History


class _Repository(_Part):
    object: _Object


class _Data(_Part):
    repository: _Repository


class _Answer(_Part):
    data: _Data


def _pull_request(one: _Pull) -> PullRequest:
    approved = tuple(
        (review.author.login, review.commit.oid)
        for review in one.latestReviews.nodes
        if review.state == "APPROVED" and review.author is not None and review.commit is not None
    )
    return PullRequest(one.number, one.author.login if one.author else None, one.headRefOid, approved)
