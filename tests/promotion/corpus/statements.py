"""Evidence that is missing, of something else, or not what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

from promotion.evidence import canonical, read
from promotion.kept import FolderEvidence
from promotion.reconcile import Options
from tests.promotion.corpus.way import ERRORED, Bad, Way


def evidence_of_another_version(way: Way) -> Options:
    """A good version's statement, under the key of a bad one."""
    return _planted(way, lambda bad, good: good)


def evidence_edited(way: Way) -> Options:
    def edited(bad: bytes, good: bytes) -> bytes:
        value = json.loads(bad)
        value["predicate"]["figures"]["f1"] = 1.0
        return canonical(value)

    return _planted(way, edited)


def evidence_truncated(way: Way) -> Options:
    return _planted(way, lambda bad, good: bad[:-20])


def evidence_of_other_data(way: Way) -> Options:
    return _planted(way, lambda bad, good: replace(read(bad), dataset="0" * 64).to_bytes())


def evidence_of_another_evaluator(way: Way) -> Options:
    return _planted(way, lambda bad, good: replace(read(bad), evaluator=replace(read(bad).evaluator, digest="0" * 64)).to_bytes())


def no_evidence_at_all(way: Way) -> Options:
    way.declare(staging=2, production=1)
    return Options(measure=False)


def _planted(way: Way, made: Callable[[bytes, bytes], bytes]) -> Options:
    """Keep a statement where evidence of version 2 is looked for, and decide without measuring."""
    folder = way.folder.parent / "evidence"
    good = way.statement()
    statement = replace(read(good), artifact=way.registry.artifact(way.name, 2).digest, subject=f"{way.name}/2")
    path = FolderEvidence(folder).put(statement)
    content = made(statement.to_bytes(), good)
    path.unlink()
    path.with_name(f"{hashlib.sha256(content).hexdigest()}.json").write_bytes(content)
    way.shared = {**way.shared, "evidence": folder}
    way.declare(staging=2, production=1)
    return Options(measure=False)


STATEMENTS = [
    Bad("evidence of another version", evidence_of_another_version, "bound", ERRORED, "is of another artifact", "staging"),
    Bad("evidence edited", evidence_edited, "bound", ERRORED, "its figures do not follow from its counts", "staging"),
    Bad("evidence truncated", evidence_truncated, "bound", ERRORED, "not JSON", "staging"),
    Bad("evidence of other data", evidence_of_other_data, "bound", ERRORED, "is of another artifact, dataset", "staging"),
    Bad("evidence of another evaluator", evidence_of_another_evaluator, "bound", ERRORED, "is of another artifact, dataset", "staging"),
    Bad("no evidence", no_evidence_at_all, "bound", ERRORED, "nothing was measured", "staging"),
]
