"""Arrow tables as pandas frames, with one dtype for each kind of value, whether or not any are missing.

It does not know which columns there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labkit.datasets import arrow_values

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def utc(table: pa.Table) -> pa.Table:
    """The table with its times marked as the UTC they are."""
    import pyarrow as pa

    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            times = table.column(place).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
            table = table.set_column(place, column.name, times)
    return table


def plain(table: pa.Table) -> pa.Table:
    """The table with times in UTC, and decimals as plain numbers where these keep every digit."""
    import pyarrow as pa

    table = utc(table)
    for place, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type):
            table = table.set_column(place, column.name, _number(table.column(place)))
    return table


def _number(decimals: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = decimals.type
    try:
        numbers = decimals.cast(pa.int64() if kind.scale == 0 else pa.float64())
        kept = kind.scale == 0 or pc.all(pc.equal(numbers.cast(kind), decimals)).as_py() is not False
    except pa.ArrowInvalid:
        kept = False
    return numbers if kept else decimals


def text_for_pandas(table: pa.Table) -> pa.Table:
    """The table, with as text what pandas has no dtype for: intervals, unions, infinite and far dates."""
    import pyarrow as pa

    for place, column in enumerate(table.schema):
        if _is_text_for_pandas(table.column(place)):
            cells = arrow_values.values(table.column(place))
            texts = [cell if cell is None else str(cell) for cell in cells]
            table = table.set_column(place, column.name, pa.array(texts, pa.string()))
    return table


def _is_text_for_pandas(column: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_date(column.type) or types.is_timestamp(column.type):
        ends = pc.min_max(column)
        return any(isinstance(arrow_values.value(ends[end]), str) for end in ("min", "max"))
    return bool(types.is_interval(column.type) or types.is_union(column.type))


def to_frame(table: pa.Table, *, never_missing: Sequence[str] = ()) -> pd.DataFrame:
    """An Arrow table as a frame: times in UTC, whole numbers as `Int64`, or `int64` if never missing."""
    import pandas as pd
    import pyarrow as pa

    whole = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32())
    types: dict[pa.DataType, Any] = dict.fromkeys(whole, pd.Int64Dtype())
    types |= {pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = plain(table).to_pandas(types_mapper=types.get)
    for column in never_missing:
        if column in frame.columns and frame[column].dtype == "Int64":
            # `astype` would copy all the others.
            frame[column] = frame[column].to_numpy("int64")
    return frame
