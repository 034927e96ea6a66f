"""Read the registry once and the journal: everything that the page tells. Nothing is written and no model code is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promotion.drift import look
from promotion.journal import EntryKind
from promotion.plan import plan
from promotion.report.declared import patches
from promotion.report.document import Seen
from promotion.report.statements import statements
from promotion.repository import working
from promotion.status import rows

if TYPE_CHECKING:
    from promotion.survey import Workspace


def gather(workspace: Workspace, commits: str | None) -> Seen:
    """What is declared, applied and shown, the journal's entries and the evidence it keeps. Raises as ``survey``."""
    declaration = working(workspace.git, workspace.layout)
    drifted = look(workspace, declaration)
    found = drifted.survey
    # ``look`` plans against what was applied; what is pending is told against what is declared.
    made = plan(declaration.desired, found.observed, found.applied, policies=declaration.policies.digest)
    kept = statements(found.state)
    entries = tuple(one for one in workspace.journal.entries() if one.entry.kind is not EntryKind.INTENT or one.sha == found.state.head)
    return Seen(
        environments=tuple(one.name for one in declaration.desired.environments),
        rows=rows(declaration.desired, found.observed, found.applied, made),
        models=found.observed.models,
        drifts=drifted.drifts,
        waivers=declaration.policies.waivers,
        holds=found.state.holds(),
        entries=entries,
        patches=patches(workspace.git, workspace.layout.files, entries),
        signers=workspace.journal.signers(entries) if found.state.signed else {},
        signed=found.state.signed,
        evidence=kept.evidence,
        intervals=kept.intervals,
        unreadable=kept.unreadable,
        registry=found.observed.registry,
        commits=commits,
        at=workspace.now(),
    )
