"""Rows under DVC: the real tool, a remote in a folder, and a loader that refuses what the pointer does not name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from train import datasets
from train.datasets import synthetic
from train.datasets.pointers import md5, wanted
from train.errors import TrainError

VERSION = "3.67.1"
PROJECT = Path(__file__).resolve().parents[2]
PINNED = [("cicids-holdout.csv", 6000, 2), ("cicids-train.csv", 8000, 1)]
"""Pointers in git: file, rows, seed."""


@pytest.fixture(scope="session")
def dvc() -> Path:
    """DVC in an environment of its own: it brings fifty packages that nothing here imports."""
    folder = Path(sys.prefix) / f"dvc-{VERSION}"
    tool, uv = folder / "bin" / "dvc", Path(sys.prefix) / "bin" / "uv"
    if not (folder / "complete").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", f"dvc=={VERSION}"], check=True)
        (folder / "complete").touch()
    return tool


@pytest.fixture
def repository(tmp_path: Path, dvc: Path) -> Path:
    """A repository with rows in DVC, pushed to a remote that is a folder."""
    folder = tmp_path / "repository"
    folder.mkdir()
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, dvc, "init", "-q")
    run(folder, dvc, "remote", "add", "-q", "--default", "shelf", str(tmp_path / "shelf"))
    synthetic.write(folder / "rows.csv", rows=300, seed=5)
    run(folder, dvc, "add", "-q", "rows.csv")
    run(folder, dvc, "push", "-q")
    return folder


def run(folder: Path, *command: str | Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_rows_that_the_pointer_names_are_read_and_others_are_refused_until_they_are_back(repository: Path, dvc: Path) -> None:
    rows = repository / "rows.csv"
    before = datasets.load("synthetic", [rows])
    with rows.open("a") as file:
        file.write(rows.read_text().splitlines()[1] + "\n")
    with pytest.raises(TrainError, match=r"rows\.csv has md5 .*, but rows\.csv\.dvc names") as caught:
        datasets.load("synthetic", [rows])
    assert "dvc checkout" in (caught.value.hint or "")
    rows.unlink()
    shutil.rmtree(repository / ".dvc" / "cache")
    run(repository, dvc, "pull", "-q")
    assert datasets.load("synthetic", [rows]).digest == before.digest


def test_new_rows_that_were_added_are_read(repository: Path, dvc: Path) -> None:
    rows = repository / "rows.csv"
    rows.unlink()
    synthetic.write(rows, rows=310, seed=5)
    run(repository, dvc, "add", "-q", "rows.csv")
    assert len(datasets.load("synthetic", [rows])) == 310


def test_a_pointer_of_a_folder_counts_for_every_file_in_it(repository: Path, dvc: Path) -> None:
    days = repository / "days"
    for day in (1, 2):
        synthetic.write(days / "deep" / f"day{day}.csv", rows=40, seed=day)
    run(repository, dvc, "add", "-q", "days")
    run(repository, dvc, "push", "-q")
    assert len(datasets.load("synthetic", [days])) == 80
    with (days / "deep" / "day2.csv").open("a") as file:
        file.write((days / "deep" / "day1.csv").read_text().splitlines()[1] + "\n")
    for paths in ([days], [days / "deep" / "day1.csv"]):
        with pytest.raises(TrainError, match=r"days has md5 .*\.dir, but days\.dvc names .*\.dir"):
            datasets.load("synthetic", paths)
    run(repository, dvc, "checkout", "-q", "--force", "days.dvc")
    assert len(datasets.load("synthetic", [days / "deep" / "day2.csv"])) == 40


def test_the_projects_own_pointers_are_pulled_from_a_remote(repository: Path, dvc: Path, tmp_path: Path) -> None:
    """As somebody with a fresh clone does it: the pointers and DVC's settings come from git, the rows from the remote."""
    clone = tmp_path / "clone"
    shutil.copytree(PROJECT / ".dvc", clone / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local"))
    run(clone, "git", "init", "-q", "-b", "main")
    run(clone, dvc, "remote", "add", "-q", "--local", "--default", "shelf", str(tmp_path / "shelf"))
    for name, rows, seed in PINNED:
        (clone / "train" / "data").mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / "train" / "data" / f"{name}.dvc", clone / "train" / "data")
        synthetic.write(clone / "train" / "data" / name, rows=rows, seed=seed)
    run(clone, dvc, "commit", "-q", "--force")
    run(clone, dvc, "push", "-q")
    for name, _, _ in PINNED:
        assert (clone / "train" / "data" / f"{name}.dvc").read_text() == (PROJECT / "train" / "data" / f"{name}.dvc").read_text()
        (clone / "train" / "data" / name).unlink()
    shutil.rmtree(clone / ".dvc" / "cache")
    run(clone, dvc, "pull", "-q")
    for name, rows, _ in PINNED:
        assert len(datasets.load("synthetic", [clone / "train" / "data" / name])) == rows


@pytest.mark.parametrize("text", ["", "outs: []", "outs:\n- md5: abc\n  path: other.csv\n", "not: [yaml", "outs:\n- path: x\n"])
def test_what_is_no_pointer_is_refused(tmp_path: Path, text: str) -> None:
    synthetic.write(tmp_path / "rows.csv", rows=10, seed=5)
    (tmp_path / "rows.csv.dvc").write_text(text)
    with pytest.raises(TrainError, match=r"rows\.csv\.dvc: "):
        datasets.load("synthetic", [tmp_path / "rows.csv"])


@pytest.mark.parametrize(("name", "rows", "seed"), PINNED)
def test_the_rows_that_commands_make_are_those_of_the_pointers(tmp_path: Path, name: str, rows: int, seed: int) -> None:
    synthetic.write(tmp_path / "rows.csv", rows=rows, seed=seed)
    assert wanted(PROJECT / "train" / "data" / f"{name}.dvc") == md5(tmp_path / "rows.csv")
