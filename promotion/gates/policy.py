"""policy: at least one rule of a policy judges the model in this environment. Built in: no policy can leave it out.

An empty list of checks would be trivially passed; so it is an error, not a pass.

Passes: policies/*.yaml has a rule for this environment whose models pattern matches, and which is not only shown (``mode: observe``).
Fails (ERRORED): no rule matches, all that match are only shown, or the policy was deleted.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling
from promotion.verdicts import Status


class Parameters(interface.Parameters):
    """``rules``: how many enforced rules apply; counted by ``decide``, never written in a policy."""

    rules: int = Field(ge=0)


class Policy:
    """Refuses to judge by nothing."""

    name: ClassVar[str] = "policy"
    summary: ClassVar[str] = "at least one enforced rule applies"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = True

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED where nothing else judges the change."""
        expected = "at least one enforced rule"
        if rule.rules == 0:
            where = f"{facts.change.model} in {facts.change.environment}"
            return Ruling(
                Status.ERRORED, expected, f"no enforced rule for {where}", "add one under policies/, or correct the models pattern"
            )
        return Ruling(Status.PASSED, expected, f"{rule.rules} rule{'s' if rule.rules != 1 else ''}")
