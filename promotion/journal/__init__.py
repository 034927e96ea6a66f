"""The journal: a signed git branch that remembers what was applied, by whom, why, and on which evidence.

``model`` has its values, ``codec`` their bytes, ``trust`` says who may sign, ``state`` reads one entry's tree, ``store`` reads
and appends, ``audit`` verifies all of it.
"""

from __future__ import annotations

from promotion.journal.lease import GRACE, Lease, check_free, open_intent
from promotion.journal.model import Entry, EntryKind, Fault, Hold, Origin, Recorded, RecordedChange, RecordedVerdict, Refusal, Statement
from promotion.journal.state import State
from promotion.journal.store import Journal

__all__ = [
    "GRACE",
    "Entry",
    "EntryKind",
    "Fault",
    "Hold",
    "Journal",
    "Lease",
    "Origin",
    "Recorded",
    "RecordedChange",
    "RecordedVerdict",
    "Refusal",
    "State",
    "Statement",
    "check_free",
    "open_intent",
]
