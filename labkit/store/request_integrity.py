"""Whether a stored answer may stand for a request: that request is there, and is what its id says.

A `request_id` is a hash of content, so each stored request is its own proof. What lies in a lab without one,
or beside one that says something else (a line put in by hand, a table changed by another program), is kept
and shown, but never replayed. It does not know plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from labkit.identity import RequestHasher
from labkit.messages import unmarked

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_ROWS = 10_000
_ASKED = """
select r.request_id, r.provider, r.dialect, r.endpoint, r."name", r.params::varchar, r.messages::varchar
from log.requests as r semi join labkit_ids using (request_id)
"""


def verified(connection: duckdb.DuckDBPyConnection, request_ids: Iterable[str]) -> dict[str, str]:
    """The id of the model each request asks, for those whose stored content has the hash that is their id."""
    import pyarrow as pa

    found: dict[str, str] = {}
    hashers: dict[tuple[Any, ...], RequestHasher | None] = {}
    connection.register("labkit_ids", pa.table({"request_id": pa.array(request_ids, pa.string())}))
    try:
        for request_id, *head, messages in _rows(connection.sql(_ASKED).to_arrow_reader(_ROWS)):
            if request_id not in found and _hash(hashers, tuple(head), messages) == request_id:
                found[request_id] = f"{head[0]}/{head[3]}"
    finally:
        connection.unregister("labkit_ids")
    return found


def _rows(reader: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in reader:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _hash(
    hashers: dict[tuple[Any, ...], RequestHasher | None], head: tuple[Any, ...], messages: str
) -> str | None:
    if head not in hashers:
        hashers[head] = _hasher(*head)
    hasher = hashers[head]
    try:
        return None if hasher is None else hasher.request_id(unmarked(msgspec.json.decode(messages)))
    except (msgspec.MsgspecError, TypeError, AttributeError, RecursionError):
        return None


def _hasher(provider: str, dialect: str, endpoint: str, name: str, params: str) -> RequestHasher | None:
    try:
        return RequestHasher(provider, dialect, endpoint, name, msgspec.json.decode(params))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return None
