"""The command ``gh`` of the stand-in for GitHub: ``python gh.py STATE ARGUMENTS…``. Knows the workflows' calls, refuses every other."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import graphql

MOST = 65536  # characters of one comment on GitHub
BOT = {"login": "github-actions[bot]"}

State = dict[str, Any]


def option(line: list[str], name: str) -> str:
    """The value after an option."""
    return line[line.index(name) + 1]


def issues(state: State, line: list[str]) -> None:
    """``gh issue list|create|edit|comment|close``."""
    assert os.environ["GH_REPO"] == "owner/models"
    if line[0] == "list":
        words = option(line, "--search").removeprefix('in:title "').removesuffix('"').lower().split()
        found = [one for one in state["issues"] if one["state"] == "open" and set(words) <= set(one["title"].lower().split())]
        print(json.dumps([{name: one[name] for name in option(line, "--json").split(",")} for one in found]))
        return
    if line[0] == "create":
        made = {"number": len(state["issues"]) + 1, "state": "open", "said": []}
        state["issues"].append({**made, "title": option(line, "--title"), "body": option(line, "--body")})
        return
    (issue,) = [one for one in state["issues"] if str(one["number"]) == line[1]]
    if line[0] == "edit":
        issue["body"] = option(line, "--body")
    elif line[0] == "comment":
        issue["said"].append(option(line, "--body"))
    elif line[0] == "close":
        issue["state"] = "closed"
        issue["said"].append(option(line, "--comment"))
    else:
        sys.exit(f"gh: not known here: issue {line}")


def api(state: State, line: list[str]) -> None:
    """``gh api graphql`` for pull requests, and ``--paginate|--method POST|PATCH`` for the comments of one; a page holds two of them."""
    if line[0] == "graphql":
        fields = dict(line[place + 1].split("=", 1) for place, word in enumerate(line) if word == "-f")
        assert (fields["owner"], fields["name"]) == ("owner", "models")
        graphql.parse(fields["query"])
        print(json.dumps(state["pulls"][fields["commit"]]))
        return
    place = line[-1]
    if line[0] == "--paginate" and (found := re.fullmatch(r"repos/owner/models/issues/(\d+)/comments", place)):
        held = state["comments"].get(found[1], [])
        for start in range(0, max(1, len(held)), 2):
            print(json.dumps(held[start : start + 2]), end="\n" if start else "")
    elif line[:2] == ["--method", "POST"] and (found := re.fullmatch(r"repos/owner/models/issues/(\d+)/comments", place)):
        number = 1000 + sum(map(len, state["comments"].values()))
        state["comments"].setdefault(found[1], []).append({"id": number, "user": BOT, "body": body(line)})
    elif line[:2] == ["--method", "PATCH"] and (found := re.fullmatch(r"repos/owner/models/issues/comments/(\d+)", place)):
        (comment,) = [one for held in state["comments"].values() for one in held if str(one["id"]) == found[1]]
        comment["body"] = body(line)
    else:
        sys.exit(f"gh: not known here: api {line}")


def body(line: list[str]) -> str:
    """The text of ``--field body=@FILE``, which GitHub refuses when it is too long."""
    key, _, file = option(line, "--field").partition("=@")
    assert key == "body", line
    text = Path(file).read_text(encoding="utf-8")
    if len(text) > MOST:
        sys.exit(f"gh: Validation Failed: body is too long (maximum is {MOST} characters) (HTTP 422)")
    return text


def main(file: Path, line: list[str]) -> None:
    """Do one call, and keep what came of it."""
    state: State = json.loads(file.read_text(encoding="utf-8"))
    assert os.environ["GH_TOKEN"], "no token"
    if state.get("down"):
        sys.exit("gh: Bad gateway (HTTP 502)")
    {"issue": issues, "api": api}[line[0]](state, line[1:])
    file.write_text(json.dumps(state), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
