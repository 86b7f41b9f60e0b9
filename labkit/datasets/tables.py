"""Frames, Arrow's tables and lists of rows as columns of plain Python lists.

Each reader, here and beside, returns a `Table`: the column names and the rows' values, and how a person
calls a row there (line 2 of a CSV file, row 0 of a frame). What cannot be read is a `DefinitionError` with
line and reason. It does not know samples or ids.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from labkit.datasets import arrow_values
from labkit.datasets.values import Unkeepable, whole
from labkit.errors import DefinitionError
from labkit.paths import decode, plain_file, read_bytes
from labkit.visible import quoted, visible

LARGEST_BYTES = 4_000_000_000
ROW_NAMES = "rownames"
"""How row names are called that have no name of their own; R's word."""
_INDEX_LEVEL = re.compile(r"__index_level_\d+__")

_SHAPING = frozenset("\n\t\u00ad\u061c\u200c\u200d\u200e\u200f")

_OTHER_KINDS = {
    b"\x1f\x8b": "packed with gzip. Unpack it first",
    b"PK\x03\x04": "a zip archive, as an Excel workbook is. Save the sheet as CSV UTF-8, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook. Save the sheet as CSV UTF-8",
    b"PAR1": "a Parquet file. Let its name end with .parquet",
}
"""How files begin that are no text, and what to do with them."""


class Table(NamedTuple):
    """Columns by name, each of `length` values; `row_names` says how a row is called in messages."""

    columns: dict[str, list[Any]]
    length: int
    row_names: Callable[[int], str]
    has_unnamed: bool = False
    """Whether column `rownames` had no name of its own."""


def read_text(path: str | os.PathLike[str], *, what: str) -> str:
    """The text of a file, its line ends as they are. Raises `DefinitionError` for a file of another kind."""
    data = read_bytes(path, what="dataset", limit_bytes=LARGEST_BYTES)
    for signature, kind in _OTHER_KINDS.items():
        if data.startswith(signature):
            raise DefinitionError(f"The {what} is no text but {kind}.")
    text = decode(data, what=what)
    if not text.strip():
        raise DefinitionError(f"The {what} is empty.")
    return text


def read_parquet(path: str | os.PathLike[str]) -> Table:
    """A Parquet file."""
    import pyarrow
    import pyarrow.parquet

    found = plain_file(path, what="dataset")
    what = f"Parquet file {os.fspath(path)!r}"
    try:
        check_names(pyarrow.parquet.read_schema(found).names, what)
        return from_arrow(pyarrow.parquet.read_table(found), what=what)
    except (pyarrow.ArrowException, OSError) as error:
        raise DefinitionError(f"The {what} cannot be read: {_said(error)}.") from None


def from_arrow(table: Any, *, what: str) -> Table:
    """A pyarrow table, or anything that can be read as one without a copy."""
    import pyarrow

    try:
        if type(table).__name__ == "DuckDBPyRelation":
            table = _with_text(table)
        table = table if isinstance(table, pyarrow.Table) else pyarrow.table(table)
    except (TypeError, ValueError, pyarrow.ArrowException):
        raise DefinitionError(
            f"A {type(table).__name__} is no table with named columns. Make one of it, such as a frame."
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever runs behind it: a query, a connection
        raise DefinitionError(
            f"The {what} cannot be read: {_said(error)}. Mend what it comes from; there a column of a "
            "kind that others do not know is to be cast to text."
        ) from None
    names = dict(enumerate(table.column_names))
    # An index without a name, as pandas writes it: see `from_frame`.
    unnamed = [place for place, name in names.items() if _INDEX_LEVEL.fullmatch(name)]
    if len(unnamed) > 1:
        raise DefinitionError(
            f"The {what} has an index of several levels without names. Name them, or use reset_index() first."
        )
    for place in unnamed:
        if is_count(table.column(place).to_pylist()):
            del names[place]
        else:
            _check_free(ROW_NAMES, table.column_names, what)
            names[place] = ROW_NAMES
    check_names(list(names.values()), what)
    columns = {name: _cells(table.column(place), name, what) for place, name in names.items()}
    return Table(columns, table.num_rows, _row, any(names.get(place) for place in unnamed))


def _with_text(relation: Any) -> Any:
    """DuckDB's relation, with as text what Arrow would cut: the offset of a time, the largest numbers."""
    kinds = zip(relation.columns, map(str, relation.types), strict=True)
    lost = [name.replace('"', '""') for name, kind in kinds if kind in ("TIME WITH TIME ZONE", "UHUGEINT")]
    texts = ", ".join(f'"{name}"::varchar as "{name}"' for name in lost)
    return relation.project(f"* replace ({texts})") if lost else relation


def _check_free(name: str, names: Iterable[Any], what: str) -> None:
    """That an index would not take the name of a column."""
    if name in names:
        raise DefinitionError(
            f"The {what} has an index that would be column {quoted(name)} beside another of that name. "
            "Give the index a name of its own: frame.rename_axis('name')."
        )


def _cells(column: Any, name: str, what: str) -> list[Any]:
    """The values of an Arrow column; the first that cannot be read is a `DefinitionError` with its place."""
    try:
        return arrow_values.values(column)
    except Exception:  # noqa: BLE001 - below it is said which cell it is
        cells = []
        for position, cell in enumerate(column):
            try:
                cells.append(arrow_values.value(cell))
            except Exception as error:  # noqa: BLE001 - Arrow does not look at what it is given
                why = error if isinstance(error, Unkeepable) else f"cannot be read ({_said(error)})"
                raise DefinitionError(
                    f"The {what} {why} in {_row(position)}, column {quoted(name)}. Cast that column to text, "
                    "or leave it out."
                ) from None
        return cells


def _said(error: Exception) -> str:
    """What another library says, as the end of a sentence."""
    return visible(str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")


def from_frame(frame: Any, *, what: str) -> Table:
    """A pandas DataFrame, or a Series by its name.

    An index is a column too; without a name it is column `rownames`, or left out where it only counts rows.
    """
    import pandas as pd

    if isinstance(frame, pd.Series):
        if frame.name is None:
            raise DefinitionError(
                "The series has no name for its column. Give it one: series.rename('text')."
            )
        frame = frame.to_frame()
    if not isinstance(frame, pd.DataFrame):
        raise DefinitionError(f"A pandas {type(frame).__name__} is no table; make a DataFrame of it.")
    if isinstance(frame.columns, pd.MultiIndex) or isinstance(frame.index, pd.MultiIndex):
        raise DefinitionError(
            f"The {what} has more than one level of rows or columns; use reset_index() first."
        )
    check_names(list(frame.columns), what)
    is_unnamed = frame.index.name is None and len(frame) > 0 and not is_count(list(frame.index))
    if is_unnamed:
        frame = frame.rename_axis(ROW_NAMES)
    name = frame.index.name
    # `set_index(…, drop=False)` leaves the same twice.
    if name is not None and not (name in frame.columns and frame.index.equals(pd.Index(frame[name]))):
        _check_free(name, frame.columns, what)
        frame = frame.reset_index()
        check_names(list(frame.columns), what)
    return Table(
        {name: _series(frame[name], name, what) for name in frame.columns}, len(frame), _row, is_unnamed
    )


def _series(series: Any, name: str, what: str) -> list[Any]:
    import pandas as pd
    import pyarrow

    kind = series.dtype
    if isinstance(kind, pd.SparseDtype):
        return _series(series.sparse.to_dense(), name, what)
    if isinstance(kind, pd.CategoricalDtype):
        named = _series(pd.Series(kind.categories), name, what)
        return [None if code < 0 else named[code] for code in series.cat.codes]
    if isinstance(kind, pd.ArrowDtype) or pd.api.types.is_datetime64_any_dtype(kind):
        return _cells(pyarrow.chunked_array([pyarrow.array(series)]), name, what)
    if not pd.api.types.is_float_dtype(kind):
        return list(series.tolist())
    bits = 8 * kind.itemsize
    return [None if pd.isna(cell) else whole(arrow_values.shortest(cell, bits)) for cell in series.tolist()]


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
        raise DefinitionError(capped(faults))
    check_names(list(names), what)
    return Table({name: [row.get(name) for row in kept] for name in names}, len(kept), row_names)


def is_count(names: Sequence[Any]) -> bool:
    """Whether row names only count the rows, from 0 or 1, in any order: no other numbers say nothing.

    Years do say something, and so do the places that rows had in a larger table.

    >>> is_count(["1", "2", "3"]), is_count([1, 0]), is_count([1990, 1991])
    (True, True, False)
    """
    if not all(str(name).isdecimal() for name in names):
        return False
    numbers = sorted(map(int, names))
    return numbers[:1] in ([0], [1]) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _row(position: int) -> str:
    return f"row {position:,}"


def check_names(names: Sequence[Any], what: str, places: Sequence[int] | None = None) -> None:
    """Raise `DefinitionError` for every name that no column can have; `places` are where they stand, from 0.

    A name may hold what headers do hold: blanks of any kind, line breaks, joiners, soft hyphens and the marks
    that say which way a script runs. Where it is shown they are seen, as in a cell.
    """
    faults = []
    for place, name in zip(places or range(len(names)), names, strict=True):
        column = f"Column number {place + 1:,} of the {what}"
        if not isinstance(name, str):
            faults.append(f"{column} is called {quoted(name)}, which is no text. Rename it.")
        elif not name.strip() or len(name) > 200:
            why = (
                "has no name. Give it one"
                if not name.strip()
                else "has a name of more than 200 characters. Rename it"
            )
            faults.append(f"{column} {why}.")
        elif not all(map(_is_for_names, name)):
            faults.append(
                f"{column} has a name with characters that cannot be seen, here as their codes: "
                f"{visible(name, limit=80)}. Rename it."
            )
    count = Counter(name for name in names if isinstance(name, str))
    twice = sorted(name for name, times in count.items() if times > 1)
    faults += [f"The {what} has more than one column {quoted(name)}. Rename one." for name in twice]
    if faults:
        raise DefinitionError(capped(faults))


def _is_for_names(character: str) -> bool:
    return character.isprintable() or character in _SHAPING or unicodedata.category(character) == "Zs"


def capped(faults: list[str]) -> list[str]:
    kept = faults[:20]
    return (
        kept if len(kept) == len(faults) else [*kept, f"… and {len(faults) - len(kept):,} more of the kind."]
    )
