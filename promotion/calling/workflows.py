"""The few lines by which a repository calls promotion's workflows, made from what was chosen and read back from what was made.

Pure. Values stand in the files as JSON strings, which YAML reads as they are.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from promotion.errors import UsageError

FOLDER = ".github/workflows"
CHECK = "promotion / gate"
"""The check to require on main: the calling job's name and the called one's."""

_SOURCE = re.compile(r"(?P<repository>[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+)@(?P<ref>[A-Za-z0-9][A-Za-z0-9._+-]*)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_VERSION = re.compile(r"v?\d+(\.\d+)*([.+-][A-Za-z0-9.+-]+)?")
_USES = re.compile(r"^    uses: (?P<repository>\S+/\S+)/\.github/workflows/[a-z]+\.yml@(?P<ref>\S+)$", re.MULTILINE)
_WITH = re.compile(r'^      (?P<name>install|requirements|rows): (?P<value>".*")$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the called workflows are: ``OWNER/REPO``, and a tag or the hash of a commit."""

    repository: str
    ref: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """``OWNER/REPO@TAG`` or ``OWNER/REPO@COMMIT``; raises UsageError, for a branch too: it moves."""
        found = _SOURCE.fullmatch(text)
        if found is None:
            raise UsageError(f"{text!r} is not OWNER/REPO@TAG", hint="for example: --from your-org/promotion@v1.2.0")
        if not _COMMIT.fullmatch(found["ref"]) and not _VERSION.fullmatch(found["ref"]):
            raise UsageError(
                f"{found['ref']!r} is neither a version's tag nor the hash of a commit: a branch moves, and with it what judges",
                hint="name a release, as v1.2.0, or a commit's 40 hexadecimal digits",
            )
        return cls(found["repository"], found["ref"])

    @property
    def fixed(self) -> bool:
        """Whether nobody can move it: the hash of a commit, not a tag."""
        return _COMMIT.fullmatch(self.ref) is not None

    def __str__(self) -> str:
        return f"{self.repository}@{self.ref}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a repository chooses: the source; what measuring installs (``base`` or ``all``), and a file of further requirements; and the
    command that makes the rows which the policies pin, where they are not committed."""

    source: Source
    install: str = "base"
    requirements: str = ""
    rows: str = ""

    def __post_init__(self) -> None:
        for name in ("requirements", "rows"):
            value = getattr(self, name)
            if "${{" in value or not all(char.isprintable() or char == "\n" for char in value):
                raise UsageError(f"--{name} {value!r} has an expression of GitHub or a control character in it", hint="leave it out")


def render(settings: Settings) -> dict[str, str]:
    """The files, by name."""
    return {name: _HEAD + template.format(**_values(settings)) for name, template in _FILES.items()}


def read(text: str) -> Settings | None:
    """What a file that ``render`` made was made from; None when it calls no workflow, or from no fixed place."""
    uses = _USES.search(text)
    if uses is None:
        return None
    try:
        values = {found["name"]: str(json.loads(found["value"])) for found in _WITH.finditer(text)}
        return Settings(Source.parse(f"{uses['repository']}@{uses['ref']}"), **values)
    except (UsageError, ValueError):
        return None


def _values(settings: Settings) -> dict[str, str]:
    given = {name: getattr(settings, name) for name in ("install", "requirements", "rows")}
    lines = [f"      {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in given.items() if value]
    return {
        "repository": settings.source.repository,
        "ref": settings.source.ref,
        "measuring": "\n".join(lines),
        "secrets": _SECRETS,
    }


_HEAD = """\
# Written by `promotion init-workflows`, and `promotion init-workflows --check` tells whether it still is as written. What happens stands in
# the file that it calls.
"""
_SECRETS = """\
    # The secrets of this repository's environments (registry-read, production): a called job gets none of them without this line.
    secrets: inherit # zizmor: ignore[secrets-inherit]"""

_GATE = """\
name: promotion gate

on:
  pull_request:
  merge_group:

permissions: {{}}

jobs:
  promotion:
    name: promotion # the check to require on main is "promotion / gate"
    permissions:
      contents: read # check out, read the journal
      pull-requests: write # one comment, kept up to date
{secrets}
    uses: {repository}/.github/workflows/gate.yml@{ref}
    with:
{measuring}
"""

_APPLY = """\
name: promotion apply

on:
  push:
    branches: [main]
  workflow_dispatch:

permissions: {{}}

jobs:
  promotion:
    name: promotion
    permissions:
      contents: write # push the branch promotion-journal, and the commit that reverts
      issues: write # one issue, kept up to date
      pull-requests: write # the revert, where main takes no push
      pages: write # publish the page, where the variable PAGES asks for it
      id-token: write # Pages asks which workflow publishes
{secrets}
    uses: {repository}/.github/workflows/apply.yml@{ref}
    with:
{measuring}
"""

_DRIFT = """\
name: promotion drift

on:
  schedule:
    - cron: "17 */6 * * *"
    - cron: "47 6 * * 1" # what expires soon is told once a week
  workflow_dispatch:
    inputs:
      heal:
        description: Restore what was applied last
        type: boolean
        default: false

permissions: {{}}

jobs:
  promotion:
    name: promotion
    permissions:
      contents: write # push the branch promotion-journal, when asked to heal
      issues: write # one issue, kept up to date
{secrets}
    uses: {repository}/.github/workflows/drift.yml@{ref}
    with:
      heal: ${{{{ inputs.heal || false }}}}
{measuring}
"""

_ROLLBACK = """\
name: promotion rollback

on:
  workflow_dispatch:
    inputs:
      model:
        description: The registered model
        required: true
        type: string
      environment:
        description: The environment
        required: true
        default: production
        type: string
      reason:
        description: Why; stands in the commit, the hold and the journal
        required: true
        type: string

permissions: {{}}

jobs:
  promotion:
    name: promotion
    permissions:
      contents: write # push the branch promotion-journal, and the commit that reverts
      pull-requests: write # the revert, where main takes no push
{secrets}
    uses: {repository}/.github/workflows/rollback.yml@{ref}
    with:
      model: ${{{{ inputs.model }}}}
      environment: ${{{{ inputs.environment }}}}
      reason: ${{{{ inputs.reason }}}}
"""

_FILES = {
    f"{FOLDER}/promotion-gate.yml": _GATE,
    f"{FOLDER}/promotion-apply.yml": _APPLY,
    f"{FOLDER}/promotion-drift.yml": _DRIFT,
    f"{FOLDER}/promotion-rollback.yml": _ROLLBACK,
}
NAMES = tuple(_FILES)
"""The files, in the order of a change's life."""
