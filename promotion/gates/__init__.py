"""The gates by the names that policies use; one file each, its documentation beside it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from promotion.errors import UsageError
from promotion.gates.approval import ApprovalGate
from promotion.gates.bound import Bound
from promotion.gates.compare import Compare
from promotion.gates.digest import Digest
from promotion.gates.formats import Formats
from promotion.gates.freeze import Freeze
from promotion.gates.hold import Hold
from promotion.gates.interface import Gate
from promotion.gates.lineage import Lineage
from promotion.gates.metadata import Metadata
from promotion.gates.naming import Naming
from promotion.gates.policy import Policy
from promotion.gates.quarantine import Quarantine
from promotion.gates.separate import Separate
from promotion.gates.signature import SignatureGate
from promotion.gates.staging_first import StagingFirst

_ALL: tuple[Gate[Any], ...] = (
    ApprovalGate(),
    Bound(),
    Compare(),
    Digest(),
    Formats(),
    Freeze(),
    Hold(),
    Lineage(),
    Metadata(),
    Naming(),
    Policy(),
    Quarantine(),
    Separate(),
    SignatureGate(),
    StagingFirst(),
)

GATES: Mapping[str, Gate[Any]] = MappingProxyType({one.name: one for one in _ALL})
"""Every gate by its name. ``digest``, ``hold``, ``quarantine`` and ``policy`` (and ``formats``) count for all without a rule."""

BUILT_IN: frozenset[str] = frozenset({"digest", "hold", "policy", "quarantine", "separate"})
"""Gates that no policy may name: they run by themselves, with nothing to set."""

UNWAIVABLE: frozenset[str] = BUILT_IN | {"formats"}
"""Gates that no waiver opens: what they keep out is unsafe or unknown, whoever answers for it."""


def gate(name: str) -> Gate[Any]:
    """The gate of that name; raises UsageError with the nearest name when there is none."""
    found = GATES.get(name)
    if found is None:
        close = get_close_matches(name, GATES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known gates: {', '.join(GATES)}"
        msg = f"there is no gate {name!r}"
        raise UsageError(msg, hint=hint)
    return found
