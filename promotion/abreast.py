"""Measurements side by side: begun in the order given, so many at once, and none left running when somebody interrupts."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import count
from types import FrameType, TracebackType
from typing import NoReturn, Self, TypeVar

from promotion.confine import Share

T = TypeVar("T")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Abreast:
    """Runs pieces of work that each start a confined child; ``jobs`` at once (None: as many as there are cores), never more than ``most``.

    Cores are shared out: two children that each start a thread for every core keep each other from working. Whatever exception ends the
    block, Ctrl-C and the signal to terminate included, ends what runs and drops what waits.
    """

    def __init__(self, jobs: int | None, *, most: int, report: Callable[[str], None] = lambda _: None) -> None:
        self.jobs = max(1, min(jobs or cores(), most))
        self._stop = threading.Event()
        self._share = Share(None if self.jobs == 1 else max(1, cores() // self.jobs), self._stop.is_set, report)
        self._report = report
        self._numbers, self._begun, self._turn = count(), 0, threading.Condition()
        self._pool = ThreadPoolExecutor(self.jobs, thread_name_prefix="measuring")
        self._before: signal.Handlers | None = None

    def submit(self, told: str, work: Callable[[Share], T]) -> Future[T]:
        """Have work done as soon as there is a place; ``told`` is reported when it begins. Callers in one thread get one order."""
        return self._pool.submit(self._do, next(self._numbers), told, work)

    def _do(self, number: int, told: str, work: Callable[[Share], T]) -> T:
        with self._turn:
            # The pool hands work out in order, but whoever got it first may be overtaken before it speaks.
            self._turn.wait_for(lambda: self._begun == number or self._stop.is_set())
            if self._stop.is_set():
                raise CancelledError
            if told:
                self._report(told)
            self._begun += 1
            self._turn.notify_all()
        return work(self._share)

    def __enter__(self) -> Self:
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            # By default the signal ends this process at once, and nobody would be left to end the children.
            self._before = signal.SIG_DFL
            signal.signal(signal.SIGTERM, _interrupt)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is not None:
                self._stop.set()
                with self._turn:
                    self._turn.notify_all()
            self._pool.shutdown(cancel_futures=kind is not None)
        finally:
            if self._before is not None:
                signal.signal(signal.SIGTERM, self._before)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
