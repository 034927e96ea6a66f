"""separate: a pull request promotes, or changes what judges it, not both. Built in: no policy can leave it out.

What judges is everything under the policies folder and the evaluators' source files. Counts where a pull request is judged
(``--base``); on main the rules of the last applied commit judge beside the new ones. What only brings a version back, heals or
retires is not held up.

Passes: the pull request changes environments.yaml alone.
Fails: it promotes, and lowers a bound in policies/production.yaml.
"""

from __future__ import annotations

from typing import ClassVar

from promotion.changes import ChangeKind
from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling
from promotion.verdicts import Status

_SHOWN = 5


class Parameters(interface.Parameters):
    """Nothing to set."""


class Separate:
    """Keeps a change from lowering its own bar."""

    name: ClassVar[str] = "separate"
    summary: ClassVar[str] = "a pull request does not promote and change what judges it at once"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = True

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """FAILED for a promotion beside a change of policies or evaluators."""
        del rule
        expected = "no change of policies or evaluators beside a promotion"
        if facts.touched is None:
            return Ruling(Status.ERRORED, expected, "it was not looked up what the pull request changes", "name its base: --base REF")
        if not facts.touched or facts.change.kind is not ChangeKind.PROMOTE:
            return Ruling(Status.PASSED, expected, "none" if not facts.touched else f"this is no promotion but a {facts.change.kind}")
        more = f" and {len(facts.touched) - _SHOWN} more" if len(facts.touched) > _SHOWN else ""
        return Ruling(
            Status.FAILED,
            expected,
            f"changes {', '.join(facts.touched[:_SHOWN])}{more}",
            "split it: one pull request for the rules, then one for the promotion",
        )
