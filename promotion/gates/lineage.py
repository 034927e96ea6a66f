"""lineage: data version → git commit → run → model version resolves, link by link.

The version's tags ``data_version``, ``data_digest``, ``git_commit`` and ``run_id`` must be there, the run must exist and
say the same, and the commit must be in this repository's history; or, with ``repository``, in that of the main branch of another one,
by its address.

Sample (policies/staging.yaml):
    rules:
      - gate: lineage

Passes: every link resolves.
Fails: the commit was never pushed, the run was deleted, or run and version name different data.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling, Unknown
from promotion.verdicts import Status


class Parameters(interface.Parameters):
    """``repository``: the address of the repository that models are trained from, where it is not this one."""

    repository: Annotated[str, Field(pattern=r"^(?:https|ssh|file)://[^\s]+$", max_length=500)] | None = None


class Lineage:
    """Asks for an unbroken chain from data to version."""

    name: ClassVar[str] = "lineage"
    summary: ClassVar[str] = "data version, commit, run and version are linked and agree"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED when the chain could not be walked, FAILED with every break in it."""
        expected = "data version → commit → run → version"
        chain = facts.lineage
        if rule.repository is not None:
            expected += f", the commit in {rule.repository}"
            chain = facts.lineages.get(rule.repository, Unknown(f"{rule.repository} was not looked at", "run this again"))
        if isinstance(chain, Unknown):
            return Ruling(Status.ERRORED, expected, chain.reason, chain.hint)
        if chain.breaks:
            return Ruling(
                Status.FAILED,
                expected,
                "; ".join(chain.breaks),
                "train and register from a pushed commit, with data_version and data_digest logged",
            )
        links = (chain.data_version, chain.data_digest, chain.commit, chain.run_id)
        if not all(links):
            return Ruling(Status.ERRORED, expected, "the chain is incomplete but no break was found", "report this as a fault")
        return Ruling(
            Status.PASSED,
            expected,
            f"data {chain.data_version} → commit {chain.commit or '':.12} → run {chain.run_id} → version {facts.change.after}",
        )
