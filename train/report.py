"""One document about a model on rows, for people, for ``report.json`` and for plots."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from train.blocks import following
from train.evaluation import ENTROPY, ROUTER, of_flows
from train.flows import NO_CONTEXT, Flows
from train.metrics import CALIBRATION_BINS, UNIT
from train.scoring import Scorer
from train.tally import WHOLE, Tally, difference, fold

INTERVALS = ("attack_f1", "macro_f1", "precision", "recall", "false_alarm_rate")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """A model on rows: as they come, and, where that can differ, with every row alone (no context, as if shuffled)."""

    threshold: float
    ordered: Tally
    alone: Tally | None

    @property
    def shuffled(self) -> Tally:
        """Without context, whether or not that makes a difference."""
        return self.alone or self.ordered


def measure(scorer: Scorer, flows: Flows | Iterable[Flows]) -> Measured:
    """Measure a loaded model on rows, whole or block by block; raises TrainError."""
    ordered: Tally | None = None
    alone: Tally | None = None
    for some, before in following([flows] if isinstance(flows, Flows) else flows):
        with_context = fold(of_flows(scorer, some, before))
        without = with_context
        if scorer.looks_back and (some.stream != NO_CONTEXT).any():
            without = fold(of_flows(scorer, some.without_context(), before))
        ordered = with_context if ordered is None else ordered + with_context
        alone = without if alone is None else alone + without
    return Measured(scorer.threshold, ordered or fold([]), alone if scorer.looks_back else None)


def report(scorer: Scorer, flows: Flows | Iterable[Flows]) -> Document:
    """Measure, and tell."""
    return told(measure(scorer, flows))


def told(measured: Measured) -> Document:
    """The figures as plain values; what is not defined is NaN, which ``document`` writes as null."""
    found = _told(measured.ordered) | {"threshold": measured.threshold, "without_context": None}
    if measured.alone is not None:
        gain = difference(measured.ordered, WHOLE, measured.alone, WHOLE)
        found["without_context"] = _told(measured.alone) | {"gain_of_context": gain.document()}
    return found


def _told(tally: Tally) -> Document:
    experts = tally.parts[1:]
    place = tally.parts.index(WHOLE)
    rows, attacks, total = tally.calibration[place].tolist()
    return {
        **tally.figures(),
        "rows": tally.rows,
        "seconds": tally.seconds,
        "intervals": {name: tally.interval(name).document() for name in INTERVALS},
        "experts": {name: tally.figures(name)["attack_f1"] for name in experts},
        "parts": {name: tally.figures(name) | {"interval": tally.interval("attack_f1", name).document()} for name in experts},
        "ablation": ablation(tally),
        "router": _router(tally),
        "classes": {name: _class(one) for name, one in tally.by_class().items()},
        "confusion": tally.confusion[place].tolist(),
        "calibration": [
            {
                "bin": (number + 0.5) / CALIBRATION_BINS,
                "rows": count,
                "attacks": attacks[number] / count,
                "score": total[number] * UNIT / count,
            }
            for number, count in enumerate(rows)
            if count
        ],
    }


def ablation(tally: Tally) -> Document | None:
    """The mixture minus its best expert; None for a model without experts."""
    best = best_expert(tally)
    if best is None:
        return None
    gain = difference(tally, WHOLE, tally, best)
    return {"best_expert": best, "attack_f1": tally.figures(best)["attack_f1"], "gain_of_mixture": gain.document()}


def best_expert(tally: Tally) -> str | None:
    """The expert with the best F1 alone, chosen on these very rows, to the mixture's disadvantage; None where there is no expert."""
    f1 = {name: tally.figures(name)["attack_f1"] for name in tally.parts[1:]}
    return max(f1, key=lambda name: -1.0 if math.isnan(f1[name]) else f1[name], default=None)


def _router(tally: Tally) -> Document:
    """The mean weight of each expert; the mean entropy of a row's weights and that of the mean weights, both of 1 at most."""
    means = tally.means()
    load = {name.removeprefix(ROUTER): means[name] for name in tally.values if name.startswith(ROUTER)}
    if not load:
        return {}
    spread = -sum(share * math.log(share) for share in load.values() if share > 0) / math.log(len(load)) if len(load) > 1 else 0.0
    return {"load": load, "entropy": means[ENTROPY], "load_entropy": spread}


def _class(one: Document) -> Document:
    share = {name.removeprefix(ROUTER): value for name, value in one.pop("values").items() if name.startswith(ROUTER)}
    return one | ({"router": share} if share else {})


def document(found: Document) -> str:
    """The figures as JSON; what could not be measured (an AUC of one class) is null."""
    return json.dumps(_finite(found), indent=2, sort_keys=True, allow_nan=False)


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
