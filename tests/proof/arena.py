"""One model, one bare origin, eight clones of it, and the commits of many rounds, made beforehand in one go."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.proof.cast import REF, git
from tests.proof.child import Clock, Run, Start
from tests.proof.registry import Rest, Shown
from tests.scene import NAMING, RULES

CLONES = 8
VERSIONS = 6
SCALE = 30.0
"""The shortest lease, 30 s, takes one second; so does its grace."""
_RECENT = 6


@dataclass
class Arena:
    """``commits[i]`` declares ``declared[i]``, (staging, production). Main is moved along them, and never back."""

    folder: Path
    url: str
    name: str
    random: Random
    clock: Clock = field(default_factory=lambda: Clock(scale=SCALE))

    def __post_init__(self) -> None:
        self.rest = Rest(self.url)
        self.origin = self.folder / "origin.git"
        self.clones = tuple(self.folder / f"clone-{number}" for number in range(CLONES))
        self.main = 0

    def prepare(self, commits: int) -> None:
        """Make origin, commits and clones, and apply the first commit."""
        self.folder.mkdir(parents=True)
        git(self.folder, "init", "-q", "--bare", "-b", "main", str(self.origin))
        self.declared = declarations(self.random, commits)
        self.commits = self._import()
        git(self.origin, "update-ref", "refs/heads/main", self.commits[0])
        for clone in self.clones:
            git(self.folder, "clone", "-q", str(self.origin), str(clone))
            git(clone, "config", "user.name", clone.name)
            git(clone, "config", "user.email", f"{clone.name}@example.org")
            git(clone, "fetch", "-q", "origin", "refs/ahead/all")
        assert self.run(0, 0).start().wait() == 0, self.log(0).read_text()

    def log(self, clone: int) -> Path:
        return self.folder / f"run-{clone}.log"

    def run(self, clone: int, commit: int, at: float = 0.0, *, url: str | None = None, lease: float = 300.0) -> Run:
        """A reconcile from one clone at one commit."""
        arguments = ["reconcile", "-C", str(self.clones[clone]), "--tracking-uri", url or self.url, "--lease", str(lease)]
        arguments += ["--timeout", "1000000"]  # of a clock that runs fast
        return Run(arguments, self.log(clone), clock=self.clock, start=Start(self.clones[clone], self.commits[commit], at))

    def advance(self, commit: int) -> None:
        """Main of the origin moves on, as by a merge."""
        git(self.origin, "update-ref", "refs/heads/main", self.commits[commit])
        self.main = commit

    def wrong(self) -> str | None:
        """Why the newest commit is not what is applied; None when it is."""
        shown = self.rest.shown(self.name)
        for environment, version in zip(("staging", "production"), self.declared[self.main], strict=True):
            if shown[environment] != Shown((version,), version):
                return f"{environment} shows {shown[environment]}, not {version}"
        entry = self.entry()
        if entry["kind"] != "outcome" or entry["recorded"] != self.commits[self.main]:
            return f"the journal's newest entry is the {entry['kind']} of another commit than main's newest"
        return None

    def entry(self) -> dict[str, str]:
        """The journal's newest entry at the origin."""
        found: dict[str, str] = json.loads(git(self.origin, "show", f"{REF}:entry.json"))
        return found

    def take_overs(self) -> int:
        """How many entries end somebody else's intent."""
        return git(self.origin, "log", "--format=%B", REF).count("Takes-Over:")

    def _import(self) -> list[str]:
        """Every commit by one fast-import: only the file differs from one to the next."""
        stream: list[str] = []
        for index, (staging, production) in enumerate(self.declared):
            text = f"version: 1\nmodels:\n  {self.name}:\n    staging:\n      use: {staging}\n    production:\n      use: {production}\n"
            stream += ["commit refs/ahead/all", f"mark :{index + 1}", f"committer Ada <ada@example.org> {1700000000 + index} +0000"]
            stream += [_data(f"declare {index}"), *([f"from :{index}"] if index else []), "M 644 inline environments.yaml", _data(text)]
            for environment in ("staging", "production") if not index else ():
                stream += [f"M 644 inline policies/{environment}.yaml", _data(RULES.format(environment=environment, rules=NAMING))]
            stream.append("")
        subprocess.run(["git", "fast-import", "--quiet"], cwd=self.origin, check=True, input="\n".join(stream).encode())
        return git(self.origin, "rev-list", "--reverse", "refs/ahead/all").splitlines()


def declarations(random: Random, count: int) -> list[tuple[int, int]]:
    """Random (staging, production), never the same version in both, nor one in staging that was in production lately.

    Those are the two cases in which readers of the stage ``Staging`` may find none (rule 1).
    """
    found = [(2, 1)]
    while len(found) < count:
        staging, production = found[-1]
        free = [version for version in range(1, VERSIONS + 1) if version not in {one for _, one in found[-_RECENT:]}]
        if random.random() < 0.7 and free:
            staging = random.choice(free)
        choices = [version for version in range(1, VERSIONS + 1) if version != staging]
        recent = {one for _, one in found[-_RECENT:]}
        production = random.choice(choices if len(recent) < VERSIONS - 3 else [one for one in choices if one in recent])
        if staging != production and (staging, production) != found[-1]:
            found.append((staging, production))
    return found


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"
