"""What the owners' files hold: read as it is meant, or refused with file and line."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from train import datasets
from train.datasets import cicids2017, synthetic, unsw_nb15
from train.errors import TrainError
from train.flows import NO_CONTEXT, Flows, split

PINNED = "094c77c167090599e413265abe36ddc6a132684d8c65f3636b4e2fffae8d475e"


def cicids(*labels: bytes, **cells: str) -> bytes:
    """A file in the owners' format; ``cells`` are put into its last row, by place (``c15="Infinity"``)."""
    lines = [synthetic.HEAD.encode()]
    lines += [b",".join([b"%d" % place for place in range(78)] + [label]) for label in labels]
    parts = lines[-1].split(b",")
    for place, cell in cells.items():
        parts[int(place[1:])] = cell.encode()
    lines[-1] = b",".join(parts)
    return b"\r\n".join(lines) + b"\r\n"


def unsw(*rows: dict[str, str]) -> bytes:
    usual = dict.fromkeys(unsw_nb15.COLUMNS, "1") | {"proto": "udp", "service": "-", "state": "INT", "attack_cat": "Normal", "label": "0"}
    lines = [unsw_nb15.COLUMNS, *((usual | row).values() for row in rows)]
    return "".join(",".join(line) + "\n" for line in lines).encode("utf-8-sig")


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Flows]:
    def load(content: bytes, name: str = "cicids2017", file: str = "rows.csv") -> Flows:
        (tmp_path / file).write_bytes(content)
        return datasets.load(name, [tmp_path / file])

    return load


@pytest.fixture
def refused(read: Callable[..., Flows]) -> Callable[..., str]:
    def load(content: bytes, name: str = "cicids2017") -> str:
        with pytest.raises(TrainError) as caught:
            read(content, name)
        assert caught.value.hint
        return caught.value.message

    return load


def test_the_pinned_rows_keep_their_bytes(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    synthetic.write(file, rows=6000, seed=2)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == PINNED
    assert PINNED in (Path(__file__).parents[2] / "policies" / "evaluations.yaml").read_text(encoding="utf-8")


def test_another_seed_gives_other_synthetic_rows_and_a_longer_file_begins_alike(tmp_path: Path) -> None:
    for name, rows, seed in (("a", 50, 1), ("b", 80, 1), ("c", 50, 3)):
        synthetic.write(tmp_path / name, rows=rows, seed=seed)
    a, b, c = ((tmp_path / name).read_text().splitlines() for name in "abc")
    assert a == b[:51]
    assert a[1:] != c[1:]


def test_names_with_spaces_and_a_name_that_stands_twice(read: Callable[..., Flows]) -> None:
    flows = read(cicids(b"BENIGN", b"PortScan"))
    assert flows.columns == cicids2017.FEATURES
    assert len(flows.columns) == len(set(flows.columns)) == 76
    assert not any(name != name.strip() for name in flows.columns)
    assert "Destination Port" not in flows.columns
    # The first of the two stands in column 34, the second in 55.
    assert flows.values[0, flows.columns.index("Fwd Header Length")] == 34
    assert flows.attack.tolist() == [False, True]
    assert flows.stream.tolist() == [0, 0]


def test_a_mark_of_utf_8_before_the_first_name_is_no_part_of_it(read: Callable[..., Flows]) -> None:
    content = cicids(b"BENIGN", "Web Attack – XSS".encode())
    flows = read(b"\xef\xbb\xbf" + content)
    assert np.array_equal(flows.values, read(content).values)
    assert flows.kinds.tolist() == ["BENIGN", "Web Attack - XSS"]


def test_infinity_nan_and_empty_cells_are_kept_as_such(read: Callable[..., Flows]) -> None:
    flows = read(cicids(b"BENIGN", c14="Infinity", c15="NaN", c16="", c17="-Infinity", c18=" 7"))
    found = flows.values[0, [flows.columns.index(cicids2017.COLUMNS[place]) for place in (14, 15, 16, 17, 18)]]
    assert np.array_equal(found, [np.inf, np.nan, np.nan, -np.inf, 7.0], equal_nan=True)


@pytest.mark.parametrize("dash", [b"\x96", "–".encode(), "�".encode(), b"-"])
def test_the_dash_of_web_attacks_is_one_however_it_was_copied(read: Callable[..., Flows], dash: bytes) -> None:
    flows = read(cicids(b"Web Attack " + dash + b" XSS", b" BENIGN "))
    assert flows.kinds.tolist() == ["Web Attack - XSS", "BENIGN"]
    assert flows.attack.tolist() == [True, False]


def test_gzip_and_plain_give_the_same_rows_whatever_they_are_called(read: Callable[..., Flows]) -> None:
    content = cicids(b"BENIGN", b"Bot")
    plain, zipped = read(content), read(gzip.compress(content), file="rows.dat")
    assert np.array_equal(plain.values, zipped.values)
    assert plain.digest == hashlib.sha256(content).hexdigest() != zipped.digest
    assert plain.version == f"cicids2017-{plain.digest[:12]}"


def test_each_file_is_a_stream_of_its_own(tmp_path: Path) -> None:
    files = [tmp_path / "monday.csv", tmp_path / "tuesday.csv"]
    for file in files:
        file.write_bytes(cicids(b"BENIGN", b"Bot"))
    assert datasets.load("cicids2017", files).stream.tolist() == [0, 0, 1, 1]


def test_rows_without_a_label_are_dropped_and_counted(read: Callable[..., Flows]) -> None:
    flows = read(cicids(b"BENIGN", b"") + b"," * 78 + b"\r\n")
    assert len(flows) == 1
    assert flows.dropped == {"no label": 2}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "rows.csv:1: the file is empty"),
        (synthetic.HEAD.encode() + b"\n", "rows.csv:2: the file has no rows"),
        (gzip.compress(cicids(*[b"BENIGN"] * 400))[:-300], "the file is cut off or is not gzip"),
        (b"\x1f\x8b" + b"nothing of the kind", "the file is cut off or is not gzip"),
        (b"a,b,c\n1,2,3\n", "rows.csv:1: 3 columns that are not the 79 of this format (missing: Destination Port"),
        (cicids(b"BENIGN", b"BENIGN", c3="many"), "rows.csv:3: 'Total Backward Packets' holds 'many', which is no number"),
        (
            cicids(b"BENIGN").rstrip() + b"\r\n\r\n" + cicids(b"Bot", c3="x").split(b"\r\n")[1],
            "rows.csv:4: 'Total Backward Packets' holds 'x'",
        ),
        (cicids(b"BENIGN,1"), "rows.csv:2: more cells than the head has columns"),
        (cicids(b"BENIGN", b"BENIGN", b"Bot,1"), "rows.csv:4: more cells than the head has columns"),
        (cicids(b"BENIGN\x81"), "not cp1252 text"),
    ],
    ids=["empty", "head alone", "cut off", "not gzip", "columns", "word", "word after a blank line", "first too long", "too long", "bytes"],
)
def test_what_is_not_the_owners_format_is_refused_with_its_place(refused: Callable[..., str], content: bytes, told: str) -> None:
    assert told in refused(content)


def test_a_file_of_another_dataset_is_refused(refused: Callable[..., str]) -> None:
    assert "rows.csv:1: 45 columns that are not the 79" in refused(unsw({}))
    assert "rows.csv:1: 79 columns that are not the 45" in refused(cicids(b"BENIGN"), "unsw-nb15")


def test_unsw_words_become_codes_and_unknown_words_zero(read: Callable[..., Flows]) -> None:
    flows = read(
        unsw({"proto": "tcp"}, {"proto": "quic", "state": "?", "service": " dns ", "attack_cat": " Fuzzers", "label": "1"}), "unsw-nb15"
    )
    place = [flows.columns.index(name) for name in ("proto", "service", "state")]
    assert [
        [flows.categories[name][int(code)] for name, code in zip(("proto", "service", "state"), row, strict=True)]
        for row in flows.values[:, place]
    ] == [
        ["tcp", "-", "INT"],
        ["other", "dns", "other"],
    ]
    assert flows.categorical == ("proto", "service", "state")
    assert flows.attack.tolist() == [False, True]
    assert flows.kinds.tolist() == ["Normal", "Fuzzers"]
    assert flows.stream.tolist() == [NO_CONTEXT, NO_CONTEXT]
    assert not {"id", "label", "attack_cat"} & set(flows.columns)


@pytest.mark.parametrize("label", ["", "2"])
def test_an_unsw_row_without_a_clear_label_never_passes_as_benign(refused: Callable[..., str], label: str) -> None:
    assert "rows.csv:3: 'label' is neither 0 nor 1" in refused(unsw({}, {"label": label}), "unsw-nb15")


def test_a_blank_last_line_of_unsw_is_no_row(read: Callable[..., Flows]) -> None:
    assert len(read(unsw({}) + b"\n", "unsw-nb15")) == 1


def test_a_missing_file_is_named() -> None:
    with pytest.raises(TrainError, match=r"there is no file nowhere\.csv"):
        datasets.load("synthetic", [Path("nowhere.csv")])


def test_the_split_leaves_no_feature_vector_on_both_sides(flows: Flows) -> None:
    rows = np.concatenate([np.arange(900), np.arange(0, 900, 3)])  # every third row again, in other blocks
    doubled = flows.take(rows)
    kept, aside = split(doubled, share=0.3, block=50, seed=0)
    left, right = ({row.tobytes() for row in doubled.values[side]} for side in (kept, aside))
    assert right
    assert not left & right
    assert not (kept & aside).any()
    # Whole blocks: training has all rows of a block or none.
    assert {int(block.sum()) for block in np.split(kept, 24)} == {0, 50}
    again, _ = split(doubled, share=0.3, block=50, seed=0)
    assert np.array_equal(kept, again)


@pytest.mark.parametrize(
    ("rows", "told"), [(slice(0, 40), "40 rows are too few"), (np.zeros(200, dtype=int), "200 rows are too few")], ids=["few", "all alike"]
)
def test_rows_that_cannot_be_split_are_refused(flows: Flows, rows: np.ndarray, told: str) -> None:
    with pytest.raises(TrainError, match=told):
        split(flows.take(np.arange(900)[rows]), share=0.2, block=50, seed=0)


def test_rows_of_one_kind_are_refused(flows: Flows) -> None:
    with pytest.raises(TrainError, match="every training row is benign"):
        split(flows.take(~flows.attack), share=0.2, block=50, seed=0)
