"""What the journal keeps as evidence, read for the page: figures, intervals, and what cannot be read, with the reason."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from promotion.evidence import Evidence
from promotion.git import Git
from promotion.intervals import Estimate
from promotion.journal import State
from promotion.kept import FolderEvidence
from promotion.outcomes import fold
from promotion.replicates import Sampled
from promotion.report.statements import Statements, statements
from tests.promotion.report.site import evidence


def resampled() -> Evidence:
    """Evidence of 400 rows, of which 36 are told wrongly, with its resamples."""
    truth = [place % 2 for place in range(400)]
    told = [*truth[:364], *(1 - one for one in truth[364:])]
    block = {
        "schema": "promotion/outcomes/v1",
        "positive": "attack",
        "labels": ["benign", "attack"],
        "seconds": 0.5,
        "index": list(range(400)),
        "truth": truth,
        "parts": {"model": {"predicted": told, "score": [0.9 if one else 0.1 for one in told]}},
    }
    counts, replicates = fold([block])
    return replace(evidence("flows", 1), counts=counts, resampled=replicates.to_bytes())


GOOD = resampled()


@pytest.fixture
def kept(tmp_path: Path):
    """A journal's tree with this evidence: where its files are, and what reading the tree tells."""
    FolderEvidence(tmp_path).put(GOOD)
    place = tmp_path / "evidence" / GOOD.key[:2] / GOOD.key
    place.parent.mkdir()
    (tmp_path / "evidence" / GOOD.key).rename(place)

    def told() -> Statements:
        for command in ("init -q -b promotion-journal", "add -A", "-c user.name=a -c user.email=a@example.org commit -q -m entry"):
            subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()
        return statements(State(Git(tmp_path), head=head))

    return place, told


def test_figures_have_the_intervals_that_gates_see(kept):
    _, told = kept
    found = told()
    assert found.unreadable == {}
    assert found.evidence[GOOD.digest].counts == GOOD.counts
    sample = Sampled(GOOD.resampled or b"", GOOD.counts)
    expected = Estimate(GOOD.figures["f1"], sample.values("f1"), sample.units("f1")).interval(0.95)
    assert expected is not None
    assert found.intervals[GOOD.digest]["f1"] == expected
    assert expected.low < GOOD.figures["f1"] < expected.high
    area = found.intervals[GOOD.digest]["roc_auc"]
    assert area.low < GOOD.figures["roc_auc"] < area.high <= 1
    assert "seconds_per_row" not in found.intervals[GOOD.digest], "times have none"


def test_an_edited_statement_is_told(kept):
    place, told = kept
    file = place / f"{GOOD.digest}.json"
    edited = file.read_bytes().replace(b'"f1":0.91', b'"f1":0.99')
    assert edited != file.read_bytes()
    file.write_bytes(edited)
    assert told().unreadable == {
        GOOD.digest: f"evidence/{GOOD.key[:2]}/{GOOD.key}/{GOOD.digest}.json is missing, or is not what its name says"
    }
    (place / f"{hashlib.sha256(edited).hexdigest()}.json").write_bytes(edited)
    found = told()
    assert "figures do not follow from its counts" in found.unreadable[hashlib.sha256(edited).hexdigest()]
    assert found.evidence == {}


def test_a_statement_in_the_place_of_another_is_told(kept):
    place, told = kept
    other = place.parent / ("0" * 64)
    place.rename(other)
    assert "of another artifact, dataset, evaluator" in told().unreadable[GOOD.digest]


@pytest.mark.parametrize("content", [None, b"", b"truncated"])
def test_without_its_resamples_the_figures_stay_and_the_lack_is_told(kept, content):
    place, told = kept
    file = place / f"{GOOD.replicates}.replicates"
    file.unlink() if content is None else file.write_bytes(content)
    found = told()
    assert set(found.evidence) == {GOOD.digest}
    assert found.intervals == {}
    assert found.unreadable[GOOD.digest].startswith("its figures have no intervals: the file of its resamples")


def test_resamples_that_are_what_their_name_says_and_yet_no_resamples_are_told(kept, tmp_path):
    place, told = kept
    bad = b"not resamples"
    lie = replace(GOOD, resampled=None, beside=hashlib.sha256(bad).hexdigest())
    (place / f"{lie.digest}.json").write_bytes(lie.to_bytes())
    (place / f"{lie.beside}.replicates").write_bytes(bad)
    found = told()
    assert set(found.unreadable) == {lie.digest}
    assert set(found.intervals) == {GOOD.digest}


def test_a_journal_without_entries_has_none():
    assert statements(State(Git(Path()))) == Statements({}, {}, {})
