"""Every gate: what passes, what fails, what cannot be judged. A gate that lacks a fact never passes."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from promotion.domain import Barred, Bound, ChangeKind, Place, Status, VersionIdentity
from promotion.errors import UsageError
from promotion.gates import BUILT_IN, GATES, gate
from promotion.gates.interface import (
    Approval,
    Approvals,
    Column,
    Facts,
    Format,
    Lineage,
    Measured,
    Parameters,
    Reference,
    Signature,
    Unknown,
)
from promotion.registry.interface import Artifact, ArtifactFile, Run
from tests.promotion.gates.samples import (
    DIGEST,
    NAME,
    NOW,
    OTHER,
    OUT_OF_REACH,
    applied,
    binding,
    change,
    facts,
    measured,
    passed,
    with_version,
)

Rows = list[tuple[dict[str, Any], Facts, Status, str]]
PASSED, FAILED, ERRORED, INCONCLUSIVE = Status.PASSED, Status.FAILED, Status.ERRORED, Status.INCONCLUSIVE
F1 = {"metric": "f1", "min": 0.95}
RUN = Run("run1", "FINISHED", "ci", {"lr": "1e-3"}, {"f1": 0.9, "recall": math.nan}, {})
RECREATED = VersionIdentity(1_800_000_000_000, "models:/m-2", "run2")
HEAL = change(kind=ChangeKind.HEAL, before=4)
ROLLBACK = change(kind=ChangeKind.ROLLBACK, before=5)
SERVING = applied(bindings={"production": binding(Bound(4, DIGEST), previous=Bound(3, OTHER))})
BEFORE_THIS = applied(bindings={"production": binding(Bound(5, OTHER), previous=Bound(4, DIGEST))})


@dataclass(frozen=True)
class Resamples:
    """Every figure ``half`` below, at or above its value, in turn; NaN in a tenth of them where ``half`` is NaN."""

    figures: dict[str, float]
    half: float
    many: float
    rows: str

    def values(self, figure: str) -> list[float] | None:
        value = self.figures[figure]
        if math.isnan(self.half):
            return [math.nan if place % 10 == 0 else value for place in range(1000)]
        return [value + self.half * (place % 3 - 1) for place in range(1000)]

    def units(self, _figure: str) -> float:
        return self.many

    def pairs(self, other: object) -> bool:
        return isinstance(other, Resamples) and self.rows == other.rows


def spread(half: float = 0.0, units: float = 4000, rows: str = "these", **figures: float) -> Measured:
    return replace(measured(), figures=figures, sample=Resamples(figures, half, units, rows))


def timed(seconds: float, hardware: str = "a machine") -> Measured:
    return replace(measured(seconds_per_row=seconds), hardware=hardware)


RARE = replace(
    measured(), figures={"class.Bot.recall": 0.1, "class.Bot.support": 12.0, "class.DDoS.recall": 0.9, "class.DDoS.support": 900.0}
)
SLOWER = {"metric": "seconds_per_row", "max": 3, "against": "production"}
SERVED = Reference(NAME, 3, OTHER, {"flows": timed(1e-5)})

BOUND: Rows = [
    (F1, facts(), PASSED, "f1 = 0.97"),
    ({"metric": "f1", "min": 0.97}, facts(), PASSED, "0.97"),
    ({"metric": "f1", "min": 0.9700001}, facts(), FAILED, "0.97"),
    ({"metric": "f1", "max": 0.96}, facts(), FAILED, "0.97"),
    ({"metric": "f1", "min": 0.9, "max": 1}, facts(), PASSED, "0.97"),
    ({"metric": "class.DDoS.recall", "min": 0.9}, facts(), PASSED, "0.9"),
    (F1, facts(run=Run("run1", "FINISHED", None, {}, {"f1": 0.99}, {}), evidence={"flows": measured(f1=0.2)}), FAILED, "0.2"),
    (F1, facts(evidence={"flows": measured(f1=math.nan)}), FAILED, "nan"),
    ({"metric": "f1", "max": 1}, facts(evidence={"flows": measured(f1=math.nan)}), FAILED, "nan"),
    (F1, facts(evidence={"flows": measured(f1=math.inf)}), FAILED, "inf"),
    ({"metric": "f1", "max": 2}, facts(evidence={"flows": measured(f1=-math.inf)}), FAILED, "inf"),
    ({"metric": "f1_score", "min": 0.1}, facts(), ERRORED, "f1_score"),
    (F1, facts(evidence={}), ERRORED, "no evaluation"),
    (F1, facts(evidence={"flows": Unknown("the model raised", "run it by hand")}), ERRORED, "the model raised"),
    (F1, facts(evidence={"flows": measured(), "drift": measured()}), ERRORED, "several"),
    ({**F1, "evaluation": "drift"}, facts(evidence={"flows": measured(), "drift": measured(f1=0.1)}), FAILED, "0.1"),
    ({**F1, "evaluation": "flow"}, facts(), ERRORED, "'flow'"),
]
REPLACED = applied(bindings={"staging": binding(Bound(5, OTHER), previous=Bound(4, DIGEST))})
ADOPTED = applied(bindings={"staging": binding(Bound(4, DIGEST), adopted=True, evidence=())}, passed={})
ADOPTED_OTHER = applied(bindings={"staging": binding(Bound(4, OTHER), adopted=True, evidence=())}, passed={})
LONG_GONE = applied(bindings={"staging": binding(Bound(6, OTHER), previous=Bound(5, OTHER))})
LOWER = {"metric": "f1", "min": 0.95, "of": "lower"}
BOUND += [
    (LOWER, facts(evidence={"flows": spread(f1=0.97, half=0.01)}), PASSED, "0.97 (0.95 interval 0.96"),
    (LOWER, facts(evidence={"flows": spread(f1=0.97, half=0.03)}), INCONCLUSIVE, "interval 0.94"),
    (LOWER, facts(evidence={"flows": spread(f1=0.90, half=0.03)}), FAILED, "to 0.93"),
    (LOWER, facts(evidence={"flows": spread(f1=0.97, half=math.nan)}), INCONCLUSIVE, "-inf"),
    (LOWER, facts(evidence={"flows": spread(f1=math.nan, half=0.01)}), FAILED, "nan"),
    (LOWER, facts(evidence={"flows": spread(f1=0.97, half=0.001, units=20)}), INCONCLUSIVE, "about 20 independent"),
    # No mistake in 40 rows is no proof of none in a hundred.
    (LOWER, facts(evidence={"flows": spread(f1=1.0, half=0, units=40)}), INCONCLUSIVE, "interval 0.9"),
    (LOWER, facts(evidence={"flows": spread(f1=1.0, half=0, units=4000)}), PASSED, "interval 0.999"),
    (LOWER, facts(), ERRORED, "its resamples are not known"),
    ({"metric": "f1", "max": 0.95, "of": "upper"}, facts(evidence={"flows": spread(f1=0.93, half=0.01)}), PASSED, "0.94"),
    ({"metric": "f1", "max": 0.95, "of": "upper"}, facts(evidence={"flows": spread(f1=0.97, half=0.01)}), FAILED, "0.96"),
    ({"metric": "class.*.recall", "min": 0.8}, facts(), PASSED, "0.9"),
    ({"metric": "class.*.recall", "min": 0.95}, facts(), FAILED, "class.DDoS.recall = 0.9"),
    ({"metric": "group.*.recall", "min": 0.95}, facts(), ERRORED, "group.*.recall"),
    ({"metric": "*", "min": 0.8, "max": 5000}, facts(), PASSED, "more pass"),
    ({"metric": "class.Bot.recall", "min": 0.5, "min_support": 50}, facts(evidence={"flows": RARE}), INCONCLUSIVE, "12 rows"),
    ({"metric": "class.*.recall", "min": 0.5, "min_support": 50}, facts(evidence={"flows": RARE}), PASSED, "class.DDoS.recall"),
    ({"metric": "class.*.recall", "min": 0.5}, facts(evidence={"flows": RARE}), FAILED, "class.Bot.recall = 0.1"),
    ({"metric": "f1", "min": 0.5, "min_support": 5000}, facts(), INCONCLUSIVE, "4000 rows"),
    ({"metric": "recall", "min": 0.9, "relative_to": "f1"}, facts(), PASSED, "0.979"),
    ({"metric": "recall", "min": 0.99, "relative_to": "f1"}, facts(), FAILED, "0.979"),
    ({"metric": "recall", "min": 0.9, "relative_to": "f2"}, facts(), ERRORED, "f2"),
    ({"metric": "age_days", "max": 1}, facts(now=NOW + timedelta(days=0.5)), PASSED, "0.5"),
    ({"metric": "age_days", "max": 1}, facts(now=NOW + timedelta(days=2)), FAILED, "2"),
    ({"metric": "size_bytes", "max": 10}, facts(artifact=Artifact(DIGEST, (ArtifactFile("a", 11, OTHER),))), FAILED, "11"),
    ({"metric": "size_bytes", "max": 10}, facts(artifact=OUT_OF_REACH), ERRORED, "size_bytes"),
    (
        {**F1, "min": 0, "max": 0.05, "spread": "b", "evaluation": "a"},
        facts(evidence={"a": measured(), "b": measured(f1=0.94)}),
        PASSED,
        "0.03",
    ),
    (
        {**F1, "min": 0, "max": 0.05, "spread": "b", "evaluation": "a"},
        facts(evidence={"a": measured(), "b": measured(f1=0.9)}),
        FAILED,
        "0.07",
    ),
    ({**F1, "spread": "b", "evaluation": "a"}, facts(evidence={"a": measured(), "b": measured(recall=1.0)}), ERRORED, "does not measure"),
    (SLOWER, facts(evidence={"flows": timed(2e-5)}, references={"production": SERVED}), PASSED, "= 2 on"),
    (SLOWER, facts(evidence={"flows": timed(4e-5)}, references={"production": SERVED}), FAILED, "= 4 on"),
    (SLOWER, facts(evidence={"flows": timed(2e-5, "another")}, references={"production": SERVED}), ERRORED, "measured on"),
    (SLOWER, facts(evidence={"flows": timed(2e-5)}, references={"production": None}), ERRORED, "nothing is applied"),
    ({**SLOWER, "first": "pass"}, facts(evidence={"flows": timed(2e-5)}, references={"production": None}), PASSED, "first: pass"),
    ({**SLOWER, "first": "fail"}, facts(evidence={"flows": timed(2e-5)}, references={"production": None}), FAILED, "first: fail"),
]
NOT_WORSE = {"metric": "f1", "margin": 0.01}


def against(ahead: float, half: float = 0.0, units: float = 4000, **given: Any) -> Facts:
    """A version that is ahead of what is in production by this much, give or take ``half``."""
    reference = Reference(NAME, 3, OTHER, {"flows": spread(f1=0.9)})
    values = {"evidence": {"flows": spread(f1=0.9 + ahead, half=half, units=units)}, "references": {"production": reference}}
    return facts(**{**values, **given})


COMPARE: Rows = [
    (NOT_WORSE, against(0.004, 0.006), PASSED, "difference 0.004"),
    (NOT_WORSE, against(-0.004, 0.005), PASSED, "difference -0.004"),
    (NOT_WORSE, against(-0.004, 0.008), INCONCLUSIVE, "interval -0.012"),
    (NOT_WORSE, against(-0.03, 0.008), FAILED, "to -0.022"),
    (NOT_WORSE, against(math.nan), FAILED, "nan"),
    (NOT_WORSE, against(0.004, math.nan), INCONCLUSIVE, "-inf"),
    (NOT_WORSE, against(0.004, 0.001, units=10), INCONCLUSIVE, "about 10 independent"),
    # The same answers on few rows do not tell of others; the same bytes are the same.
    (NOT_WORSE, against(0, units=100), INCONCLUSIVE, "interval -0.03"),
    (NOT_WORSE, against(0, units=4000), PASSED, "difference 0"),
    ({**NOT_WORSE, "margin": 0}, against(0, artifact=Artifact(OTHER, ())), PASSED, "the same bytes"),
    ({**NOT_WORSE, "require": "superior"}, against(0, artifact=Artifact(OTHER, ())), FAILED, "difference 0"),
    ({**NOT_WORSE, "require": "superior"}, against(0.02, 0.005), PASSED, "difference 0.02"),
    ({**NOT_WORSE, "require": "superior"}, against(0.012, 0.005), INCONCLUSIVE, "0.007"),
    ({**NOT_WORSE, "better": "lower"}, against(0.03, 0.005), FAILED, "difference 0.03"),
    ({**NOT_WORSE, "better": "lower"}, against(-0.03, 0.005), PASSED, "difference -0.03"),
    (NOT_WORSE, against(0.01, references={"production": None}), ERRORED, "nothing is applied in 'production'"),
    ({**NOT_WORSE, "first": "pass"}, against(0.01, references={"production": None}), PASSED, "first: pass"),
    ({**NOT_WORSE, "first": "fail"}, against(0.01, references={"production": None}), FAILED, "first: fail"),
    ({**NOT_WORSE, "first": "pass"}, against(-0.5), FAILED, "difference -0.5"),
    (NOT_WORSE, against(0.01, references={"production": OUT_OF_REACH}), ERRORED, "does not answer"),
    (NOT_WORSE, against(0.01, references={}), ERRORED, "nobody looked"),
    (NOT_WORSE, against(0.01, evidence={"flows": measured(f1=0.95)}), ERRORED, "no interval"),
    (NOT_WORSE, against(0.01, evidence={"flows": spread(f1=0.95, rows="others")}), ERRORED, "not measured on the same rows"),
    (NOT_WORSE, against(0.01, evidence={}), ERRORED, "no evaluation"),
    ({**NOT_WORSE, "metric": "f2"}, against(0.01), ERRORED, "f2"),
    ({**NOT_WORSE, "metric": "*"}, against(0.01), PASSED, "f1"),
    (
        {**NOT_WORSE, "baseline": "xgboost-*"},
        against(0, references={"xgboost-*": Reference("xgboost-x", 1, OTHER, {})}),
        ERRORED,
        "xgboost-x/1",
    ),
]
STAGING_FIRST: Rows = [
    ({}, facts(), PASSED, "applied in staging"),
    ({"soak": "24h"}, facts(), PASSED, "applied in staging"),
    ({"soak": 48 * 3600}, facts(applied=applied(bindings={})), PASSED, "applied in staging"),
    ({"soak": "2d1s"}, facts(applied=applied(bindings={})), INCONCLUSIVE, "2 days"),
    ({"soak": "1m"}, facts(applied=applied(passed={"staging": {DIGEST: passed(hours=-1)}})), INCONCLUSIVE, "0:00:00"),
    # Passed two days ago, and brought back by a rollback yesterday: it was out in between.
    ({"soak": "36h"}, facts(), INCONCLUSIVE, "in staging for 1 day"),
    # Two days ago it came, yesterday another took its place; or others came since, so that nobody knows when it left.
    ({"soak": "24h"}, facts(applied=REPLACED), PASSED, "applied"),
    ({"soak": "25h"}, facts(applied=REPLACED), INCONCLUSIVE, "until 2026-10-01"),
    ({"soak": "1h"}, facts(applied=LONG_GONE), INCONCLUSIVE, "do not tell"),
    ({}, facts(applied=LONG_GONE), PASSED, "applied"),
    ({}, facts(applied=None), FAILED, "no passing entry"),
    ({}, facts(applied=applied(passed={})), FAILED, "no passing entry"),
    ({}, facts(applied=applied(passed={"staging": {OTHER: passed()}})), FAILED, "no passing entry"),
    (
        {},
        facts(applied=applied(bindings={"staging": binding(Bound(4, OTHER))}, passed={"staging": {OTHER: passed()}})),
        FAILED,
        "other bytes",
    ),
    ({}, facts(applied=applied(passed={"production": {DIGEST: passed()}})), FAILED, "no passing entry"),
    # Found in staging when the registry was adopted: it counts where the rule says so, for as long as it was there since.
    ({}, facts(applied=ADOPTED), FAILED, "adopted in staging, never judged there"),
    ({"adopted": True}, facts(applied=ADOPTED), PASSED, "adopted in staging on 2026-10-01"),
    ({"adopted": True, "soak": "23h"}, facts(applied=ADOPTED), PASSED, "adopted in staging"),
    ({"adopted": True, "soak": "25h"}, facts(applied=ADOPTED), INCONCLUSIVE, "in staging for 1 day"),
    ({"adopted": True}, facts(applied=ADOPTED_OTHER), FAILED, "other bytes"),
    ({"adopted": True}, facts(applied=applied(passed={})), FAILED, "no passing entry"),
    ({"adopted": True}, facts(), PASSED, "applied in staging"),
    ({}, facts(applied=applied(passed={"staging": {DIGEST: passed(evidence=())}})), FAILED, "without evidence"),
    ({}, facts(applied=applied(bindings={"staging": binding(Bound(4, DIGEST), adopted=True)}, passed={})), FAILED, "adopted"),
    ({}, facts(stages_before=("staging", "canary")), FAILED, "canary"),
    ({}, facts(stages_before=()), ERRORED, "nothing comes before"),
    ({}, facts(artifact=OUT_OF_REACH), ERRORED, "does not answer"),
]
METADATA: Rows = [
    ({}, facts(), PASSED, "all present"),
    ({"tags": ["dataset"], "params": ["lr"], "metrics": ["f1"]}, facts(), PASSED, "all present"),
    ({}, with_version(description=" \n"), FAILED, "description"),
    ({"description": False}, with_version(description=""), PASSED, "all present"),
    ({}, with_version(tags={"dataset": " "}), FAILED, "tag dataset, tag architecture, tag date"),
    ({"params": ["lr", "epochs"]}, facts(), FAILED, "parameter epochs"),
    ({"metrics": ["recall"]}, facts(run=RUN), FAILED, "metric recall"),
    ({}, facts(run=Run("run1", "FINISHED", None, {}, {}, {})), FAILED, "any parameter, any metric"),
    ({}, facts(version=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(run=OUT_OF_REACH), ERRORED, "does not answer"),
]
LINEAGE: Rows = [
    ({}, facts(), PASSED, "v1.0.0"),
    ({}, facts(lineage=Lineage("v1", "a" * 64, "c" * 40, "run1", ("the run run1 does not exist",))), FAILED, "does not exist"),
    ({}, facts(lineage=Lineage(None, "a" * 64, "c" * 40, "run1", ())), ERRORED, "incomplete"),
    ({}, facts(lineage=OUT_OF_REACH), ERRORED, "does not answer"),
    ({"repository": "https://git.example.org/train"}, facts(), ERRORED, "was not looked at"),
    ({"repository": "https://git.example.org/train"}, facts(lineages={"https://git.example.org/train": facts().lineage}), PASSED, "v1.0.0"),
]
FORMATS: Rows = [
    ({}, facts(), PASSED, "pt2"),
    ({"allow": ["xgboost"]}, facts(), FAILED, "'pt2' is not an allowed kind"),
    ({"loaders": ["mlflow.xgboost"]}, facts(), FAILED, "mlflow.pytorch"),
    ({}, facts(format=Format("mlflow.pyfunc.model", "pt2", ())), FAILED, "mlflow.pyfunc.model"),
    ({}, facts(format=Format(None, "pt2", ())), FAILED, "names no loader_module"),
    ({}, facts(format=Format("mlflow.pytorch", "pt2", ("data/x: a pickle",))), FAILED, "data/x: a pickle"),
    ({}, facts(format=Format("mlflow.pytorch", "pickle", ())), FAILED, "'pickle'"),
    ({}, facts(format=Format("mlflow.pytorch", "pt2+xgboost", ())), FAILED, "pt2+xgboost"),
    ({}, facts(format=OUT_OF_REACH), ERRORED, "does not answer"),
]
DIGESTS: Rows = [
    ({}, facts(), PASSED, DIGEST),
    ({}, facts(change=change(digest=DIGEST)), PASSED, DIGEST),
    ({}, facts(change=change(digest=OTHER)), FAILED, DIGEST),
    ({}, facts(artifact=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(version=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(applied=None), PASSED, DIGEST),
    # The file was replaced after staging had it; a version that was created again is another one, judged anew.
    ({}, facts(artifact=Artifact(OTHER, ())), FAILED, OTHER),
    (
        {},
        facts(artifact=Artifact(OTHER, ()), applied=applied(bindings={"staging": binding(Bound(4, DIGEST), identity=RECREATED)})),
        PASSED,
        OTHER,
    ),
    ({}, facts(change=HEAL, applied=SERVING), PASSED, DIGEST),
    ({}, facts(change=HEAL, applied=SERVING, artifact=Artifact(OTHER, ())), FAILED, OTHER),
    ({}, facts(change=HEAL, applied=applied(bindings={"production": binding(Bound(4, DIGEST), identity=RECREATED)})), FAILED, DIGEST),
    ({}, facts(change=HEAL, applied=None), ERRORED, DIGEST),
    ({}, facts(change=ROLLBACK, applied=BEFORE_THIS), PASSED, DIGEST),
    ({}, facts(change=ROLLBACK, applied=BEFORE_THIS, artifact=Artifact(OTHER, ())), FAILED, OTHER),
    ({}, facts(change=ROLLBACK, applied=SERVING), ERRORED, DIGEST),
]
HOLD: Rows = [
    ({}, facts(), PASSED, "no holds"),
    ({}, facts(holds={OTHER: "F1 fell"}), PASSED, "no hold on this"),
    ({}, facts(holds={DIGEST: "F1 fell"}), FAILED, "F1 fell"),
    ({}, facts(holds={OTHER: "F1 fell", "f" * 64: "again"}), FAILED, "2 versions are on hold here"),
    ({}, facts(holds={OTHER: "F1 fell", "f" * 64: "again"}, change=change(kind=ChangeKind.ROLLBACK)), PASSED, "no hold on this"),
    ({}, facts(holds={OTHER: "F1 fell"}, artifact=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(holds=OUT_OF_REACH), ERRORED, "does not answer"),
]
BARRED = Barred(NAME, 4, None, "rows of the test month", "ada@example.org", Place("policies/quarantine.yaml", 3, 5))
QUARANTINE: Rows = [
    ({}, facts(), PASSED, "nothing is in quarantine"),
    ({}, facts(barred=(replace(BARRED, version=3), replace(BARRED, version=None, digest=OTHER))), PASSED, "not on the list"),
    ({}, facts(barred=(BARRED,)), FAILED, "by ada@example.org: rows of the test month (policies/quarantine.yaml:3:5)"),
    ({}, facts(barred=(BARRED,), artifact=OUT_OF_REACH), FAILED, "rows of the test month"),
    ({}, facts(barred=(replace(BARRED, model="another"),)), PASSED, "not on the list"),
    # Bytes are barred under every name and number; a version that was created again under a barred number with a digest is another one.
    ({}, facts(barred=(replace(BARRED, model="another", version=9, digest=DIGEST),)), FAILED, "rows of the test month"),
    ({}, facts(barred=(replace(BARRED, digest=OTHER),)), PASSED, "not on the list"),
    ({}, facts(barred=(replace(BARRED, digest=DIGEST),), change=ROLLBACK), FAILED, "rows of the test month"),
    ({}, facts(barred=(replace(BARRED, digest=OTHER),), artifact=OUT_OF_REACH), ERRORED, "does not answer"),
    ({}, facts(barred=OUT_OF_REACH), ERRORED, "does not answer"),
]
# 2026-10-02, a Friday, 12:00 in London is 13:00: these windows are judged in Berlin, where it is 14:00.
BERLIN = {"timezone": "Europe/Berlin"}


def shut(*windows: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {**BERLIN, "windows": list(windows), **given}


FREEZE: Rows = [
    (shut({"days": ["sat", "sun"]}), facts(), PASSED, "open at 2026-10-02T14:00+02:00"),
    (shut({"days": ["fri"], "reason": "nobody looks until Monday"}), facts(), FAILED, "shut (fri: nobody looks until Monday)"),
    (shut({"hours": "14:00-15:00"}), facts(), FAILED, "14:00"),
    (shut({"hours": "13:00-14:00"}), facts(), PASSED, "open"),
    (shut({"days": ["thu"], "hours": "22:00-15:00"}), facts(), FAILED, "thu 22:00-15:00"),
    (shut({"days": ["fri"], "hours": "22:00-15:00"}), facts(), PASSED, "open"),
    (shut({"hours": "16:00-24:00"}), facts(now=NOW + timedelta(hours=9, minutes=59)), FAILED, "23:59"),
    (shut({"hours": "16:00-24:00"}), facts(now=NOW + timedelta(hours=10)), PASSED, "2026-10-03T00:00"),
    (shut({"first": "2026-10-02", "last": "2026-10-02"}), facts(), FAILED, "from 2026-10-02 to 2026-10-02"),
    (shut({"first": "2026-10-03"}), facts(), PASSED, "open"),
    (shut({"last": "2026-10-01"}), facts(), PASSED, "open"),
    (shut({"first": "2026-10-03"}), facts(now=NOW + timedelta(hours=10)), FAILED, "from 2026-10-03"),
    (shut({"days": ["mon"], "first": "2026-10-01"}), facts(), PASSED, "open"),
    # Summer time ends on 2026-10-25: 15:00 UTC is 17:00 in Berlin the day before, and 16:00 on it.
    (shut({"hours": "17:00-18:00"}), facts(now=datetime(2026, 10, 24, 15, tzinfo=UTC)), FAILED, "+02:00"),
    (shut({"hours": "17:00-18:00"}), facts(now=datetime(2026, 10, 25, 15, tzinfo=UTC)), PASSED, "+01:00"),
    (shut({"days": ["fri"]}), facts(change=ROLLBACK), PASSED, "which a rollback passes"),
    (shut({"days": ["fri"]}), facts(change=HEAL), PASSED, "which a heal passes"),
    (shut({"days": ["fri"]}, emergency=["heal"]), facts(change=ROLLBACK), FAILED, "shut (fri)"),
]
DURATION, BYTES, SCORE = Column("duration", "double"), Column("bytes", "long"), Column(None, "float")


def columns(*inputs: Column, output: Column = SCORE, mine: Signature | None = None, **given: Any) -> Facts:
    """Facts beside a version in production that takes these."""
    return facts(signatures={"production": Signature(inputs, (output,))}, **({"signature": mine} if mine else {}), **given)


SIGNATURE: Rows = [
    ({}, columns(DURATION, BYTES), PASSED, "2 inputs and 1 outputs agree"),
    ({}, columns(BYTES, DURATION), PASSED, "agree"),
    ({"order": True}, columns(BYTES, DURATION), FAILED, "inputs stand in another order, from duration on"),
    ({}, columns(DURATION, BYTES, Column("packets", "long")), FAILED, "input packets is gone"),
    ({"allow_removed": ["pack*"]}, columns(DURATION, BYTES, Column("packets", "long")), PASSED, "agree"),
    ({"allow_added": ["packets"]}, columns(DURATION, BYTES, Column("packets", "long")), FAILED, "input packets is gone"),
    ({}, columns(DURATION), FAILED, "input bytes (long) is new"),
    ({"allow_added": ["bytes"]}, columns(DURATION), PASSED, "agree"),
    ({}, columns(DURATION, mine=Signature((DURATION, replace(BYTES, required=False)), (SCORE,))), PASSED, "agree"),
    ({}, columns(DURATION, replace(BYTES, required=False)), FAILED, "input bytes was long (optional) and is long"),
    ({}, columns(DURATION, replace(BYTES, type="double")), FAILED, "input bytes was double and is long"),
    ({"allow_changed": ["bytes"]}, columns(DURATION, replace(BYTES, type="double")), PASSED, "agree"),
    ({}, columns(DURATION, BYTES, output=Column(None, "string")), FAILED, "output #1 was string and is float"),
    ({"outputs": False}, columns(DURATION, BYTES, output=Column(None, "string")), PASSED, "agree"),
    ({}, columns(Column(None, "double")), FAILED, "input #1 is gone"),
    ({}, facts(), PASSED, "nothing is applied in production"),
    ({"against": "staging"}, columns(DURATION), PASSED, "nothing is applied in staging"),
    ({}, facts(signature=Signature(None, None)), FAILED, "no signature of inputs"),
    ({}, facts(signature=Signature((DURATION,), None)), FAILED, "no signature of outputs"),
    ({}, facts(signatures={"production": OUT_OF_REACH}), ERRORED, "the version in production: the registry does not answer"),
    ({}, columns(DURATION, BYTES, signature=OUT_OF_REACH), ERRORED, "does not answer"),
]
TWO = {"signers": ["bob@example.org", "eve@example.org"], "count": 2}
ONE = {"signers": ["bob@example.org"]}
SIGNED = Approval("a/bob", ("bob@example.org", "bob-b"), "1" * 64, "r" * 40, "sqlite:", "2" * 64, None, DIGEST, (), NOW + timedelta(days=1))
EVES = replace(SIGNED, tag="a/eve", principals=("eve@example.org",))
ASKED = Approvals(("1" * 64,), "r" * 40, "sqlite:", "2" * 64, None, ("ada@example.org",), ())


def approved(*found: Approval, **given: Any) -> Facts:
    return facts(approvals=replace(ASKED, found=found, **given))


APPROVAL: Rows = [
    (ONE, approved(SIGNED), PASSED, "approved by bob"),
    (ONE, approved(replace(SIGNED, evidence=("f" * 64,))), PASSED, "approved by bob"),
    (TWO, approved(SIGNED, EVES), PASSED, "approved by bob-b, eve@example.org"),
    (ONE, approved(SIGNED, plans=("0" * 64, "1" * 64)), PASSED, "approved"),
    (ONE, facts(approvals=replace(ASKED, found=(SIGNED,)), touched=()), Status.WARNED, "asked for on main"),
    (ONE, approved(), FAILED, "nobody has approved"),
    (TWO, approved(SIGNED), FAILED, "approved by bob-b"),
    (TWO, approved(SIGNED, replace(SIGNED, tag="again", principals=("bob-b", "bob@example.org"))), FAILED, "approved by bob-b"),
    (ONE, approved(EVES), FAILED, "eve@example.org is not among the signers"),
    (ONE, approved(SIGNED, authors=("BOB@example.org",)), FAILED, "promotes it, and cannot approve it"),
    (ONE, approved(SIGNED, authors=("bob-b",)), FAILED, "promotes it, and cannot approve it"),
    (ONE, approved(replace(SIGNED, fault="not signed")), FAILED, "not signed"),
    (ONE, approved(replace(SIGNED, plan="0" * 64)), FAILED, "for another plan"),
    (ONE, approved(replace(SIGNED, repository="")), FAILED, "for another repository"),
    (ONE, approved(replace(SIGNED, registry="sqlite:///other")), FAILED, "for another registry"),
    (ONE, approved(replace(SIGNED, policies="3" * 64)), FAILED, "for other rules"),
    (ONE, approved(replace(SIGNED, before=OTHER)), FAILED, "for another version in service"),
    (ONE, approved(replace(SIGNED, after=OTHER)), FAILED, "for other bytes"),
    (ONE, approved(replace(SIGNED, evidence=("0" * 64,))), FAILED, "for other evidence"),
    (ONE, approved(replace(SIGNED, expires=NOW - timedelta(seconds=1))), FAILED, "expired"),
    (ONE, approved(SIGNED, used="b" * 40), FAILED, "used already"),
    (ONE, approved(SIGNED, authors=OUT_OF_REACH), ERRORED, "the author is unknown"),
    (ONE, facts(approvals=OUT_OF_REACH), ERRORED, "does not answer"),
    (ONE, replace(approved(SIGNED), artifact=OUT_OF_REACH), ERRORED, "digest unknown"),
]
POLICY: Rows = [({"rules": 3}, facts(), PASSED, "3 rules"), ({"rules": 0}, facts(), ERRORED, "no enforced rule")]

TABLE = [
    pytest.param(name, *row, id=f"{name}-{index}-{row[2].lower()}")
    for name, rows in dict[str, Rows](
        bound=BOUND,
        compare=COMPARE,
        staging_first=STAGING_FIRST,
        metadata=METADATA,
        lineage=LINEAGE,
        formats=FORMATS,
        digest=DIGESTS,
        hold=HOLD,
        quarantine=QUARANTINE,
        freeze=FREEZE,
        approval=APPROVAL,
        signature=SIGNATURE,
        policy=POLICY,
    ).items()
    for index, row in enumerate(rows)
]


@pytest.mark.parametrize(("name", "parameters", "known", "status", "words"), TABLE)
def test_ruling(name, parameters, known, status, words):
    ruling = GATES[name].judge(GATES[name].parameters.model_validate(parameters), known)

    assert (ruling.status, words in ruling.got) == (status, True), ruling
    assert ruling.expected
    assert ruling.hint or not ruling.status.blocks, "who is refused must be told what to do"


@pytest.mark.parametrize("name", [NAME, "ft-transformer-unsw", "xgboost-baseline-cicids"])
def test_good_names_pass(name):
    assert _named(name).status is PASSED


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("model1", ["'model1' says nothing", "one word alone"]),
        ("my_model_final_v2", ["underscores", "'my', 'model', 'final', 'v2' say nothing"]),
        ("test_model", ["underscores", "'test', 'model' say nothing"]),
        ("MoE-Cicids", ["capital letters"]),
        ("moe--cicids", ["does not match"]),
        ("moe cicids", ["does not match"]),
        ("moe-cicids\n", ["does not match"]),
        ("moe-cybersecurity-final", ["'final' says nothing"]),
    ],
)
def test_bad_names_fail_with_every_reason(name, reasons):
    ruling = _named(name)

    assert ruling.status is FAILED
    assert [reason for reason in reasons if reason not in ruling.got] == []
    assert ruling.hint is not None
    assert "moe-cybersecurity-cicids" in ruling.hint


def test_own_pattern_replaces_the_usual_one():
    assert _named("model1", pattern="model[0-9]").status is PASSED
    assert _named(NAME, pattern="model[0-9]").status is FAILED


def _named(name: str, **parameters: Any):
    return GATES["naming"].judge(GATES["naming"].parameters.model_validate(parameters), facts(change=change(model=name)))


def test_the_nearest_figure_is_suggested():
    ruling = GATES["bound"].judge(GATES["bound"].parameters.model_validate({"metric": "fl", "min": 0}), facts())
    assert ruling.hint == "did you mean 'f1'?"


@pytest.mark.parametrize(
    ("windows", "opens"),
    [
        ([{"days": ["fri", "sat", "sun"]}], "wait until 2026-10-05T00:00 (Europe/Berlin)"),
        ([{"hours": "13:00-15:00"}, {"hours": "15:00-16:30"}], "wait until 2026-10-02T16:30"),
        ([{"first": "2026-10-01"}], "change the policy"),
    ],
)
def test_a_freeze_says_when_it_ends(windows, opens):
    ruling = GATES["freeze"].judge(GATES["freeze"].parameters.model_validate(shut(*windows)), facts())
    assert ruling.status is FAILED
    assert opens in (ruling.hint or "")


def test_the_soak_says_when_it_ends():
    ruling = GATES["staging_first"].judge(
        GATES["staging_first"].parameters.model_validate({"soak": "3d"}), facts(applied=applied(bindings={}))
    )
    assert ruling.hint == f"wait until {(NOW + timedelta(days=1)).isoformat(timespec='minutes')}"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("bound", {"metric": "f1"}),
        ("bound", {"metric": "f1", "min": "0.9"}),
        ("bound", {"metric": "f1", "min": math.nan}),
        ("bound", {"metric": "f1", "min": math.inf}),
        ("bound", {"metric": "f1", "min": True}),
        ("bound", {"metric": "f1", "min": 0.9, "max": 0.1}),
        ("bound", {"metric": "f1", "min": 0.9, "minn": 0.1}),
        ("bound", {"min": 0.9}),
        ("bound", {"metric": "seconds_per_row", "max": 1e-5}),
        ("bound", {"metric": "f1", "min": 0.9, "of": "lower", "confidence": 0.999}),
        ("bound", {"metric": "f1", "min": 0.9, "of": "middle"}),
        ("bound", {"metric": "f1", "min": 0.9, "relative_to": "recall", "against": "production"}),
        ("bound", {"metric": "f1", "min": 0.9, "first": "pass"}),
        ("bound", {"metric": "f1", "min": 0.9, "spread": "other", "of": "lower"}),
        ("bound", {"metric": "f1", "min": 0.9, "min_support": 0}),
        ("compare", {"metric": "f1"}),
        ("compare", {"metric": "f1", "margin": -0.01}),
        ("compare", {"metric": "f1", "margin": math.nan}),
        ("compare", {"metric": "f1", "margin": 0.01, "first": "maybe"}),
        ("compare", {"metric": "f1", "margin": 0.01, "baseline": "xgboost-*", "against": "staging"}),
        ("compare", {"metric": "f1", "margin": 0.01, "confidence": 1.0}),
        ("staging_first", {"soak": "soon"}),
        ("staging_first", {"soak": -1}),
        ("staging_first", {"soak": math.nan}),
        ("staging_first", {"soak": True}),
        ("staging_first", {"soak": ""}),
        ("metadata", {"tags": ["a", 1]}),
        ("metadata", {"tags": "dataset"}),
        ("metadata", {"tags": [""]}),
        ("naming", {"pattern": "("}),
        ("naming", {"pattern": "[a-z]+", "examples": ["A"]}),
        ("formats", {"allow": ["pickle"]}),
        ("formats", {"allow": []}),
        ("formats", {"loaders": ["mlflow.pyfunc.model"]}),
        ("lineage", {"commit": True}),
        ("lineage", {"repository": "--upload-pack=touch"}),
        ("lineage", {"repository": "ext::sh"}),
        ("approval", {}),
        ("approval", {"signers": []}),
        ("approval", {"signers": ["bob", "bob"], "count": 2}),
        ("approval", {"signers": ["bob"], "count": 0}),
        ("freeze", {"windows": [{"days": ["fri"]}]}),
        ("freeze", {"timezone": "Europe/Berlyn", "windows": [{"days": ["fri"]}]}),
        ("freeze", shut()),
        ("freeze", shut({})),
        ("freeze", shut({"reason": "for ever"})),
        ("freeze", shut({"days": ["Friday"]})),
        ("freeze", shut({"hours": "9-17"})),
        ("freeze", shut({"hours": "24:00-06:00"})),
        ("freeze", shut({"hours": "09:00-09:00"})),
        ("freeze", shut({"hours": "09:60-17:00"})),
        ("freeze", shut({"hours": "09:00-24:30"})),
        ("freeze", shut({"first": "2026-02-30"})),
        ("freeze", shut({"first": "2026-12-24", "last": "2026-12-23"})),
        ("freeze", shut({"days": ["fri"]}, emergency=["promote"])),
    ],
)
def test_wrong_parameters_are_refused(name, wrong):
    with pytest.raises(ValidationError):
        GATES[name].parameters.model_validate(wrong)


UNREAD = ("model", "version", "run", "artifact", "format", "lineage", "holds", "barred", "signature", "approvals")


def test_every_gate_fails_closed_without_facts():
    nothing = facts(
        **dict.fromkeys(
            ("model", "version", "run", "artifact", "format", "lineage", "holds", "barred", "signature", "approvals"), OUT_OF_REACH
        ),
        applied=None,
        evidence={},
        stages_before=(),
    )
    asked = {
        "approval": ONE,
        "bound": F1,
        "compare": {"metric": "f1", "margin": 0.01, "first": "pass"},
        "freeze": shut({"days": ["fri"]}),
        "policy": {"rules": 0},
        "naming": {"pattern": "other"},
    }
    for name, one in GATES.items():
        ruling = one.judge(one.parameters.model_validate(asked.get(name, {})), nothing)
        assert ruling.status.blocks, name


@pytest.mark.parametrize("name", sorted(GATES))
def test_documentation_lies_beside_the_gate(name):
    one = gate(name)
    text = sys.modules[type(one).__module__].__doc__ or ""

    assert text.startswith(f"{name}: ")
    assert "\nPasses: " in text
    assert "\nFails" in text
    assert "Sample (policies/" in text or name in BUILT_IN
    assert one.name == name
    assert one.summary
    assert issubclass(one.parameters, Parameters)


def test_unknown_gate_suggests_the_nearest():
    with pytest.raises(UsageError, match="no gate 'bonud'") as caught:
        gate("bonud")
    assert caught.value.hint == "did you mean 'bound'?"
