"""Why the layout is checked: in real git, what it accepts reverts cleanly after staging moved on, and what it refuses does not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from promotion.config.edit import edit
from promotion.config.load import Source, load_desired
from promotion.errors import InvalidFiles

MODEL = "moe-cybersecurity-cicids"
ACCEPTED = {
    "in lines of their own": "version: 1\nmodels:\n  {m}:\n    staging:\n      use: 3\n    production:\n      use: 3\n",
    "without a line at the end": "version: 1\nmodels:\n  {m}:\n    production:\n      use: 3\n    staging:\n      use: 3",
    "in brackets": "version: 1\nmodels: {{\n  {m}: {{\n    staging: {{\n      use: 3 }},\n    production: {{\n      use: 3 }} }} }}\n",
}
REFUSED = {
    "on adjacent lines": "version: 1\nmodels:\n  {m}:\n    staging: {{use: 3}}\n    production: {{use: 3}}\n",
    "on one line": "version: 1\nmodels:\n  {m}: {{staging: {{use: 3}}, production: {{use: 3}}}}\n",
}


def reverts(folder: Path, text: str, changed: tuple[str, str]) -> bool:
    """Promote production, move staging on, revert the promotion: whether git can."""

    def git(*arguments: str) -> int:
        names = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = os.environ | names | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, check=False).returncode

    git("init", "-q")
    for content in (text, *changed):
        (folder / "environments.yaml").write_text(content)
        git("add", "-A")
        assert git("commit", "-q", "-m", "change") == 0
    return git("revert", "--no-edit", "HEAD~1") == 0


@pytest.mark.parametrize("form", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_accepted_reverts(form: str, tmp_path: Path) -> None:
    text = form.format(m=MODEL)
    promoted = edit(Source("e.yaml", text.encode()), MODEL, "production", "4")
    moved_on = edit(Source("e.yaml", promoted), MODEL, "staging", "5")
    assert reverts(tmp_path, text, (promoted.decode(), moved_on.decode()))
    after = load_desired([Source("e.yaml", (tmp_path / "environments.yaml").read_bytes())])
    assert [(one.environment, one.version) for one in after.bindings] == [("staging", 5), ("production", 3)]


@pytest.mark.parametrize("form", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_does_not_revert(form: str, tmp_path: Path) -> None:
    text = form.format(m=MODEL)
    with pytest.raises(InvalidFiles, match="1 problem"):
        load_desired([Source("e.yaml", text.encode())])
    before, _, after = text.rpartition("use: 3")
    promoted = f"{before}use: 4{after}"
    assert not reverts(tmp_path, text, (promoted, promoted.replace("use: 3", "use: 5")))
