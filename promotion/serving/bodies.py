"""The body of a request: JSON records, JSON in split form, CSV or Parquet → a table in the order of the model's columns.

Everything here reads text and bytes from anybody: what is too deep, too long or not what it says is refused, never raised.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson

from promotion.serving.columns import MOST, Columns, Fault, NotJson, Refused, Table, refuse, shortened

JSON = "application/json"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
MEDIA = {JSON: JSON, CSV: CSV, PARQUET: PARQUET, "application/x-parquet": PARQUET}
_LIMITS = {"thrift_string_size_limit": 1 << 20, "thrift_container_size_limit": 1 << 20}
"""Of what a Parquet file tells about itself, in bytes and in items."""
_FORMS = (
    "send a list of objects, one a row: [{column: value, …}, …]; or an object with columns and data: "
    "{columns: [name, …], data: [[value, …], …]}"
)


def read(body: bytes, media: str, columns: Columns, most: int) -> Table:
    """The rows of a body in the model's order; at most ``most`` of them. Raises Refused."""
    kind = MEDIA.get(media)
    if kind is None:
        raise refuse(f"this type of content is not taken; send {', '.join(sorted(MEDIA))}", status=415)
    table = {JSON: _json, CSV: _csv, PARQUET: _parquet}[kind](body, columns, most)
    if not table.rows:
        raise refuse("there is no row")
    return table


def _json(body: bytes, columns: Columns, most: int) -> Table:
    document = _parsed(body)
    if isinstance(document, dict):
        for name in ("dataframe_records", "dataframe_split"):  # as MLflow's own server has them
            if set(document) == {name}:
                document = document[name]
                break
    if isinstance(document, list):
        return Table(_records(document, columns, most))
    if isinstance(document, dict) and {"columns", "data"} <= set(document) <= {"columns", "data", "index"}:
        return Table(_split(document["columns"], document["data"], columns, most))
    raise refuse(f"the body is no table: {_FORMS}")


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - whatever stood there
    """What the body holds. A quick parser reads what is good; the strict one judges the rest, and finds the words for it."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _strictly(body)
    # The quick one keeps the last of two equal keys. Each key brings a colon: as many colons as keys mean that there were none.
    return found if body.count(b":") == _keys(found) else _strictly(body)


def _keys(document: Any, deep: int = 2) -> int:  # noqa: ANN401 - the same
    """The keys of an object, of the one in it, and of the objects in a list; no table has any that lie deeper."""
    if type(document) is list:
        return sum(len(one) for one in document if type(one) is dict)
    if type(document) is not dict or not deep:
        return 0
    return len(document) + sum(_keys(one, deep - 1) for one in document.values())


def _strictly(body: bytes) -> Any:  # noqa: ANN401 - the same
    try:
        return json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise refuse(f"the body is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise refuse(f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
    except RecursionError as error:
        raise refuse("the body is nested too deep") from error
    except ValueError as error:  # a number of thousands of digits
        raise refuse("a number in the body has too many digits") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise refuse("an object names a key twice", column=_twice(name for name, _ in pairs))
    return found


def _twice(names: Iterable[str]) -> str | None:
    """The first name that stood there before."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _constant(name: str) -> NotJson:
    return NotJson(name)


def _records(records: list[Any], columns: Columns, most: int) -> Sequence[Sequence[Any]]:
    _count(len(records), most)
    names, width = columns.names, len(columns.names)
    if width > 1 and all(type(one) is dict and len(one) == width for one in records):
        try:
            return list(map(itemgetter(*names), records))
        except KeyError:
            pass
    faults: list[Fault] = []
    count = 0
    for row, one in enumerate(records):
        found = [Fault("a row is an object with a value for each column", row)]
        if isinstance(one, dict):
            found = list(_named(one, columns, row))
        count += len(found)
        faults += found[: MOST - len(faults)]
    if faults:
        raise Refused(faults, count=count)
    return [tuple(one.get(name) for name in names) for one in records]


def _named(given: Iterable[str], columns: Columns, row: int | None = None) -> Iterable[Fault]:
    """What is wrong with the names of the columns that were given."""
    has = set(given)
    for one in columns.all:
        if one.required and one.name not in has:
            yield Fault("the column is missing", row, shortened(one.name))
    for name in sorted(has - set(columns.names)):
        yield Fault("the model has no such column", row, shortened(name))


def _split(names: Any, data: Any, columns: Columns, most: int) -> Sequence[Sequence[Any]]:  # noqa: ANN401 - whatever stood there
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names) or not isinstance(data, list):
        raise refuse(f"columns is a list of names and data a list of rows: {_FORMS}")
    _count(len(data), most)
    return _ordered(names, data, columns)


def _ordered(names: Sequence[str], data: Sequence[Any], columns: Columns) -> Sequence[Sequence[Any]]:
    """Rows of values under names → rows in the model's order."""
    if (name := _twice(names)) is not None:
        raise refuse("the column is named twice", column=name)
    places = {name: place for place, name in enumerate(names)}
    if faults := list(_named(names, columns)):
        raise Refused(faults)
    torn = [row for row, values in enumerate(data) if not isinstance(values, list) or len(values) != len(names)]
    if torn:
        raise Refused([Fault(f"a row is a list of {len(names)} values, one for each column", row) for row in torn[:MOST]], count=len(torn))
    if tuple(names) == columns.names:
        return data
    wanted = [places.get(name) for name in columns.names]
    return [[None if place is None else values[place] for place in wanted] for values in data]


def _csv(body: bytes, columns: Columns, most: int) -> Table:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"the body is not UTF-8 (byte {error.start})") from error
    rows: list[list[str]] = []
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        names = next(reader, [])
        for row in reader:
            if row:
                rows.append(row)
            _count(len(rows), most)
    except csv.Error as error:
        raise refuse(f"the body is not CSV: {error}", row=len(rows)) from error
    return Table(_ordered([name.strip() for name in names], rows, columns), text=True)


def _parquet(body: bytes, columns: Columns, most: int) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(body), memory_map=False, **_LIMITS)
        described = file.metadata
        _count(described.num_rows, most)
        names = file.schema_arrow.names
        if (name := _twice(names)) is not None:
            raise refuse("the column is named twice", column=name)
        if faults := list(_named(names, columns)):
            raise Refused(faults)
        for one in file.schema_arrow:
            if not _plain(one.type):
                told = f"a column holds one plain value in each row (a number, text, true or false), not {shortened(str(one.type))}"
                raise refuse(told, column=one.name)
        _weigh(described, names, most)
        # A word that a million rows share stands in the file once: read as a dictionary, it stands in memory once as well.
        words = [one.name for one in file.schema_arrow if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)]
        found = pq.ParquetFile(io.BytesIO(body), memory_map=False, read_dictionary=words, **_LIMITS).read(use_threads=False)
        given: Mapping[str, list[Any]] = {name: _values(found.column(name)) for name in names}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise refuse(f"the body is not a Parquet file that can be read: {type(error).__name__}") from error
    if any(len(values) != described.num_rows for values in given.values()):
        raise refuse("the file holds other rows than it says")
    blank = [None] * described.num_rows
    return Table(list(zip(*(given.get(name, blank) for name in columns.names), strict=True)))


def _plain(kind: Any) -> bool:  # noqa: ANN401 - Arrow has no types
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_null, types.is_string, types.is_large_string)
    return any(test(kind) for test in tests)


def _weigh(described: Any, names: Sequence[str], most: int) -> None:  # noqa: ANN401 - the same
    """Before anything is unpacked, look at what the file says that it will take; raises Refused where that is too much."""
    groups = [described.row_group(number) for number in range(described.num_row_groups)]
    if sum(one.num_rows for one in groups) != described.num_rows:
        raise refuse("the file holds other rows than it says")
    claimed = sum(one.total_byte_size for one in groups)
    # 64 bytes a value are more than any number and most words.
    if claimed > max(1 << 20, 64 * len(names) * most):
        raise refuse(f"the file would unpack to {claimed:,} bytes")
    for group in groups:
        for place in range(group.num_columns):
            one = group.column(place)
            if "DELTA_BYTE_ARRAY" in one.encodings:  # each word may be all of the one before and a letter more
                raise refuse("the encoding DELTA_BYTE_ARRAY is not taken; write the file with another", column=one.path_in_schema)


def _values(column: Any) -> list[Any]:  # noqa: ANN401 - the same
    """A column's values; a word that occurs again is the same object."""
    found: list[Any] = []
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            words = chunk.dictionary.to_pylist()
            found += [None if code is None else words[code] for code in chunk.indices.to_pylist()]
        else:
            found += chunk.to_pylist()
    return found


def _count(rows: int, most: int) -> None:
    if rows > most:
        raise refuse(f"there are more than {most:,} rows; send fewer at once", row=most)
