"""Options that commands have in common."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from train.commands.options import Several


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--data a b --seed 0 -1 2 --json", "('a', 'b') (0, -1, 2) True"),
        ("--data a --data b --json --seed 3", "('a', 'b') (3,) True"),
        ("--data=a b --seed=1 2", "('a', 'b') (1, 2) False"),
        ("--json", "() () True"),
    ],
)
def test_options_that_repeat_take_several_values_at_once(words: str, told: str) -> None:
    @click.command(cls=Several)
    @click.option("--data", multiple=True)
    @click.option("--seed", type=int, multiple=True)
    @click.option("--json", "as_json", is_flag=True)
    def command(data: tuple[str, ...], seed: tuple[int, ...], *, as_json: bool) -> None:
        click.echo(f"{data} {seed} {as_json}")

    assert CliRunner().invoke(command, words.split()).output.strip() == told
    wrong = CliRunner().invoke(command, ["--json", "a"])
    assert wrong.exit_code == 2
    assert "unexpected extra argument" in wrong.output
    assert "--seed" in CliRunner().invoke(command, ["--data", "a", "--help"]).output
