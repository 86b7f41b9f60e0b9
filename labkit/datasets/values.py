"""What a cell may hold: text, numbers, truth values, lists and mappings of these, or nothing.

Everything else is turned into one of them, or refused with its place: a path becomes its text, the bytes of
an image a `data:` text. It does not know tables.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import sys
from decimal import Decimal
from typing import Any

from labkit import images
from labkit.errors import DefinitionError

DEEPEST = 50
LARGEST_INT = 2**63


class Unkeepable(ValueError):
    """A value that no dataset can hold; the message is the rest of a sentence about it."""


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it without a loss: NaN, NaT and NA become None, dates ISO text,
    numpy and pandas scalars Python's own. Raises `Unkeepable` for what cannot be kept.

    >>> import datetime
    >>> plain([datetime.date(2026, 11, 1), float("nan"), Decimal("1.5")])
    ['2026-11-01', None, 1.5]
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


def _scalar(value: Any, depth: int) -> Any:
    if isinstance(value, (str, int, float)):
        base = next(base for base in (str, bool, int, float) if isinstance(value, base))
        return plain(base(value), depth)
    if isinstance(value, Decimal):
        return None if value.is_nan() else _number(float(value))
    if _is_missing(value):
        return None
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
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
    python = value.tolist()
    if type(python) is type(value):
        raise Unkeepable(f"is {type(value).__name__}, which cannot be kept; turn it into text or numbers")
    return plain(python, depth + 1)


def _is_missing(value: Any) -> bool:
    # NA and NaT exist only where pandas or numpy is already loaded.
    pandas = sys.modules.get("pandas")
    if pandas is not None and (value is pandas.NA or value is pandas.NaT):
        return True
    return type(value).__name__ == "datetime64" and str(value) == "NaT"


def _number(value: float) -> float | None:
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return None
    raise Unkeepable("is infinite")


def _whole(value: int) -> int:
    if -LARGEST_INT <= value < 2 * LARGEST_INT:
        return value
    raise Unkeepable("is a whole number beyond 64 bits; write it as text")
