"""What judging costs: a thousand changes by fifteen gates in one process, and a whole gate whose evidence is at hand beside its plan."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measuring import PROMOTION, Row, Scale, medians, run
from tests.models import register_version
from tests.server import Server
from tests.workflows.scene import Scene

RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("staging_first", {"soak": "1h"}),
    ("naming", {}),
    ("metadata", {"tags": ["dataset", "architecture"], "params": ["lr"], "metrics": ["f1"]}),
    ("lineage", {}),
    ("freeze", {"timezone": "UTC", "windows": [{"days": ["sun"]}]}),
    ("signature", {}),
    ("bound", {"metric": "f1", "min": 0.9}),
    ("bound", {"metric": "f1", "min": 0.9, "of": "lower"}),
    ("bound", {"metric": "recall", "min": 0.8, "of": "lower"}),
    ("bound", {"metric": "false_alarm_rate", "max": 0.1, "of": "upper"}),
    ("compare", {"metric": "f1", "margin": 0.05}),
)
"""With digest, hold, quarantine, policy and formats, which judge without a rule, fifteen gates and one more."""


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """In one process, then whole processes."""
    times = [_decided(scale.models) for _ in range(scale.runs)]
    seconds = statistics.median(times)
    yield Row(f"deciding {scale.models} × {len(RULES) + 5} gates", "seconds", seconds, None, seconds, "≤ 1")
    with Server(folder / "server") as server:
        for seed in (1, 2):
            register_version(server.url, "flow-trees-north", seed=seed)
        scene = Scene(folder / "scene", server.url, "flow-trees-north", "flow-trees-south")
        scene.prepare()
        scene.declare(good_staging=1)
        scene.commit("Promote")
        gate = (PROMOTION, "gate", "--base", "origin/main", "--evidence", str(folder / "evidence"))
        run(gate, scene.clone, server.url)
        judged, planned = medians((gate, (PROMOTION, "plan", "--base", "origin/main")), scale.runs, scene.clone, server.url)
        yield Row("gate, evidence at hand", "plan, seconds more", judged, planned, judged - planned, "≤ 0.5")


def _decided(count: int) -> float:
    """Seconds that ``decide`` takes for so many changes, each with evidence and a reference of its own, resamples still packed."""
    from promotion.changes import Plan
    from promotion.decide import decide
    from promotion.domain import Place
    from promotion.gates import GATES
    from promotion.gates.interface import Reference
    from promotion.policies import Policies, Rule
    from tests.promotion.gates.samples import change, facts

    place = Place("policies/production.yaml", 3, 5)
    parameters = [(name, GATES[name].parameters.model_validate(given)) for name, given in RULES]
    policies = Policies(tuple(Rule(name, "production", ("*",), one, enforce=True, place=place) for name, one in parameters), (), "0" * 64)
    good, before = (_packed(seed) for seed in (1, 2))
    known, changes = {}, []
    for number in range(count):
        one = change(model=f"churn-north-{number:05d}x")
        evidence = {"flows": _measured(*good)}
        reference = {"production": Reference(one.model, 3, "e" * 64, {"flows": _measured(*before)})}
        more: dict[str, Any] = {"evidence_applied": evidence, "references": reference, "references_applied": reference}
        known[one.model, one.environment] = replace(facts(), change=one, evidence=evidence, **more)
        changes.append(one)
    made = Plan("http://127.0.0.1", tuple(changes), (), (), "1" * 64)
    began = time.perf_counter()
    decision = decide(made, policies, policies, known)
    seconds = time.perf_counter() - began
    wrong = [verdict for one in decision.judged for verdict in one.verdicts if verdict.status.blocks]
    if wrong or {len(one.verdicts) for one in decision.judged} != {len(RULES) + 5}:
        raise RuntimeError(f"not what is to be measured: {wrong[:1]}")
    return seconds


def _packed(seed: int) -> tuple[Any, bytes]:
    """Counts of 4,000 rows and their packed resamples."""
    from promotion.outcomes import fold

    truth = np.random.default_rng(0).random(4000) < 0.3
    said = truth ^ (np.random.default_rng(seed).random(4000) < 0.02)
    block = {"schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.0}
    block |= {"index": np.arange(4000), "truth": truth.astype(np.int64), "parts": {"model": {"predicted": said.astype(np.int64)}}}
    counts, made = fold([block])
    return counts, made.to_bytes()


def _measured(counts: Any, packed: bytes) -> Any:
    from promotion.figures import derived
    from promotion.gates.interface import Measured
    from promotion.replicates import Sampled
    from tests.promotion.gates.samples import NOW

    return Measured("f" * 64, derived(counts), counts.rows, NOW, "", Sampled(packed, counts))
