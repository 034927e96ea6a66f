"""Inputs whose verdict is known beforehand, made from a rule's own values: what ``promotion gates selftest`` shows each gate.

For every gate there is a function in ``KNOWN`` that gets the rule's parameters and facts in which nothing is wrong, and gives one
input that the gate must pass and at least one that it must refuse. Whatever a policy's thresholds are, the bad input lies just
beyond them. A new gate adds its function here; one without it makes the self-test ERRORED.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from promotion.gates.interface import Facts
from promotion.gates.known import figures, people, versions
from promotion.gates.known.sound import Bad as Bad
from promotion.gates.known.sound import Known as Known
from promotion.gates.known.sound import sound as sound

KNOWN: Mapping[str, Callable[[Any, Facts], Known]] = MappingProxyType(
    {
        "approval": people.known_approval,
        "bound": figures.known_bound,
        "compare": figures.known_compare,
        "digest": versions.known_digest,
        "formats": versions.known_formats,
        "freeze": people.known_freeze,
        "hold": people.known_hold,
        "lineage": versions.known_lineage,
        "metadata": versions.known_metadata,
        "naming": versions.known_naming,
        "policy": people.known_policy,
        "quarantine": people.known_quarantine,
        "separate": people.known_separate,
        "signature": versions.known_signature,
        "staging_first": versions.known_staging_first,
    }
)
"""By the gate's name: (parameters, sound facts) → what it must pass and what it must refuse."""
