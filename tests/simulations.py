"""``make coverage``: how often intervals hold the true figure, and how often ``compare`` is wrong, over many simulated datasets.

Rows are made by a known law, so the true figure is known. ``independent``: every row by itself. ``bursts``: rows come in groups of 1
to 10 that are of one label and are told rightly or wrongly together, as flows of one attack are; the dataset declares the group, or
does not (to see what that costs). ``compare`` is asked with a margin of 0.02 about models whose true F1 differs by nothing, by exactly
the margin, and by twice that.

    python -m tests.simulations [DATASETS]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from promotion.changes import Change, ChangeKind, Shown
from promotion.domain import Place
from promotion.figures import figures
from promotion.gates.compare import Compare, Parameters
from promotion.gates.interface import Facts, Measured, Reference, Unknown
from promotion.intervals import Estimate
from promotion.outcomes import fold
from promotion.replicates import Sampled
from promotion.verdicts import Status

ROWS, GROUPS = 1000, 400
ATTACKS = 0.3
MARGIN = 0.02
NOW = datetime(2026, 1, 15, tzinfo=UTC)
Array = np.ndarray[Any, Any]
Dataset = tuple[Array, Array]


def independent(rng: np.random.Generator) -> Dataset:
    """(truth, group) of rows that are each their own."""
    return (rng.random(ROWS) < ATTACKS).astype(int), np.arange(ROWS)


def bursts(rng: np.random.Generator) -> Dataset:
    """(truth, group) of rows in groups of 1 to 10, each of one label."""
    sizes = rng.integers(1, 11, GROUPS)
    return np.repeat((rng.random(GROUPS) < ATTACKS).astype(int), sizes), np.repeat(np.arange(GROUPS), sizes)


def answers(rng: np.random.Generator, truth: Array, group: Array, wrong: float) -> Array:
    """What a model says that is wrong in this share of rows; the rows of a group are wrong together."""
    if group[-1] == len(group) - 1:
        return np.bitwise_xor(truth, rng.random(len(truth)) < wrong)
    of_group = rng.random(group[-1] + 1) < wrong
    found: Array = np.bitwise_xor(truth, of_group[group])
    return found


def true_f1(wrong: float) -> float:
    """F1 of a model that is wrong in this share of rows of either label: of the expected counts."""
    return 2 * ATTACKS * (1 - wrong) / (2 * ATTACKS * (1 - wrong) + wrong)


def wrong_for(f1: float) -> float:
    """The share that gives an F1."""
    return 2 * ATTACKS * (1 - f1) / (2 * ATTACKS * (1 - f1) + f1)


def measured(truth: Array, said: Array, group: Array | None) -> Measured:
    """Evidence as gates see it."""
    block = {"schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.0}
    block |= {"index": np.arange(len(truth)), "truth": truth, "parts": {"model": {"predicted": said}}}
    counts, replicates = fold([block if group is None else {**block, "group": group}])
    return Measured("f" * 64, figures(counts), counts.rows, NOW, sample=Sampled(replicates.to_bytes(), counts))


def covered(law: str, datasets: int, *, declared: bool = True, seed: int = 0) -> float:
    """The share of datasets in which the 95 % interval of F1 holds the true one."""
    held = 0
    for rng in _each(datasets, seed):
        truth, group = (independent if law == "independent" else bursts)(rng)
        said = answers(rng, truth, group, 0.1)
        estimate = measured(truth, said, group if declared and law == "bursts" else None).estimate("f1")
        assert isinstance(estimate, Estimate)
        interval = estimate.interval(0.95)
        held += interval is not None and interval.low <= true_f1(0.1) <= interval.high
    return held / datasets


def rulings(behind: float, datasets: int, law: str = "independent", seed: int = 0) -> dict[Status, float]:
    """How often ``compare`` says what of a version whose true F1 is this much behind that of the one in production."""
    found: Counter[Status] = Counter()
    rule = Parameters(metric="f1", margin=MARGIN)
    for rng in _each(datasets, seed):
        truth, group = (independent if law == "independent" else bursts)(rng)
        given = group if law == "bursts" else None
        there = measured(truth, answers(rng, truth, group, 0.05), given)
        here = measured(truth, answers(rng, truth, group, wrong_for(true_f1(0.05) - behind)), given)
        found[Compare().judge(rule, _facts(here, there)).status] += 1
    return {status: found[status] / datasets for status in (Status.PASSED, Status.FAILED, Status.INCONCLUSIVE)}


def _facts(here: Measured, there: Measured) -> Facts:
    nothing = Unknown("not simulated")
    change = Change(ChangeKind.PROMOTE, "m", "production", 1, 2, Shown((1,), 1), None, Place("environments.yaml", 1, 1))
    reference = Reference("m", 1, "e" * 64, {"flows": there})
    facts = Facts(change, NOW, nothing, nothing, nothing, nothing, nothing, nothing, None)
    return replace(facts, evidence={"flows": here}, references={"production": reference})


def _each(datasets: int, seed: int) -> Iterator[np.random.Generator]:
    for number in range(datasets):
        yield np.random.default_rng((seed, number))


def main(datasets: int) -> None:
    """Print the table; coverage beside its goal."""
    print(f"{datasets} simulated datasets each: {ROWS} independent rows, or {GROUPS} groups of 1 to 10 rows\n")
    print("95 % interval of F1 holds the true one        (goal: 93 to 97 %)")
    for words, law, declared in (
        ("independent rows", "independent", True),
        ("bursts, group declared", "bursts", True),
        ("bursts, group not declared", "bursts", False),
    ):
        share = covered(law, datasets, declared=declared)
        goal = "" if not declared else "held" if 0.93 <= share <= 0.97 else "MISSED"
        print(f"  {words:<32} {share:7.1%}  {goal}", flush=True)
    print(f"\ncompare with a margin of {MARGIN:g}: passed, failed, inconclusive")
    for law in ("independent", "bursts"):
        for words, behind in (("truly equal", 0.0), ("truly behind by the margin", MARGIN), ("behind by twice the margin", 2 * MARGIN)):
            shares = rulings(behind, datasets, law)
            print(f"  {law + ', ' + words:<42} {'  '.join(f'{share:6.1%}' for share in shares.values())}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
