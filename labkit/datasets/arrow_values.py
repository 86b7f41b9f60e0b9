"""Arrow's columns as Python's values, each cell by itself.

What Python has no value for is written as DuckDB writes it: intervals, infinite dates, years beyond 9999,
nanoseconds of a time.
It does not know tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from labkit.datasets.values import DAY_NS, Unkeepable, duration, interval, whole

if TYPE_CHECKING:
    import pyarrow as pa

_INFINITE = {2**31 - 1: "infinity", 1 - 2**31: "-infinity", 2**63 - 1: "infinity", 1 - 2**63: "-infinity"}
"""DuckDB's infinite dates (32 bits) and moments (64 bits) as Arrow holds them."""
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
_YEAR = re.compile(r"(-?)(\d+)(.*)")
_OTHERWISE = re.compile(r"interval|time(32|64)|duration|map<|\b(half)?float\b")
"""Types that Arrow itself does not turn into what they say, wherever they stand in a column's type."""


def values(column: pa.ChunkedArray) -> list[Any]:
    """The cells of a column; whole floats are whole numbers, and small floats have their own digits.

    Raises `Unkeepable`, and what Arrow and Python raise for cells that are broken.
    """
    from pyarrow import types

    kind = column.type
    cells: list[Any]
    if types.is_floating(kind):
        return [None if cell is None else whole(cell) for cell in _floats(column)]
    if not _OTHERWISE.search(str(kind)):
        try:
            cells = column.to_pylist()
        except (OverflowError, ValueError):
            pass
        else:
            return cells
    return [value(cell) for cell in column]


def _floats(column: pa.ChunkedArray | pa.Array) -> list[float | None]:
    bits = column.type.bit_width
    return [None if cell is None else shortest(cell, bits) for cell in column.to_pylist()]


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
    if isinstance(cell, pa.DictionaryScalar):
        return value(cell.value)
    if isinstance(cell, pa.StructScalar):
        names = [field.name for field in cell.type]
        if len(set(names)) < len(names):
            raise Unkeepable("has a struct whose fields have no names, or one name twice,")
        return {name: value(cell[place]) for place, name in enumerate(names)}
    if isinstance(cell, pa.MapScalar):
        pairs = [[value(pair[0]), value(pair[1])] for pair in cell.values]
        keys = {key for key, _ in pairs if isinstance(key, str)}
        return dict(pairs) if len(keys) == len(pairs) else pairs
    if isinstance(cell, pa.ListScalar):
        is_floating = pa.types.is_floating(cell.values.type)
        return _floats(cell.values) if is_floating else [value(item) for item in cell.values]
    return _scalar(cell)


def _scalar(cell: pa.Scalar) -> Any:
    import pyarrow as pa

    if isinstance(cell, pa.MonthDayNanoIntervalScalar):
        return interval(*cell.as_py())
    if isinstance(cell, pa.DurationScalar):
        return duration(cell.value * _NANOSECONDS[cell.type.unit])
    if isinstance(cell, (pa.Time32Scalar, pa.Time64Scalar)):
        nanoseconds = cell.value * _NANOSECONDS[cell.type.unit]
        return interval(0, 0, nanoseconds) if nanoseconds % 1000 or nanoseconds >= DAY_NS else cell.as_py()
    if isinstance(cell, (pa.HalfFloatScalar, pa.FloatScalar)):
        return shortest(cell.as_py(), cell.type.bit_width)
    try:
        return cell.as_py()
    except (OverflowError, ValueError) as error:
        if not (pa.types.is_date(cell.type) or pa.types.is_timestamp(cell.type)):
            raise
        if isinstance(error, pa.ArrowInvalid):
            raise Unkeepable(f"has a time in the unknown time zone {cell.type.tz!r}") from None
        return _INFINITE.get(cell.value) or _far(cell)


def _far(cell: pa.Scalar) -> str:
    """A date or moment outside of Python's years, in UTC where it has a time zone."""
    import numpy as np
    import pyarrow as pa

    unit: Any = "D" if pa.types.is_date32(cell.type) else getattr(cell.type, "unit", "ms")
    sign, year, rest = _YEAR.findall(str(np.datetime64(cell.value, unit)))[0]
    return f"{sign}{year.zfill(4)}{rest}{'Z' if getattr(cell.type, 'tz', None) else ''}"
