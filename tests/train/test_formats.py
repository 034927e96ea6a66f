"""Every form in which the owners' rows come: both formats of each dataset, folders, gzip and Parquet, in order and in none."""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train import datasets
from train.datasets import cicids2017, synthetic, unsw_nb15
from train.datasets.rows import Bursts, Order, in_order
from train.errors import TrainError
from train.flows import NO_CONTEXT, Flows, split, vectors

RAW: dict[str, str] = dict.fromkeys(unsw_nb15.RAW, "1") | {
    "srcip": "10.0.0.1", "dstip": "10.0.0.2", "sport": "0x20", "dsport": "-", "proto": "tcp", "service": "dns", "state": "FIN",
    "stime": "1421927377", "dur": "0.5", "spkts": "6", "dpkts": "5", "attack_cat": "", "label": "0",
}  # fmt: skip


def raw(*rows: dict[str, str]) -> bytes:
    return "".join(",".join((RAW | row).values()) + "\n" for row in rows).encode()


def labelled(*rows: tuple[str, str]) -> bytes:
    """TrafficLabelling: (destination address, label)."""
    lines = [", ".join(cicids2017.LABELLED)]
    lines += [",".join(["id", "10.0.0.9", "40000", to, "80", "6", "7/7/2017 3:56", *map(str, range(1, 78)), label]) for to, label in rows]
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Flows]:
    def load(name: str, content: bytes, file: str = "rows.csv") -> Flows:
        (tmp_path / file).write_bytes(content)
        return datasets.load(name, [tmp_path / file])

    return load


def column(flows: Flows, name: str) -> list[float]:
    return np.take(flows.values, flows.columns.index(name), axis=1).tolist()  # type: ignore[no-any-return]


def test_a_raw_capture_has_the_features_of_the_partitions(read: Callable[..., Flows]) -> None:
    flows = read("unsw-nb15", raw({}, {"attack_cat": " Fuzzers ", "label": "1", "dur": "0", "ct_ftp_cmd": " "}))
    assert flows.columns == unsw_nb15.FEATURES
    assert column(flows, "rate") == [20.0, 0.0], "packets but one by the duration"
    assert column(flows, "ct_ftp_cmd") == [1.0, 0.0]
    assert flows.kinds.tolist() == ["Normal", "Fuzzers"]
    assert flows.stream.tolist() == [0, 0]
    assert flows.group[0] == flows.group[1]


def test_an_hour_of_silence_begins_a_new_stream_and_a_file_out_of_order_has_none(read: Callable[..., Flows]) -> None:
    times = ["1000", "1010", "9000", "9001"]
    assert read("unsw-nb15", raw(*({"stime": time} for time in times))).stream.tolist() == [0, 0, 1, 1]
    back = ["9000", "1000", "9001", "1010"] * 5
    assert set(read("unsw-nb15", raw(*({"stime": time} for time in back))).stream.tolist()) == {NO_CONTEXT}


def test_the_format_with_addresses_gives_the_same_features(read: Callable[..., Flows]) -> None:
    flows = read("cicids2017", labelled(("10.0.0.1", "BENIGN"), ("10.0.0.2", "DDoS"), ("10.0.0.1", "BENIGN")))
    assert flows.columns == cicids2017.FEATURES
    assert column(flows, "Flow Duration")[0] == 1.0, "not an id"
    assert flows.group[0] == flows.group[2] != flows.group[1], "who talks to whom in a minute is a group"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("cicids2017", labelled(("10.0.0.1", "BENIGN"), ("10.0.0.1", "BENlGN")), "rows.csv:3: the label 'BENlGN' is none"),
        ("unsw-nb15", raw({}, {"attack_cat": "Gremlins", "label": "1"}), "rows.csv:2: the category 'Gremlins' is none"),
        ("unsw-nb15", raw({}, {"sbytes": "many"}), "rows.csv:2: 'sbytes' holds 'many', which is no number"),
        ("unsw-nb15", raw({}, {"label": ""}), "rows.csv:2: 'label' is neither 0 nor 1"),
        ("unsw-nb15", raw({"label": "7"}), "rows.csv:1: 49 columns that are not the 45"),
        ("unsw-nb15", raw({}) + b"1,2,3,4" * 30 + b"\n", "rows.csv:2: more cells"),
        ("cicids2017", b"PAR1 nothing of the kind", "not a Parquet file that can be read"),
        ("cicids2017", labelled(), "rows.csv:2: the file has no rows"),
    ],
    ids=["label", "category", "word", "no label", "no layout", "too long", "parquet", "no rows"],
)
def test_what_cannot_be_meant_is_refused_with_its_place(read: Callable[..., Flows], name: str, content: bytes, told: str) -> None:
    with pytest.raises(TrainError) as caught:
        read(name, content)
    assert told in caught.value.message
    assert caught.value.hint


def test_a_capture_beside_a_partition_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(raw({}))
    usual = dict.fromkeys(unsw_nb15.COLUMNS, "1") | {"proto": "udp", "attack_cat": "Normal", "label": "0"}
    (tmp_path / "b.csv").write_text(",".join(usual) + "\n" + ",".join(usual.values()) + "\n")
    with pytest.raises(TrainError, match="a partition beside a raw"):
        datasets.load("unsw-nb15", [tmp_path])


def test_a_folder_is_read_by_name_and_what_is_no_table_is_counted(tmp_path: Path) -> None:
    (tmp_path / "day1.csv").write_bytes(labelled(("10.0.0.1", "BENIGN")))
    (tmp_path / "day2.csv.gz").write_bytes(gzip.compress(labelled(("10.0.0.1", "DDoS"))))
    (tmp_path / "LICENSE").write_text("…")
    (tmp_path / "NUSW-NB15_features.csv").write_text("No.,Name\n")
    flows = datasets.load("cicids2017", [tmp_path])
    assert flows.kinds.tolist() == ["BENIGN", "DDoS"]
    assert flows.stream.tolist() == [0, 1]
    assert flows.dropped == {"files that are no tables": 2}
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainError, match="holds no"):
        datasets.load("cicids2017", [tmp_path / "empty"])


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "rows.csv", rows=200, seed=3)
    pd.read_csv(tmp_path / "rows.csv").to_parquet(tmp_path / "rows.parquet")
    one, other = (datasets.load("cicids2017", [tmp_path / name]) for name in ("rows.csv", "rows.parquet"))
    assert np.array_equal(one.values, other.values)
    assert one.kinds.tolist() == other.kinds.tolist()
    assert np.array_equal(one.group, other.group)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_blocks_are_the_same_rows_with_the_same_streams_and_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for day in (1, 2):
        synthetic.write(tmp_path / f"day{day}.csv", rows=300, seed=day)
    whole = datasets.load("synthetic", [tmp_path])
    for module in (cicids2017,):
        pieces = module.pieces
        monkeypatch.setattr(module, "pieces", lambda path, layouts, encoding, read=pieces: read(path, layouts, encoding, 64))
    blocks = list(datasets.blocks("synthetic", [tmp_path], size))
    assert max(map(len, blocks)) <= size
    for name in ("values", "stream", "kinds", "attack", "group"):
        assert np.array_equal(np.concatenate([getattr(block, name) for block in blocks]), getattr(whole, name)), name


def test_rows_in_no_order_have_no_context(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "rows.csv", rows=2000, seed=4)
    head, *lines = (tmp_path / "rows.csv").read_text().splitlines()
    mixed = [lines[place] for place in np.random.default_rng(0).permutation(len(lines))]
    (tmp_path / "mixed.csv").write_text("\n".join([head, *mixed]) + "\n")
    assert set(datasets.load("synthetic", [tmp_path / "rows.csv"]).stream.tolist()) == {0}
    flows = datasets.load("synthetic", [tmp_path / "mixed.csv"])
    assert set(flows.stream.tolist()) == {NO_CONTEXT}
    assert np.array_equal(flows.group, vectors(flows.values))


def test_the_owners_defects_come_on_request(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "rows.csv", rows=3000, seed=6, defects=True)
    flows = datasets.load("synthetic", [tmp_path / "rows.csv"])
    rates = np.array(column(flows, "Flow Bytes/s"))
    assert np.isinf(rates).any()
    assert np.isnan(rates).any()
    assert min(column(flows, "Flow Duration")) == -1
    assert "Web Attack - Brute Force" in flows.kinds
    assert "SSH-Patator" not in flows.kinds


def test_a_mixed_part_of_a_file_has_no_context_and_a_stream_begins_after_it(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "rows.csv", rows=5000, seed=4)
    head, *lines = (tmp_path / "rows.csv").read_text().splitlines()
    lines[1000:3000] = [lines[place] for place in 1000 + np.random.default_rng(0).permutation(2000)]
    (tmp_path / "rows.csv").write_text("\n".join([head, *lines]) + "\n")
    flows = datasets.load("synthetic", [tmp_path / "rows.csv"])
    assert flows.stream.tolist() == [0] * 1000 + [NO_CONTEXT] * 2000 + [1] * 2000
    assert len(np.unique(flows.group[1000:3000])) < 2000, "bursts, as in the rest of the file"


def test_few_rows_are_taken_as_they_come() -> None:
    mixed = np.random.default_rng(1).integers(0, 50, 5000)
    for otherwise in (True, False):
        assert in_order(np.arange(20), otherwise=otherwise) == otherwise
        assert in_order(np.zeros(5000), otherwise=otherwise)
        assert not in_order(mixed, otherwise=otherwise)
        assert in_order(np.repeat(mixed[:500], 10), otherwise=otherwise)
        # Fifty ports: two rows share one by chance in 2 % of all pairs.
        assert in_order(mixed, otherwise=otherwise, repeats=0.05) == otherwise


def test_a_scan_of_ports_stands_in_the_order_of_its_file() -> None:
    """No port comes twice in it, so its rows cannot tell; the order goes on, over the pieces that a file is read in as well."""
    order = Order()
    bursts = np.repeat(np.random.default_rng(1).integers(0, 9, 300), 10)
    first = order.of(np.concatenate([bursts, np.arange(1000)]))
    second = order.of(np.arange(2000))
    assert np.concatenate([first[0], second[0]]).all()
    assert np.flatnonzero(np.concatenate([first[1], second[1]])).tolist() == [0]
    assert [part.tolist() for part in order.of(np.arange(0))] == [[], []]


def test_a_burst_ends_with_its_label_or_after_a_hundred_rows() -> None:
    bursts = Bursts(2)
    first, second = bursts.of(np.array(["a"] * 150 + ["b"] * 10)), bursts.of(np.array(["b"] * 5))
    assert [int((first == group).sum()) for group in np.unique(first)] == [100, 50, 10]
    assert set(second.tolist()) == {first[-1]}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, 1e-300, 3e8]), min_size=3, max_size=3), min_size=1, max_size=40))
def test_equal_rows_and_no_others_have_one_key(rows: list[list[float]]) -> None:
    keys = vectors(np.array(rows))
    told = [tuple("nan" if np.isnan(value) else str(value + 0.0) for value in row) for row in rows]
    for one, left in zip(keys, told, strict=True):
        for other, right in zip(keys, told, strict=True):
            assert (one == other) == (left == right)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.integers(2, 40))
def test_a_split_never_parts_equal_rows(seed: int, kinds: int) -> None:
    source = np.random.default_rng(seed)
    values = source.integers(0, kinds, size=(600, 2)).astype(float)
    values[:300] += 100
    attack = source.random(600) < 0.5
    flows = Flows(("a", "b"), values, np.zeros(600, dtype=np.int64), np.where(attack, "DDoS", "BENIGN"), attack, "", "")
    try:
        kept, aside = split(flows, share=0.3, block=20, seed=seed)
    except TrainError:
        return
    assert not set(vectors(values[kept]).tolist()) & set(vectors(values[aside]).tolist())
    assert not (kept & aside).any()


def test_memory_of_blocks_does_not_grow_with_rows(tmp_path: Path) -> None:
    """60,000 rows more are 37 MB of numbers and as much text."""
    synthetic.write(tmp_path / "rows.csv", rows=4_000, seed=1)
    head, *lines = (tmp_path / "rows.csv").read_text().splitlines(keepends=True)
    (tmp_path / "many.csv").write_text(head + "".join(lines) * 16)
    code = (
        "import resource, sys; from functools import partial; from pathlib import Path; from train import datasets\n"
        "from train.datasets import cicids2017; cicids2017.pieces = partial(cicids2017.pieces, size=1024)\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sum(map(len, datasets.blocks('synthetic', [Path(sys.argv[2])]))); start = peak()\n"
        "assert sum(map(len, datasets.blocks('synthetic', [Path(sys.argv[1])]))) == 64_000\n"
        "print(peak() - start)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "many.csv"), str(tmp_path / "rows.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert int(done.stdout) < 8 * 1024, "kilobytes beyond what 4,000 rows need"


def test_memory_does_not_grow_beyond_the_rows(tmp_path: Path) -> None:
    """200,000 rows are 122 MB; loading them may take as much again as it takes to import pandas, and a piece of text."""
    synthetic.write(tmp_path / "rows.csv", rows=20_000, seed=1)
    head, *lines = (tmp_path / "rows.csv").read_text().splitlines(keepends=True)
    with (tmp_path / "many.csv").open("w") as file:
        file.write(head)
        for _ in range(10):
            file.writelines(lines)
    code = (
        "import resource, sys; from pathlib import Path; from train import datasets\n"
        "datasets.load('synthetic', [Path(sys.argv[2])]); start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert len(datasets.load('synthetic', [Path(sys.argv[1])])) == 200_000\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "many.csv"), str(tmp_path / "rows.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert int(done.stdout) < 450 * 1024, "kilobytes beyond what 20,000 rows need"
    assert resource.RUSAGE_SELF == 0
