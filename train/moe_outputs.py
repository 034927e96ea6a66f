"""The columns of the mixture's answer, for those who read it without torch."""

from __future__ import annotations

EXPERTS = ("tabular", "trees", "temporal")
"""The transformer on one flow, the decision trees on one flow, the convolutions over a flow and those before it."""

OUTPUTS = ("attack", *EXPERTS, *(f"router.{name}" for name in EXPERTS))
"""P(attack), each expert's own, the router's weights. The tabular expert alone (stage ``tabular``) answers the first column only.

Probabilities are calibrated; ``threshold`` in the model's metadata is the decision point.
"""
