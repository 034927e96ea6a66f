"""Resampling 40,000 rows of two models 1,000 times against ``scipy.stats.bootstrap``, paired and vectorized, for the same interval.

Times are of the processor, on one thread, in turn in one process: other work on the machine slows both alike. Ours is what the
measuring child does and what a gate does with it: once for two parts of one model, whose rows are weighed together, and once for two
versions, each counted by itself. scipy gets the rows of both at once, 25 resamples at a time, the quickest of the batches tried.
Memory is the peak of a process that folds ten times the rows over that of one that folds them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measuring import PYTHON, Row, Scale

ROWS = 40_000
BLOCK = 8192
BATCH = 25
Array = np.ndarray[Any, Any]


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """Time, then memory."""
    truth, one, other = answers(ROWS)
    works: tuple[Callable[..., object], ...] = (together, interval, reference)
    times: dict[Callable[..., object], list[float]] = {work: [] for work in works}
    for _ in range(scale.runs + 1):
        for work in works:
            began = time.process_time()
            work(truth, one, other)
            times[work].append(time.process_time() - began)
    parts, versions, scipys = (statistics.median(times[work][1:]) for work in works)
    yield Row(f"{ROWS:,} rows × 1,000, two parts", "scipy.stats.bootstrap", parts, scipys, scipys / parts, "≥ 4 ×")
    yield Row(f"{ROWS:,} rows × 1,000, two versions", "scipy.stats.bootstrap", versions, scipys, scipys / versions, "≥ 4 ×")
    small, large = (_peak(count) for count in (ROWS, 10 * ROWS))
    yield Row("memory of ten times the rows", "once the rows, MB", large, small, large / small, "≤ 1.2")


def answers(count: int) -> tuple[Array, Array, Array]:
    """(count,) truth, and what two models say of it."""
    rng = np.random.default_rng(0)
    truth = rng.random(count) < 0.3
    return truth, truth ^ (rng.random(count) < 0.05), truth ^ (rng.random(count) < 0.06)


def blocks(count: int, model: int) -> Iterator[dict[str, Any]]:
    """The same rows as outcomes, made block by block."""
    for start in range(0, count, BLOCK):
        index = np.arange(start, min(start + BLOCK, count))
        rng = np.random.default_rng((model, start))
        truth = np.random.default_rng((0, start)).random(len(index)) < 0.3
        yield _block(index, truth, truth ^ (rng.random(len(index)) < 0.05))


def _block(index: Array, truth: Array, said: Array, other: Array | None = None) -> dict[str, Any]:
    parts = {"model": said} if other is None else {"model": said, "other": other}
    return {
        "schema": "promotion/outcomes/v1",
        "positive": "attack",
        "labels": ["benign", "attack"],
        "seconds": 0.0,
        "index": index,
        "truth": truth.astype(np.int64),
        "parts": {name: {"predicted": told.astype(np.int64)} for name, told in parts.items()},
    }


def together(truth: Array, one: Array, other: Array) -> tuple[float, float]:
    """Ours, for two parts of one model: the interval of the difference of F1."""
    from promotion.figures import derived
    from promotion.intervals import Estimate
    from promotion.outcomes import fold

    index = np.arange(len(truth))
    counts, made = fold(_block(index[cut], truth[cut], one[cut], other[cut]) for cut in _cuts(len(truth)))
    values = made.figure("ablation.f1", counts)
    assert values is not None
    known = Estimate(derived(counts)["ablation.f1"], values.tolist(), made.units("f1")).interval(0.95)
    assert known is not None
    return known.low, known.high


def _cuts(count: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]


def interval(truth: Array, one: Array, other: Array) -> tuple[float, float]:
    """Ours, for two versions: the same interval."""
    from promotion.intervals import Estimate, difference
    from promotion.outcomes import fold

    found = []
    for said in (one, other):
        index = np.arange(len(truth))
        counts, made = fold([_block(index[cut], truth[cut], said[cut]) for cut in _cuts(len(truth))])
        values = made.figure("f1", counts)
        assert values is not None
        found.append(Estimate(float(values.mean()), values.tolist(), made.units("f1")))
    known = difference(*found).interval(0.95)
    assert known is not None
    return known.low, known.high


def reference(truth: Array, one: Array, other: Array, resamples: int = 1000) -> tuple[float, float]:
    """The same by scipy."""
    from scipy.stats import bootstrap  # type: ignore[import-untyped]

    def f1(real: Array, said: Array, axis: int) -> Array:
        score: Array = 2 * (real & said).sum(axis) / (real.sum(axis) + said.sum(axis))
        return score

    def apart(real: Array, here: Array, there: Array, axis: int = -1) -> Array:
        return f1(real, here, axis) - f1(real, there, axis)

    found = bootstrap(
        (truth, one, other), apart, paired=True, vectorized=True, n_resamples=resamples, method="percentile", batch=BATCH, rng=1
    ).confidence_interval
    return float(found.low), float(found.high)


def _peak(count: int) -> float:
    """The most memory of a process that folds this many rows, in MB."""
    code = (
        "from promotion.outcomes import fold; from tests.benchmarks.resampling import blocks\n"
        # Not getrusage: that begins with what the parent had.
        f"fold(blocks({count}, 1)); print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([PYTHON, "-c", code], check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout) / 1024


if __name__ == "__main__":
    sys.exit("python -m tests.benchmarks resampling")
