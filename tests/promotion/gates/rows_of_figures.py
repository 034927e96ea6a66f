"""Rulings on what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from promotion.gates.interface import (
    Facts,
    Measured,
    Reference,
    Unknown,
)
from promotion.registry.interface import Artifact, ArtifactFile, Run
from tests.promotion.gates.rows import ERRORED, FAILED, INCONCLUSIVE, PASSED, Rows
from tests.promotion.gates.samples import (
    DIGEST,
    NAME,
    NOW,
    OTHER,
    OUT_OF_REACH,
    facts,
    measured,
)

F1 = {"metric": "f1", "min": 0.95}


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


def of_net(net: float, **figures: float) -> Facts:
    """A figure, and the same one of the part ``net``."""
    return facts(evidence={"flows": replace(measured(), figures={**figures, **{f"net.{name}": net for name in figures}})})


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
    ({"metric": "*[1l]", "min": 0.8, "max": 5000}, facts(), PASSED, "more pass"),
    ({"metric": "class.Bot.recall", "min": 0.5, "min_support": 50}, facts(evidence={"flows": RARE}), INCONCLUSIVE, "12 rows"),
    ({"metric": "class.*.recall", "min": 0.5, "min_support": 50}, facts(evidence={"flows": RARE}), PASSED, "class.DDoS.recall"),
    ({"metric": "class.*.recall", "min": 0.5}, facts(evidence={"flows": RARE}), FAILED, "class.Bot.recall = 0.1"),
    ({"metric": "f1", "min": 0.5, "min_support": 5000}, facts(), INCONCLUSIVE, "4000 rows"),
    ({"metric": "recall", "min": 0.9, "relative_to": "f1"}, facts(), PASSED, "0.979"),
    ({"metric": "recall", "min": 0.99, "relative_to": "f1"}, facts(), FAILED, "0.979"),
    ({"metric": "recall", "min": 0.9, "relative_to": "f2"}, facts(), ERRORED, "f2"),
    # Twice as bad as a figure below zero is no ratio of 2.
    ({"metric": "r2", "min": 0.9, "relative_to": "net.r2"}, of_net(r2=-2, net=-1), ERRORED, "below zero"),
    ({"metric": "bias", "max": 1.5, "relative_to": "net.bias"}, of_net(bias=-9, net=1), ERRORED, "below zero"),
    ({"metric": "bias", "max": 1.5, "relative_to": "net.bias"}, of_net(bias=9, net=-1), ERRORED, "below zero"),
    # A time that a pattern finds is bounded as a ratio, as one that is named.
    ({"metric": "sec*", "max": 1.5, "relative_to": "f1"}, facts(evidence={"flows": measured(seconds_per_row=0.1, f1=0.5)}), PASSED, "0.2"),
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
    ours = 0.9 + ahead
    reference = Reference(NAME, 3, OTHER, {"flows": spread(f1=0.9, rmse=0.9, drift=0.9)})
    values = {
        "evidence": {"flows": spread(half=half, units=units, f1=ours, rmse=ours, drift=ours)},
        "references": {"production": reference},
    }
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
    ({**NOT_WORSE, "metric": "rmse"}, against(0.03, 0.005), FAILED, "difference 0.03"),
    ({**NOT_WORSE, "metric": "rmse"}, against(-0.03, 0.005), PASSED, "difference -0.03"),
    ({**NOT_WORSE, "metric": "rmse", "better": "lower"}, against(-0.03, 0.005), PASSED, "difference -0.03"),
    ({**NOT_WORSE, "metric": "drift", "better": "lower"}, against(0.03, 0.005), FAILED, "difference 0.03"),
    ({**NOT_WORSE, "metric": "drift", "better": "higher"}, against(0.03, 0.005), PASSED, "difference 0.03"),
    (NOT_WORSE, against(0.01, references={"production": None}), ERRORED, "nothing is applied in 'production'"),
    ({**NOT_WORSE, "first": "pass"}, against(0.01, references={"production": None}), PASSED, "first: pass"),
    ({**NOT_WORSE, "first": "fail"}, against(0.01, references={"production": None}), FAILED, "first: fail"),
    ({**NOT_WORSE, "first": "pass"}, against(-0.5), FAILED, "difference -0.5"),
    (NOT_WORSE, against(0.01, references={"production": OUT_OF_REACH}), ERRORED, "does not answer"),
    (NOT_WORSE, against(0.01, references={}), ERRORED, "nobody looked"),
    (NOT_WORSE, against(0.01, evidence={"flows": measured(f1=0.95)}), ERRORED, "no interval"),
    (NOT_WORSE, against(0.01, evidence={"flows": spread(f1=0.95, rows="others")}), ERRORED, "not measured on the same rows"),
    (NOT_WORSE, against(0.01, evidence={}), ERRORED, "no evaluation"),
    ({**NOT_WORSE, "metric": "macro_f1"}, against(0.01), ERRORED, "macro_f1"),
    ({**NOT_WORSE, "metric": "*f1"}, against(0.01), PASSED, "f1"),
    (
        {**NOT_WORSE, "baseline": "xgboost-*"},
        against(0, references={"xgboost-*": Reference("xgboost-x", 1, OTHER, {})}),
        ERRORED,
        "xgboost-x/1",
    ),
]
