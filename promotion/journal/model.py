"""The journal's values: frozen, without logic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from promotion.changes import ChangeKind
from promotion.domain import Bound
from promotion.verdicts import Status


class EntryKind(StrEnum):
    """What an entry is about. An open intent exists exactly when the newest entry is an INTENT.

    OUTCOME closes an intent, or records a commit that needed no write; ADOPTED notes what was found in service; HOLD and RELEASE
    change holds.
    """

    INTENT = "intent"
    OUTCOME = "outcome"
    ADOPTED = "adopted"
    HOLD = "hold"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
    """What one rule said of a change; ``rule`` is where it stands (None: always asked), ``waiver`` who excepted it, until when and why."""

    gate: str
    status: Status
    expected: str
    got: str
    rule: str | None = None
    waiver: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """One binding that an entry changes: from what, to what (None: nothing), on which evidence, with which worst verdict.

    ``verdicts`` stand in outcomes alone; entries of older releases have none.
    """

    kind: ChangeKind
    model: str
    environment: str
    before: Bound | None
    after: Bound | None
    evidence: tuple[str, ...]
    status: Status
    verdicts: tuple[RecordedVerdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One declared binding that was refused; ``reasons`` are the blocking verdicts, one sentence each."""

    model: str
    environment: str
    version: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """This digest must not be applied in this environment again until a person releases it."""

    model: str
    environment: str
    version: int
    digest: str
    reason: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of evidence to keep: ``key`` is the sha256 of the inputs it was measured from, in hex.

    ``replicates`` is the packed file of its resamples, None where it names none.
    """

    key: str
    content: bytes
    replicates: bytes | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: everything about one event, by itself.

    ``commit`` is main's commit that it is about, ``author`` (``Name <mail>``) and ``subject`` are that commit's. ``at`` is aware,
    ``by`` is who ran it, ``tool`` the version of this program, ``registry`` the target's address without credentials. ``plan`` and
    ``policies`` are digests. ``lease_until`` stands in an intent alone. ``takes_over`` is the ``id`` of an intent that was left
    unfinished. ``recorded`` is the newest commit of main whose application is complete with this entry, None before the first.
    ``writes`` tells an outcome's writes to the registry in their order, a sentence each; entries of older releases have none.
    """

    kind: EntryKind
    id: str
    commit: str
    author: str
    subject: str
    at: datetime
    by: str
    tool: str
    registry: str
    plan: str | None
    policies: str | None
    changes: tuple[RecordedChange, ...]
    refusals: tuple[Refusal, ...]
    lease_until: datetime | None
    takes_over: str | None
    recorded: str | None
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry with the commit of the journal that holds it."""

    sha: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Origin:
    """The entry that brought a statement of evidence. ``fault`` is what is wrong with its signature or with what became of the file;
    ``signer`` None without a fault: at that time nobody was named who may sign."""

    recorded: Recorded
    signer: str | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in the journal: the commit of the entry, a short stable name of the rule, one sentence."""

    sha: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.sha[:12]}: {self.message} [{self.rule}]"
