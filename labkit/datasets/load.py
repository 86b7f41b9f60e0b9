"""One door for all datasets: `load(source)`.

It decides what a source is, and gives each row its identity. It opens no database: SQL is run by
the function it is given.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from labkit.datasets.csv_file import read_csv
from labkit.datasets.dataset import Dataset, content_id, hash_of
from labkit.datasets.json_file import read_json
from labkit.datasets.tables import ROW_NAMES, Table, capped, from_arrow, from_frame, from_rows, read_parquet
from labkit.datasets.values import Unkeepable, digits, numbers, plain
from labkit.errors import DefinitionError
from labkit.identity import canonical_json
from labkit.paths import plain_file, read_text
from labkit.records import Sample
from labkit.visible import quoted, visible

_READERS: dict[str, Callable[[str | os.PathLike[str]], Table]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".json": read_json,
    ".parquet": read_parquet,
}
_SQL = re.compile(r"\s*(--[^\n]*\n\s*)*\(?\s*(select|from|with)\s", re.IGNORECASE)
_MOST_FAULTS = 20


def load(
    source: Any,
    *,
    sql: Callable[[str], Any] | None = None,
    id: str | None = "id",
    name: str | None = None,
) -> Dataset:
    """The samples in `source`, which may be

    - a path: `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json` (a list of objects), `.parquet`, `.sql`;
    - SQL, which begins with `select`, `from` or `with`, run by `sql`, which gives a table;
    - a pandas DataFrame or Series, or any other table that speaks Arrow (polars, a DuckDB relation …);
    - a list or generator of dicts, or one dict; None is one sample without fields;
    - a `Dataset`, which is returned as it is.

    Column `id` gives each sample its identity; rows that share one, as in panel data, have it with a hash of
    their content behind, and `id` stays a column too. Another column by `id=` must be filled and unique.
    Without one (`id=None`) the identity is a hash of the row's content, so it outlives reordering; equal
    rows are told apart by `-2`, `-3` … Row names that have no name themselves are column `rownames`, or left
    out where they only count the rows; numbers among them are no part of the identity. Cells become text,
    numbers, truth values, None, or lists and dicts of these, each by itself: no row changes what another
    says. Raises `DefinitionError` naming every fault with its row and column.

    >>> load([{"text": "2 + 2?", "target": 4}])
    Dataset('rows-...', 1 sample, columns: text, target)
    """
    if isinstance(source, Dataset):
        return source
    table, kind, origin = _table(source, sql)
    what = f"dataset {name or origin!r}"
    columns = _plain_columns(table, what)
    if table.length == 0:
        raise DefinitionError(f"The {what} has no rows.")
    samples, kept, digest = _samples(columns, id, table, what)
    return Dataset(name or kind or f"{origin}-{digest[3:9]}", samples, tuple(kept), digest, origin)


def _table(source: Any, sql: Callable[[str], Any] | None) -> tuple[Table, str | None, str]:
    """The table, the name it suggests, and where it came from."""
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        if isinstance(source, str) and _SQL.match(source):
            return _query(source, sql), None, "query"
        suffix = Path(text).suffix.lower()
        if suffix == ".sql":
            return (
                _query(read_text(text, what="SQL file", limit_bytes=10_000_000), sql),
                _name(text),
                text,
            )
        if suffix not in _READERS:
            plain_file(text, what="dataset")
            raise DefinitionError(
                f"The dataset {text[:200]!r} is neither SQL nor a file of a known kind: "
                f"{', '.join(_READERS)}, .sql."
            )
        return _READERS[suffix](text), _name(text), text
    if source is None:
        return Table({}, 1, str), None, "single"
    if type(source).__module__.partition(".")[0] == "pandas":
        return from_frame(source, what="frame"), None, "frame"
    if hasattr(source, "__arrow_c_stream__"):
        return from_arrow(source, what="table"), None, "table"
    if isinstance(source, Mapping):
        return from_rows([source], what="dataset"), None, "rows"
    if isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray)):
        return from_rows(source, what="dataset"), None, "rows"
    raise DefinitionError(
        f"A dataset is a path, SQL, a frame or a list of dicts, not {type(source).__name__}."
    )


def _name(path: str) -> str:
    """The file's name without its ending, in characters that a name may have."""
    return re.sub(r"[^\w. -]+|\.\.+", "-", Path(path).stem).strip(" .-")[:100] or "dataset"


def _query(query: str, sql: Callable[[str], Any] | None) -> Table:
    if sql is None:
        raise DefinitionError("A dataset by SQL needs a lab to ask: use it in lab.plan(dataset=…).")
    return from_arrow(sql(query), what="query's result")


def _plain_columns(table: Table, what: str) -> dict[str, list[Any]]:
    faults: list[str] = []
    columns = {}
    for name, cells in table.columns.items():
        columns[name] = cells = _decimals(cells if isinstance(cells, list) else list(cells))
        if all(type(cell) is str for cell in cells):
            continue
        for position, cell in enumerate(cells):
            if type(cell) is not str:
                try:
                    cells[position] = plain(cell)
                except Unkeepable as error:
                    faults.append(
                        f"The {what} {error} in {table.row_names(position)}, column {quoted(name)}."
                    )
                    if len(faults) == _MOST_FAULTS:
                        raise DefinitionError([*faults, "… and perhaps more."]) from None
    if faults:
        raise DefinitionError(faults)
    return columns


def _decimals(cells: list[Any]) -> list[Any]:
    """A column of decimals with all their digits, read as a column of a CSV file is."""
    if {type(cell) for cell in cells} - {type(None)} != {Decimal}:
        return cells
    try:
        return numbers([None if cell is None else digits(cell) for cell in cells])
    except Unkeepable:
        return cells  # its place is told where each cell is looked at


def _samples(
    columns: dict[str, list[Any]], id: str | None, table: Table, what: str
) -> tuple[tuple[Sample, ...], list[str], str]:
    """The samples, the names of their fields, and their hash."""
    if id is not None and id != "id" and id not in list(columns):
        raise DefinitionError(
            f"The {what} has no column {quoted(id)} for its ids; it has {', '.join(map(visible, columns))}. "
            "id=None takes none of them."
        )
    ids = None if id is None or id not in columns else _ids(columns[id], id, table, what)
    is_identity = id == "id" and ids is not None and len(set(ids)) == len(ids)
    names = [column for column in columns if not (column == "id" and is_identity)]
    if names:
        rows = [
            dict(zip(names, cells, strict=True)) for cells in zip(*(columns[n] for n in names), strict=True)
        ]
    else:
        rows = [{} for _ in range(table.length)]
    canonical = _canonical(rows, table, what)
    keys = _unique(ids, [_named(row) for row in rows] if table.has_unnamed else rows, canonical)
    samples = tuple(Sample(id=key, fields=row) for key, row in zip(keys, rows, strict=True))
    return samples, names, hash_of(zip(keys, canonical, strict=True))


def _canonical(rows: list[dict[str, Any]], table: Table, what: str) -> list[bytes]:
    faults, encoded = [], []
    for position, row in enumerate(rows):
        try:
            encoded.append(canonical_json(row))
        except UnicodeEncodeError:
            column = next(name for name, cell in row.items() if not _is_whole_text(cell))
            faults.append(
                f"The {what} holds half a character (a lone surrogate) in {table.row_names(position)}, "
                f"column {quoted(column)}."
            )
    if faults:
        raise DefinitionError(faults[:_MOST_FAULTS])
    return encoded


def _is_whole_text(cell: Any) -> bool:
    try:
        canonical_json(cell)
    except UnicodeEncodeError:
        return False
    return True


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """A row for its identity: a number without a name of its own is the row's place, which another row may
    make a column of or not."""
    is_place = str(row.get(ROW_NAMES)).isdecimal()
    return {name: cell for name, cell in row.items() if name != ROW_NAMES} if is_place else row


def _unique(ids: list[str] | None, rows: list[dict[str, Any]], canonical: list[bytes]) -> list[str]:
    """An id a row: its own where no other row has it, else one by its content, which no order decides."""
    if ids is None:
        return _numbered([content_id(row) for row in rows], canonical)
    count = Counter(ids)
    return _numbered(
        [
            id if count[id] == 1 else f"{id}-{content_id(row)[2:10]}"
            for id, row in zip(ids, rows, strict=True)
        ],
        canonical,
    )


def _numbered(keys: list[str], canonical: list[bytes]) -> list[str]:
    """The keys, `-2`, `-3` … behind those that came before: by what their rows say, not where they stand."""
    if len(set(keys)) == len(keys):
        return keys
    seen: Counter[str] = Counter()
    ids = list(keys)
    for position in sorted(range(len(keys)), key=canonical.__getitem__):
        key = keys[position]
        seen[key] += 1
        if seen[key] > 1:
            ids[position] = f"{key}-{seen[key]}"
    return ids


def _ids(cells: list[Any], id: str, table: Table, what: str) -> list[str]:
    """The cells of the column as ids; a column that was named must not have one twice."""
    first: dict[str, int] = {}
    faults: list[str] = []
    ids = []
    for position, cell in enumerate(cells):
        key = str(int(cell)) if type(cell) is float and cell.is_integer() else str(cell)
        where = f"{table.row_names(position)}, column {quoted(id)}"
        if cell is None or type(cell) not in (str, int, float):
            faults.append(
                f"The {what} has {'nothing' if cell is None else type(cell).__name__} as id in {where}."
            )
        elif not key.strip() or len(key) > 200 or not key.isprintable():
            faults.append(
                f"The {what} has an id that is blank, unprintable or over 200 characters in {where}."
            )
        elif key in first and id != "id":
            faults.append(
                f"The {what} has the id {key[:60]!r} in {table.row_names(first[key])} and in {where}."
            )
        first.setdefault(key, position)
        ids.append(key)
    if faults:
        *others, last = capped(faults)
        raise DefinitionError(
            [*others, f"{last} If column {quoted(id)} is no identity, name another, or none: id=None."]
        )
    return ids
