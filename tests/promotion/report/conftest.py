"""Fixtures: a real Chromium, and a page in it that may ask for nothing but itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from promotion.report.document import Seen, document
from promotion.report.page import write


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; .ci/run installs it."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open what was seen as a page. At the end: no request left the page, nothing was blocked by its policy, nothing was complained of."""
    faults: list[str] = []
    pages: list[Page] = []

    def make(seen: Seen, place: str = "#/", **context: Any) -> Page:
        (path, _) = write(document(seen), tmp_path / "site")
        page = browser.new_context(**context).new_page()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: faults.append(dialog.type))
        page.on("request", lambda one: faults.extend({one.url.split("#")[0]} - {path.as_uri(), "data:,"}))
        page.route("http*://**", lambda route: route.abort())
        page.add_init_script("addEventListener('securitypolicyviolation', (e) => console.log('blocked ' + e.violatedDirective))")
        page.goto(path.as_uri() + place)
        page.wait_for_selector("html[data-ready]")
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.context.close()
    assert faults == []
