"""``python -m promotion``: the same as the command ``promotion``."""

from __future__ import annotations

from promotion.cli import main

if __name__ == "__main__":
    main()
