"""``python -m tests.proof kills|races``. By this name the workers that are forked need not import what only the parent uses."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from tests.proof import kills, races

    sys.exit({"kills": kills.main, "races": races.main}[sys.argv.pop(1)]())
