"""One line on stderr about how far training is: a bar that is drawn again on a terminal, a line for each epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

WIDTH = 24
OFTEN = 0.2
"""Seconds between two drawings."""


class Progress:
    """Steps done of all, the loss, the time that is left."""

    def __init__(self, name: str, *, steps: int, done: int = 0, to: TextIO | None = None) -> None:
        """``done``: steps of an earlier run, which tell nothing about the speed of this one."""
        self.name, self.steps, self.done, self.before = name, max(1, steps), done, done
        self.to = to or sys.stderr
        self.live = self.to.isatty()
        self.began = self.drawn = time.monotonic()

    def step(self, loss: float) -> None:
        """One more step."""
        self.done += 1
        now = time.monotonic()
        if self.live and now - self.drawn > OFTEN:
            self.drawn = now
            full = WIDTH * self.done // self.steps
            self.to.write(f"\r\033[K  {self.name} [{'#' * full}{'-' * (WIDTH - full)}] loss {loss:.4f}, {self.left()} left")
            self.to.flush()

    def epoch(self, number: int, of: int, told: str) -> None:
        """An epoch is over."""
        self.to.write(f"{chr(13)}\033[K" if self.live else "")
        self.to.write(f"  {self.name} {number}/{of}: {told}, {self.left()} left\n")
        self.to.flush()

    def left(self) -> str:
        """Minutes and seconds, by the speed so far."""
        here = self.done - self.before
        seconds = (time.monotonic() - self.began) / here * max(0, self.steps - self.done) if here else 0.0
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
