"""An answer, or why there is none: whatever fails while facts are collected blocks one change alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from promotion.errors import PromotionError
from promotion.gates.interface import Unknown

T = TypeVar("T")


def attempt(ask: Callable[[], T]) -> T | Unknown:
    """The answer, or an Unknown with the reason; never raises."""
    try:
        return ask()
    except PromotionError as error:
        return Unknown(error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - a fact that cannot be had blocks its change alone
        return Unknown(f"{type(error).__name__}: {error}", "report this as a fault if it stays so")
