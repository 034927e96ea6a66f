"""Parquet files of the owners' rows, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from train.datasets.layout import Layout, Piece, chosen, numbered
from train.errors import TrainError

MAGIC = b"PAR1"


def is_parquet(path: Path) -> bool:
    """Whether the file begins as Parquet does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def pieces(path: Path, layouts: Sequence[Layout], size: int) -> Iterator[Piece]:
    """The rows, ``size`` at a time; a column of text that holds numbers is read as numbers. Raises TrainError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            layout = chosen(path, list(file.schema_arrow.names), layouts)
            row = 1
            for batch in file.iter_batches(batch_size=size):
                table = batch.to_pandas()
                table.columns = numbered(layout.columns)
                yield Piece(layout, _typed(path, row, table, layout))
                row += len(table)
    except pa.ArrowException as error:
        raise TrainError(f"{path}: not a Parquet file that can be read: {error}", hint="write it again") from error


def _typed(path: Path, row: int, table: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    for column in table.columns:
        cells = table[column]
        if column not in layout.numeric:
            table[column] = cells.astype(object).where(cells.notna(), "").astype(str)
            continue
        if pd.api.types.is_numeric_dtype(cells):
            table[column] = cells.astype("float64")
            continue
        values = pd.to_numeric(cells.replace("", None), errors="coerce").astype("float64")
        bad = (values.isna() & cells.notna() & ~cells.astype(str).str.strip().str.lower().isin(["nan", ""])).to_numpy()
        if bad.any():
            place = int(bad.argmax())
            raise TrainError(
                f"{path}: row {row + place}: {column!r} holds {cells.iloc[place]!r}, which is no number", hint="write it again with numbers"
            )
        table[column] = values
    table.index = pd.RangeIndex(row, row + len(table))
    return table
