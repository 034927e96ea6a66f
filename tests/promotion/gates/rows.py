"""What the tables of the gates share."""

from __future__ import annotations

from typing import Any

from promotion.changes import ChangeKind
from promotion.gates.interface import (
    Facts,
)
from promotion.verdicts import Status
from tests.promotion.gates.samples import (
    change,
)

Rows = list[tuple[dict[str, Any], Facts, Status, str]]
PASSED, FAILED, ERRORED, INCONCLUSIVE = Status.PASSED, Status.FAILED, Status.ERRORED, Status.INCONCLUSIVE
WARNED = Status.WARNED
HEAL = change(kind=ChangeKind.HEAL, before=4)
ROLLBACK = change(kind=ChangeKind.ROLLBACK, before=5)
