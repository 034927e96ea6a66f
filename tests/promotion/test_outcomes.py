"""Outcomes row by row become counts and resamples: the same in any order, any shards, for any model on the same rows."""

from __future__ import annotations

import itertools
import json
import math
import zlib
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from promotion import outcomes, packing
from promotion.classification.counts import BINS
from promotion.classification.outcomes import fold
from promotion.counting import CountsError
from promotion.figures import derived, document, figures
from promotion.packing import ReplicatesError
from promotion.replicates import paired, read
from promotion.resampling import RESAMPLES, totals, weights

ROWS = 600
KEPT = [
    [1, 0, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0],
    [0, 0, 1, 1, 0, 2, 0, 1, 2, 0, 0, 0],
    [1, 1, 1, 1, 1, 0, 3, 2, 4, 0, 0, 2],
    [1, 0, 1, 2, 0, 1, 2, 0, 0, 1, 2, 2],
]


def block(rows=slice(None), *, seed=1, grouped=True, n=ROWS, **other):
    """Rows of one dataset as the model with this seed told them."""
    data, model = np.random.default_rng(0), np.random.default_rng(seed)
    truth = (data.random(n) < 0.3).astype(int)
    said = truth ^ (model.random(n) < 0.1)
    found = {
        "index": np.arange(n),
        "group": np.arange(n) // 3,
        "truth": truth,
        "class": np.array(["BENIGN", "Bot", "DDoS"])[np.where(truth, data.integers(1, 3, n), 0)],
    }
    parts = {
        "model": {"predicted": said, "score": np.where(said, 0.9, 0.1)},
        "trees": {"predicted": truth ^ (model.random(n) < 0.2), "score": said * 0.5},
    }
    return {
        "schema": "promotion/outcomes/v1",
        "positive": "attack",
        "labels": ["benign", "attack"],
        "seconds": 0.25,
        **{name: column[rows] for name, column in found.items() if grouped or name != "group"},
        "parts": {name: {key: column[rows] for key, column in one.items()} for name, one in parts.items()},
        "values": {"router.trees": model.random(n)[rows]},
        **other,
    }


def test_the_weights_are_poisson_and_of_the_key_alone():
    drawn = weights(np.arange(20_000))
    shares = np.bincount(drawn.ravel(), minlength=12)[:6] / drawn.size
    poisson = [math.exp(-1) / math.factorial(weight) for weight in range(6)]

    assert shares == pytest.approx(poisson, abs=5e-4)
    assert drawn.var() == pytest.approx(1, abs=2e-3)
    assert (drawn[7:9] == weights(np.array([7, 8]))).all()
    assert not (drawn[0] == drawn[1]).all()
    # Resamples are as independent of each other as so many units allow: five standard errors.
    between = np.corrcoef(drawn[:, :60].T) - np.eye(60)
    assert abs(between).max() < 5 / math.sqrt(20_000)


def test_the_weights_stay_what_they_were():
    # Evidence that was kept is paired with new evidence: another generator would need another schema.
    assert weights(np.array([0, 1, -1, 2**40]))[:, :12].tolist() == KEPT


@pytest.mark.parametrize("grouped", [True, False])
def test_resamples_are_those_of_a_bootstrap_written_out(grouped):
    given = block(grouped=grouped)
    counts, made = fold([given])
    unit = given["group"] if grouped else given["index"]
    by_row = weights(unit).astype(np.int64)
    truth, said = given["truth"], given["parts"]["model"]["predicted"]

    assert (made.truth[1] == by_row[truth == 1].sum(0)).all()
    assert (made.hits["model"][1] == by_row[(truth == 1) & (said == 1)].sum(0)).all()
    assert (made.predicted["model"][0] == by_row[said == 0].sum(0)).all()
    assert (made.classes["Bot"][1] == by_row[(given["class"] == "Bot") & (said == truth)].sum(0)).all()
    assert made.sums["router.trees"] == pytest.approx(given["values"]["router.trees"] @ by_row)
    assert figures(counts)["router.trees"] == pytest.approx(given["values"]["router.trees"].mean())


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=5), order=st.randoms(use_true_random=False), grouped=st.booleans())
def test_shards_and_their_order_change_nothing(cuts, order, grouped):
    edges = sorted({0, ROWS, *cuts})
    pieces = [block(slice(start, stop), grouped=grouped) for start, stop in itertools.pairwise(edges)]
    order.shuffle(pieces)
    (one, ours), (whole, theirs) = fold(pieces), fold([block(grouped=grouped)])

    assert document(one) | {"seconds": 0, "sums": {}} == document(whole) | {"seconds": 0, "sums": {}}
    assert one.sums["router.trees"] == pytest.approx(whole.sums["router.trees"])
    assert paired(ours, theirs)
    for mine, other in zip(ours._columns(), theirs._columns(), strict=True):
        assert mine[0] == pytest.approx(other[0])


def test_two_models_on_the_same_rows_are_paired_and_on_others_are_not():
    _, one = fold([block(seed=1)])
    _, other = fold([block(seed=2)])
    assert paired(one, other)
    assert not paired(one, fold([block(seed=1, n=ROWS + 3)])[1])
    assert not paired(one, fold([block(seed=1, grouped=False)])[1])


def test_a_resampled_figure_is_the_figure_of_the_resampled_counts():
    counts, made = fold([block()])
    again = read(made.to_bytes(), counts)
    for name, point in derived(counts).items():
        values = again.figure(name, counts)
        if name.endswith(".support") or name in {"rows", "seconds_per_row"}:
            assert values is None
            continue
        assert values is not None
        assert values.shape == (RESAMPLES,)
        # A resample in which everybody weighs one would be the point itself; their mean is near it.
        assert abs(np.nanmean(values) - point) < 6 * np.nanstd(values) / math.sqrt(RESAMPLES) + 0.01, name


@pytest.mark.parametrize("grouped", [True, False])
def test_resampled_areas_are_scikit_learns_of_the_resampled_rows(grouped):
    random = np.random.default_rng(5)
    given = block(grouped=grouped)
    score = np.clip(0.35 * given["truth"] + random.normal(0.4, 0.2, ROWS), 0, 1)
    given["parts"]["model"]["score"] = score
    counts, made = fold([block(slice(0, 0), grouped=grouped), given])
    binned = np.minimum((score * BINS).astype(int), BINS - 1)
    drawn = weights(given["group" if grouped else "index"])
    roc, curve = (made.figure(name, counts) for name in ("roc_auc", "pr_auc"))
    assert roc is not None
    assert curve is not None
    for resample in (0, 1, 500, 999):
        weight = drawn[:, resample]
        assert roc[resample] == pytest.approx(metrics.roc_auc_score(given["truth"], binned, sample_weight=weight), abs=1e-9)
        assert curve[resample] == pytest.approx(metrics.average_precision_score(given["truth"], binned, sample_weight=weight), abs=1e-9)
    again = read(made.to_bytes(), counts).figure("roc_auc", counts)
    assert again is not None
    assert np.array_equal(again, roc)
    assert made.units("roc_auc") < made.units("accuracy"), "positive rows are the fewer, and bound what is known"


def test_an_area_without_rows_of_both_kinds_has_no_value():
    truth = np.zeros(ROWS, dtype=int)
    truth[:2] = 1
    counts, made = fold([block(truth=truth)])
    values = read(made.to_bytes(), counts).figure("roc_auc", counts)
    assert values is not None
    lost = np.isnan(values)
    assert (lost == (made.truth[1] == 0)).all()
    assert 0 < lost.sum() < RESAMPLES / 2


def test_a_file_that_is_older_than_areas_is_read_without_them():
    counts, made = fold([block()])
    older = replace(made, areas={})
    header, body = packing.unpack(older.to_bytes())
    del header["areas"]
    found = read(zlib.compress(json.dumps(header).encode() + b"\n" + body), counts)
    assert found.figure("roc_auc", counts) is None
    f1, known = found.figure("f1", counts), made.figure("f1", counts)
    assert f1 is not None
    assert known is not None
    assert np.array_equal(f1, known)


def test_ablation_is_the_model_less_its_best_part():
    counts, made = fold([block()])
    found = derived(counts)
    assert found["ablation.f1"] == pytest.approx(found["f1"] - found["trees.f1"])
    whole, part, ablation = (made.figure(name, counts) for name in ("f1", "trees.f1", "ablation.f1"))
    assert whole is not None
    assert part is not None
    assert ablation is not None
    assert (ablation == whole - part).all()
    assert "ablation.f1" not in figures(counts)


def test_how_many_units_there_are_shows_in_the_resamples():
    _, rows = fold([block(grouped=False, n=6000)])
    _, groups = fold([block(n=6000)])
    assert rows.units("f1") == pytest.approx(6000, rel=0.2)
    assert groups.units("f1") == pytest.approx(2000, rel=0.2)


def test_totals_of_many_rows_in_one_unit_are_exact():
    found = totals(np.zeros(65_536, dtype=np.int64), np.ones((65_536, 1), dtype=np.float32))
    assert (found.counts[0] == 65_536 * weights(np.array([0]))[0].astype(np.int64)).all()


BAD = [
    ({"schema": "promotion/outcomes/v2"}, "schema must be"),
    ({"extra": 1}, "there is no ['extra']"),
    ({"labels": ["attack", "attack"]}, "labels must be names that differ"),
    ({"positive": "other"}, "positive must be one of the labels"),
    ({"seconds": math.nan}, "seconds must be a time"),
    ({"truth": [2] * ROWS}, "truth must be places in labels"),
    ({"truth": [-1] * ROWS}, "truth must be places in labels"),
    ({"truth": [0.5] * ROWS}, "truth must be 600 whole numbers"),
    ({"group": [0, 1]}, "group must be 600 whole numbers"),
    ({"class": ["x"]}, "class must be 600 names"),
    ({"class": ["x\x1b"] * ROWS}, "classes"),
    ({"parts": {}}, "parts must be a mapping that has 'model'"),
    ({"parts": {"model": {"predicted": [0]}}}, "model.predicted must be 600 whole numbers"),
    ({"parts": {"model": {"predicted": [0] * ROWS, "score": [math.nan] * ROWS}}}, "NaN or infinity"),
    ({"parts": {"model": {"predicted": [0] * ROWS, "score": [1.5] * ROWS}}}, "must lie in [0, 1]"),
    ({"values": {"router.trees": [math.inf] * ROWS}}, "NaN or infinity"),
    ({"values": {"f1": [1.0] * ROWS}}, "bears the name of a figure"),
]


@pytest.mark.parametrize(("odd", "words"), BAD, ids=range(len(BAD)))
def test_a_block_that_is_not_as_it_must_be_is_told(odd, words):
    with pytest.raises(CountsError) as caught:
        fold([block(**odd)])
    assert words in caught.value.message
    assert caught.value.hint


def test_blocks_must_be_of_one_model():
    without = {name: value for name, value in block().items() if name != "values"}
    with pytest.raises(CountsError, match=r"block 1 .*others than in the blocks before"):
        fold([block(slice(0, 10)), without])
    with pytest.raises(CountsError, match="no rows at all"):
        outcomes.fold([])


def test_scores_fall_into_equal_bins():
    counts, _ = fold([block()])
    scores = counts.parts["model"].scores
    assert scores is not None
    assert sum(scores.positive[:20]) == sum(scores.negative[:20]) == 0
    assert sum(scores.positive) + sum(scores.negative) == ROWS
    assert len(scores.positive) == BINS


def _repacked(edit) -> bytes:
    _, made = fold([block()])
    head, _, content = zlib.decompress(made.to_bytes()).partition(b"\n")
    header = json.loads(head)
    body = bytearray(content)
    edit(header, body)
    return zlib.compress(json.dumps(header).encode() + b"\n" + bytes(body))


def _set(body, column, value):
    """Overwrite a whole-number column: its lowest byte of every resample."""
    start = column * 8 * RESAMPLES
    body[start : start + RESAMPLES] = bytes([value]) * RESAMPLES


BROKEN = [
    (lambda h, b: h.update(schema="promotion/replicates/v2"), "other labels"),
    (lambda h, b: h.update(seed=1), "other labels"),
    (lambda h, b: h.update(resamples=999), "other labels"),
    (lambda h, b: h.update(unit="day"), "other labels"),
    (lambda h, b: h.pop("unit"), "unit"),
    (lambda h, b: h.update(more=1), "other labels"),
    (lambda h, b: h.update(labels=["attack", "benign"]), "other labels"),
    (lambda h, b: h.update(classes=["Bot"]), "other labels"),
    (lambda h, b: h.update(parts=["model"]), "other parts"),
    (lambda h, b: h.update(areas=["model"]), "areas of other parts"),
    (lambda h, b: b.__setitem__(slice(-8 * RESAMPLES, None), bytes(8 * RESAMPLES)), "trees: pr_auc does not lie around its counts"),
    (lambda h, b: b.__setitem__(slice(-RESAMPLES, None), b"\x40" * RESAMPLES), "does not lie between 0 and 1"),
    (lambda h, b: b.__setitem__(slice(-8 * RESAMPLES, None), b"\xff" * 8 * RESAMPLES), "is there without rows, or not with them"),
    (lambda h, b: b.pop(), "bytes of columns"),
    (lambda h, b: b.extend(bytes(8)), "bytes of columns"),
    (lambda h, b: _set(b, 1, 0), "hits exceed the rows"),
    (lambda h, b: _set(b, 3, 255), "hits exceed the rows"),
    (lambda h, b: _set(b, 3, 1), "do not lie around its counts"),
    (lambda h, b: _set(b, 5, 255), "other rows|hits exceed"),
    (lambda h, b: b.__setitem__(slice(7 * RESAMPLES, 8 * RESAMPLES), b"\xff" * RESAMPLES), "a count is negative"),
]


@pytest.mark.parametrize(("edit", "words"), BROKEN, ids=range(len(BROKEN)))
def test_a_file_that_does_not_fit_is_refused(edit, words):
    counts, made = fold([block()])
    assert (read(_repacked(lambda h, b: None), counts).truth == made.truth).all()
    with pytest.raises(ReplicatesError) as caught:
        read(_repacked(edit), counts)
    assert any(one in caught.value.message for one in words.split("|")), caught.value.message


@cache
def folded():
    counts, made = fold([block()])
    return counts, made.to_bytes()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_bytes_make_reading_fail_in_another_way(data):
    counts, data_of_it = folded()
    good = bytearray(data_of_it)
    place = data.draw(st.integers(0, len(good) - 1))
    good[place] ^= data.draw(st.integers(1, 255))
    try:
        read(bytes(good[: data.draw(st.integers(place, len(good)))]), counts)
    except ReplicatesError:
        return
