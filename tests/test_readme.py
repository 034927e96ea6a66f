"""The README shows what the program really prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from promotion.config.load import Source, load_desired

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_help_is_the_real_one() -> None:
    block = re.search(r"```\n(Usage: promotion .*?)```", README, re.DOTALL)
    assert block is not None
    environment = {**os.environ, "COLUMNS": "110"}
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("promotion")), "--help"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert block[1] == shown, "make the README show: COLUMNS=110 promotion --help"


def test_its_declaration_is_valid() -> None:
    block = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert block is not None
    text = "\n".join(line[3:] for line in block[1].splitlines())
    assert load_desired([Source("README.md", text.encode())]).models == ("churn-classifier-eu",)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_its_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


@pytest.mark.parametrize("name", sorted(set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README))))
def test_its_pictures_are_there_and_small(name: str) -> None:
    content = (ROOT / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(content) < 200_000
