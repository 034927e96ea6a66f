"""A version that is to be promoted, beside what is in service: the figures of both on the same rows, for the author of a pull request.

Nothing is measured for it: what the gates were told is shown, and what the journal keeps of the other version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from promotion import evaluate
from promotion.changes import ChangeKind
from promotion.comparison import Line, side_by_side
from promotion.errors import PromotionError
from promotion.evidence import Evidence, read
from promotion.kept import EvidenceSource, FolderEvidence, search

if TYPE_CHECKING:
    from promotion.changes import Change
    from promotion.judging import Judgement
    from promotion.survey import Survey, Workspace
    from promotion.verdicts import Judged

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Beside:
    """One evaluation of a version, and of the one that is in service in ``environment`` (None with ``version``: nothing is).

    ``note`` tells why there is nothing to compare with, or why the difference has no interval.
    """

    change: Change
    environment: str | None
    version: int | None
    evaluation: str
    rows: int
    dataset: str
    lines: tuple[Line, ...]
    note: str | None


def beside(workspace: Workspace, found: Survey, judgement: Judgement) -> Iterator[Beside]:
    """Every evaluation of every version that is judged on its way into an environment and was measured."""
    sources: list[EvidenceSource] = [_Behind(judgement), found.state]
    if workspace.evidence is not None:
        sources.append(FolderEvidence(workspace.evidence))
    for judged in judgement.decision.judged:
        if judged.change.kind is ChangeKind.PROMOTE and judged.digest is not None:
            yield from _of(workspace, found, judged, judged.digest, sources)


def _of(workspace: Workspace, found: Survey, judged: Judged, digest: str, sources: Sequence[EvidenceSource]) -> Iterator[Beside]:
    change = judged.change
    environment, version, other = _in_service(found, change.model, digest)
    for one in found.declaration.policies.evaluations_for(change.model):
        try:
            keys = [evaluate.evidence_key(digest, one, workspace.git.root) for digest in (other, digest) if digest is not None]
        except PromotionError:  # the gates say so
            continue
        *before, mine = (search(sources, key).evidence for key in keys)
        theirs = before[0] if before else None
        if mine is None:
            continue
        note, lines = side_by_side(theirs, mine, CONFIDENCE)
        if environment is None:
            note = "nothing else is in service, so there is nothing to compare it with"
        elif theirs is None:
            note = f"version {version} in {environment} was not measured on these rows"
        yield Beside(change, environment, version, one.name, mine.counts.rows, mine.dataset_path, lines, note)


def _in_service(found: Survey, model: str, digest: str) -> tuple[str | None, int | None, str | None]:
    """Environment, version and digest of other bytes that are applied: in the last environment that has any."""
    memory = found.applied.get(model)
    for one in reversed(found.desired.environments):
        binding = memory.bindings.get(one.name) if memory else None
        if binding is not None and binding.bound is not None and binding.bound.digest != digest:
            return one.name, binding.bound.version, binding.bound.digest
    return None, None, None


@dataclass(frozen=True)
class _Behind:
    """The statements behind a judgement, as a source."""

    judgement: Judgement

    @cached_property
    def _known(self) -> Mapping[str, Sequence[Evidence]]:
        known: dict[str, list[Evidence]] = {}
        for data in self.judgement.statements.values():
            one = read(data)
            known.setdefault(one.key, []).append(one)
        return known

    def find(self, key: str) -> Sequence[bytes]:
        return tuple(one.to_bytes() for one in self._known.get(key, ()))

    def resampled(self, key: str, digest: str) -> bytes | None:
        held = (self.judgement.replicates.get(one.digest) for one in self._known.get(key, ()))
        return next((data for data in held if data is not None and hashlib.sha256(data).hexdigest() == digest), None)
