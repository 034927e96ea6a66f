"""The page of many models, from navigation to drawn, searched and sorted, in Chromium."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from promotion.report.document import document
from promotion.report.page import write
from tests.benchmarks.measuring import Row, Scale
from tests.promotion.report.site import seen

ENTRIES = 50
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Two frames later what was drawn is on the screen."""


def _open(browser: Browser, url: str) -> float:
    page = browser.new_page()
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("html[data-ready]")
    page.evaluate(DRAWN)
    page.get_by_label("Search").fill("model-05")
    page.get_by_role("button", name="production").click()
    page.evaluate(DRAWN)
    seconds = time.perf_counter() - began
    page.close()
    return seconds


def rows(scale: Scale, folder: Path) -> Iterator[Row]:
    """One row: models × journal entries, opened from a disk, then searched and sorted."""
    program = shutil.which("chromium")
    if program is None:
        msg = "chromium is not installed: apt-get install chromium"
        raise RuntimeError(msg)
    names = [f"model-{number:04}" for number in range(scale.models)]
    (path, _) = write(document(seen(names, entries=ENTRIES, measured=False)), folder / "site")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        seconds = statistics.median([_open(browser, path.as_uri()) for _ in range(scale.runs + 1)][1:])
        browser.close()
    size = path.stat().st_size / 1e6
    yield Row(f"page of {scale.models} × {ENTRIES}, search, sort", f"{size:.0f} MB, in Chromium", seconds, None, seconds, "≤ 2 s")
