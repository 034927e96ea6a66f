"""A scratch repository that declares versions of models that a server has."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.models import register_version

RULES = "version: 1\nenvironment: {name}\nrules:\n  - gate: naming\n    pattern: .+\n"


def declare(folder: Path, url: str, *, models: int) -> Path:
    """Register ``models`` models with a version each at the server, and declare them in a new repository."""
    lines = ["version: 1", "models:"]
    for index in range(models):
        name = f"bench-{index:05d}"
        register_version(url, name)
        lines += [f"  {name}:", "    staging:", "      use: 1", "    production:", "      use: none"]
    (folder / "policies").mkdir(parents=True)
    (folder / "environments.yaml").write_text("\n".join(lines) + "\n")
    for name in ("staging", "production"):
        (folder / "policies" / f"{name}.yaml").write_text(RULES.format(name=name))
    for command in ("init -q -b main", "add -A", "-c user.name=bench -c user.email=bench@example.org commit -q -m start"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder
