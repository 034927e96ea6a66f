"""Rounds of two to eight simultaneous reconciles, from clones of one bare origin at different commits, with a reader all along.

``make races ROUNDS=1000`` runs them and prints the counts. In most rounds nobody else interferes: then no answer may show none or two. In
some an owner is stopped beyond its lease, at a write or between two, and goes on when another has taken over; in some a person uses
the UI at the same instant. After every round the newest commit must be what is applied, and recorded.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from promotion.journal import GRACE
from tests.models import register_version
from tests.proof.arena import CLONES, SCALE, VERSIONS, Arena
from tests.proof.child import Run
from tests.proof.proxy import Exchange, Proxy
from tests.proof.reader import DISTURBED, OFF, STRICT, Counts, Reader
from tests.proof.registry import Rest
from tests.server import Server

ROUNDS_OF_ONE_MODEL = 50
LEASE = 90.0
"""Of an owner that is stopped: seconds of a clock that runs 30 times as fast."""
RETRIES = 8
MAY = {0, 6}
"""How a reconcile that races may end: done, or somebody else was faster."""
PLAIN, STOPPED, MEDDLED = "plain", "owner stopped", "person with the UI"


@dataclass
class Tally:
    """What happened in all rounds."""

    rounds: Counter[str] = field(default_factory=Counter)
    reconciles: int = 0
    exits: Counter[int] = field(default_factory=Counter)
    again: int = 0
    events: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    take_overs: int = 0
    entries: int = 0


class Hold:
    """Stops an owner at its n-th write: the request waits in the proxy, and is delivered when it is let go."""

    def __init__(self, write: int, *, late: bool) -> None:
        self.write, self.late = write, late
        self.pid = 0
        self.stopped, self.go = threading.Event(), threading.Event()

    def fault(self, exchange: Exchange) -> None:
        """Stop before the write arrives (it is then delivered late), or after it was done."""
        answer = None if self.late else exchange.forward()
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped.set()
        self.go.wait(60)
        with suppress(OSError):
            exchange.answer(answer or exchange.forward())

    def release(self) -> None:
        self.go.set()
        os.kill(self.pid, signal.SIGCONT)


class Rounds:
    """All rounds of one arena."""

    def __init__(self, arena: Arena, proxy: Proxy, reader: Reader, tally: Tally) -> None:
        self.arena, self.proxy, self.reader, self.tally = arena, proxy, reader, tally
        self.random = arena.random

    def play(self, count: int) -> None:
        """So many rounds, of all kinds by chance, and then the journal."""
        for _ in range(count):
            self.round(self.random.choices((PLAIN, STOPPED, MEDDLED), (88, 6, 6))[0])
        self.over()

    def round(self, kind: str) -> None:
        """One round; at its end the newest commit must be what is applied."""
        self.reader.watch(self.arena.name, STRICT)
        self.tally.rounds[kind] += 1
        {PLAIN: self._plain, STOPPED: self._stopped, MEDDLED: self._meddled}[kind]()
        self._newest_is_applied(kind)

    def over(self) -> None:
        """The last round was played: the journal must verify."""
        self.reader.watch(self.arena.name, OFF)
        self._journal()

    def _plain(self) -> None:
        runs = self._started()
        for run in runs:
            self._ended(run)

    def _started(self) -> list[Run]:
        """Start two to eight from different clones; main moves on one to three commits meanwhile."""
        arena, random = self.arena, self.random
        count, steps = random.randint(2, CLONES), random.randint(1, 3)
        clones = random.sample(range(CLONES), count)
        behind = arena.main
        commits = [behind + steps, *(behind + random.randint(0, steps) for _ in clones[1:])]
        start = time.monotonic() + 0.25 + 0.03 * count
        pause = random.choice((0.0, 0.02, 0.1))
        # Who is at a commit starts about when main gets there, so that every one of them might win.
        runs = [
            arena.run(clone, commit, start + pause * (commit - behind) + random.uniform(-0.01, 0.05)).start()
            for clone, commit in zip(clones, commits, strict=True)
        ]
        for step in range(1, steps + 1):
            time.sleep(max(0.0, start + pause * step - 0.01 - time.monotonic()))
            arena.advance(behind + step)
        return runs

    def _stopped(self) -> None:
        """An owner is stopped with the lock in its hand; another takes over and applies a newer commit; then the first goes on."""
        arena, random = self.arena, self.random
        hold = Hold(random.randint(2, 4), late=random.random() < 0.5)
        self.proxy.reset(lambda number: hold.fault if number == hold.write else None)
        arena.advance(arena.main + 1)
        owner = arena.run(0, arena.main, url=self.proxy.url, lease=LEASE).start()
        hold.pid = owner.pid
        while not hold.stopped.wait(0.02) and not owner.ended:
            pass
        if not hold.stopped.is_set():
            self.tally.events["owner ended before its write"] += 1
            self._ended(owner)
            return
        since = time.monotonic()
        self._ended(arena.run(1, arena.main).start())  # the lock is held: it says so
        arena.advance(arena.main + 1)
        time.sleep(max(0.0, since + (LEASE + GRACE.total_seconds()) / SCALE + 0.2 - time.monotonic()))
        code = self._ended(arena.run(2, arena.main).start())
        self.tally.events[f"successor ends with {code}"] += 1
        before = arena.wrong()
        self.reader.watch(arena.name, DISTURBED)
        hold.release()
        self._ended(owner)
        self.tally.events["late write" if hold.late else "stopped between writes"] += 1
        if before is None and arena.wrong() is not None:
            self.tally.events["late write undid something"] += 1

    def _meddled(self) -> None:
        """A person moves any version to production while somebody holds the lock."""
        arena, random = self.arena, self.random
        version = random.randint(1, VERSIONS)
        self.reader.watch(arena.name, DISTURBED)
        over = threading.Event()

        def meddle() -> None:
            intent = arena.entry()["id"]
            while not over.is_set() and (now := arena.entry())["id"] == intent and now["kind"] != "intent":
                time.sleep(0.002)
            time.sleep(random.uniform(0, 0.05))
            arena.rest.move(arena.name, version, "Production", archive=True)

        person = threading.Thread(target=meddle)
        person.start()
        runs = self._started()
        for run in runs:
            self._ended(run)
        over.set()
        person.join()
        self.tally.events[
            "the UI's write repaired by the same run" if arena.wrong() is None else "the UI's write left to the next run"
        ] += 1

    def _ended(self, run: Run) -> int:
        code = run.wait()
        self.tally.reconciles += 1
        self.tally.exits[code] += 1
        if code not in MAY:
            self.tally.violations.append(f"a reconcile ends with {code}: {run.output.strip()[-600:]}")
        return code

    def _newest_is_applied(self, kind: str) -> None:
        """Who is at the newest commit runs again, as it was told, until it is done; then that commit is what is applied."""
        for _ in range(RETRIES):
            if self.arena.wrong() is None:
                break
            self.tally.again += 1
            self._ended(self.arena.run(self.random.randrange(CLONES), self.arena.main).start())
        if (wrong := self.arena.wrong()) is not None:
            self.tally.violations.append(f"after a round ({kind}): {wrong}")
        self.reader.watch(self.arena.name, STRICT)

    def _journal(self) -> None:
        run = Run(("journal", "verify", "-C", str(self.arena.clones[0])), self.arena.log(0), clock=self.arena.clock).start()
        if run.wait() != 0:
            self.tally.violations.append(f"the journal does not verify: {run.output.strip()[-600:]}")
        self.tally.take_overs += self.arena.take_overs()
        self.tally.entries += int(run.output.split(" ")[0]) if run.output[:1].isdigit() else 0


@contextmanager
def playing(url: str, folder: Path, seed: int) -> Iterator[Callable[[int, int], Rounds]]:
    """What makes rounds on one server: each call gives a new model, an origin and clones, for so many rounds."""
    tally, rest = Tally(), Rest(url)
    for version in range(VERSIONS):
        register_version(url, f"template-{seed}", seed=version)
    with Proxy(url) as proxy, Reader(url, folder / "reader.log") as reader:

        def prepared(number: int, count: int) -> Rounds:
            arena = Arena(folder / f"arena-{number}", url, f"race-{seed}-{number}", Random(seed * 1000 + number))
            for version in range(1, VERSIONS + 1):
                rest.copy_version(f"template-{seed}", version, [arena.name])
            arena.prepare(4 * count + 4)
            return Rounds(arena, proxy, reader, tally)

        yield prepared


def play(url: str, folder: Path, rounds: int, seed: int) -> tuple[Tally, Counts]:
    """So many rounds on one server, told on stderr as they go."""
    began, tally, counts = time.monotonic(), Tally(), Counts(0, 0, 0, 0, 0, 0)
    with playing(url, folder, seed) as prepared:
        for number, count in enumerate(_parts(rounds)):
            made = prepared(number, count)
            made.play(count)
            tally, counts = made.tally, made.reader.counts
            told = f"{sum(tally.rounds.values())} rounds, {time.monotonic() - began:.0f} s, {len(tally.violations)} violations, {counts}"
            print(told, file=sys.stderr, flush=True)
    return tally, counts


def _parts(rounds: int) -> Iterator[int]:
    while rounds > 0:
        yield min(rounds, ROUNDS_OF_ONE_MODEL)
        rounds -= ROUNDS_OF_ONE_MODEL


def main() -> int:
    """Play and print what came of it; 1 when a rule was broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "server") as server:
        tally, counts = play(server.url, Path(folder), chosen.rounds, chosen.seed)
        log = Path(folder) / "reader.log"
        seen = log.read_text().splitlines() if log.exists() else []
    return report(tally, counts, seen, time.monotonic() - began)


def report(tally: Tally, counts: Counts, seen: list[str], seconds: float) -> int:
    """Print the counts, every broken rule, and what the reader saw of it."""
    print(f"rounds       {sum(tally.rounds.values())}: " + ", ".join(f"{kind} {count}" for kind, count in tally.rounds.items()))
    print(f"reconciles   {tally.reconciles}, {tally.again} of them because they were told to run again")
    print("exits        " + ", ".join(f"{code}: {count}" for code, count in sorted(tally.exits.items())))
    print(f"journal      {tally.entries} entries, {tally.take_overs} of them take-overs")
    for event, count in sorted(tally.events.items()):
        print(f"             {event}: {count}")
    print(f"answers      {counts.samples} in undisturbed rounds: none {counts.none}, two {counts.two}")
    print(f"             {counts.other_samples} while somebody else wrote: none {counts.other_none}, two {counts.other_two}")
    for line in (*tally.violations, *seen[:40]):
        print(f"  ! {line}")
    wrong = len(tally.violations) + counts.none + counts.two
    print(f"broken rules {wrong}; {seconds:.0f} s")
    return int(wrong > 0)
