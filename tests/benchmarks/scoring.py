"""Scoring 200,000 rows by the project's own way against the bare forward pass of the same exported model.

The bare pass gets the rows as one float32 tensor and does nothing but call the graph in batches of the same size, without repeating
any row and without looking at the answers. Times are of the processor, on one thread, and the ways take turns at chunks of rows in
one process, so that other work on the machine slows all of them alike. Memory is the peak of a fresh process for each way.

    python -m tests.benchmarks.scoring
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from train.flows import Flows
from train.scoring import PIECE, Scorer, load, predict

ROWS = 200_000
CHUNK = 20_000
STREAM_ROWS = 500
MEGABYTE = 1024
WAYS = {
    "bare": "the bare forward pass",
    "predict": "scoring.predict",
    "outcomes": "evaluation.outcomes, every block",
    "measure": "the same with metrics and intervals",
}
Work = Callable[[], object]


def main() -> None:
    """Make a model and rows, measure, print the table."""
    with tempfile.TemporaryDirectory(prefix="scoring-bench-") as scratch:
        folder = Path(scratch)
        _model(folder)
        seconds = _child("time", folder)
        peak = {way: _child(way, folder)["peak"] for way in WAYS}
    print(f"\nscoring {ROWS:,} rows with an exported mixture of the settings' size, one thread, calls of {PIECE:,} rows\n")
    print(f"{'work':<36} {'seconds':>8} {'ratio':>6} {'extra MB':>9}  goal")
    for way, words in WAYS.items():
        goal = "≤ 1.15, ≤ 300 MB" if way in {"predict", "outcomes"} else ""
        print(f"{words:<36} {seconds[way]:>8.2f} {seconds[way] / seconds['bare']:>6.3f} {peak[way] - peak['bare']:>9.0f}  {goal}")


def _model(folder: Path) -> None:
    """An untrained mixture: training changes no time."""
    from train import config, datasets, tracking
    from train.datasets.synthetic import write
    from train.fit import fit

    write(folder / "rows.csv", rows=6_000, seed=0)
    flows = datasets.load("synthetic", [folder / "rows.csv"])
    tracking.save(fit(flows, config.load(epochs=0), "mixture").model, flows, folder / "model", {})
    np.savez(folder / "rows.npz", values=flows.values, attack=flows.attack, columns=np.array(flows.columns), kinds=flows.kinds)


def _child(task: str, folder: Path) -> dict[str, float]:
    """What a process of its own measured."""
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks.scoring", task, str(folder)], check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"  {task}: {found}\n")
    return found


def _measure(task: str, folder: Path) -> dict[str, float]:
    import torch

    torch.set_num_threads(1)
    scorer = load(folder / "model")
    kept = np.load(folder / "rows.npz")
    rows = np.resize(np.arange(len(kept["attack"])), ROWS)
    scorer.forward(np.zeros((2, len(scorer.inputs)), dtype=np.float32))
    if task != "time":
        _work(task, scorer, kept, rows)()
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE}
    found = dict.fromkeys(WAYS, 0.0)
    for start in range(0, ROWS, CHUNK):
        for way in WAYS:
            work = _work(way, scorer, kept, rows[start : start + CHUNK])
            began = time.process_time()
            work()
            found[way] += time.process_time() - began
    return found


def _work(way: str, scorer: Scorer, kept: dict[str, np.ndarray], rows: np.ndarray) -> Work:
    from train.evaluation import of_flows
    from train.tally import fold

    streams = np.arange(len(rows)) // STREAM_ROWS
    if way == "bare":
        tensor = np.empty((len(rows), len(scorer.inputs)), dtype=np.float32)
        tensor[:, :-1], tensor[:, -1] = kept["values"][rows], streams
        return lambda: [scorer.forward(tensor[start : start + PIECE]) for start in range(0, len(rows), PIECE)]
    columns = tuple(str(name) for name in kept["columns"])
    whole = Flows(columns, kept["values"], np.zeros(len(kept["attack"]), dtype=np.int64), kept["kinds"], kept["attack"], "", "")
    flows = replace(whole.take(rows), stream=streams)
    ours: dict[str, Work] = {
        "predict": lambda: predict(scorer, flows),
        "outcomes": lambda: sum(len(block["index"]) for block in of_flows(scorer, flows)),
        "measure": lambda: fold(of_flows(scorer, flows)),
    }
    return ours[way]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))
    else:
        main()
