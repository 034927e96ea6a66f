"""The document → one HTML page that asks nobody for anything: opened from a disk it works as it does from a server.

A page from a disk cannot fetch, so the document stands in it, as data that no browser runs. The Content-Security-Policy allows the
page's own scripts and styles by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from promotion.errors import Unavailable

_PARTS = ("text", "elements", "journal", "timeline", "overview", "chart", "model", "entry", "route")
"""The page's own script, in the order of use: one function around all of it keeps its names to itself."""
_STYLES = ("uplot/uPlot.min.css", "templates/page.css")
_RAW = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
"""What could end a script element or begin another, as JSON's own escapes: the values stay the same."""


def write(found: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write ``index.html`` and ``report.json`` into a folder, which is made; raises Unavailable when it cannot be written."""
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    written = {folder / "index.html": page(text), folder / "report.json": text + "\n"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in written.items():
            path.write_text(content, encoding="utf-8", newline="\n", errors="backslashreplace")
    except OSError as error:
        msg = f"the page cannot be written to {folder}: {error.strerror or error}"
        raise Unavailable(msg, hint="give another folder with --out") from error
    return tuple(written)


def page(text: str) -> str:
    """The page of a document's JSON."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    own = "\n".join(_packaged(f"scripts/{name}.js") for name in _PARTS)
    scripts = [_packaged("uplot/uPlot.iife.min.js"), f'"use strict";\n(() => {{\n{own}}})();\n']
    styles = [_packaged(name) for name in _STYLES]
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(map(_hash, scripts)),
            "style-src " + " ".join(map(_hash, styles)),
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    # All three are this package's own, or escaped above.
    given = {
        "scripts": [Markup(one) for one in scripts],  # noqa: S704
        "styles": [Markup(one) for one in styles],  # noqa: S704
        "data": Markup(text.translate(_RAW)),  # noqa: S704
    }
    environment = Environment(loader=PackageLoader("promotion.report"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html").render(policy=Markup(policy), **given)  # noqa: S704


def _packaged(name: str) -> str:
    return files("promotion.report").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
