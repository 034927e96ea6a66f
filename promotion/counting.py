"""What the counts of every kind have in common: their types, what an error says, and the name of the model itself among its parts."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from promotion.errors import Exit, PromotionError

WHOLE = "model"
"""The part that is the model itself: its figures bear no prefix."""
ABLATION = "ablation"
"""Before the name of a figure: the whole model's minus that of its best single part, chosen by the point."""
LESS_IS_BETTER = frozenset({"false_alarm_rate", "mae", "rmse", "log_loss", "brier", "seconds_per_row"})
MORE_IS_BETTER = frozenset({"f1", "precision", "recall", "accuracy", "macro_f1", "roc_auc", "pr_auc", "r2"})
"""Figures whose better side is known, of every part and class. Of ``bias`` neither is; what a mean means, its evaluator alone knows."""
MOST_NAMES = 2_000
_LARGEST = 2**53
"""Beyond this a JSON number need not survive: every count stays an exact integer."""

Count = Annotated[int, Field(ge=0, le=_LARGEST)]
Name = Annotated[str, Field(pattern=re.compile(r"^[^\x00-\x1f\x7f]{1,200}\Z"))]
Amount = Annotated[float, Field(allow_inf_nan=False)]


class CountsError(PromotionError):
    """Counts that are not as they must be: whatever an evaluator yielded, nothing was measured (exit 5)."""

    exit_code = Exit.ERRORED


class Strict(BaseModel):
    """Unknown members are refused, types are not converted, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise ValueError unless the condition holds."""
    if not condition:
        raise ValueError(message)


def ratio(over: float, under: float) -> float:
    """NaN for what is not defined (0/0): always the same object, by which figures that are undefined alike compare as equal."""
    return over / under if under else math.nan
