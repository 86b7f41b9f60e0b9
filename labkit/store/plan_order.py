"""The order in which the rows and scores of one run are read: as they were planned, however they came.

Prompts, models and scorers stand as in the plan of the latest launch, samples as in their dataset; so a first
run, which is asked in mixed order, and its replay are read alike. It does not know what the rows hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

# A launch may leave the scoring for later, and then names no scorer: that changes no order.
_PLAN = """
select
    max_by(detail->'$.prompts', written_at), max_by(detail->'$.models', written_at),
    max_by(detail->'$.scorers', written_at) filter (json_array_length(detail, '$.scorers') > 0)
from log.run_events where run_id = ? and (detail->'$.prompts') is not null
"""
_ORDER = """
select rowid_
from ({rows})
left join (
    select sample_id, min("position") as place from log.samples
    where dataset in (select dataset from log.runs where run_id = ?) group by sample_id
) using (sample_id)
order by
    place, sample_id, "repeat", list_position(?::varchar[], prompt), prompt, prompt_version,
    list_position(?::varchar[], model), model
"""
COLUMNS = ("rowid as rowid_", "prompt", "prompt_version", "sample_id", '"repeat"', "model")


def planned(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, list[str]]:
    """The names of the run's `prompts`, the ids of its `models` and the names of its `scorers`, in the order
    of its plan; empty lists where no launch told them."""
    found = connection.execute(_PLAN, [run_id]).fetchone() or (None, None, None)
    prompts, models, scorers = (msgspec.json.decode(names or "[]") for names in found)
    return {"prompts": prompts, "models": models, "scorers": scorers}


def row_ids(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    rows: str,
    params: Sequence[Any],
    prompts: Sequence[str],
    models: Sequence[str],
) -> NDArray[np.int64]:
    """The row ids of what the query `rows` gives (of `COLUMNS`), by sample, repeat, prompt and model."""
    bound = [*params, run_id, prompts, models]
    table = connection.execute(_ORDER.format(rows=rows), bound).to_arrow_table()
    ids: NDArray[np.int64] = table["rowid_"].to_numpy()
    return ids
