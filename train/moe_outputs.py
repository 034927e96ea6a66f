"""The columns of the mixture's answer, for those who read it without torch."""

from __future__ import annotations

OUTPUTS = ("attack", "tabular", "temporal", "router.tabular", "router.temporal")
"""P(attack), each expert's own, the router's weights. The tabular expert alone answers the first."""
