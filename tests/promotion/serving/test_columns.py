"""Bodies and columns without a server: every form of the same rows means the same, and everything else is refused with its place."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import math
import tracemalloc
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.serving.bodies import CSV, JSON, PARQUET, _parsed, _strictly, read
from promotion.serving.columns import Column, Columns, Refused, arrays, matrix

COLUMNS = Columns(
    (
        Column("duration", "double"),
        Column("packets", "long"),
        Column("proto", "double", words={"other": 0, "tcp": 1, "udp": 2}),
        Column("jitter", "double", missing=True),
    )
)
PLAIN = Columns((Column("a", "double"), Column("b", "double")))
ROW = {"duration": 0.5, "packets": 3, "proto": "udp", "jitter": None}
RECORD = json.dumps([ROW]).encode()


def table(body: bytes | str, media: str = JSON, columns: Columns = COLUMNS, most: int = 10) -> Any:
    return read(body.encode() if isinstance(body, str) else body, media, columns, most)


def parquet(**columns: list[Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def written(table: Any, **options: Any) -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def twice() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1.0])] * 3, names=["a", "b", "a"]), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (RECORD, JSON),
        (json.dumps({"dataframe_records": [ROW]}), JSON),
        (json.dumps({"columns": ["jitter", "proto", "packets", "duration"], "data": [[None, "udp", 3, 0.5]]}), JSON),
        (json.dumps({"dataframe_split": {"index": [0], "columns": list(ROW), "data": [list(ROW.values())]}}), JSON),
        ("packets,jitter,proto,duration\n3,,udp,0.5\n", CSV),
        ("\ufeffpackets,jitter,proto,duration\r\n3,,2,.5\r\n", CSV),
        (parquet(packets=[3], duration=[0.5], proto=["udp"], jitter=[None]), PARQUET),
    ],
)
def test_every_form_of_a_row_means_the_same(body: bytes | str, media: str) -> None:
    np.testing.assert_array_equal(matrix(table(body, media), COLUMNS), [[0.5, 3, 2, math.nan]])


def test_a_word_that_the_table_does_not_have_is_other_where_the_model_learned_it_so() -> None:
    assert matrix(table(json.dumps([ROW | {"proto": " icmp "}])), COLUMNS)[0, 2] == 0
    closed = Columns((Column("proto", "double", words={"tcp": 0, "udp": 1}), Column("a", "double")))
    with pytest.raises(Refused, match="one of tcp, udp is expected, or its code from 0 to 1"):
        matrix(table('[{"proto": "icmp", "a": 1}]', columns=closed), closed)


@pytest.mark.parametrize(
    ("change", "column", "problem"),
    [
        ({"duration": "0.5"}, "duration", "a number is expected, not text"),
        ({"duration": True}, "duration", "a number is expected, not true or false"),
        ({"duration": [1]}, "duration", "a number is expected, not a list"),
        ({"duration": None}, "duration", "a value is missing, and this column needs one"),
        ({"duration": 10**400}, "duration", "the number is too large, or infinite"),
        ({"packets": 3.5}, "packets", "a whole number is expected, not a fraction"),
        ({"packets": 10**40}, "packets", f"the number is not between {-(1 << 63)} and {(1 << 63) - 1}"),
        ({"packets": 1 << 63}, "packets", f"the number is not between {-(1 << 63)} and {(1 << 63) - 1}"),
        ({"proto": 3}, "proto", "one of other, tcp, udp is expected, or its code from 0 to 2"),
        ({"proto": {}}, "proto", "one of other, tcp, udp is expected, or its code from 0 to 2"),
        ({"proto": None}, "proto", "a value is missing, and this column needs one"),
        ({"ports": 1}, "ports", "the model has no such column"),
    ],
)
def test_what_is_wrong_is_told_with_row_and_column(change: dict[str, Any], column: str, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        matrix(table(json.dumps([ROW, ROW | change])), COLUMNS)
    (fault,) = refused.value.faults
    assert (fault.row, fault.column, fault.problem) == (1, column, problem)
    assert refused.value.status == 422


@pytest.mark.parametrize(("name", "column"), [("NaN", "duration"), ("-Infinity", "packets"), ("Infinity", "proto"), ("NaN", "jitter")])
def test_a_word_that_is_no_json_is_told_with_row_and_column(name: str, column: str) -> None:
    body = json.dumps([ROW, ROW | {column: "here"}]).replace('"here"', name)
    with pytest.raises(Refused) as refused:
        matrix(table(body), COLUMNS)
    (fault,) = refused.value.faults
    assert (fault.row, fault.column) == (1, column)
    assert column == "proto" or f"not {name}, which is not JSON" in fault.problem


def test_all_faults_are_counted_and_the_first_listed() -> None:
    with pytest.raises(Refused) as refused:
        matrix(table(json.dumps([ROW | {"duration": "x", "packets": "y"}] * 50), most=50), COLUMNS)
    assert refused.value.count == 100
    assert len(refused.value.faults) == 20


@pytest.mark.parametrize(
    ("body", "media", "problem"),
    [
        (b"\xff[]", JSON, "not UTF-8"),
        ("", JSON, "not JSON"),
        ("[" * 200_000, JSON, "nested too deep|not JSON"),
        ('{"a":' * 200_000, JSON, "nested too deep|not JSON"),
        ('{"a":' * 1020 + "1" + "}" * 1020, JSON, "nested too deep|the body is no table"),
        ("[" + "9" * 5000 + "]", JSON, "too many digits"),
        ("[NaN]", JSON, "a row is an object"),
        ('[{"a": 1, "a": 2}]', JSON, "names a key twice"),
        ("[]", JSON, "there is no row"),
        ("3", JSON, "the body is no table"),
        ('{"columns": [1], "data": []}', JSON, "columns is a list of names"),
        ('{"columns": ["a", "b", "a"], "data": []}', JSON, "the column is named twice"),
        ('{"columns": ["a", "b"], "data": [[1, 2], [1]]}', JSON, "a row is a list of 2 values"),
        ('[{"a": 1, "b": 2}, 7]', JSON, "a row is an object"),
        ('[{"a": 1}]', JSON, "the column is missing"),
        (json.dumps([{"a": 1, "b": 2}] * 11), JSON, "more than 10 rows"),
        ("a,b\n" + "1,2\n" * 11, CSV, "more than 10 rows"),
        ("a,b\n1\n", CSV, "a row is a list of 2 values"),
        ("a,b,c\n1,2,3\n", CSV, "no such column"),
        ('a,b\n"1,2\n', CSV, "not CSV"),
        (f"a,b\n1,{'9' * 200_000}\n", CSV, "not CSV"),
        (b"PAR1" + b"\0" * 100, PARQUET, "not a Parquet file"),
        (parquet(a=[1.0], b=[[1.0]]), PARQUET, "one plain value"),
        (twice(), PARQUET, "named twice"),
        (parquet(a=[1.0] * 11, b=[1.0] * 11), PARQUET, "more than 10 rows"),
        ("a,b\n1,2\n", "text/plain", "this type of content is not taken"),
    ],
)
def test_a_body_that_is_no_table_is_refused(body: bytes | str, media: str, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        matrix(table(body, media, PLAIN), PLAIN)


@pytest.mark.parametrize("text", ["1_0", "x", "\u0661", "inf", "nan", "", "1e999", "0x10"])
def test_text_that_is_no_finite_number_is_refused_in_csv(text: str) -> None:
    with pytest.raises(Refused):
        matrix(table(f"a,b\n1,{text}\n2,3", CSV, PLAIN), PLAIN)


@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)] * 2), min_size=1, max_size=10))
def test_numbers_arrive_as_they_are(rows: list[tuple[float, float]]) -> None:
    text = "a,b\n" + "\n".join(f"{a!r},{b!r}" for a, b in rows)
    split = json.dumps({"columns": ["b", "a"], "data": [[b, a] for a, b in rows]})
    for body, media in ((split, JSON), (text, CSV)):
        np.testing.assert_array_equal(matrix(table(body, media, PLAIN), PLAIN), np.array(rows, dtype=float))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode), st.sampled_from([JSON, CSV, PARQUET]))
def test_anything_is_a_table_or_refused(body: bytes, media: str) -> None:
    with contextlib.suppress(Refused):
        assert matrix(table(body, media), COLUMNS).shape[1] == len(COLUMNS.names)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "columns", "data", "index"]), inner, max_size=3)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_table_or_refused(document: Any) -> None:
    with contextlib.suppress(Refused):
        assert np.isfinite(matrix(table(json.dumps(document), columns=PLAIN), PLAIN)).all()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False)
        | st.text(st.characters(codec="utf-8"), max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b:", "data", ""]), inner, max_size=3),
        max_leaves=30,
    )
)
def test_the_quick_parser_reads_what_the_strict_one_reads(document: Any) -> None:
    body = json.dumps(document, ensure_ascii=False).encode()
    if b"Infinity" not in body:
        assert _parsed(body) == _strictly(body) == document


@pytest.mark.parametrize(
    "body",
    [
        '[{"a": 1, "b": 2, "b": 3}]',
        '[{"a": 1, "b": 2}, {"a": 1, "a": ":", "b": 2}]',
        '{"columns": ["a", "b"], "data": [[1, 2]], "data": [[3, 4]]}',
        '{"dataframe_split": {"columns": ["a", "b"], "columns": ["b", "a"], "data": [[1, 2]]}}',
        '{"dataframe_records": [{"a": 1, "b": 2, "\\u0061": 3}]}',
    ],
)
def test_a_key_that_is_named_twice_is_never_overlooked(body: str) -> None:
    with pytest.raises(Refused, match="names a key twice") as refused:
        table(body, columns=PLAIN)
    assert refused.value.faults[0].column in {"a", "b", "columns", "data"}


@pytest.mark.parametrize(
    ("body", "media"), [(json.dumps({"columns": ["a", "b"], "data": [[1, 2], [1], 7, [1, 2, 3]]}), JSON), ("a,b\n1,2\n1\n7\n1,2,3\n", CSV)]
)
def test_every_row_of_another_length_is_told(body: str, media: str) -> None:
    with pytest.raises(Refused) as refused:
        table(body, media, PLAIN)
    assert [one.row for one in refused.value.faults] == [1, 2, 3]
    assert refused.value.count == 3


def test_words_with_colons_are_words() -> None:
    columns = Columns((Column("word", "string"), Column("n", "long")))
    assert table('[{"word": "a:b::", "n": 1}]', columns=columns).rows == [("a:b::", 1)]


def test_columns_of_other_types_keep_them() -> None:
    columns = Columns((Column("yes", "boolean"), Column("word", "string", required=False, missing=True), Column("n", "long")))
    found = arrays(table(f'[{{"yes": true, "n": {2**60 + 1}}}]', columns=columns), columns)
    assert [(found[name].dtype.kind, found[name].tolist()) for name in columns.names] == [("b", [True]), ("O", [None]), ("i", [2**60 + 1])]
    csv = arrays(table("yes,word,n\nFalse,tcp,7\n", CSV, columns), columns)
    assert [csv[name].tolist() for name in columns.names] == [[False], ["tcp"], [7]]


@pytest.mark.parametrize("kind", ["string", "large_string"])
@pytest.mark.parametrize("schema", [True, False])
def test_a_word_that_many_rows_share_takes_memory_once(kind: str, schema: bool) -> None:
    """Kilobytes that would be a hundred megabytes, or as many gigabytes, with each row's word for itself."""
    import pyarrow as pa

    length, rows = 10_000, 10_000
    many = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * length], kind))
    body = written(pa.table({"word": many if schema else many.dictionary_decode(), "n": [1] * rows}), store_schema=schema)
    assert len(body) < 10 * length
    tracemalloc.start()
    before = pa.default_memory_pool().max_memory()
    found = table(body, PARQUET, Columns((Column("word", "string"), Column("n", "long"))), most=rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.rows) == rows
    assert found.rows[-1] == ("x" * length, 1)
    assert peak < 20 << 20
    assert pa.default_memory_pool().max_memory() <= max(before, 20 << 20)


def test_words_and_missing_ones_arrive_as_they_are_from_parquet() -> None:
    import pyarrow as pa

    words = ["udp", None, "tcp", "udp"]
    columns = Columns((Column("word", "string", missing=True), Column("n", "double")))
    for column in (pa.array(words), pa.array(words).dictionary_encode(), pa.array(words, pa.large_string())):
        for options in ({}, {"use_dictionary": False}, {"row_group_size": 2}):
            body = written(pa.table({"n": [1, 2, 3, 4], "word": column}), **options)
            assert [row[0] for row in table(body, PARQUET, columns).rows] == words


@pytest.mark.parametrize("values", [[Decimal(1)], [dt.date(2026, 11, 30)], [b"x"], [{"x": 1}]])
def test_what_is_no_plain_value_in_parquet_is_told_with_its_column(values: list[Any]) -> None:
    with pytest.raises(Refused, match=r"one plain value in each row \(a number, text, true or false\), not ") as refused:
        table(parquet(a=[1.0], b=values), PARQUET, PLAIN)
    assert refused.value.faults[0].column == "b"


def test_words_that_each_hold_the_one_before_are_not_unpacked() -> None:
    import pyarrow as pa

    words = pa.table({"word": ["x" * 50, "x" * 51], "n": [1, 2]})
    body = written(words, use_dictionary=False, column_encoding={"word": "DELTA_BYTE_ARRAY", "n": "PLAIN"})
    with pytest.raises(Refused, match="the encoding DELTA_BYTE_ARRAY is not taken"):
        table(body, PARQUET, Columns((Column("word", "string"), Column("n", "long"))))
