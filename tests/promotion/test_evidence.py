"""Evidence: a statement says what it says byte by byte, or it is missing; never a pass."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.errors import Unavailable
from promotion.evidence import MAX_BYTES, Evaluator, Evidence, EvidenceError, canonical, key, read
from promotion.figures import document, parse
from promotion.kept import FolderEvidence, search
from promotion.outcomes import fold

STARTED = datetime(2026, 10, 2, 12, 0, tzinfo=UTC)
COUNTS = {
    "schema": "promotion/counts/v1",
    "rows": 10,
    "seconds": 0.5,
    "positive": "attack",
    "parts": {"model": {"labels": ["attack", "benign"], "confusion": [[3, 1], [2, 4]]}},
    "classes": {"DDoS": {"support": 10, "correct": 3}, "Bot": {"support": 0, "correct": 0}},
    "sums": {"router.tabular": 4.0},
}
GOOD = Evidence(
    evaluation="flows",
    subject="moe-cybersecurity-cicids/4",
    artifact="a" * 64,
    dataset_path="data/flows.csv",
    dataset="b" * 64,
    evaluator=Evaluator("train.evaluation:evaluate", "c" * 64),
    settings={"threshold": 0.5, "names": ["ü", 1, None]},
    counts=parse(COUNTS),
    isolation="own session",
    versions={"python": "3.11.7"},
    hardware={"cpus": "2"},
    started=STARTED,
    finished=STARTED + timedelta(seconds=3),
    by="ci",
)


def test_a_statement_reads_back_as_it_was():
    data = GOOD.to_bytes()
    again = read(data)

    assert again.to_bytes() == data
    assert (again.key, again.digest) == (GOOD.key, hashlib.sha256(data).hexdigest())
    assert again.figures["f1"] == pytest.approx(6 / 9)
    statement = json.loads(data)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:promotion:evaluation:v1"
    assert statement["subject"] == [{"name": "moe-cybersecurity-cicids/4", "digest": {"sha256": "a" * 64}}]


def test_an_undefined_figure_is_null_and_reads_back_as_nan():
    assert json.loads(GOOD.to_bytes())["predicate"]["figures"]["class.Bot.recall"] is None
    assert math.isnan(read(GOOD.to_bytes()).figures["class.Bot.recall"])


def test_times_are_kept_in_utc():
    there = STARTED.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert replace(GOOD, started=there).to_bytes() == GOOD.to_bytes()


@pytest.mark.parametrize(
    "other",
    [
        replace(GOOD, artifact="0" * 64),
        replace(GOOD, dataset="0" * 64),
        replace(GOOD, evaluator=Evaluator("train.evaluation:evaluate", "0" * 64)),
        replace(GOOD, evaluator=Evaluator("train.evaluation:other", "c" * 64)),
        replace(GOOD, settings={}),
    ],
)
def test_the_key_is_bound_to_artifact_data_evaluator_and_settings(other):
    assert other.key != GOOD.key


def test_the_key_is_not_bound_to_what_does_not_matter():
    later = replace(
        GOOD, finished=STARTED + timedelta(days=1), by="somebody", isolation="none", evaluation="other", dataset_path="elsewhere"
    )
    assert later.key == GOOD.key
    assert later.digest != GOOD.digest


def edited(edit) -> bytes:
    statement = json.loads(GOOD.to_bytes())
    edit(statement, statement["predicate"])
    return canonical(statement)


EDITS = [
    (lambda s, p: p["figures"].update(f1=0.99), "do not follow from its counts"),
    (lambda s, p: p["figures"].update(novel=0.99), "do not follow from its counts"),
    (lambda s, p: p["figures"].update({"class.Bot.recall": 1.0}), "do not follow from its counts"),
    (lambda s, p: p["figures"].pop("f1"), "do not follow from its counts"),
    (lambda s, p: p["counts"]["parts"]["model"].update(confusion=[[4, 0], [2, 4]]), "do not follow from its counts"),
    (lambda s, p: p["counts"]["parts"]["model"].update(confusion=[[9, 1], [2, 4]]), "counts are not valid"),
    (lambda s, p: p["dataset"].update(rows=9), "unknown members"),
    (lambda s, p: p.update(more=1), "unknown members"),
    (lambda s, p: s.update(more=1), "unknown members"),
    (lambda s, p: s.update(predicateType="urn:promotion:evaluation:v2"), "another type"),
    (lambda s, p: s.update(_type="https://in-toto.io/Statement/v0.1"), "another type"),
    (lambda s, p: s["subject"].append(s["subject"][0]), "another type"),
    (lambda s, p: s["subject"][0].update(digest={"sha1": "a" * 40}), "KeyError"),
    (lambda s, p: s["subject"][0].update(digest={"sha256": "A" * 64}), "not a sha256"),
    (lambda s, p: p.update(startedOn="2026-10-03T12:00:00.000000Z"), "finished before"),
    (lambda s, p: p.update(startedOn="2026-10-02T12:00:00"), "without its zone"),
    (lambda s, p: p.update(startedOn=12), "must be text"),
    (lambda s, p: p.update(by=None), "must be text"),
    (lambda s, p: p.pop("isolation"), "isolation"),
    (lambda s, p: p.update(settings=[1]), "not a statement"),
    (lambda s, p: p.update(versions=["python"]), "not a statement"),
    (lambda s, p: s.update(predicate=None), "not a statement"),
]


@pytest.mark.parametrize(("edit", "words"), EDITS, ids=range(len(EDITS)))
def test_an_edited_statement_is_missing_evidence(edit, words):
    with pytest.raises(EvidenceError) as caught:
        read(edited(edit))
    assert words in caught.value.message
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"NaN",
        b"\xff\xfe",
        GOOD.to_bytes()[:-1],
        GOOD.to_bytes()[:500],
        GOOD.to_bytes() + b" ",
        b" " + GOOD.to_bytes(),
        GOOD.to_bytes().replace(b'"by":"ci"', b'"by":"ci","by":"ci"'),
        GOOD.to_bytes().replace(b'"rows":10', b'"rows":1e1', 1),
        GOOD.to_bytes().replace("ü".encode(), b"\\u00fc"),
        json.dumps(json.loads(GOOD.to_bytes()), indent=1).encode(),
        b"[" * 100_000,
        b'"' + b"x" * MAX_BYTES + b'"',
    ],
    ids=range(16),
)
def test_other_bytes_are_missing_evidence(data):
    with pytest.raises(EvidenceError):
        read(data)


@given(st.data())
def test_no_changed_byte_goes_unnoticed_by_name(data):
    good = GOOD.to_bytes()
    position = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[position] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(changed))
    except EvidenceError:
        return
    # What still reads is a statement of its own: another name, never passing for the first.
    assert found.digest != GOOD.digest
    assert found.to_bytes() == bytes(changed)


def test_settings_that_json_cannot_hold_are_an_error():
    for settings in ({"when": STARTED}, {"x": math.nan}, {"x": {1, 2}}, {"x": "\ud800"}):
        with pytest.raises(EvidenceError, match="cannot be written as JSON"):
            key("a", "b", GOOD.evaluator, settings)


def test_a_folder_keeps_and_finds(tmp_path):
    folder = FolderEvidence(tmp_path / "new")
    assert folder.find(GOOD.key) == ()
    path = folder.put(GOOD)

    assert path == tmp_path / "new" / "evidence" / GOOD.key / f"{GOOD.digest}.json"
    assert folder.put(GOOD) == path
    assert folder.find(GOOD.key) == (GOOD.to_bytes(),)
    assert folder.get(GOOD.digest) == GOOD.to_bytes()
    assert folder.get("0" * 64) is None
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert search([folder], GOOD.key).evidence == read(GOOD.to_bytes())


def test_the_newest_valid_statement_counts(tmp_path):
    folder = FolderEvidence(tmp_path)
    later = replace(GOOD, finished=GOOD.finished + timedelta(hours=1))
    folder.put(later)
    folder.put(GOOD)
    found = search([folder], GOOD.key).evidence
    assert found is not None
    assert found.digest == later.digest


def test_what_is_corrupt_or_of_something_else_is_missing_with_the_reason(tmp_path):
    folder = FolderEvidence(tmp_path)
    other = replace(GOOD, artifact="0" * 64)
    place = tmp_path / "evidence" / GOOD.key
    path = folder.put(GOOD)
    path.write_bytes(GOOD.to_bytes()[:300])
    (place / f"{other.digest}.json").write_bytes(other.to_bytes())
    forged = edited(lambda s, p: p["figures"].update(f1=0.99))
    (place / f"{hashlib.sha256(forged).hexdigest()}.json").write_bytes(forged)
    (place / f"{'1' * 64}.json").symlink_to(path)
    os.mkfifo(place / f"{'2' * 64}.json")
    found = search([folder], GOOD.key)

    assert found.evidence is None
    assert len(found.rejected) == 5
    text = "\n".join(found.rejected)
    for words in ("does not hold what its name says", "of another artifact", "do not follow from its counts", "cannot be read"):
        assert words in text
    assert folder.get(GOOD.digest) is None


def test_a_consistent_statement_under_a_wrong_name_is_missing(tmp_path):
    place = tmp_path / "evidence" / GOOD.key
    place.mkdir(parents=True)
    (place / f"{'0' * 64}.json").write_bytes(GOOD.to_bytes())
    assert search([FolderEvidence(tmp_path)], GOOD.key).evidence is None


def resampled() -> Evidence:
    """Evidence with its resamples."""
    truth = [place % 2 for place in range(40)]
    block = {
        "schema": "promotion/outcomes/v1",
        "positive": "attack",
        "labels": ["benign", "attack"],
        "seconds": 0.5,
        "index": list(range(40)),
        "truth": truth,
        "parts": {"model": {"predicted": [*truth[:36], *(1 - one for one in truth[36:])]}},
    }
    counts, replicates = fold([block])
    return replace(GOOD, counts=counts, resampled=replicates.to_bytes())


def test_resamples_lie_beside_the_statement_that_names_them(tmp_path):
    evidence, folder = resampled(), FolderEvidence(tmp_path)
    place = folder.put(evidence).parent
    found = search([folder], evidence.key).evidence

    assert evidence.resampled is not None
    assert sorted(one.name for one in place.iterdir()) == sorted(
        [f"{evidence.digest}.json", f"{hashlib.sha256(evidence.resampled).hexdigest()}.replicates"]
    )
    assert found is not None
    assert (found.resampled, found.digest) == (evidence.resampled, evidence.digest)
    assert folder.resampled(evidence.key, "../" + "a" * 61) is None


@pytest.mark.parametrize("fault", ["missing", "truncated", "other", "linked"])
def test_evidence_without_the_resamples_that_it_names_is_missing(tmp_path, fault):
    evidence, folder = resampled(), FolderEvidence(tmp_path)
    file = folder.put(evidence).parent / f"{evidence.replicates}.replicates"
    data = file.read_bytes()
    file.unlink()
    if fault == "linked":
        (tmp_path / "elsewhere").write_bytes(data)
        file.symlink_to(tmp_path / "elsewhere")
    elif fault != "missing":
        file.write_bytes(data[:-1] if fault == "truncated" else data + b"x")
    found = search([folder], evidence.key)

    assert found.evidence is None
    assert "resamples" in found.rejected[0]
    assert "missing" in found.rejected[0]


def test_resamples_of_other_counts_are_missing_evidence_too(tmp_path):
    other = resampled()
    parts = {"model": {"labels": ["benign", "attack"], "confusion": [[20, 0], [0, 20]]}}
    better = parse({**json.loads(json.dumps(document(other.counts))), "parts": parts})
    evidence, folder = replace(other, counts=better), FolderEvidence(tmp_path)
    folder.put(evidence)
    found = search([folder], evidence.key)

    assert found.evidence is None
    assert "do not lie around its counts" in found.rejected[0]


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="cannot be kept"):
        FolderEvidence(tmp_path / "file").put(GOOD)
