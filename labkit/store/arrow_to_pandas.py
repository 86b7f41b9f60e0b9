"""Arrow tables as pandas frames, with one dtype for each kind of value, whether or not any are missing.

It does not know which columns there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def utc(table: pa.Table) -> pa.Table:
    """The table with its times marked as the UTC they are, and decimals as plain numbers."""
    import pyarrow as pa

    for place, column in enumerate(table.schema):
        values = table.column(place)
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            values = values.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        elif pa.types.is_decimal(column.type):
            try:
                values = values.cast(pa.int64() if column.type.scale == 0 else pa.float64())
            except pa.ArrowInvalid:
                values = values.cast(pa.float64())
        else:
            continue
        table = table.set_column(place, column.name, values)
    return table


def to_frame(table: pa.Table, *, never_missing: Sequence[str] = ()) -> pd.DataFrame:
    """An Arrow table as a frame: times in UTC, whole numbers as `Int64`, or `int64` if never missing."""
    import pandas as pd
    import pyarrow as pa

    types = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = utc(table).to_pandas(types_mapper=types.get)
    for column in never_missing:
        if column in frame.columns and frame[column].dtype == "Int64":
            # `astype` would copy all the others.
            frame[column] = frame[column].to_numpy("int64")
    return frame
