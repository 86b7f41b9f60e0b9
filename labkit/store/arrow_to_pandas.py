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


def result_to_frame(table: pa.Table) -> pd.DataFrame:
    """The result of any query as a frame: lists, structs and maps as Python's, and a column as text in which
    a date is infinite or too far for Python."""
    import pandas as pd
    import pyarrow as pa

    objects: dict[str, list[Any]] = {}
    for place, column in enumerate(table.schema):
        cells = table.column(place)
        if pa.types.is_nested(column.type):
            objects[column.name] = arrow_values.values(cells)
            table = table.set_column(place, column.name, pa.nulls(len(table)))
        elif _has_dates_beyond_python(cells):
            texts = [cell if cell is None else str(cell) for cell in arrow_values.values(cells)]
            table = table.set_column(place, column.name, pa.array(texts, pa.string()))
    frame = to_frame(table)
    for name, values in objects.items():
        frame[name] = pd.Series(values, index=frame.index, dtype=object)
    return frame


def _has_dates_beyond_python(column: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc
    from pyarrow import types

    if not (types.is_date(column.type) or types.is_timestamp(column.type)):
        return False
    ends = pc.min_max(column)
    return any(isinstance(arrow_values.value(ends[end]), str) for end in ("min", "max"))
