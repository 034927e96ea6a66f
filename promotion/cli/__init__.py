"""The command line: parse, build, call, render, exit. Nothing below this package prints or exits.

A command's module is imported when the command is run, so ``promotion --help`` stays as quick as click itself.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import click

from promotion import __version__
from promotion.cli.options import shared

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "init": ("start", "Begin: write the files from what a registry shows, and adopt it."),
    "init-workflows": ("workflows", "Let a repository use these workflows, and check that it does."),
    "validate": ("files", "Check the files alone: every problem at once."),
    "plan": ("judge", "Show what reconcile would change, and why."),
    "evaluate": ("judge", "Measure one version on pinned data; keep and print the evidence."),
    "compare": ("judge", "Two versions side by side, measured on the same rows."),
    "fetch": ("steps", "Fetch what is to be measured: reads the registry, runs no model code."),
    "measure": ("steps", "Measure what was fetched: runs model code, needs no credential."),
    "gate": ("judge", "Evaluate what lacks evidence, then let the rules decide."),
    "reconcile": ("apply", "Make the registry match the newest commit, and record it."),
    "verify": ("judge", "Measure anew what is bound now, in a fresh process."),
    "rollback": ("apply", "Bring back the version before: registry first, then the commit."),
    "serve": ("serve", "Answer predictions with the version that is applied."),
    "status": ("look", "What is declared, applied and shown, model by model."),
    "report": ("report", "Write the page that shows what is where, since when and why."),
    "notify": ("notify", "Tell webhooks what was promoted, refused, rolled back, or drifted."),
    "github": ("github", "Keep a comment or an issue up to date, ask for reviews, open pull requests."),
    "drift": ("look", "What the registry shows that git does not say."),
    "history": ("look", "Who changed what, when, why and on which evidence."),
    "lineage": ("look", "Walk from a version back to its run, commit and data."),
    "propose": ("files", "Declare a version by changing only its bytes in the file."),
    "pin": ("start", "Pin declared versions to the digest of their bytes."),
    "approve": ("approve", "Sign a plan, so that the gate 'approval' lets it pass once."),
    "hold": ("apply", "List and release holds that rollbacks placed."),
    "gates": ("files", "List and explain the gates, show what judges a model, and try whether they refuse."),
    "evidence": ("files", "Check one statement of evidence offline."),
    "journal": ("look", "Verify the journal's signatures and chain."),
    "schema": ("files", "Print the JSON Schema of a file format, or of evidence."),
}


class Lazy(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands, in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command itself; None when there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"promotion.cli.{module}"), cmd_name.replace("-", "_"))
        if not isinstance(command, click.Command):
            msg = f"promotion.cli.{module}.{cmd_name} is not a command"
            raise TypeError(msg)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="promotion")
@shared
def root() -> None:
    """Promote MLflow model versions by pull request.

    environments.yaml declares which version of each model is in staging and in production; git is the truth. Exit codes: 0 done,
    1 internal error, 2 bad arguments or file, 3 changes pending, 4 a gate failed, 5 errored or no answer, 6 conflict.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    from promotion.cli.ending import run

    sys.exit(run(root, arguments))
