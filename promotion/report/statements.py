"""The journal's evidence as the page tells it: what each statement says, the intervals of its figures, and what cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promotion.errors import PromotionError
from promotion.evidence import Evidence, EvidenceError, read
from promotion.intervals import Estimate
from promotion.journal.codec import evidence_folder
from promotion.replicates import Sampled

if TYPE_CHECKING:
    from promotion.intervals import Interval
    from promotion.journal import State

CONFIDENCE = 0.95
_AT_ONCE = 50
"""Files of resamples that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Statements:
    """By a statement's digest: what it says, the 95 % intervals of its figures, and why it cannot be read.

    One whose file of resamples alone cannot be read stands in ``evidence``, for its figures, and in ``unreadable``.
    """

    evidence: Mapping[str, Evidence]
    intervals: Mapping[str, Mapping[str, Interval]]
    unreadable: Mapping[str, str]


def statements(state: State) -> Statements:
    """Every statement that the journal keeps; what counts for nothing is told, with the reason."""
    files = {} if state.head is None else state.git.blobs(state.head, "evidence", recursive=True)
    evidence: dict[str, Evidence] = {}
    unreadable: dict[str, str] = {}
    for path, content in _contents(state, files, [path for path in files if path.endswith(".json")]):
        name = path.rpartition("/")[2].removesuffix(".json")
        try:
            evidence[name] = _statement(path, content)
        except PromotionError as error:
            unreadable[name] = error.message
    beside = {name: f"{evidence_folder(one.key)}/{one.beside}.replicates" for name, one in evidence.items() if one.beside is not None}
    packed = dict.fromkeys(beside.values())
    intervals: dict[str, Mapping[str, Interval]] = {}
    wanted = {path: [name for name, other in beside.items() if other == path] for path in packed}
    for path, content in _contents(state, files, list(wanted)):
        for name in wanted[path]:
            try:
                intervals[name] = _intervals(evidence[name], content)
            except PromotionError as error:
                unreadable[name] = f"its figures have no intervals: {error.message}"
    return Statements(evidence, intervals, unreadable)


def _contents(state: State, files: Mapping[str, str], paths: list[str]) -> Iterator[tuple[str, bytes | None]]:
    """Each file's bytes, None for one that the journal does not keep."""
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        kept = [path for path in some if path in files]
        found = dict(zip(kept, state.git.objects([files[path] for path in kept]) if kept else (), strict=True))
        yield from ((path, one.content if (one := found.get(path)) is not None else None) for path in some)


def _statement(path: str, content: bytes | None) -> Evidence:
    folder, _, name = path.rpartition("/")
    if content is None or f"{hashlib.sha256(content).hexdigest()}.json" != name:
        msg = f"{path} is missing, or is not what its name says"
        raise EvidenceError(msg, hint="measure again")
    found = read(content)
    if folder != evidence_folder(found.key):
        msg = f"{path} is evidence of another artifact, dataset, evaluator or other settings than its place says"
        raise EvidenceError(msg, hint="measure again")
    return found


def _intervals(evidence: Evidence, content: bytes | None) -> dict[str, Interval]:
    if content is None or hashlib.sha256(content).hexdigest() != evidence.beside:
        msg = f"the file of its resamples, {(evidence.beside or '')[:12]}, is missing or is not what its name says"
        raise EvidenceError(msg, hint="measure again")
    sample = Sampled(content, evidence.counts)
    found = {}
    for name, point in evidence.figures.items():
        values = sample.values(name)
        interval = None if values is None else Estimate(point, values, sample.units(name)).interval(CONFIDENCE)
        if interval is not None:
            found[name] = interval
    return found
