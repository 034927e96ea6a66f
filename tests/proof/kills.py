"""Every fault at every write, and at every push: the next run converges, the journal verifies, and readers never found none or two.

``make kills`` runs the whole matrix and prints it. One cell: everything is brought back, the newest commit is applied with one fault,
then once more without. After every write that the server did, its readers are asked.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.proof import faults, pushes
from tests.proof.cast import PARTS, Cast, crowd
from tests.proof.child import Run
from tests.proof.proxy import Fault, Proxy
from tests.server import Server

PATIENCE = 1.0
"""Seconds that the client waits for an answer here; 10 by default."""
STALL = 1.6
LATER = 600.0
"""Seconds after which the next run comes: a lease is 300, its grace 30."""
MAY_END = {"kill before": {-9}, "kill after": {-9}, **pushes.KINDS}


@dataclass
class Cell:
    """What one fault at one place led to."""

    kind: str
    index: int
    code: int = 0
    then: int = 0
    problems: list[str] = field(default_factory=list)
    samples: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind:<20} {self.index:>3}  exit {self.code:>3}, then {self.then}  {'; '.join(self.problems) or 'ok'}"


@dataclass
class Matrix:
    """The server, the proxy before it and the cast."""

    cast: Cast
    proxy: Proxy
    server: Server

    def __post_init__(self) -> None:
        self._pid = 0
        self._restarting = threading.Lock()

    def kinds(self) -> dict[str, Fault]:
        found = dict(faults.matrix(faults.killer(lambda: self._pid), self._restart, stall=STALL))
        found["disk full"] = partial(faults.disk_full, fill=lambda: faults.fill_disk(self.server.group or 0))
        return found

    def writes(self) -> list[str]:
        """The writes of a run without any fault, in order; it is a cell of its own, which must be clean."""
        cell = self.cell("none", 0, lambda _: None)
        assert cell.code == 0, self.cast.log.read_text()
        assert not cell.problems, cell.problems
        return self._written

    def cell(
        self,
        kind: str,
        index: int,
        fault_at: Callable[[int], Fault | None],
        push: pushes.PushFault | None = None,
        patience: float | None = PATIENCE,
    ) -> Cell:
        """Apply the last commit with one fault, then once more without any, and look; ``patience`` None is the client's own."""
        began = time.monotonic()
        cell = Cell(kind, index)
        self.cast.restore()
        if push is not None:
            push.install()
        self.proxy.reset(fault_at, lambda body: self._sample(cell, body))
        run = self.cast.run(self.proxy.url, timeout=patience)
        self._pid = run.pid
        if push is not None:
            push.started(run.pid)
        cell.code, self._written = run.wait(), self.proxy.written
        self._over(cell, push)
        self._ended(cell, run)
        self.proxy.reset(after=lambda body: self._sample(cell, body))
        again = self.cast.run(self.proxy.url, ahead=LATER)
        cell.then = again.wait()
        if cell.then != 0:
            cell.problems.append(f"the next run ends with {cell.then}: {again.output.strip()[-300:]}")
        self._converged(cell)
        cell.seconds = time.monotonic() - began
        return cell

    def write(self, kind: str, index: int) -> Cell:
        """As ``cell``, with this kind of fault at one write."""
        return self.cell(kind, index, at(index, self.kinds()[kind]))

    def push(self, kind: str, index: int, last: int | None = None) -> Cell:
        """As ``cell``, with a fault at one push of the journal, or at several in a row."""
        return self.cell(kind, index, lambda _: None, pushes.PushFault(self.cast.origin, kind, index, last or index))

    def _over(self, cell: Cell, push: pushes.PushFault | None) -> None:
        """The fault is over: what was full has room, what was stopped runs again."""
        if cell.kind == "disk full":
            faults.fill_disk(self.server.group or 0, full=False)
        with self._restarting:
            pass  # the server is back, if it was away
        if push is not None and push.over() < push.index:
            cell.problems.append("there was no such push")

    def _ended(self, cell: Cell, run: Run) -> None:
        """How the faulty run may end: killed, done, or by an error that says what to do."""
        may = MAY_END.get(cell.kind, {0, 5, 6})
        if cell.code not in may:
            cell.problems.append(f"ends with {cell.code}: {run.output.strip()[-300:]}")
        if cell.code == 0 and (wrong := self.cast.wrong()):
            cell.problems.append(f"says done, but {wrong[0]}")
        if cell.kind in {"delivered late", "stalled"}:
            time.sleep(STALL)

    def _converged(self, cell: Cell) -> None:
        cell.problems += self.cast.wrong()
        code, told = self.cast.verify()
        if code != 0:
            cell.problems.append(f"journal verify ends with {code}: {told.strip()[-300:]}")
        if lost := self.cast.lost():
            cell.problems.append(f"acknowledged entries are lost: {lost}")
        before, count = self.cast.entries()[-1], self.proxy.count
        if (code := self.cast.run(self.proxy.url, ahead=LATER).wait()) != 0 or self.cast.entries()[-1] != before:
            cell.problems.append(f"one more run ends with {code} and writes the journal")
        if self.proxy.count != count:
            cell.problems.append(f"one more run writes: {self.proxy.written[count:]}")

    def _sample(self, cell: Cell, body: bytes) -> None:
        name = str(json.loads(body).get("name", ""))
        if name:
            cell.samples += 1
            cell.problems += self.cast.violations(name)

    def _restart(self) -> None:
        with self._restarting:
            self.server.stop()
            self.server.start()


def at(index: int, fault: Fault) -> Callable[[int], Fault | None]:
    """The plan that puts a fault at one write."""
    return lambda number: fault if number == index else None


def run(matrix: Matrix, kinds: Sequence[str] | None = None, *, every: int = 1, seldom: int = 5) -> Iterator[Cell]:
    """Every kind of fault at every ``every``-th write, each kind beginning one write later than the one before; then at every push.

    A restart of the server takes seconds: ``seldom`` times as far apart.
    """
    writes = matrix.writes()
    for number, (kind, fault) in enumerate(matrix.kinds().items()):
        if kinds is not None and kind not in kinds:
            continue
        step = every * (seldom if kind.startswith("server") else 1)
        for index in range(1 + number % every, len(writes) + 1, step):
            yield matrix.cell(kind, index, at(index, fault))
    if kinds is None:
        yield matrix.cell("stalled for 11 s", 3, at(3, partial(faults.stalled, seconds=11.0)), patience=None)
    for kind in pushes.KINDS:
        for index in (1, 2) if kinds is None or kind in kinds else ():
            yield matrix.push(kind, index)


def main() -> int:
    """Run the matrix and print a line for each fault, each problem in full."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", action="append", help="only this kind of fault (repeatable)")
    parser.add_argument("--every", type=int, default=1, help="only every n-th write")
    parser.add_argument("--times", type=int, default=1, help="so many times the six models; from 2 on, several are written at once")
    parser.add_argument("--signed", action="store_true", help="sign the journal: twice as slow")
    chosen = parser.parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "server") as server, Proxy(server.url) as proxy:
        cast = Cast(Path(folder) / "cast", server.url, signed=chosen.signed, parts=crowd(chosen.times) if chosen.times > 1 else PARTS)
        cast.prepare()
        return report(run(Matrix(cast, proxy, server), chosen.kind, every=chosen.every))


def report(cells: Iterator[Cell]) -> int:
    """Print each problem as it comes, then the table; 1 when there is any."""
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        found[cell.kind].append(cell)
        print(cell, flush=True)
    print(f"{'fault':<22}{'places':>7}{'samples':>9}{'problems':>10}{'seconds':>9}  exits")
    for kind, those in found.items():
        exits = ", ".join(f"{code}: {count}" for code, count in sorted(Counter(one.code for one in those).items()))
        wrong = sum(bool(one.problems) for one in those)
        print(f"{kind:<22}{len(those):>7}{sum(c.samples for c in those):>9}{wrong:>10}{sum(c.seconds for c in those):>9.0f}  {exits}")
    everyone = [one for those in found.values() for one in those]
    wrong = sum(bool(one.problems) for one in everyone)
    print(f"{len(everyone)} faults, {sum(one.samples for one in everyone)} samples, {wrong} with problems")
    return int(wrong > 0)
