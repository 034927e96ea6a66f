"""Six models of which one commit promotes, rolls back, retires, heals, swaps and begins; in a bare origin and a clone of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.models import register_version
from tests.proof.child import Clock, Run
from tests.proof.registry import Kept, Rest, Shown
from tests.scene import NAMING, RULES

Bindings = Mapping[str, int | None]
VERSIONS = 3
REF = "refs/heads/promotion-journal"


@dataclass(frozen=True, slots=True)
class Part:
    """What is declared of one model, commit by commit; ``meddled`` is what somebody moved to production before the last one."""

    name: str
    declared: tuple[Bindings, ...]
    meddled: int | None = None

    @property
    def last(self) -> Bindings:
        return self.declared[-1]

    def may(self, environment: str) -> set[int | None]:
        """The versions that readers may find while the last commit is applied."""
        return {self.declared[-2].get(environment), self.last.get(environment), self.meddled if environment == "production" else None} - (
            set() if None in {self.declared[-2].get(environment), self.last.get(environment)} else {None}
        )


PARTS = (
    Part("promote", ({"staging": 2, "production": 1}, {"staging": 2, "production": 1}, {"staging": 3, "production": 2})),
    Part("rollback", ({"staging": 2, "production": 1}, {"staging": 3, "production": 2}, {"staging": 2, "production": 1})),
    Part("retire", ({"staging": 1, "production": 2}, {"staging": 1, "production": 2}, {"staging": 1, "production": None})),
    Part("heal", ({"staging": 1, "production": 2}, {"staging": 1, "production": 2}, {"staging": 1, "production": 2}), meddled=3),
    Part("swap", ({"staging": 2, "production": 1}, {"staging": 2, "production": 1}, {"staging": 1, "production": 2})),
    Part("begin", ({}, {}, {"staging": 1, "production": 2})),
)


def crowd(times: int) -> tuple[Part, ...]:
    """The parts, each several times under other names: from eight models on, several are written at once."""
    return tuple(replace(part, name=f"{part.name}-{number}") for number in range(times) for part in PARTS)


@dataclass
class Cast:
    """The scene of one matrix: everything is made once, and brought back before each fault."""

    folder: Path
    url: str
    signed: bool = False
    parts: tuple[Part, ...] = PARTS
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.rest = Rest(self.url)
        self.origin, self.clone, self.log = self.folder / "origin.git", self.folder / "clone", self.folder / "run.log"

    def prepare(self) -> None:
        """Register, apply the commits before the last one, meddle, and keep it all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for seed in range(VERSIONS):
            register_version(self.url, "template", seed=seed)
            self.rest.copy_version("template", seed + 1, [part.name for part in self.parts])
        git(self.folder, "init", "-q", "--bare", "-b", "main", str(self.origin))
        git(self.origin, "config", "core.logAllRefUpdates", "always")
        git(self.folder, "clone", "-q", str(self.origin), str(self.clone))
        git(self.clone, "config", "user.name", "Ada")
        git(self.clone, "config", "user.email", "ada@example.org")
        git(self.clone, "checkout", "-q", "-b", "main")
        self._policies()
        for index in range(len(self.parts[0].declared)):
            self._declare(index)
            if index < len(self.parts[0].declared) - 1:
                assert self.run(self.url).wait() == 0, self.log.read_text()
        for part in self.parts:
            if part.meddled is not None:
                self.rest.move(part.name, part.meddled, "Production", archive=True)
                self.rest.point(part.name, "production", part.meddled)
        self._kept = Kept.of(self.rest, [part.name for part in self.parts])
        for name in ("origin.git", "clone"):
            shutil.copytree(self.folder / name, self.folder / "kept" / name, symlinks=True)

    def restore(self) -> None:
        """Everything as it was before the last commit was applied."""
        self._kept.restore(self.rest)
        for name in ("origin.git", "clone"):
            shutil.rmtree(self.folder / name)
            shutil.copytree(self.folder / "kept" / name, self.folder / name, symlinks=True)

    def run(self, url: str, *more: str, ahead: float = 0.0, timeout: float | None = None) -> Run:
        """Start a reconcile of the newest commit by the command line; ``timeout`` is the client's patience in seconds."""
        environment = {} if timeout is None else {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout)}
        arguments = ("reconcile", "-C", str(self.clone), "--tracking-uri", url, "--max-changes", "500", *more)
        return Run(arguments, self.log, clock=self.clock.ahead(ahead), environment=environment).start()

    def verify(self) -> tuple[int, str]:
        """``journal verify``: its exit code and what it says."""
        run = Run(("journal", "verify", "-C", str(self.clone)), self.folder / "verify.log").start()
        return run.wait(), run.output

    def shown(self) -> dict[str, dict[str, Shown]]:
        return {part.name: self.rest.shown(part.name) for part in self.parts}

    def wrong(self) -> list[str]:
        """Where the registry does not show the last commit."""
        found = []
        for part in self.parts:
            for environment, now in self.rest.shown(part.name).items():
                version = part.last[environment]
                if now != Shown(() if version is None else (version,), version):
                    found.append(f"{part.name} {environment} shows {now}, not {version}")
        return found

    def violations(self, name: str) -> list[str]:
        """Where the readers of one model find, at this instant, none, two, or what nobody declared (rule 1, with its exception)."""
        part = next(one for one in self.parts if one.name == name)
        found = []
        for environment, now in self.rest.shown(name).items():
            may = part.may(environment)
            swapping = environment == "staging" and name.startswith("swap")
            stage = now.bearers[0] if len(now.bearers) == 1 else None
            if len(now.bearers) > 1 or (stage not in may and not (swapping and not now.bearers)) or now.alias not in may:
                found.append(f"{name} {environment}: {now}")
        return found

    def entries(self) -> list[str]:
        """Every value that the journal's branch ever had at the origin, oldest first."""
        log = self.origin / "logs" / REF
        return [line.split(" ")[1] for line in log.read_text().splitlines()] if log.exists() else []

    def lost(self) -> list[str]:
        """Entries that the origin once acknowledged, and that its branch does not have any more."""
        has = set(git(self.origin, "rev-list", REF).split())
        return [sha for sha in self.entries() if sha not in has]

    def _policies(self) -> None:
        folder = self.clone / "policies"
        folder.mkdir()
        for environment in ("staging", "production"):
            (folder / f"{environment}.yaml").write_text(RULES.format(environment=environment, rules=NAMING))
        if self.signed:
            key = self.folder / "key"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
            public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
            (folder / "allowed_signers").write_text(f'ada@example.org namespaces="git" {public}\n')
            git(self.clone, "config", "gpg.format", "ssh")
            git(self.clone, "config", "user.signingkey", str(key))

    def _declare(self, index: int) -> None:
        lines = ["version: 1", "models:"]
        for part in self.parts:
            if not part.declared[index]:
                continue
            lines.append(f"  {part.name}:")
            for environment, version in part.declared[index].items():
                lines += [f"    {environment}:", f"      use: {'none' if version is None else version}"]
        (self.clone / "environments.yaml").write_text("\n".join(lines) + "\n")
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "--allow-empty", "-m", f"declare {index}")
        git(self.clone, "push", "-q", "origin", "main")


def git(folder: Path, *arguments: str) -> str:
    """Run git; its output without the last newline."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
