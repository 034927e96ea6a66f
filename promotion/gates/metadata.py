"""metadata: the version says what it is: description, tags, training parameters, logged metrics.

Logged metrics must only be there and be numbers: what they claim proves nothing (see ``bound``). Without names, one
parameter and one metric at least must have been logged, not blank and not NaN.

Sample (policies/staging.yaml):
    rules:
      - gate: metadata
        tags: [dataset, architecture, date]
        metrics: [f1, precision, recall]
        params: [learning_rate, epochs]

Passes: all of them are set and not blank.
Fails: the description is empty, or the tag ``dataset`` is missing.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import Field

from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling, Unknown
from promotion.verdicts import Status

Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]


class Parameters(interface.Parameters):
    """Which tags of the version, and which parameters and metrics of its run, must be there."""

    description: bool = True
    tags: Names = ("dataset", "architecture", "date")
    params: Names = ()
    metrics: Names = ()


class Metadata:
    """Asks for what a reader of the registry needs to know of a version."""

    name: ClassVar[str] = "metadata"
    summary: ClassVar[str] = "description, tags, parameters and logged metrics are present"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """ERRORED when version or run could not be read, FAILED with every missing item at once."""
        expected = _expected(rule)
        if isinstance(facts.version, Unknown):
            return Ruling(Status.ERRORED, expected, facts.version.reason, facts.version.hint)
        if isinstance(facts.run, Unknown):
            return Ruling(Status.ERRORED, expected, facts.run.reason, facts.run.hint)
        tags, run = facts.version.tags, facts.run
        missing = ["description"] if rule.description and not facts.version.description.strip() else []
        missing += [f"tag {name}" for name in rule.tags if not tags.get(name, "").strip()]
        missing += [f"parameter {name}" for name in rule.params if not run.params.get(name, "").strip()]
        missing += [f"metric {name}" for name in rule.metrics if not math.isfinite(run.metrics.get(name, math.nan))]
        missing += [] if rule.params or any(value.strip() for value in run.params.values()) else ["any parameter"]
        missing += [] if rule.metrics or any(map(math.isfinite, run.metrics.values())) else ["any metric that is a number"]
        if missing:
            return Ruling(
                Status.FAILED,
                expected,
                f"missing: {', '.join(missing)}",
                "set description and tags of the version, log the rest in its run",
            )
        return Ruling(Status.PASSED, expected, "all present")


def _expected(rule: Parameters) -> str:
    parts = ["description"] if rule.description else []
    parts += [f"tags {', '.join(rule.tags)}"] if rule.tags else []
    parts.append(f"parameters {', '.join(rule.params)}" if rule.params else "a parameter")
    parts.append(f"metrics {', '.join(rule.metrics)}" if rule.metrics else "a metric")
    return "; ".join(parts)
