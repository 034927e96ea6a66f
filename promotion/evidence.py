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
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from promotion.counting import CountsError
from promotion.errors import Exit, PromotionError
from promotion.figures import Counts, document, figures, parse

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:promotion:evaluation:v1"
MAX_BYTES = 8 << 20


class EvidenceError(PromotionError):
    """A statement that is corrupt, truncated, edited or of something else: it is missing evidence, never a pass (exit 5)."""

    exit_code = Exit.ERRORED


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who measured: ``package.module:function``, the digest over its source files and that of its lock file (sha256 in hex).

    ``lock`` is None where the policy names none. Python's version and those of the libraries stand with the evidence.
    """

    entry_point: str
    digest: str
    lock: str | None = None

    def document(self) -> dict[str, Any]:
        """As statements have it."""
        found = {"entryPoint": self.entry_point, "digest": {"sha256": self.digest}}
        return found if self.lock is None else {**found, "lock": {"digest": {"sha256": self.lock}}}


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

    seeds: Mapping[str, int] = field(default_factory=dict)
    """Of what draws at random while measuring, by what draws; those of an evaluator of one's own stand in its settings."""

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
            "evaluator": self.evaluator.document(),
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
        if self.seeds:
            predicate["seeds"] = dict(self.seeds)
        return {
            "_type": STATEMENT,
            "subject": [{"name": self.subject, "digest": {"sha256": self.artifact}}],
            "predicateType": PREDICATE,
            "predicate": predicate,
        }


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8. Raises EvidenceError for what JSON cannot hold, NaN included."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"cannot be written as JSON: {error}"
        raise EvidenceError(msg, hint="settings of an evaluation must be plain JSON values") from error


def key(artifact: str, dataset: str, evaluator: Evaluator, settings: Mapping[str, Any]) -> str:
    """The sha256 (hex) of the canonical JSON of the four that evidence is bound to."""
    bound: dict[str, Any] = {
        "artifact": artifact,
        "dataset": dataset,
        "evaluator": {"digest": evaluator.digest, "entryPoint": evaluator.entry_point},
        "settings": dict(settings),
    }
    if evaluator.lock is not None:
        bound["lock"] = evaluator.lock
    return hashlib.sha256(canonical(bound)).hexdigest()


def changed(before: Evidence, dataset: str, evaluator: Evaluator, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What is another now than when an evidence of the same artifact was measured, in words; empty where it still counts."""
    apart = {
        "its data": before.dataset != dataset,
        "its evaluator": replace(before.evaluator, lock=None) != replace(evaluator, lock=None),
        "its lock file": before.evaluator.lock != evaluator.lock,
        "its settings": dict(before.settings) != dict(settings),
    }
    return tuple(what for what, differs in apart.items() if differs)


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
        evaluator=Evaluator(
            _text(evaluator["entryPoint"]),
            _sha256(evaluator["digest"]),
            _sha256(evaluator["lock"]["digest"]) if "lock" in evaluator else None,
        ),
        settings=dict(predicate["settings"]),
        counts=counts,
        isolation=_text(predicate["isolation"]),
        versions={_text(name): _text(version) for name, version in predicate["versions"].items()},
        hardware={_text(name): _text(what) for name, what in predicate["hardware"].items()},
        started=_time(predicate["startedOn"]),
        finished=_time(predicate["finishedOn"]),
        by=_text(predicate["by"]),
        beside=_sha256(predicate["replicates"]["digest"]) if "replicates" in predicate else None,
        seeds={_text(name): _whole(seed) for name, seed in predicate.get("seeds", {}).items()},
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


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"must be a whole number, however: {value!r:.80}"
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
