"""A stand-in for GitHub's API: a real HTTP server that keeps issues, comments and pull requests of one repository, ``owner/models``.

It knows the calls that the workflows make, refuses every other, asks for the token, and pages lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import graphql

MOST = 65_536  # characters of one body on GitHub
TOKEN = "t0ken-of-the-job"
BOT = {"login": "github-actions[bot]"}

Document = dict[str, Any]


@dataclass
class GitHub:
    """What the repository holds. ``asked`` counts calls by method; while ``down`` every answer is 502; ``pulls_of`` is what GraphQL tells
    of a commit."""

    url: str = ""
    issues: list[Document] = field(default_factory=list)
    comments: dict[int, list[Document]] = field(default_factory=dict)
    pulls: list[Document] = field(default_factory=list)
    pulls_of: dict[str, Document] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What a runner would say of it."""
        return {"GITHUB_API_URL": self.url, "GITHUB_GRAPHQL_URL": f"{self.url}/graphql", "GITHUB_REPOSITORY": "owner/models"}

    def number(self) -> int:
        """The next number of an issue or a pull request."""
        return 1 + len(self.issues) + len(self.pulls)

    def answer(self, method: str, path: str, query: dict[str, str], body: Document) -> tuple[int, object]:
        """Status and document."""
        if self.down:
            return 502, {"message": "Bad gateway"}
        if len(str(body.get("body", ""))) > MOST:
            return 422, {"message": f"body is too long (maximum is {MOST} characters)"}
        if (method, path) == ("POST", "/graphql"):
            return 200, self._query(body)
        for (known, pattern), act in self._calls().items():
            if known == method and (found := re.fullmatch(f"/repos/owner/models/{pattern}", path)):
                return act(found, query, body)
        return 404, {"message": f"not known here: {method} {path}"}

    def _calls(self) -> dict[tuple[str, str], Callable[[re.Match[str], dict[str, str], Document], tuple[int, object]]]:
        return {
            ("GET", r"issues"): lambda _, query, __: (200, self._listed(query)),
            ("POST", r"issues"): lambda _, __, body: (201, self._issue(body)),
            ("PATCH", r"issues/(\d+)"): lambda found, _, body: (200, self._changed(int(found[1]), body)),
            ("GET", r"issues/(\d+)/comments"): lambda found, query, _: (200, _page(self.comments.get(int(found[1]), []), query)),
            ("POST", r"issues/(\d+)/comments"): lambda found, _, body: (201, self._comment(int(found[1]), body)),
            ("PATCH", r"issues/comments/(\d+)"): lambda found, _, body: (200, self._edited(int(found[1]), body)),
            ("GET", r"pulls"): lambda _, query, __: (200, [one for one in self.pulls if f"owner:{one['head']}" == query["head"]]),
            ("POST", r"pulls"): lambda _, __, body: (201, self._pull(body)),
        }

    def _listed(self, query: dict[str, str]) -> list[Document]:
        """GitHub lists pull requests among the issues, marked as such."""
        pulls = [{**one, "user": BOT, "pull_request": {}} for one in self.pulls]
        return _page([one for one in [*pulls, *self.issues] if one["state"] == query["state"]], query)

    def _issue(self, body: Document) -> Document:
        self.issues.append({"number": self.number(), "title": body["title"], "body": body["body"], "state": "open", "user": BOT})
        return self.issues[-1]

    def _changed(self, number: int, body: Document) -> Document:
        (issue,) = [one for one in self.issues if one["number"] == number]
        issue.update(body)
        return issue

    def _comment(self, number: int, body: Document) -> Document:
        made = {"id": 1000 + sum(map(len, self.comments.values())), "user": BOT, "body": body["body"]}
        self.comments.setdefault(number, []).append(made)
        return made

    def _edited(self, number: int, body: Document) -> Document:
        (comment,) = [one for held in self.comments.values() for one in held if one["id"] == number]
        comment["body"] = body["body"]
        return comment

    def _pull(self, body: Document) -> Document:
        self.pulls.append({"number": self.number(), "state": "open", **body})
        return self.pulls[-1]

    def _query(self, body: Document) -> Document:
        graphql.parse(body["query"])
        assert (body["variables"]["owner"], body["variables"]["name"]) == ("owner", "models")
        found = self.pulls_of.get(body["variables"]["commit"])
        return found or {"errors": [{"message": "Could not resolve to an object"}]}


def _page(found: list[Document], query: dict[str, str]) -> list[Document]:
    size, number = int(query["per_page"]), int(query["page"])
    return found[(number - 1) * size : number * size]


@contextmanager
def listening() -> Iterator[GitHub]:
    """The stand-in, at a port of its own."""
    hosting, lock = GitHub(), Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            address = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            with lock:
                hosting.asked.append(self.command)
                status, document = hosting.answer(self.command, address.path, query, json.loads(content or b"{}"))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, document = 401, {"message": "Bad credentials"}
            answer = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PATCH = _do

        def log_message(self, *_: object) -> None:
            """The suite's output is not the place for it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    hosting.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hosting
    finally:
        server.shutdown()
        server.server_close()
