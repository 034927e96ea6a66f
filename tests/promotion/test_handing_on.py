"""What a command leaves for a job beside its own output: pages, outputs, and no trace of the signing key."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import click
import pytest

from promotion.cli import root
from promotion.cli.ending import run
from promotion.cli.key import FILE_VARIABLE, VARIABLE

FILE = "version: 1\nmodels:\n  churn:\n    staging:\n      use: 1\n"
RULES = "version: 1\nenvironment: staging\nrules:\n  - gate: naming\n    pattern: churn\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "models"
    (made / "policies").mkdir(parents=True)
    (made / "environments.yaml").write_text(FILE)
    (made / "policies" / "staging.yaml").write_text(RULES)
    subprocess.run(["git", "init", "-q", "-b", "main", str(made)], check=True)
    return made


def test_a_result_is_appended_to_every_page_as_markdown_whatever_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = folder / "summary.md", folder / "new" / "folder" / "page.md"
    one.write_text("before\n")
    assert run(root, ["validate", "-C", str(folder), "--page", str(one), f"--page={other}"]) == 0
    assert run(root, ["--page", str(one), "gates", "selftest", "-C", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("valid: 1 binding")
    page = one.read_text()
    assert page.startswith("before\n")
    assert page.index("valid: 1 binding") < page.index("refused")
    assert other.read_text().count("valid: 1 binding") == 1


def test_an_error_stands_on_the_page_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "environments.yaml").write_text(FILE.replace("use: 1", "use: one"))
    page = folder / "page.md"
    assert run(root, ["validate", "-C", str(folder), f"--page={page}"]) == 2
    assert "environments.yaml:5:12" in page.read_text()
    assert page.read_text().startswith("### Error")
    assert "environments.yaml:5:12" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, ["validate", "-C", str(folder), "--page", str(folder / "environments.yaml" / "page.md")]) == 2
    assert "page.md cannot be written" in capsys.readouterr().err


def test_outputs_are_lines_for_later_steps(folder: Path) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"], cwd=folder, check=True)
    outputs = folder / "outputs"
    outputs.write_text("x=1\n")
    assert run(root, ["journal", "head", "-C", str(folder), "--outputs", str(outputs)]) == 0
    assert outputs.read_text() == "x=1\nentry=none\n"


def test_the_key_of_a_secret_is_a_private_file_as_long_as_a_command_runs_and_in_no_child_s_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, "-----BEGIN…\ns3cr3t-bytes\n-----END…")  # as GitHub hands it on: without its last line end
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    seen: list[Path] = []

    @click.command()
    def look() -> None:
        file = Path(os.environ[FILE_VARIABLE])
        seen.append(file)
        assert file.read_text() == "-----BEGIN…\ns3cr3t-bytes\n-----END…\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.parent == tmp_path
        assert "s3cr3t-bytes" not in subprocess.run(["env"], check=True, capture_output=True, text=True).stdout
        raise click.UsageError("however it ends")

    assert run(look, []) == 2
    assert not seen[0].exists()
    assert FILE_VARIABLE not in os.environ


@pytest.mark.parametrize("content", [None, ""])
def test_without_a_secret_the_named_file_counts(content: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if content is not None:
        monkeypatch.setenv(VARIABLE, content)
    monkeypatch.setenv(FILE_VARIABLE, "/a/key")
    seen: list[str] = []
    assert run(click.command()(lambda: seen.append(os.environ[FILE_VARIABLE])), []) == 0
    assert seen == ["/a/key"]
