"""Arrow's columns as Python's values, each cell by itself.

What Python has no value for is written as DuckDB writes it: intervals, infinite dates, years beyond 9999.
It does not know tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from labkit.datasets.values import Unkeepable, whole

if TYPE_CHECKING:
    import pyarrow as pa

_INFINITE = {2**31 - 1: "infinity", 1 - 2**31: "-infinity", 2**63 - 1: "infinity", 1 - 2**63: "-infinity"}
"""DuckDB's infinite dates (32 bits) and moments (64 bits) as Arrow holds them."""
_OTHERWISE = re.compile(r"interval")
"""Types that Arrow itself does not turn into what they say, wherever they stand in a column's type."""


def values(column: pa.ChunkedArray) -> list[Any]:
    """The cells of a column; whole floats are whole numbers, and small floats have their own digits.

    Raises `Unkeepable`, and what Arrow and Python raise for cells that are broken.
    """
    from pyarrow import types

    kind = column.type
    cells: list[Any]
    if types.is_floating(kind):
        cells = column.to_pylist()
        return [None if cell is None else whole(shortest(cell, kind.bit_width)) for cell in cells]
    if not _OTHERWISE.search(str(kind)):
        try:
            cells = column.to_pylist()
        except (OverflowError, ValueError):
            pass
        else:
            return cells
    return [value(cell) for cell in column]


def shortest(value: float, bits: int) -> float:
    """A float of so many bits as the shortest decimal that means it: 0.1, not 0.10000000149011612.

    >>> shortest(0.10000000149011612, 32)
    0.1
    """
    import numpy as np

    return value if bits == 64 else float(str(np.dtype(f"f{bits // 8}").type(value)))


def value(cell: pa.Scalar) -> Any:
    """The cell where Python has its value, else text; lists and mappings item by item."""
    import pyarrow as pa

    if not cell.is_valid:
        return None
    if isinstance(cell, pa.MonthDayNanoIntervalScalar):
        return interval(*cell.as_py())
    if isinstance(cell, pa.StructScalar):
        names = [field.name for field in cell.type]
        if len(set(names)) < len(names):
            raise Unkeepable("has a struct whose fields have no names, or one name twice,")
        return {name: value(cell[place]) for place, name in enumerate(names)}
    if isinstance(cell, pa.ListScalar):
        return [value(item) for item in cell.values]
    try:
        return cell.as_py()
    except (OverflowError, ValueError) as error:
        if not (pa.types.is_date(cell.type) or pa.types.is_timestamp(cell.type)):
            raise
        if isinstance(error, pa.ArrowInvalid):
            raise Unkeepable(f"has a time in the unknown time zone {cell.type.tz!r}") from None
        return _INFINITE.get(cell.value) or cell.cast(pa.string()).as_py().replace(" ", "T")


def interval(months: int, days: int, nanoseconds: int) -> str:
    """An interval as DuckDB writes it.

    >>> interval(14, -3, 3_600_500_000_000)
    '1 year 2 months -3 days 01:00:00.5'
    """
    years, months = int(months / 12), months - 12 * int(months / 12)
    parts = [
        f"{count} {unit}{'' if abs(count) == 1 else 's'}"
        for count, unit in ((years, "year"), (months, "month"), (days, "day"))
        if count
    ]
    if nanoseconds or not parts:
        seconds, fraction = divmod(abs(nanoseconds), 1_000_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        tail = f".{fraction:09}".rstrip("0") if fraction else ""
        parts.append(f"{'-' if nanoseconds < 0 else ''}{clock}{tail}")
    return " ".join(parts)
