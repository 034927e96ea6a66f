"""What people install: the wheel holds promotion alone and works, and the lock fits what the project asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from promotion import __version__

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=PROJECT, check=True, capture_output=True
    )
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_promotion_alone_with_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"promotion", f"mlflow_promotion-{__version__}.dist-info"}
    assert "promotion/py.typed" in names
    sources = {str(path.relative_to(PROJECT)) for path in (PROJECT / "promotion").rglob("*.py")}
    assert sources == {name for name in names if name.endswith(".py")}


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"mlflow_promotion-{__version__}.dist-info/METADATA").decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("Provides-Extra") == ["dev", "serve", "train"]
    base = {Requirement(text).name for text in metadata.get_all("Requires-Dist") or () if "extra ==" not in text}
    assert not base & {"torch", "xgboost", "scikit-learn"}


def test_the_installed_command_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import promotion.cli as cli; print(cli.__file__); cli.main(['--version'])"
    done = subprocess.run([sys.executable, "-P", "-c", code, str(target)], cwd=tmp_path, capture_output=True, text=True, check=True)
    where, version = done.stdout.splitlines()
    assert Path(where).is_relative_to(target)
    assert version.endswith(__version__)
    assert (target / "bin" / "promotion").is_file()


def pins() -> dict[str, list[Requirement]]:
    """Every pin of the lock by name; one name may have several, each for other versions of Python or other systems."""
    found: dict[str, list[Requirement]] = {}
    for entry in re.split(r"\n(?=\S)", (PROJECT / "constraints.txt").read_text(encoding="utf-8").strip()):
        text, *hashes = (line.strip(" \\") for line in entry.splitlines())
        assert hashes, f"{text} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), entry
        requirement = Requirement(text)
        found.setdefault(requirement.name, []).append(requirement)
    return found


def test_the_lock_pins_what_the_project_asks_for_and_names_no_address() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = pins()
    for text in [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]:
        asked = Requirement(text)
        assert asked.name in locked, f"{text} is not in the lock: make lock"
        for pin in locked[asked.name]:
            ((operator, version),) = ((one.operator, one.version) for one in pin.specifier)
            assert operator == "=="
            assert asked.specifier.contains(version), f"{pin} does not fit {text}: make lock"
    assert not re.search(r"://|--(extra-)?index|--find-links", (PROJECT / "constraints.txt").read_text(encoding="utf-8"))


def test_every_dependency_says_why_and_is_bounded() -> None:
    lines = (PROJECT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("dependencies = [")
    end = lines.index("]", start)
    for number in range(start + 1, end):
        if lines[number].lstrip().startswith('"'):
            assert lines[number - 1].lstrip().startswith("#"), lines[number]
            assert re.search(r">=[\d.]+,<\d+", lines[number]), lines[number]
