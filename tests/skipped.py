"""Fails when a test was skipped: ``python -m tests.skipped JUNIT.XML``. A suite that skips what it cannot run proves nothing."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ALLOWED = "real data not present"
"""The one reason that may stand: the owners' datasets are not ours to ship, so some machines do not have them."""


def unexcused(report: Path) -> list[str]:
    """The skipped tests of a JUnit report, each with its reason, without those that lack only the owners' data."""
    found = []
    for case in ET.parse(report).iter("testcase"):
        for skip in case.iter("skipped"):
            reason = skip.get("message") or ""
            if ALLOWED not in reason:
                found.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return found


def main() -> int:
    """Print what was skipped; 1 when anything was."""
    skipped = unexcused(Path(sys.argv[1]))
    for line in skipped:
        print(f"skipped: {line}")
    return 1 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
