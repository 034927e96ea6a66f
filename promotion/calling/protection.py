"""Whether GitHub protects what has to be protected, as far as its API tells with the token at hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from promotion.calling.workflows import CHECK

TIMEOUT = 10.0
"""Seconds for one answer."""
_REMOTE = re.compile(
    r"(?:https?://(?:[^/@]+@)?|ssh://git@|git@)github\.com(?::\d+)?[:/](?P<name>[A-Za-z0-9._-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?"
)


@dataclass(frozen=True, slots=True)
class Protected:
    """One protection: ``holds`` is None when it could not be seen, and ``why`` tells what was seen, or why nothing was."""

    what: str
    holds: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the API said: the document, None where it shows none (404), or a fault."""

    document: Any = None
    fault: str | None = None


def repository(address: str) -> str | None:
    """``OWNER/REPO`` of a remote's address on github.com; None for another place."""
    found = _REMOTE.fullmatch(address)
    return found["name"] if found else None


def look(name: str, token: str | None, api: str = "https://api.github.com") -> tuple[Protected, ...]:
    """Each protection of a repository. Nothing is changed, and no answer is an answer: ``holds`` is then None."""
    with requests.Session() as session:
        session.headers.update({"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"})
        if token:
            session.headers["Authorization"] = f"Bearer {token}"

        def ask(path: str) -> _Answer:
            return _ask(session, f"{api.rstrip('/')}/repos/{name}/{path}")

        main = _Branch(ask("rules/branches/main"), ask("branches/main/protection"))
        journal = _Branch(ask("rules/branches/promotion-journal"), ask("branches/promotion-journal/protection"))
        return (
            main.told("main: the review of code owners is required", main.owners()),
            main.told(f"main: the check {CHECK!r} is required", main.check()),
            *(branch.told(f"{where}: no force push, no deletion", branch.kept()) for where, branch in _both(main, journal)),
            _restricted(ask("environments/production")),
        )


def _both(main: _Branch, journal: _Branch) -> Iterable[tuple[str, _Branch]]:
    return (("main", main), ("promotion-journal", journal))


def _ask(session: requests.Session, url: str) -> _Answer:
    try:
        answer = session.get(url, timeout=TIMEOUT, allow_redirects=False)
        if answer.status_code == requests.codes.not_found:
            # An administrator is told that there is no protection; whoever may not see it gets the same code.
            return _Answer({} if answer.json().get("message") == "Branch not protected" else None)
        if answer.status_code != requests.codes.ok:
            return _Answer(fault=f"GitHub answered {answer.status_code}")
        return _Answer(answer.json())
    except (requests.RequestException, ValueError, AttributeError) as error:
        return _Answer(fault=f"GitHub did not answer: {type(error).__name__}")


@dataclass(frozen=True, slots=True)
class _Branch:
    """What rulesets say of a branch, which who may read the code may see, and classic protection, which administrators may see."""

    rules: _Answer
    classic: _Answer

    def told(self, what: str, holds: bool) -> Protected:  # noqa: FBT001 - a finding
        """A protection that was seen holds; one that was not holds not only where everything could be seen."""
        if holds:
            return Protected(what, holds=True, why="it is")
        hidden = self.rules.fault or self.classic.fault
        if hidden is None and self.classic.document is None:
            hidden = "GitHub does not show it to this token"
        if hidden is not None:
            return Protected(what, holds=None, why=f"{hidden}; set GH_TOKEN to an administrator's")
        return Protected(what, holds=False, why="no rule of the repository says so")

    def owners(self) -> bool:
        """Whether code owners must review."""
        asked = [one.get("require_code_owner_review") for one in self._of("pull_request")]
        return True in asked or self._classic("required_pull_request_reviews").get("require_code_owner_reviews") is True

    def check(self) -> bool:
        """Whether the one check must pass."""
        asked = [one.get("context") for rule in self._of("required_status_checks") for one in rule.get("required_status_checks", ())]
        return CHECK in asked or CHECK in self._classic("required_status_checks").get("contexts", ())

    def kept(self) -> bool:
        """Whether its history stays."""
        kinds = {rule.get("type") for rule in self._rules()}
        if {"non_fast_forward", "deletion"} <= kinds:
            return True
        classic = self._document()
        return bool(classic) and not any(self._classic(name).get("enabled", True) for name in ("allow_force_pushes", "allow_deletions"))

    def _rules(self) -> list[Mapping[str, Any]]:
        found = self.rules.document
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _of(self, kind: str) -> list[Mapping[str, Any]]:
        return [rule.get("parameters") or {} for rule in self._rules() if rule.get("type") == kind]

    def _document(self) -> Mapping[str, Any]:
        return self.classic.document if isinstance(self.classic.document, dict) else {}

    def _classic(self, name: str) -> Mapping[str, Any]:
        found = self._document().get(name)
        return found if isinstance(found, dict) else {}


def _restricted(answer: _Answer) -> Protected:
    what = "environment production: only chosen branches"
    if answer.fault is not None:
        return Protected(what, holds=None, why=f"{answer.fault}; set GH_TOKEN to one that may read it")
    if not isinstance(answer.document, dict):
        return Protected(what, holds=None, why="GitHub shows no such environment to this token, or there is none")
    if answer.document.get("deployment_branch_policy"):
        return Protected(what, holds=True, why="it is; look that main is the only one")
    return Protected(what, holds=False, why="any branch may use what it holds")
