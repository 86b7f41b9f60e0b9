"""Of each row the answer that was first asked, and the clocks of that asking: columns `first.*` of a frame.

A replay has no clocks; its original may be of another run, experiment or workspace. It reads the lab's
tables in one query, whatever the rows are, and does not know what is made of the clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from labkit.store import row_places

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

CLOCKS = ("latency_s", "ttft_s", "in_flight")
READ = ("generation_id", "replayed_from", *CLOCKS)
"""What `first_askings` reads of the rows themselves."""
_ORIGINALS = """
select g.rowid as of_row, o.latency_s, o.ttft_s, o.in_flight, epoch_us(o.written_at) as written
from log.generations as o join ({rows}) as g on o.generation_id = g.replayed_from
where o.status = 'done' and o.replayed_from is null
"""


def clocks(
    connection: duckdb.DuckDBPyConnection, rows: Callable[[Iterable[str]], str], params: Sequence[Any]
) -> pa.Table:
    """The clocks of the originals of those of `rows` that are replays, by the replay's rowid."""
    of_rows = f"{rows(('rowid', 'replayed_from'))} and replayed_from is not null"
    return connection.execute(_ORIGINALS.format(rows=of_rows), params).to_arrow_table()


def first_askings(table: pa.Table, originals: pa.Table | None) -> pd.DataFrame:
    """`first.generation_id`, `first.latency_s`, `first.ttft_s`, `first.in_flight` of each row of `table`: its
    own where it was asked afresh. No column where none of them is a replay, or `originals` is None."""
    import numpy as np
    import pandas as pd
    import pyarrow.compute as pc

    if originals is None or table["replayed_from"].null_count == len(table):
        return pd.DataFrame(index=range(len(table)))
    fresh = pc.is_null(table["replayed_from"]).to_numpy()
    originals = row_places.oldest_first(originals)
    row = row_places.at(table["rowid"].to_numpy(), originals["of_row"].to_numpy())
    ids = pc.coalesce(table["replayed_from"], table["generation_id"])
    columns: dict[str, Any] = {"first.generation_id": ids.to_pandas()}
    for name in CLOCKS:
        own = table[name].to_numpy().astype(np.float64)
        filled = np.where(fresh, own, np.nan)
        filled[row] = originals[name].to_numpy().astype(np.float64)
        columns[f"first.{name}"] = filled
    found = pd.DataFrame(columns)
    return found.astype({"first.in_flight": "Int64"})
