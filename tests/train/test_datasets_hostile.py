"""Hostile files: each is refused with file, line and column, or what is left out is counted. Nothing is lost in silence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from train import datasets
from train.datasets import cicids2017, synthetic, unsw_nb15
from train.datasets.table import pieces
from train.errors import TrainError
from train.flows import NO_CONTEXT, Flows

HEAD = synthetic.HEAD.encode()
ROW = b",".join(b"%d" % place for place in range(78))
PARTITION: dict[str, str] = dict.fromkeys(unsw_nb15.COLUMNS, "1") | {
    "proto": "udp", "service": "-", "state": "INT", "attack_cat": "Normal", "label": "0",
}  # fmt: skip
RAW: dict[str, str] = dict.fromkeys(unsw_nb15.RAW, "1") | {"srcip": "10.0.0.1", "proto": "tcp", "attack_cat": "", "label": "0"}


def cicids(*rows: bytes) -> bytes:
    return b"\n".join([HEAD, *rows]) + b"\n"


def flow(label: bytes) -> bytes:
    return ROW + b"," + label


def partition(*rows: dict[str, str]) -> bytes:
    lines = [unsw_nb15.COLUMNS, *((PARTITION | row).values() for row in rows)]
    return "".join(",".join(line) + "\n" for line in lines).encode()


def raw(*rows: dict[str, str]) -> bytes:
    return "".join(",".join((RAW | row).values()) + "\n" for row in rows).encode()


def labelled(*rows: tuple[str, str]) -> bytes:
    """TrafficLabelling: (timestamp, label)."""
    lines = [", ".join(cicids2017.LABELLED)]
    lines += [",".join(["id", "10.0.0.9", "40000", "10.0.0.1", "80", "6", at, *map(str, range(1, 78)), label]) for at, label in rows]
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Flows]:
    def load(content: bytes, name: str = "cicids2017", file: str = "rows.csv") -> Flows:
        (tmp_path / file).write_bytes(content)
        return datasets.load(name, [tmp_path / file])

    return load


LONG = gzip.compress(cicids(*[flow(b"BENIGN")] * 400))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("cicids2017", cicids(flow(b"BENIGN"), b"1,2,3"), "rows.csv:3: 3 cells where the head has 79 columns"),
        ("cicids2017", cicids(flow(b"BENIGN"), ROW), "rows.csv:3: 78 cells where"),
        ("cicids2017", cicids(b"1,2,3", flow(b"BENIGN")), "rows.csv:2: 3 cells where"),
        ("cicids2017", cicids(flow(b"BENIGN"), flow(b"BENIGN")[:-3]), "rows.csv:3: the label 'BEN' is none"),
        ("cicids2017", cicids(flow(b"BENIGN"), b'"' + flow(b"BENIGN"), flow(b"Bot")), "rows.csv:3: a quotation mark"),
        ("cicids2017", cicids(flow(b'"BENIGN\n"'), flow(b"Bot")), "rows.csv:2: a quotation mark"),
        ("cicids2017", HEAD + b"\n" + HEAD + b"\n" + flow(b"BENIGN") + b"\n", "rows.csv:2: 'Flow Duration' holds"),
        ("cicids2017", cicids(flow(b"BENIGN"), b"0,1_000" + ROW[3:] + b",Bot"), "rows.csv:3: 'Flow Duration' holds '1_000'"),
        ("cicids2017", cicids(flow(b"BENIGN"), b"0,0x1F" + ROW[3:] + b",Bot"), "rows.csv:3: 'Flow Duration' holds '0x1F'"),
        ("cicids2017", cicids(flow(b"BENIGN"), b"0,True" + ROW[3:] + b",Bot"), "rows.csv:3: 'Flow Duration' holds 'True'"),
        ("cicids2017", cicids(flow(b"BENIGN"), b"0,1\x00" + ROW[3:] + b",Bot"), "rows.csv:3: 'Flow Duration' holds"),
        ("cicids2017", cicids(flow(b"BENIGN"), b'0,"1,5"' + ROW[3:] + b",Bot"), "rows.csv:3: 'Flow Duration' holds '1,5'"),
        ("cicids2017", LONG[:-9], "rows.csv:402: the file is cut off"),
        ("cicids2017", LONG[:40] + b"\x00\x00\x00\x00" + LONG[44:], "rows.csv:"),
        ("cicids2017", cicids(flow(b"BENIGN"), flow(b"BENIGN\x81")), "rows.csv:3: not cp1252 text"),
        ("cicids2017", HEAD + b"\n" + flow(b""), "no row of these files has a label"),
        (
            "cicids2017",
            HEAD.replace(b"Label", b"Class") + b"\n",
            "rows.csv:1: 79 columns that are not the 79 of this format (missing: Label",
        ),
        ("cicids2017", b"\xff\xfe" + "a,b\n".encode("utf-16-le"), "rows.csv:1: "),
        ("cicids2017", labelled(("7/7/2017 3:56", "BENIGN"), ("yesterday", "DDoS")), "rows.csv:3: 'Timestamp' holds 'yesterday'"),
        ("unsw-nb15", partition({}, {"attack_cat": "Exploits"}), "rows.csv:3: 'label' is 0 but 'attack_cat' is Exploits"),
        ("unsw-nb15", partition({}, {"label": "1"}), "rows.csv:3: 'label' is 1 but 'attack_cat' is Normal"),
        ("unsw-nb15", partition({}, {"label": "0.5"}), "rows.csv:3: 'label' is neither 0 nor 1"),
        ("unsw-nb15", raw({}, {"stime": ""}), "rows.csv:2: 'stime' is empty"),
        ("unsw-nb15", raw({}) + b"1,2\n", "rows.csv:2: 2 cells where the head has 49 columns"),
        ("unsw-nb15", b"\x00" * 500, "rows.csv:1: 1 columns that are not"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_refused_with_its_place(read: Callable[..., Flows], name: str, content: bytes, told: str) -> None:
    with pytest.raises(TrainError) as caught:
        read(content, name)
    assert told in caught.value.message
    assert caught.value.hint


def test_the_same_faults_are_told_beyond_the_first_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cicids2017, "pieces", lambda path, layouts, encoding: pieces(path, layouts, encoding, 4))
    for place, fault, told in ((7, b"1,2,3", "3 cells"), (9, flow(b"Gremlins"), "'Gremlins'"), (6, b"x" + ROW[1:], "78 cells")):
        lines = [flow(b"BENIGN")] * 11
        lines[place] = fault
        (tmp_path / "rows.csv").write_bytes(cicids(*lines))
        with pytest.raises(TrainError, match=rf"rows\.csv:{place + 2}: .*{told}"):
            list(datasets.blocks("cicids2017", [tmp_path / "rows.csv"], 3))


def test_blank_lines_and_rows_without_a_label_are_counted_apart_in_every_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cicids2017, "pieces", lambda path, layouts, encoding: pieces(path, layouts, encoding, 2))
    rows = [flow(b"BENIGN"), b"", b"," * 78, flow(b" "), flow(b"Bot"), b"  ", *[b"," * 78] * 4, b""]
    (tmp_path / "rows.csv").write_bytes(cicids(*rows))
    told = {"no label": 6, "blank line": 3}
    assert datasets.load("cicids2017", [tmp_path / "rows.csv"]).dropped == told
    counted: dict[str, int] = {}
    for block in datasets.blocks("cicids2017", [tmp_path / "rows.csv"], 1):
        assert len(block)
        for reason, count in block.dropped.items():
            counted[reason] = counted.get(reason, 0) + count
    assert counted == told, "blocks tell of the rows of pieces that were dropped whole"


def test_files_of_a_folder_that_are_no_tables_are_counted_by_blocks_as_well(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(cicids(flow(b"BENIGN")))
    (tmp_path / "LICENSE").write_text("…")
    assert sum(block.dropped.get("files that are no tables", 0) for block in datasets.blocks("cicids2017", [tmp_path])) == 1


def test_blocks_of_files_without_any_row_are_refused_as_load_refuses_them(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(cicids(flow(b"")))
    with pytest.raises(TrainError, match="no row of these files has a label"):
        list(datasets.blocks("cicids2017", [tmp_path / "rows.csv"]))


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(cicids(flow(b"BENIGN")))
    with pytest.raises(TrainError, match=r"rows\.csv is named twice"):
        datasets.load("cicids2017", [tmp_path / "rows.csv", tmp_path])


def test_time_that_goes_back_begins_a_new_stream_and_afternoons_are_twelve_hours_on(read: Callable[..., Flows]) -> None:
    # The owners' clock has twelve hours and no mark: 8 to 12 is the morning, 1 to 7 the afternoon.
    times = ["7/7/2017 11:59", "7/7/2017 12:01", "7/7/2017 1:00", "7/7/2017 1:00", "7/7/2017 8:30", "7/7/2017 8:31", "6/7/2017 9:00"]
    flows = read(labelled(*((time, "BENIGN") for time in times)))
    assert flows.stream.tolist() == [0, 0, 0, 0, 1, 1, 2]


def test_times_with_seconds_are_read_as_well(read: Callable[..., Flows]) -> None:
    flows = read(labelled(("03/07/2017 08:55:58", "BENIGN"), ("03/07/2017 08:55:59", "BENIGN")))
    assert flows.stream.tolist() == [0, 0]


def test_rows_whose_times_jump_to_and_fro_have_no_context(read: Callable[..., Flows]) -> None:
    minutes = np.random.default_rng(0).integers(0, 59, 600)
    flows = read(labelled(*((f"7/7/2017 9:{minute:02}", "BENIGN") for minute in minutes)))
    assert set(flows.stream.tolist()) == {NO_CONTEXT}


OWNERS = (
    "srcip,sport,dstip,dsport,proto,state,dur,sbytes,dbytes,sttl,dttl,sloss,dloss,service,Sload,Dload,Spkts,Dpkts,swin,dwin,stcpb,dtcpb,\
smeansz,dmeansz,trans_depth,res_bdy_len,Sjit,Djit,Stime,Ltime,Sintpkt,Dintpkt,tcprtt,synack,ackdat,is_sm_ips_ports,ct_state_ttl,\
ct_flw_http_mthd,is_ftp_login,ct_ftp_cmd,ct_srv_src,ct_srv_dst,ct_dst_ltm,ct_src_ ltm,ct_src_dport_ltm,ct_dst_sport_ltm,ct_dst_src_ltm,\
attack_cat,Label"
)


def test_a_raw_capture_may_have_the_owners_names_above_it_and_be_parquet(tmp_path: Path, read: Callable[..., Flows]) -> None:
    bare = read(raw({}, {"attack_cat": " Shellcode ", "label": "1"}), "unsw-nb15")
    headed = read(OWNERS.encode() + b"\n" + raw({}, {"attack_cat": " Shellcode ", "label": "1"}), "unsw-nb15")
    assert np.array_equal(bare.values, headed.values)
    pd.read_csv(tmp_path / "rows.csv").to_parquet(tmp_path / "rows.parquet")
    stored = datasets.load("unsw-nb15", [tmp_path / "rows.parquet"])
    assert np.array_equal(bare.values, stored.values)
    assert stored.kinds.tolist() == bare.kinds.tolist() == ["Normal", "Shellcode"]
    assert np.array_equal(bare.group, stored.group)


def test_a_raw_capture_whose_columns_a_tool_numbered_has_the_same_rows(tmp_path: Path, read: Callable[..., Flows]) -> None:
    content = raw({}, {"attack_cat": " Shellcode ", "label": "1"})
    bare = read(content, "unsw-nb15")
    table = pd.read_csv(tmp_path / "rows.csv", header=None).rename(columns=str)
    table.to_parquet(tmp_path / "numbered.parquet")
    table.to_csv(tmp_path / "numbered.csv", index=False)
    for name in ("numbered.parquet", "numbered.csv"):
        flows = datasets.load("unsw-nb15", [tmp_path / name])
        assert np.array_equal(bare.values, flows.values)
        assert flows.kinds.tolist() == ["Normal", "Shellcode"]


def test_partitions_under_each_others_names_are_told_by_their_content(tmp_path: Path) -> None:
    """The official testing set has 37,000 normal rows and 45,332 attacks."""
    rows: list[dict[str, str]] = [{}] * 37_000 + [{"attack_cat": "Fuzzers", "label": "1"}] * 45_332
    (tmp_path / "UNSW_NB15_training-set.csv").write_bytes(partition(*rows))
    flows = datasets.load("unsw-nb15", [tmp_path / "UNSW_NB15_training-set.csv"])
    assert len(flows.notes) == 1
    assert "UNSW_NB15_training-set.csv holds the official testing set" in flows.notes[0]
    (tmp_path / "UNSW_NB15_testing-set.csv").write_bytes(partition(*rows))
    assert datasets.load("unsw-nb15", [tmp_path / "UNSW_NB15_testing-set.csv"]).notes == ()
    assert [note for block in datasets.blocks("unsw-nb15", [tmp_path / "UNSW_NB15_training-set.csv"]) for note in block.notes] == [
        *flows.notes
    ]
