"""Several models on the same rows: figures with their spread over seeds, in file order and without context, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from train.intervals import Interval
from train.report import Measured, best_expert, told
from train.tally import WHOLE, Pair, Tally, mean_difference

FIGURES = {
    "attack_f1": "attack-F1",
    "macro_f1": "macro-F1",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "false_alarm_rate": "FAR",
    "false_alarm_rate_at_recall_0.99": "FAR@0.99",
    "calibration_error": "ECE",
}
ORDERS = {"file_order": "in file order", "no_context": "without context (as if shuffled)"}
REFERENCE = "xgboost"
ITSELF = "itself without context"
BEST = "its best expert"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One trained model, measured: several seeds bear the same name."""

    name: str
    seed: int | None
    measured: Measured

    def tally(self, order: str) -> Tally:
        """In file order, or without context."""
        return self.measured.ordered if order == "file_order" else self.measured.shuffled


def document(entries: Sequence[Entry]) -> Document:
    """All figures as plain values: by model, order and figure the mean, the least and the most over seeds; then each entry whole."""
    models: Document = {}
    for name in dict.fromkeys(entry.name for entry in entries):
        some = [entry for entry in entries if entry.name == name]
        models[name] = {"seeds": [entry.seed for entry in some]} | {order: _spread(some, order) for order in ORDERS}
    compared = list(comparisons(entries))
    return {
        "rows": entries[0].measured.ordered.rows,
        "models": models,
        "differences": differences(compared),
        "mean_differences": mean_differences(compared),
        "entries": [{"model": entry.name, "seed": entry.seed, **told(entry.measured)} for entry in entries],
    }


def _spread(entries: Sequence[Entry], order: str) -> Document:
    found = [entry.tally(order).figures() for entry in entries]
    return {
        figure: {"mean": fmean(values), "least": min(values), "most": max(values)}
        for figure in FIGURES
        for values in [[one[figure] for one in found]]
    }


class Comparison(NamedTuple):
    """One model of one seed against something else on the same rows; ``minus``: what, by a name that all seeds share."""

    entry: Entry
    order: str
    minus: str
    pair: Pair


def comparisons(entries: Sequence[Entry]) -> Iterator[Comparison]:
    """Ablation, gain of context, and each model against XGBoost of its seed."""
    for entry in entries:
        for order in ORDERS:
            tally = entry.tally(order)
            best = best_expert(tally)
            if best is not None:
                yield Comparison(entry, order, BEST, Pair(tally, WHOLE, tally, best))
            for other in entries:
                if other.name == REFERENCE and other.seed == entry.seed and other is not entry:
                    yield Comparison(entry, order, REFERENCE, Pair(tally, WHOLE, other.tally(order), WHOLE))
        if entry.measured.alone is not None:
            yield Comparison(entry, "file_order", ITSELF, Pair(entry.measured.ordered, WHOLE, entry.measured.alone, WHOLE))


def differences(found: Sequence[Comparison]) -> list[Document]:
    """Paired differences of attack-F1, each with its interval; the best expert is told by its name."""
    return [
        {
            "model": entry.name,
            "seed": entry.seed,
            "order": order,
            "minus": f"its {pair.versus} expert" if minus == BEST else minus,
            **mean_difference([pair]).document(),
        }
        for entry, order, minus, pair in found
    ]


def mean_differences(found: Sequence[Comparison]) -> list[Document]:
    """The mean over seeds of the same differences, where there are several; each seed's best expert is its own."""
    alike: dict[tuple[str, str, str], list[Comparison]] = {}
    for one in found:
        alike.setdefault((one.entry.name, one.order, one.minus), []).append(one)
    return [
        {
            "model": model,
            "seeds": [one.entry.seed for one in some],
            "order": order,
            "minus": minus,
            **mean_difference([one.pair for one in some]).document(),
        }
        for (model, order, minus), some in alike.items()
        if len(some) > 1
    ]


def table(found: Document) -> str:
    """The document for people: a table for each order, then the differences."""
    lines = [f"{found['rows']:,} rows; mean over seeds, and for attack-F1 its least and most"]
    width = max(len("model"), *(len(name) for name in found["models"]))
    orders, shown = dict(ORDERS), [*found["differences"], *found["mean_differences"]]
    if all(model["file_order"] == model["no_context"] for model in found["models"].values()):
        orders = {"file_order": "in file order, and without context alike"}
        shown = [one for one in shown if one["order"] in orders and one["minus"] != ITSELF]
    for order, words in orders.items():
        heads = ["attack-F1 (least to most)".rjust(27), *(f"{head:>9}" for head in list(FIGURES.values())[1:])]
        lines += ["", words, f"{'model':<{width}}  seeds  {'  '.join(heads)}"]
        for name, model in found["models"].items():
            f1 = model[order]["attack_f1"]
            spread = f" ({_number(f1['least'])} to {_number(f1['most'])})" if len(model["seeds"]) > 1 else ""
            cells = [f"{_number(f1['mean'])}{spread}".rjust(27)]
            cells += [f"{_number(model[order][figure]['mean']):>9}" for figure in list(FIGURES)[1:]]
            lines.append(f"{name:<{width}}  {len(model['seeds']):>5}  {'  '.join(cells)}")
        lines += [line for name in found["models"] for line in _experts(name, order, found["entries"])]
    if shown:
        lines += ["", "attack-F1, paired differences with 95 % intervals by group"]
        lines += [_difference(one) for one in shown]
    return "\n".join(lines)


def _experts(name: str, order: str, entries: Sequence[Document]) -> Iterator[str]:
    """What a mixture's experts reach alone and what its router gives them, as means over seeds."""
    seen = [
        entry["without_context"] if order == "no_context" and entry["without_context"] else entry
        for entry in entries
        if entry["model"] == name
    ]
    if seen[0]["experts"]:
        alone = [f"{expert} {_number(fmean(one['experts'][expert] for one in seen))}" for expert in seen[0]["experts"]]
        loads = [f"{expert} {fmean(one['router']['load'][expert] for one in seen):.2f}" for expert in seen[0]["router"].get("load", ())]
        yield f"{name}'s experts alone: {', '.join(alone)}; the router's weights: {', '.join(loads) or 'none'}"


def _difference(one: Document) -> str:
    gain = Interval(one["value"], one["low"], one["high"])
    seed = f" mean of {len(one['seeds'])} seeds" if "seeds" in one else "" if one["seed"] is None else f" seed {one['seed']}"
    known = "(no interval: too few groups, or no resample differs)" if math.isnan(gain.low) else f"[{gain.low:+.4f}, {gain.high:+.4f}]"
    return f"{one['model']}{seed} minus {one['minus']}, {ORDERS[one['order']]}: {gain.value:+.4f} {known}"


def _number(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:.4f}"
