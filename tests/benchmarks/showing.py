"""``status`` against ``gto show`` on a repository with as many tags as the registry has versions and bindings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import repository
from tests.benchmarks.measuring import PROMOTION, Row, Scale, medians
from tests.benchmarks.population import Population, populate
from tests.server import Server

GTO = "gto==1.10.1"
WHO = "bench <bench@example.org> 1700000000 +0000"


def gto() -> str:
    """The program, in an environment of its own, which is made when it is not there."""
    folder = Path(sys.prefix) / "gto"
    if not (folder / "bin" / "gto").exists():
        uv = str(Path(sys.prefix) / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), GTO], check=True)
    return str(folder / "bin" / "gto")


def tagged(folder: Path, population: Population) -> Path:
    """A repository with a tag for each version (of the commit of that number), and two for what is in an environment."""
    folder.mkdir()
    repository.git(folder, "init -q -b main")
    lines = []
    for version in range(1, population.versions + 1):
        text = f"version {version}"
        lines += ["commit refs/heads/main", f"mark :{version}", f"committer {WHO}", f"data {len(text)}", text, ""]
    names = [(f"{name}@v0.0.{version}", version) for name in population.names for version in range(1, population.versions + 1)]
    names += [(f"{name}#production#1", population.production) for name in population.names]
    names += [(f"{name}#staging#2", population.staging) for name in population.names]
    for name, version in names:
        lines += [f"tag {name}", f"from :{version}", f"tagger {WHO}", "data 4", "move"]
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input="\n".join(lines).encode(), check=True)
    repository.git(folder, "reset -q --hard")
    repository.git(folder, "pack-refs --all")
    return folder


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """With one worker, of which reading the registry takes three quarters of the time, and with the server's default number."""
    population = Population(scale.models)
    tags = tagged(folder / "tags", population)
    count = scale.models * (population.versions + 2)
    for workers, told in ((1, "one worker"), (None, "default workers")):
        with Server(folder / f"server-{workers}", workers=workers) as server:
            populate(server, population)
            where = repository.start(folder / f"models-{workers}", population.names, lambda _: (5, 4))
            repository.record(where, server.url)
            commands = ((PROMOTION, "status"), (gto(), "show", "--repo", str(tags)))
            ours, theirs = medians(commands, min(3, scale.runs), where, server.url)
            work = f"status of {scale.models} × {population.versions}, {told}"
            yield Row(work, f"gto show, {count} tags", ours, theirs, theirs / ours, "≥ 10 ×")
