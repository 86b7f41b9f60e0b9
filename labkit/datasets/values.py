"""What a cell may hold: text, numbers, truth values, lists and mappings of these, or nothing.

Everything else is turned into one of them, or refused with its place: a path becomes its text, the bytes of
an image a `data:` text. A number keeps its digits: what Python would write otherwise is kept as text. It
does not know tables.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import sys
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from labkit import images
from labkit.errors import DefinitionError

DEEPEST = 50
LARGEST_INT = 2**63
LARGEST_EXACT = 2**53
"""Up to here a float tells each whole number from the next."""
LONGEST_DECIMAL = 400
DAY_NS = 86_400 * 10**9


class Unkeepable(ValueError):
    """A value that no dataset can hold; the message is the rest of a sentence about it."""


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it without a loss: NaN, NaT and NA become None, dates ISO text,
    numpy and pandas scalars Python's own. Raises `Unkeepable` for what cannot be kept.

    >>> import datetime
    >>> plain([datetime.date(2026, 11, 1), float("nan"), Decimal("1.5"), Decimal("1.50")])
    ['2026-11-01', None, 1.5, '1.50']
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is float:
        return _number(value)
    if kind is int:
        return _whole(value)
    if depth > DEEPEST:
        raise Unkeepable(f"is nested more than {DEEPEST} deep, or holds itself")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise Unkeepable("is a mapping whose keys are not all text")
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    return _scalar(value, depth)


def numbers(cells: Sequence[str | None]) -> list[Any]:
    """Texts as whole numbers or decimals, if Python writes each of them the same; else as they are.

    So the other cells of a column decide whether a template can count with one, and never what it shows.

    >>> numbers(["1", None, "22"]), numbers(["007", "1"]), numbers(["0.10", "0.2"])
    ([1, None, 22], ['007', '1'], ['0.10', '0.2'])
    """
    filled = [cell for cell in cells if cell is not None]
    kinds: tuple[Callable[[str], int | float], ...] = (int, float)
    for kind in kinds:
        if filled and all(_is_written(cell, kind) for cell in filled):
            read: Callable[[str], Any] = kind
            return [None if cell is None else read(cell) for cell in cells]
    return list(cells)


def digits(value: Decimal) -> str | None:
    """A decimal written out, with every digit it has; None for NaN. Raises `Unkeepable` where infinite.

    >>> digits(Decimal("0E-2")), digits(Decimal("1E+3"))
    ('0.00', '1000')
    """
    if value.is_nan():
        return None
    if value.is_infinite():
        raise Unkeepable("has an infinite number")
    return f"{value:f}" if abs(value.adjusted()) < LONGEST_DECIMAL else str(value)


def whole(value: float) -> float:
    """A column's float as a whole number where it is one: numpy has no other way to keep 7 beside a gap.

    >>> whole(7.0), whole(7.5), whole(1e300)
    (7, 7.5, 1e+300)
    """
    return int(value) if value.is_integer() and abs(value) < LARGEST_EXACT else value


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


def duration(nanoseconds: int) -> str:
    """A length of time as the interval of days and hours that it is.

    >>> duration(129_600_000_000_000)
    '1 day 12:00:00'
    """
    days = int(nanoseconds / DAY_NS)
    return interval(0, days, nanoseconds - days * DAY_NS)


def _scalar(value: Any, depth: int) -> Any:
    if isinstance(value, (str, int, float)):
        base = next(base for base in (str, bool, int, float) if isinstance(value, base))
        return plain(base(value), depth)
    if isinstance(value, Decimal):
        return numbers([digits(value)])[0]
    if _is_missing(value):
        return None
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        microseconds = value // dt.timedelta(microseconds=1)
        return duration(1000 * microseconds + getattr(value, "nanoseconds", 0))
    if isinstance(value, uuid.UUID) or (type(value).__name__ == "Period" and hasattr(value, "freqstr")):
        return str(value)
    if isinstance(value, os.PathLike):
        return plain(os.fspath(value), depth + 1)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _image(value)
    if type(value).__module__ == "numpy" or hasattr(value, "__array__"):
        return _from_numpy(value, depth)
    raise Unkeepable(f"is {type(value).__name__}, which cannot be kept; turn it into text or numbers")


def _image(value: bytes | bytearray | memoryview) -> str:
    try:
        return images.data_url(bytes(value))
    except DefinitionError:
        raise Unkeepable(f"is {type(value).__name__} and no image, so turn it into text") from None


def _from_numpy(value: Any, depth: int) -> Any:
    if type(value).__name__ in ("datetime64", "timedelta64"):
        return str(value)
    try:
        if getattr(getattr(value, "dtype", None), "name", None) in ("float16", "float32"):
            # By its digits: 0.1, not 0.10000000149011612.
            value = value.astype("U").astype("float64")
        python = value.tolist()
    except Exception:  # noqa: BLE001 - it is anybody's code, and frames have no such method
        python = value
    if type(python) is type(value):
        raise Unkeepable(f"is {type(value).__name__}, which cannot be kept; turn it into text or numbers")
    return plain(python, depth + 1)


def _is_written(cell: str, kind: Callable[[str], int | float]) -> bool:
    if len(cell) > 25 or not (cell[-1].isdigit() and cell.isascii()):
        return False
    try:
        return str(kind(cell)) == cell and abs(kind(cell)) < LARGEST_INT
    except ValueError:
        return False


def _is_missing(value: Any) -> bool:
    # NA and NaT exist only where pandas or numpy is already loaded.
    pandas = sys.modules.get("pandas")
    if pandas is not None and (value is pandas.NA or value is pandas.NaT):
        return True
    return type(value).__name__ in ("datetime64", "timedelta64") and str(value) == "NaT"


def _number(value: float) -> float | None:
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return None
    raise Unkeepable("has an infinite number")


def _whole(value: int) -> int:
    if -LARGEST_INT <= value < 2 * LARGEST_INT:
        return value
    raise Unkeepable("is a whole number beyond 64 bits; write it as text")
