"""Evidence: what was measured, of which bytes, on which rows, by which evaluator, as an in-toto statement.

The statement (https://in-toto.io/Statement/v1, predicate ``urn:promotion:evaluation:v1``) has the artifact's digest as its
subject. Its canonical JSON (UTF-8, keys sorted, no spaces, no NaN: an undefined figure is ``null``) is what is kept, and the
sha256 of those bytes is its name. Counts of each resample, from which intervals follow, are a packed file beside it, whose sha256
it holds: when that file is missing or another, so is the evidence. Older statements, and those of evaluators that give counts alone,
name none: they give figures without intervals. It is looked up by the ``key`` of artifact, dataset, evaluator and settings: when one of
them changes, it no longer counts. Figures are computed again from the counts by whoever reads it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from promotion import packing, replicates
from promotion.counting import CountsError
from promotion.errors import Exit, PromotionError, Unavailable
from promotion.figures import Counts, document, figures, parse

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:promotion:evaluation:v1"
MAX_BYTES = 8 << 20
_MOST = 200
"""Statements that are read for one key."""


class EvidenceError(PromotionError):
    """A statement that is corrupt, truncated, edited or of something else: it is missing evidence, never a pass (exit 5)."""

    exit_code = Exit.ERRORED


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who measured: ``package.module:function`` and the digest over its source files (sha256 in hex)."""

    entry_point: str
    digest: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One measurement. ``artifact`` and ``dataset`` are digests (sha256 in hex), times are aware, ``by`` is who ran it."""

    evaluation: str
    subject: str
    artifact: str
    dataset_path: str
    dataset: str
    evaluator: Evaluator
    settings: Mapping[str, Any]
    counts: Counts
    isolation: str
    versions: Mapping[str, str]
    hardware: Mapping[str, str]
    started: datetime
    finished: datetime
    by: str
    resampled: bytes | None = field(default=None, repr=False)
    """The packed counts of each resample (``promotion.replicates``); None when there are none, or they were not read along."""
    beside: str | None = None
    """The sha256 (hex) of that file as the statement says it; None when it names none, and then ``resampled`` has it."""

    @property
    def replicates(self) -> str | None:
        """The sha256 (hex) of the file of resamples that belongs to this evidence; None for none."""
        return self.beside if self.resampled is None else hashlib.sha256(self.resampled).hexdigest()

    @property
    def figures(self) -> Mapping[str, float]:
        """Every figure that the counts give; NaN where undefined."""
        return figures(self.counts)

    @property
    def key(self) -> str:
        """What this evidence is looked up by."""
        return key(self.artifact, self.dataset, self.evaluator, self.settings)

    @property
    def digest(self) -> str:
        """The statement's name: the sha256 of its canonical bytes, in hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The statement in canonical JSON. Raises EvidenceError when settings hold what JSON cannot."""
        return canonical(self.statement())

    def statement(self) -> dict[str, Any]:
        """The in-toto statement as plain values."""
        predicate = {
            "evaluation": self.evaluation,
            "dataset": {"path": self.dataset_path, "digest": {"sha256": self.dataset}, "rows": self.counts.rows},
            "evaluator": {"entryPoint": self.evaluator.entry_point, "digest": {"sha256": self.evaluator.digest}},
            "settings": dict(self.settings),
            "counts": document(self.counts),
            "figures": {name: value if math.isfinite(value) else None for name, value in self.figures.items()},
            "isolation": self.isolation,
            "versions": dict(self.versions),
            "hardware": dict(self.hardware),
            "startedOn": _moment(self.started),
            "finishedOn": _moment(self.finished),
            "by": self.by,
        }
        if self.replicates is not None:
            predicate["replicates"] = {"digest": {"sha256": self.replicates}}
        return {
            "_type": STATEMENT,
            "subject": [{"name": self.subject, "digest": {"sha256": self.artifact}}],
            "predicateType": PREDICATE,
            "predicate": predicate,
        }


class EvidenceSource(Protocol):
    """Where statements are kept: the journal, or a folder."""

    def find(self, key: str) -> Sequence[bytes]:
        """The bytes of every statement kept under this key; empty where there is none."""
        ...

    def resampled(self, key: str, digest: str) -> bytes | None:
        """The file of resamples with this sha256 (hex) beside the statements of a key; None when it is missing or another."""
        ...


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8. Raises EvidenceError for what JSON cannot hold, NaN included."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"cannot be written as JSON: {error}"
        raise EvidenceError(msg, hint="settings of an evaluation must be plain JSON values") from error


def key(artifact: str, dataset: str, evaluator: Evaluator, settings: Mapping[str, Any]) -> str:
    """The sha256 (hex) of the canonical JSON of the four that evidence is bound to."""
    bound = {
        "artifact": artifact,
        "dataset": dataset,
        "evaluator": {"digest": evaluator.digest, "entryPoint": evaluator.entry_point},
        "settings": dict(settings),
    }
    return hashlib.sha256(canonical(bound)).hexdigest()


def read(data: bytes) -> Evidence:
    """Read a statement strictly; raises EvidenceError when anything is missing, unknown, not canonical or does not add up."""
    value = _load(data)
    try:
        evidence = _evidence(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"not a statement of {PREDICATE}: {type(error).__name__}: {error}"
        raise EvidenceError(msg, hint="measure again") from error
    except CountsError as error:
        msg = f"the statement's counts are not valid: {error.message}"
        raise EvidenceError(msg, hint="measure again") from error
    # One comparison catches all the rest: unknown or missing members, edited figures, other spellings of the same values.
    if evidence.to_bytes() != data:
        stated, counted = value["predicate"].get("figures"), evidence.statement()["predicate"]["figures"]
        what = "its figures do not follow from its counts" if stated != counted else "it is not in canonical form, or has unknown members"
        msg = f"the statement was edited: {what}"
        raise EvidenceError(msg, hint="measure again")
    return evidence


def _load(data: bytes) -> Any:  # noqa: ANN401 - what JSON holds
    if len(data) > MAX_BYTES:
        msg = f"a statement of {len(data)} bytes, at most {MAX_BYTES} are read"
        raise EvidenceError(msg, hint="measure again")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        msg = f"not JSON: {error}; it begins with {data[:120].decode(errors='replace')!r}"
        raise EvidenceError(msg, hint="measure again") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key stands twice"
        raise ValueError(msg)
    return found


def _refuse(constant: str) -> float:
    msg = f"{constant} is not JSON"
    raise ValueError(msg)


def _evidence(value: Any) -> Evidence:  # noqa: ANN401 - what JSON holds
    predicate = value["predicate"]
    if (value["_type"], value["predicateType"], len(value["subject"])) != (STATEMENT, PREDICATE, 1):
        msg = f"another type of statement: {value['_type']!r}, {value['predicateType']!r}"
        raise ValueError(msg)
    counts = parse(predicate["counts"])
    dataset, evaluator = predicate["dataset"], predicate["evaluator"]
    evidence = Evidence(
        evaluation=_text(predicate["evaluation"]),
        subject=_text(value["subject"][0]["name"]),
        artifact=_sha256(value["subject"][0]["digest"]),
        dataset_path=_text(dataset["path"]),
        dataset=_sha256(dataset["digest"]),
        evaluator=Evaluator(_text(evaluator["entryPoint"]), _sha256(evaluator["digest"])),
        settings=dict(predicate["settings"]),
        counts=counts,
        isolation=_text(predicate["isolation"]),
        versions={_text(name): _text(version) for name, version in predicate["versions"].items()},
        hardware={_text(name): _text(what) for name, what in predicate["hardware"].items()},
        started=_time(predicate["startedOn"]),
        finished=_time(predicate["finishedOn"]),
        by=_text(predicate["by"]),
        beside=_sha256(predicate["replicates"]["digest"]) if "replicates" in predicate else None,
    )
    if evidence.finished < evidence.started:
        msg = "it finished before it started"
        raise ValueError(msg)
    return evidence


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"must be text, however: {value!r:.80}"
        raise TypeError(msg)
    return value


def _sha256(value: Mapping[str, Any]) -> str:
    text = _text(value["sha256"])
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        msg = f"not a sha256: {text!r:.80}"
        raise ValueError(msg)
    return text


def _time(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        msg = f"a time without its zone: {value!r}"
        raise ValueError(msg)
    return moment


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Search:
    """What was found under a key: the newest valid evidence if any, and why each other statement does not count."""

    evidence: Evidence | None
    rejected: tuple[str, ...]


def search(sources: Sequence[EvidenceSource], wanted: str) -> Search:
    """The newest valid statement under a key. One that is corrupt or of something else is missing, with the reason."""
    valid: list[Evidence] = []
    rejected: list[str] = []
    for place, data in [(source, data) for source in sources for data in source.find(wanted)][:_MOST]:
        try:
            evidence = read(data)
            if evidence.key != wanted:
                rejected.append(f"{evidence.digest[:12]}: is of another artifact, dataset, evaluator or other settings")
                continue
            valid.append(_complete(evidence, place))
        except PromotionError as error:
            rejected.append(f"{hashlib.sha256(data).hexdigest()[:12]}: {error.message}")
    return Search(max(valid, key=lambda one: (one.finished, one.digest), default=None), tuple(rejected))


def _complete(evidence: Evidence, source: EvidenceSource) -> Evidence:
    """The evidence with its resamples; raises PromotionError when the file that it names is missing or cannot be used."""
    if evidence.beside is None:
        return evidence
    data = source.resampled(evidence.key, evidence.beside)
    if data is None or hashlib.sha256(data).hexdigest() != evidence.beside:
        msg = f"the file of its resamples, {evidence.beside[:12]}, is missing or is not what its name says"
        raise EvidenceError(msg, hint="measure again")
    replicates.read(data, evidence.counts)
    return replace(evidence, resampled=data)


@dataclass(frozen=True, slots=True)
class FolderEvidence:
    """Statements in a folder: ``evidence/<key>/<digest>.json`` below it (the journal puts two digits of the key before it).

    The file of resamples is ``<sha256 of it>.replicates`` beside the statement that names it.
    """

    folder: Path

    def put(self, evidence: Evidence) -> Path:
        """Keep a statement, whole or not at all; raises Unavailable when the folder cannot be written."""
        data = evidence.to_bytes()
        place = self.folder / "evidence" / evidence.key
        path = place / f"{evidence.digest}.json"
        try:
            place.mkdir(parents=True, exist_ok=True)
            # What the statement names is there before it is.
            if evidence.resampled is not None:
                _write(place / f"{evidence.replicates}.replicates", evidence.resampled)
            _write(path, data)
        except OSError as error:
            msg = f"evidence cannot be kept in {self.folder}: {error.strerror or error}"
            raise Unavailable(msg, hint="give another folder with --evidence") from error
        return path

    def resampled(self, key: str, digest: str) -> bytes | None:
        """The file of resamples with this sha256 beside the statements of a key; None when it is missing or another."""
        data = _contents(self.folder / "evidence" / key / f"{digest}.replicates", packing.MAX_BYTES)
        return data if hashlib.sha256(data).hexdigest() == digest else None

    def find(self, key: str) -> Sequence[bytes]:
        """The bytes of the statements under a key. A file whose name is not its sha256 comes back and fails to be read."""
        place = self.folder / "evidence" / key
        try:
            names = sorted(entry.name for entry in os.scandir(place) if entry.name.endswith(".json"))[:_MOST]
        except OSError:
            return ()
        return tuple(_contents(place / name) for name in names)

    def get(self, digest: str) -> bytes | None:
        """The bytes of one statement by its name, or None when it is not here or is not what its name says."""
        for path in sorted((self.folder / "evidence").glob(f"*/{digest}.json")):
            data = _contents(path)
            if hashlib.sha256(data).hexdigest() == digest:
                return data
        return None


def _write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    # Reads by others (the job that decides) are the point of this file; NamedTemporaryFile keeps it to oneself.
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def _contents(path: Path, most: int = MAX_BYTES) -> bytes:
    """A regular file's bytes; what cannot be read, or is not what its name says, comes back as bytes that no reader accepts."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}".encode()
    if hashlib.sha256(data).hexdigest() != path.stem:
        return f"{path.name} does not hold what its name says".encode()
    return data
