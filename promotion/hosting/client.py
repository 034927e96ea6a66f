"""A thin client of GitHub's REST and GraphQL APIs, for one repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from promotion.errors import Unavailable

BOT = "github-actions[bot]"
"""Who wrote what a workflow's own token writes."""
API = "https://api.github.com"
_TIMEOUT = 30.0
_A_PAGE = 100
# What was written is not written again because its answer was lost.
_RETRY = Retry(total=2, backoff_factor=0.5, status_forcelist=(502, 503, 504), allowed_methods=("GET", "PATCH"), raise_on_status=False)


@dataclass(frozen=True, slots=True)
class GitHub:
    """One repository, ``OWNER/NAME``, by a token; ``api`` and ``graphql`` are the addresses that a runner names."""

    name: str
    token: str
    api: str = API
    graphql: str = f"{API}/graphql"

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
        """The document below ``/repos/OWNER/NAME/``. Raises Unavailable, as do the others."""
        return self._ask("GET", self._url(path), parameters=parameters)

    def all(self, path: str, **parameters: str) -> Iterator[Mapping[str, Any]]:
        """Every member of a list, page by page."""
        number = 0
        while True:
            number += 1
            found = self.get(path, per_page=str(_A_PAGE), page=str(number), **parameters)
            yield from found
            if len(found) < _A_PAGE:
                return

    def post(self, path: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        """Make something; returns what was made."""
        return self._ask("POST", self._url(path), body)

    def patch(self, path: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        """Change something; returns it."""
        return self._ask("PATCH", self._url(path), body)

    def query(self, text: str, **variables: str) -> bytes:
        """The answer to a GraphQL query, as it came. Raises Unavailable also for an answer that is an error."""
        owner, _, name = self.name.partition("/")
        answer = self._send("POST", self.graphql, {"query": text, "variables": {"owner": owner, "name": name, **variables}}, {})
        if _document(answer, self.graphql).get("errors"):
            raise Unavailable(f"GitHub could not answer: {_document(answer, self.graphql)['errors']!r:.300}")
        return answer.content

    def _url(self, path: str) -> str:
        return f"{self.api.rstrip('/')}/repos/{self.name}/{path}"

    def _ask(self, method: str, url: str, body: Mapping[str, object] | None = None, *, parameters: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        return _document(self._send(method, url, body, parameters or {}), url)

    def _send(self, method: str, url: str, body: Mapping[str, object] | None, parameters: Mapping[str, str]) -> requests.Response:
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=_RETRY))
            session.headers.update(
                {
                    "Accept": "application/vnd.github+json",
                    "X-GitHub-Api-Version": "2022-11-28",
                    "Authorization": f"Bearer {self.token}",
                }
            )
            try:
                answer = session.request(method, url, json=body, params=parameters, timeout=_TIMEOUT, allow_redirects=False)
            except requests.RequestException as error:
                raise Unavailable(f"GitHub did not answer: {type(error).__name__} at {url}", hint="run this again later") from error
        if not answer.ok or answer.is_redirect:
            told = answer.text.strip()[:300]
            raise Unavailable(f"GitHub answered {answer.status_code} to {method} {url}: {told}", hint="see which rights the token has")
        return answer


def _document(answer: requests.Response, url: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return answer.json()
    except ValueError as error:
        raise Unavailable(f"what {url} answered is no JSON", hint="see GITHUB_API_URL") from error
