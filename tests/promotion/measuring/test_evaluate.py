"""Measuring: real children, and what evidence says of them; what is not as it was pinned is not measured."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from promotion import confine, replicates, sources
from promotion.domain import Place
from promotion.errors import Unavailable, UsageError
from promotion.evaluate import NotMeasured, evaluate, evidence_key, pinned_dataset
from promotion.evidence import read
from promotion.progress import Progress
from promotion.resampling import SEED
from promotion.sources import evaluator_digest
from tests.promotion.measuring.conftest import NAME, NOW, REF, ROWS, evaluation, measured


def test_evidence_says_what_was_measured_and_how(registry, root):
    evidence = measured(registry, root)

    assert evidence.artifact == registry.artifact(NAME, 1).digest
    assert evidence.key == evidence_key(evidence.artifact, evaluation(), root)
    assert evidence.figures["f1"] == 1
    assert (evidence.subject, evidence.by, evidence.started) == (f"{NAME}/1", "ci", NOW)
    assert evidence.isolation.startswith("own session, clean environment")
    assert evidence.versions["python"].startswith("3.")
    processors = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    assert evidence.hardware["processor"] in processors or "model name" not in processors
    assert read(evidence.to_bytes()).digest == evidence.digest


def test_a_lock_file_and_the_seeds_are_part_of_the_evidence(registry, root):
    (root / "constraints.txt").write_text("xgboost==3.1.2\n")
    with_lock = evaluation("by_row", lock="constraints.txt")
    evidence = evaluate(registry, REF, with_lock, root, by="ci", now=lambda: NOW)

    assert evidence.evaluator.lock == evaluator_digest(root, ("constraints.txt",))
    assert evidence.key == evidence_key(evidence.artifact, with_lock, root) != evidence_key(evidence.artifact, evaluation("by_row"), root)
    assert evidence.seeds == {"python": 0, "resamples": SEED}
    assert read(evidence.to_bytes()) == replace(evidence, resampled=None, beside=evidence.replicates)
    (root / "constraints.txt").write_text("xgboost==3.1.3\n")
    assert evidence.key != evidence_key(evidence.artifact, with_lock, root), "other libraries, measured again"
    (root / "constraints.txt").unlink()
    with pytest.raises(UsageError, match=r"evaluation 'flows': no file matches 'constraints\.txt'"):
        evidence_key(evidence.artifact, with_lock, root)


def test_shards_are_merged(registry, root):
    assert measured(registry, root, "sharded").counts.rows == 6


def test_outcomes_are_counted_and_resampled_in_the_child(registry, root):
    sharded, whole = measured(registry, root, "by_row"), measured(registry, root, "by_row_at_once")

    assert sharded.counts.parts == whole.counts.parts
    assert sharded.figures["accuracy"] == pytest.approx(0.9)
    assert sharded.figures["router.tabular"] == 0.25
    assert sharded.figures["class.DDoS.support"] == 100
    assert sharded.resampled == whole.resampled
    assert sharded.resampled is not None
    resamples = replicates.read(sharded.resampled, sharded.counts)
    f1 = resamples.figure("f1", sharded.counts)
    assert f1 is not None
    assert np.quantile(f1, 0.025) < sharded.figures["f1"] < np.quantile(f1, 0.975)
    assert read(sharded.to_bytes()).replicates == hashlib.sha256(sharded.resampled).hexdigest()


def test_memory_does_not_grow_with_the_rows(registry, root):
    assert measured(registry, root, "by_row_of_many", memory=256 << 20, timeout=120.0).counts.rows == 163_840


def test_a_long_measurement_tells_how_far_it_is(registry, root, monkeypatch):
    monkeypatch.setattr("promotion.progress.EVERY", 0.4)
    told: list[str] = []
    evaluate(registry, REF, evaluation("by_row_slowly"), root, by="ci", now=lambda: NOW, share=confine.Share(report=told.append))
    assert 3 <= len(told) <= 20, told
    assert all(one.startswith(f"measuring {NAME}/1 by flows: ") and one.endswith(" s, of at most 30 s") for one in told), told
    assert any(f": {rows} rows in " in one for one in told for rows in (100, 200)), told


@pytest.mark.parametrize("said", [b"12x", b"9" * 40, b"-1", b"", b"\xff", b"1\x1b[2J", None])
def test_of_what_is_no_number_of_rows_nothing_is_told(tmp_path, said):
    place = tmp_path / "progress.txt"
    if said is None:
        place.symlink_to("/etc/hostname")
    else:
        place.write_bytes(said)
    told: list[str] = []
    Progress("measuring m/1", 60, place, told.append)(12.0)
    assert told == ["measuring m/1: in 12 s, of at most 60 s"]


def test_another_digest_than_pinned_is_not_measured(registry, root):
    with pytest.raises(UsageError, match=f"not sha256:{'0' * 64}"):
        evaluate(registry, replace(REF, digest="0" * 64), evaluation(), root, by="ci")


def test_a_refused_format_is_never_loaded(registry, root, files):
    registry.replace_files(NAME, 1, {**files, "more.bin": b"\x80\x04N."})
    with pytest.raises(NotMeasured, match=r"not loaded: more\.bin: a pickle"):
        measured(registry, root)


def test_a_missing_dataset_is_unavailable_with_the_command(registry, root):
    (root / "rows.csv").unlink()
    with pytest.raises(Unavailable, match=r"rows\.csv cannot be read") as caught:
        measured(registry, root)
    assert caught.value.hint == "get it with: make data"


def test_another_dataset_is_unavailable_and_says_both(registry, root):
    (root / "rows.csv").write_bytes(b"1,benign\n")
    with pytest.raises(Unavailable) as caught:
        measured(registry, root)
    assert hashlib.sha256(ROWS).hexdigest() in caught.value.message
    assert hashlib.sha256(b"1,benign\n").hexdigest() in caught.value.message


def test_a_dataset_is_read_once_for_all_versions_and_again_when_it_was_written_to(registry, root, monkeypatch):
    read_now: list[Path] = []
    digest = sources.file_digest

    def counting(path: Path) -> str:
        read_now.append(path)
        return digest(path)

    monkeypatch.setattr(sources, "file_digest", counting)
    path, pinned = root / "rows.csv", evaluation().dataset
    assert [pinned_dataset(pinned, root) for _ in range(3)] == [path] * 3
    assert read_now == [path]
    before = path.stat()
    path.write_bytes(ROWS.replace(b"attack", b"benign"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    with pytest.raises(Unavailable, match="where the policy pins"):
        pinned_dataset(pinned, root)
    assert read_now == [path, path]


def test_a_source_pattern_without_files_points_at_the_policy(registry, root):
    with pytest.raises(UsageError, match=r"evaluation 'flows': no file matches 'train/\*\.py'") as caught:
        measured(registry, root, sources=("scoring.py", "train/*.py"))
    assert caught.value.place == Place("policies/production.yaml", 3, 5)


@pytest.mark.parametrize("patterns", [(), ("",), ("missing",), ("../*",), ("/etc/host*",)])
def test_sources_that_cannot_be_an_identity(root, patterns):
    (root.parent / "outside.py").write_text("x")
    with pytest.raises(UsageError):
        evaluator_digest(root, patterns)


def test_a_linked_source_outside_is_refused(root):
    (root / "linked.py").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="leads outside"):
        evaluator_digest(root, ("*.py",))


def test_the_evaluators_identity_is_that_of_its_files(root, tmp_path):
    (root / "train/parts").mkdir(parents=True)
    (root / "train/a.py").write_text("a")
    (root / "train/parts/b.py").write_text("b")
    first = evaluator_digest(root, ("train/**",))

    assert evaluator_digest(root, ("train/**/*.py", "train/a.py")) == first
    copied = Path(shutil.copytree(root, tmp_path / "elsewhere"))
    (copied / "train/__pycache__").mkdir()
    (copied / "train/__pycache__/a.pyc").write_bytes(b"x")
    assert evaluator_digest(copied, ("train/**",)) == first
    (copied / "train/parts/b.py").write_text("B")
    assert evaluator_digest(copied, ("train/**",)) != first
    (root / "train/parts/b.py").rename(root / "train/parts/c.py")
    assert evaluator_digest(root, ("train/**",)) != first


def test_the_work_folder_is_gone_afterwards(registry, root, tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    measured(registry, root)
    with pytest.raises(NotMeasured):
        measured(registry, root, "vanishes")
    assert list(place.iterdir()) == []
