"""Files and frames as columns of plain Python lists.

Each reader returns a `Table`: the column names and the rows' values, and the number of the first
row as a person counts it there (line 2 of a CSV file, row 0 of a frame). What cannot be read is a
`DefinitionError` with line and reason. It does not know samples or ids.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from labkit.errors import DefinitionError
from labkit.paths import decode, plain_file, read_bytes

LARGEST_BYTES = 4_000_000_000
SHOWN = 5
_CELL_CHARACTERS = 100_000_000
_DELIMITERS = ",;\t|"
_SNIFFED = 200_000


class Table(NamedTuple):
    """Columns by name, each of `length` values; `row_names` says how a row is called in messages."""

    columns: dict[str, list[Any]]
    length: int
    row_names: Callable[[int], str]


def read_csv(path: str | os.PathLike[str]) -> Table:
    """A CSV file: UTF-8, first line the column names, separated by comma, semicolon, tab or bar.

    A column becomes whole numbers or decimals only if every cell is written just as Python writes
    that number, so that a prompt shows the characters of the file: `007` stays text. Empty cells
    are None.
    """
    what = f"CSV file {os.fspath(path)!r}"
    text = decode(read_bytes(path, what="dataset", limit_bytes=LARGEST_BYTES), what=what)
    if not text.strip():
        raise DefinitionError(f"The {what} is empty.")
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_CHARACTERS))
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DefinitionError(f"The {what} cannot be read in line {reader.line_num:,}: {error}.") from None
    head, width = rows[0], len(rows[0])
    _check_names(head, what)
    ragged = [i for i, row in enumerate(rows) if len(row) != width]
    if ragged:
        shown = ", ".join(f"line {lines[i]:,} ({len(rows[i])})" for i in ragged[:SHOWN])
        more = f" and {len(ragged) - SHOWN:,} more" if len(ragged) > SHOWN else ""
        raise DefinitionError(
            f"The {what} has {width} columns, but another number of cells in {shown}{more}. "
            "A cell that holds the separator or a line end needs quotes around it."
        )
    del rows[0], lines[0]
    columns = {
        name: _numbers(list(cells)) for name, cells in zip(head, zip(*rows, strict=True), strict=False)
    }
    return Table(columns or {name: [] for name in head}, len(rows), lambda i: f"line {lines[i]:,}")


def read_jsonl(path: str | os.PathLike[str]) -> Table:
    """JSON Lines: one object a line, empty lines skipped."""
    what = f"JSON Lines file {os.fspath(path)!r}"
    data = read_bytes(path, what="dataset", limit_bytes=LARGEST_BYTES)
    decode(data, what=what)
    rows, lines, faults = [], [], []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            row, fault = _json(line)
            if fault is None and not isinstance(row, dict):
                fault = "it is no object {…}"
            if fault:
                faults.append(f"The {what} cannot be read in line {number:,}: {fault}.")
            rows.append(row)
            lines.append(number)
    if faults:
        raise DefinitionError(_capped(faults))
    return from_rows(rows, row_names=lambda i: f"line {lines[i]:,}", what=what)


def read_json(path: str | os.PathLike[str]) -> Table:
    """A JSON file that holds a list of objects."""
    what = f"JSON file {os.fspath(path)!r}"
    rows, fault = _json(read_bytes(path, what="dataset", limit_bytes=LARGEST_BYTES))
    if fault is None and not isinstance(rows, list):
        fault = "it holds no list of objects [{…}, …]"
    if fault:
        raise DefinitionError(f"The {what} cannot be read: {fault}.")
    return from_rows(rows, row_names=_row, what=what)


def read_parquet(path: str | os.PathLike[str]) -> Table:
    """A Parquet file."""
    import pyarrow
    import pyarrow.parquet

    found = plain_file(path, what="dataset")
    try:
        return from_arrow(pyarrow.parquet.read_table(found), what=f"Parquet file {os.fspath(path)!r}")
    except (pyarrow.ArrowException, OSError) as error:
        raise DefinitionError(
            f"The Parquet file {os.fspath(path)!r} cannot be read: {error!s:.200}."
        ) from None


def from_arrow(table: Any, *, what: str) -> Table:
    """A pyarrow table, or anything that can be read as one without a copy."""
    import pyarrow

    table = table if isinstance(table, pyarrow.Table) else pyarrow.table(table)
    _check_names(table.column_names, what)
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return Table(columns, table.num_rows, _row)


def from_frame(frame: Any, *, what: str) -> Table:
    """A pandas DataFrame; a named index is a column too."""
    import pandas as pd

    if isinstance(frame.columns, pd.MultiIndex) or isinstance(frame.index, pd.MultiIndex):
        raise DefinitionError(
            f"The {what} has more than one level of rows or columns; use reset_index() first."
        )
    if frame.index.name is not None and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    _check_names(list(frame.columns), what)
    columns = {}
    for name in frame.columns:
        series = frame[name]
        if isinstance(series.dtype, pd.CategoricalDtype):
            series = series.astype(object)
        columns[name] = series.tolist()
    return Table(columns, len(frame), _row)


def from_rows(rows: Iterable[Any], *, row_names: Callable[[int], str] | None = None, what: str) -> Table:
    """Mappings with text as keys; a key that a row lacks is None there."""
    names: dict[Any, None] = {}
    kept: list[Mapping[Any, Any]] = []
    faults = []
    row_names = row_names or _row
    for position, row in enumerate(rows):
        if isinstance(row, Mapping):
            kept.append(row)
            for name in row:
                names[name] = None
        else:
            faults.append(
                f"The {what} has {type(row).__name__} in {row_names(position)}, not a mapping such as "
                '{"text": "…"}.'
            )
    if faults:
        raise DefinitionError(_capped(faults))
    _check_names(list(names), what)
    return Table({name: [row.get(name) for row in kept] for name in names}, len(kept), row_names)


def _row(position: int) -> str:
    return f"row {position:,}"


def _json(data: bytes) -> tuple[Any, str | None]:
    try:
        return msgspec.json.decode(data), None
    except RecursionError:
        return None, "it is nested too deep"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, str(error).rstrip(".")


def _delimiter(text: str) -> str:
    """The separator under which the first lines have one width; if there is none, the first line's own."""
    start = io.StringIO(text[:_SNIFFED], newline="")
    widest: tuple[int, str] = (1, "")
    for candidate in _DELIMITERS:
        start.seek(0)
        try:
            rows = list(islice((row for row in csv.reader(start, delimiter=candidate) if row), 50))
        except csv.Error:
            continue
        if len(text) > _SNIFFED and len(rows) > 1:
            rows.pop()  # it may be cut
        widths = {len(row) for row in rows}
        if len(widths) == 1:
            widest = max(widest, (widths.pop(), candidate), key=lambda found: found[0])
    return widest[1] or max(_DELIMITERS, key=text.splitlines()[0].count)


def _numbers(cells: list[str]) -> list[Any]:
    filled = [cell for cell in cells if cell != ""]
    kinds: tuple[Callable[[str], int | float], ...] = (int, float)
    for kind in kinds:
        if filled and all(_is_written(cell, kind) for cell in filled):
            read: Callable[[str], Any] = kind
            return [read(cell) if cell else None for cell in cells]
    return [cell if cell != "" else None for cell in cells]


def _is_written(cell: str, kind: Callable[[str], int | float]) -> bool:
    if len(cell) > 25 or not (cell[-1].isdigit() and cell.isascii()):
        return False
    try:
        return str(kind(cell)) == cell and abs(kind(cell)) < 2**63
    except ValueError:
        return False


def _check_names(names: Sequence[Any], what: str) -> None:
    faults = []
    for position, name in enumerate(names):
        shown = f"{name!r:.60}"
        if not isinstance(name, str):
            faults.append(f"The {what} names column {position} {shown}, which is no text. Rename it.")
        elif not name.strip() or len(name) > 200:
            why = "has no name" if not name.strip() else "has a name of more than 200 characters"
            faults.append(f"Column {position} of the {what} {why}. Give it one.")
        elif not name.isprintable():
            faults.append(f"The {what} has a column {shown}, whose name holds unprintable characters.")
    texts = [name for name in names if isinstance(name, str)]
    twice = sorted({name for name in texts if texts.count(name) > 1}) if len(set(texts)) < len(texts) else []
    faults += [f"The {what} has more than one column {name!r:.60}." for name in twice]
    if faults:
        raise DefinitionError(_capped(faults))


def _capped(faults: list[str]) -> list[str]:
    kept = faults[:20]
    return (
        kept if len(kept) == len(faults) else [*kept, f"… and {len(faults) - len(kept):,} more of the kind."]
    )
