"""JSON and JSON Lines as columns, also as Python's `json` writes them: with NaN and half characters.

Those are looked at where every cell is (NaN is nothing, half a character is refused by its place). It
guesses no rows inside an object.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from labkit.datasets.tables import Table, capped, from_rows, read_text
from labkit.errors import DefinitionError


def read_json(path: str | os.PathLike[str]) -> Table:
    """A list of objects, or JSON Lines (one object a line, empty lines skipped), under either's name."""
    is_named_lines = os.fspath(path).lower().endswith((".jsonl", ".ndjson"))
    what = f"{'JSON Lines' if is_named_lines else 'JSON'} file {os.fspath(path)!r}"
    text = read_text(path, what=what)
    first = text.lstrip().partition("\n")[0]
    is_over_lines = first[:1] == "{" and not _is_values(first) and _is_values(text)
    if _is_lines(text) or (is_named_lines and first[:1] != "[" and not is_over_lines):
        return _from_lines(text, what)
    rows, fault = _decoded(text)
    if fault and _is_values(text):
        fault += ", for it holds values one after another. Write one object a line, as `jq -c .` does"
    if fault is None and not isinstance(rows, list):
        fault = _no_list(rows)
    if fault:
        raise DefinitionError(f"The {what} cannot be read: {fault}.")
    return from_rows(rows, what=what)


def _from_lines(text: str, what: str) -> Table:
    rows, lines, faults = [], [], []
    for number, line in _lines(text):
        row, fault = _decoded(line)
        if fault is None and not isinstance(row, dict):
            fault = "it is no object {…}"
        if fault:
            faults.append(f"The {what} cannot be read in line {number:,}: {fault}.")
        rows.append(row)
        lines.append(number)
    if faults:
        raise DefinitionError(capped(faults))
    return from_rows(rows, row_names=lambda i: f"line {lines[i]:,}", what=what)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Only this line end: inside a text JSON allows all the others that Python knows.
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def _is_lines(text: str) -> bool:
    """Whether the first line is an object and another follows."""
    first, _, rest = text.lstrip().partition("\n")
    return first[:1] == "{" and rest.lstrip()[:1] == "{" and _decoded(first)[1] is None


def _is_values(text: str) -> bool:
    """Whether it begins with a whole value, however many lines that has."""
    fault = _decoded(text)[1]
    return fault is None or fault.startswith("Extra data")


def _decoded(text: str) -> tuple[Any, str | None]:
    """The value, or what is wrong."""
    try:
        return _DECODER.decode(text), None
    except RecursionError:
        return None, "it is nested too deep"
    except (msgspec.DecodeError, UnicodeError, MemoryError):
        pass  # Python's own reader knows NaN and half characters, and names what is wrong.
    try:
        return json.loads(text, parse_float=_float), None
    except RecursionError:
        return None, "it is nested too deep"
    except json.JSONDecodeError as error:
        place = f"line {error.lineno:,}, " if "\n" in text.strip() else ""
        return None, f"{error.msg} at {place}character {error.colno:,}"
    except ValueError as error:
        return None, str(error).rstrip(".")


def _float(written: str) -> float | str:
    """The number, or its characters where a float would lose digits."""
    value = float(written)
    return value if len(written) < SAFE_CHARACTERS or Decimal(repr(value)) == Decimal(written) else written


SAFE_CHARACTERS = 16
"""A decimal of up to fifteen digits is what its float is written as."""
_DECODER = msgspec.json.Decoder(float_hook=_float)


def _no_list(found: Any) -> str:
    wanted = "it holds no list of objects [{…}, …]"
    if not isinstance(found, dict):
        return wanted
    lists = [key for key, value in found.items() if _is_rows(value)]
    if lists:
        return f"{wanted} but one object, with a list under {lists[0]!r:.60}. Save that list as a file"
    if len(found) > 1 and all(isinstance(value, dict) for value in found.values()):
        return (
            f"{wanted} but an object of objects. Save its rows as a list; pandas does with "
            "to_json(path, orient='records')"
        )
    if found and all(isinstance(value, list) for value in found.values()):
        return (
            f"{wanted} but an object of columns. Save its rows as a list; pandas does with "
            "to_json(path, orient='records')"
        )
    return f"{wanted} but one object"


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
