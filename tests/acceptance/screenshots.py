"""``make screenshots``: the pictures of the README, taken in Chromium of the page that the story writes.

``python -m tests.acceptance.screenshots SITE`` takes them of a page that is there already (``make demo KEEP=1`` leaves one).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.acceptance.stage import PROJECT, Stage
from tests.acceptance.story import MODEL, tell
from tests.server import Server

IMAGES = PROJECT / ".github" / "images"
SHOTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "overview": ("#/", {"viewport": {"width": 1100, "height": 760}, "color_scheme": "light"}),
    "model": (f"#/model/{MODEL}", {"viewport": {"width": 1100, "height": 1150}, "color_scheme": "dark"}),
    "phone": (f"#/model/{MODEL}", {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"}),
}
"""By a picture's name: where on the page, and in what kind of window."""


@contextmanager
def played() -> Iterator[Path]:
    """The folder of the page that the whole story wrote."""
    with tempfile.TemporaryDirectory(prefix="promotion-screenshots-") as name, Server(Path(name) / "server") as server:
        tell(Stage(Path(name), server.url))
        yield Path(name) / "site"


def shoot(browser: Browser, site: Path, images: Path) -> None:
    """Take every picture of a page into a folder."""
    images.mkdir(parents=True, exist_ok=True)
    for name, (place, window) in SHOTS.items():
        with browser.new_context(**window) as context:
            page = context.new_page()
            page.goto(f"{(site / 'index.html').absolute().as_uri()}{place}")
            page.wait_for_selector("html[data-ready]")
            if place != "#/":
                page.wait_for_selector(".chart canvas")
            page.screenshot(path=images / f"{name}.png")


def main() -> int:
    """Take the pictures of a page that is there, else of one that the story writes now."""
    program = shutil.which("chromium")
    if program is None:
        print("chromium is not installed: apt-get install chromium", file=sys.stderr)
        return 1
    with nullcontext(Path(sys.argv[1])) if len(sys.argv) > 1 else played() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        shoot(browser, site, IMAGES)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
