"""Arrow's columns as Python's values, each cell by itself.

What Python has no value for is written as DuckDB writes it: intervals, infinite dates, years beyond 9999.
It does not know tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.datasets.values import whole

if TYPE_CHECKING:
    import pyarrow as pa

_INFINITE = {2**31 - 1: "infinity", 1 - 2**31: "-infinity", 2**63 - 1: "infinity", 1 - 2**63: "-infinity"}
"""DuckDB's infinite dates (32 bits) and moments (64 bits) as Arrow holds them."""


def values(column: pa.ChunkedArray) -> list[Any]:
    """The cells of a column; whole floats are whole numbers, and small floats have their own digits."""
    from pyarrow import types

    kind = column.type
    if "interval" in str(kind):
        return [value(cell) for cell in column]
    try:
        cells: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        return [value(cell) for cell in column]
    if types.is_floating(kind):
        return [None if cell is None else whole(shortest(cell, kind.bit_width)) for cell in cells]
    return cells


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

    if isinstance(cell, pa.MonthDayNanoIntervalScalar):
        return None if cell.as_py() is None else interval(*cell.as_py())
    if isinstance(cell, pa.StructScalar):
        return {name: value(cell[name]) for name in cell} if cell.is_valid else None
    if isinstance(cell, pa.ListScalar):
        return [value(item) for item in cell.values] if cell.is_valid else None
    try:
        return cell.as_py()
    except (OverflowError, ValueError):
        count = cell.cast(pa.int32() if pa.types.is_date32(cell.type) else pa.int64()).as_py()
        return _INFINITE.get(count) or cell.cast(pa.string()).as_py().replace(" ", "T")


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
