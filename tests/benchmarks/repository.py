"""A scratch repository that declares versions of models that a server has, and a journal that says so."""

from __future__ import annotations

import hashlib
import subprocess
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promotion.survey import Workspace

RULES = "version: 1\nenvironment: {name}\nrules:\n  - gate: naming\n    pattern: .+\n"
LIMITS = "limits:\n  max_changes: 100000\n  max_share: 1.0\n"


def git(folder: Path, command: str) -> None:
    """One git command, by its words."""
    subprocess.run(["git", *command.split()], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def start(folder: Path, names: Iterable[str], use: Callable[[str], tuple[int | str, int | str]]) -> Path:
    """A new repository with rules; ``use`` gives the versions of a model in staging and in production."""
    (folder / "policies").mkdir(parents=True)
    for name in ("staging", "production"):
        (folder / "policies" / f"{name}.yaml").write_text(RULES.format(name=name))
    git(folder, "init -q -b main")
    git(folder, "config user.name bench")
    git(folder, "config user.email bench@example.org")
    return declare(folder, names, use)


def declare(folder: Path, names: Iterable[str], use: Callable[[str], tuple[int | str, int | str]]) -> Path:
    """Write the declaration, and commit."""
    lines = ["version: 1\n", LIMITS, "models:\n"]
    for name in names:
        staging, production = use(name)
        lines.append(f"  {name}:\n    staging:\n      use: {staging}\n    production:\n      use: {production}\n")
    (folder / "environments.yaml").write_text("".join(lines))
    git(folder, "add -A")
    git(folder, "commit -q -m declare")
    return folder


def workspace(folder: Path, url: str) -> Workspace:
    """What the command line makes of this repository and this server."""
    from promotion.cli import build
    from promotion.cli.options import Shared

    return build.workspace(Shared(directory=folder, tracking_uri=url))


def record(folder: Path, url: str) -> None:
    """Journal everything that is declared as applied already, as found in service: no artifact is read."""
    from promotion.changes import ChangeKind
    from promotion.domain import AppliedBinding, AppliedModel, Bound
    from promotion.journal import Entry, EntryKind
    from promotion.journal.model import RecordedChange
    from promotion.repository import working
    from promotion.verdicts import Status

    where = workspace(folder, url)
    desired = working(where.git, where.layout).desired
    observed = where.registry.observe(desired.models)
    commit = where.git.commit("HEAD")
    memory: dict[str, AppliedModel] = {}
    changes = []
    for one in desired.bindings:
        if one.version is None:
            continue
        bound = Bound(one.version, hashlib.sha256(f"{one.model}/{one.version}".encode()).hexdigest())
        identity = observed.models[one.model].versions[one.version].identity
        binding = AppliedBinding(bound, None, identity, (), commit.sha, commit.at, where.by, adopted=True)
        model = memory.get(one.model) or AppliedModel(one.model, {}, {})
        memory[one.model] = AppliedModel(one.model, {**model.bindings, one.environment: binding}, {})
        changes.append(RecordedChange(ChangeKind.PROMOTE, one.model, one.environment, None, bound, (), Status.PASSED))
    entry = Entry(
        kind=EntryKind.ADOPTED, id=uuid.uuid4().hex, commit=commit.sha, author=commit.author, subject=commit.subject, at=where.now(),
        by=where.by, tool="bench", registry=where.registry.address, plan=None, policies=None, changes=tuple(changes), refusals=(),
        lease_until=None, takes_over=None, recorded=commit.sha,
    )  # fmt: skip
    where.journal.append(where.journal.read(), entry, applied=memory)
