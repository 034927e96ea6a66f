"""Scoring 200,000 rows by the project's own way against the bare forward pass of the same exported model.

The bare pass gets the rows as one float32 tensor and does nothing but call the graph in batches of the same size, without repeating
any row and without looking at the answers. Times are of the processor, on one thread, and the ways take turns at chunks of rows in
one process, so that other work on the machine slows all of them alike. Memory is the peak of a fresh process for each way.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.benchmarks.measuring import PYTHON, Row, Scale
from train.flows import Flows
from train.scoring import PIECE, Scorer, load, predict

CHUNK = 20_000
STREAM_ROWS = 500
REFERENCE = "the bare forward pass"
WAYS = {"predict": "scoring.predict", "outcomes": "the evaluator's outcomes"}
Work = Callable[[], object]


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """Time of each way, then its memory."""
    _model(folder)
    seconds = _child("time", scale.scored, folder)
    for way, words in WAYS.items():
        work = f"{words}, {scale.scored:,} rows"
        yield Row(work, REFERENCE, seconds[way], seconds["bare"], seconds[way] / seconds["bare"], "≤ 1.15")
    peaks = {way: _child(way, scale.scored, folder)["peak"] for way in ("bare", *WAYS)}
    for way, words in WAYS.items():
        yield Row(f"memory of {words}", f"{REFERENCE}, MB", peaks[way], peaks["bare"], peaks[way] - peaks["bare"], "≤ 300 MB more")


def _model(folder: Path) -> None:
    """An untrained mixture: training changes no time."""
    from train import config, datasets, tracking
    from train.datasets.synthetic import write
    from train.fit import fit

    write(folder / "rows.csv", rows=6_000, seed=0)
    flows = datasets.load("synthetic", [folder / "rows.csv"])
    tracking.save(fit(flows, config.load(epochs=0), "mixture").model, flows, folder / "model", {})
    np.savez(folder / "rows.npz", values=flows.values, attack=flows.attack, columns=np.array(flows.columns), kinds=flows.kinds)


def _child(task: str, count: int, folder: Path) -> dict[str, float]:
    """What a process of its own measured."""
    command = [PYTHON, "-m", "tests.benchmarks.scoring", task, str(count), str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(task: str, count: int, folder: Path) -> dict[str, float]:
    import torch

    torch.set_num_threads(1)
    scorer = load(folder / "model")
    kept = np.load(folder / "rows.npz")
    rows = np.resize(np.arange(len(kept["attack"])), count)
    scorer.forward(np.zeros((2, len(scorer.inputs)), dtype=np.float32))
    if task != "time":
        _work(task, scorer, kept, rows)()
        # Not getrusage: that begins with what the parent had.
        return {"peak": float(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024}
    found = dict.fromkeys(("bare", *WAYS), 0.0)
    for start in range(0, count, CHUNK):
        for way in found:
            work = _work(way, scorer, kept, rows[start : start + CHUNK])
            began = time.process_time()
            work()
            found[way] += time.process_time() - began
    return found


def _work(way: str, scorer: Scorer, kept: dict[str, np.ndarray], rows: np.ndarray) -> Work:
    from train.evaluation import of_flows

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
    }
    return ours[way]


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
