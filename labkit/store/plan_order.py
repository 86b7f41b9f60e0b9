"""The order in which the rows and scores of one run are read: as they were planned, however they came.

Prompts, models and scorers stand as in the plan of the latest launch, samples as in their dataset; so a first
run, which is asked in mixed order, and its replay are read alike. It does not know what the rows hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

# A launch may leave the scoring for later, and then names no scorer: that changes no order.
_PLAN = """
select
    max_by(detail->'$.prompts', written_at), max_by(detail->'$.models', written_at),
    max_by(to_json(detail->'$.scorers[*].name'), written_at)
        filter (json_array_length(detail, '$.scorers') > 0)
from log.run_events where run_id = ? and (detail->'$.prompts') is not null
"""
_SAMPLES = """
select sample_id from log.samples where dataset in (select dataset from log.runs where run_id = ?)
group by sample_id order by min("position"), sample_id
"""
COLUMNS = ("prompt", "prompt_version", "sample_id", "repeat", "step", "model")
"""What `places` reads of the rows themselves."""


def planned(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, list[str]]:
    """The names of the run's `prompts`, the ids of its `models` and the names of its `scorers`, in the order
    of its plan; empty lists where no launch told them."""
    found = connection.execute(_PLAN, [run_id]).fetchone() or (None, None, None)
    prompts, models, scorers = (msgspec.json.decode(names or "[]") for names in found)
    return {"prompts": prompts, "models": models, "scorers": scorers}


def places(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    table: pa.Table,
    prompts: Sequence[str],
    models: Sequence[str],
) -> NDArray[np.intp]:
    """The places of the rows of `table` (with `COLUMNS`), by sample, repeat, prompt, step and model."""
    import numpy as np

    samples = connection.execute(_SAMPLES, [run_id]).to_arrow_table()["sample_id"].combine_chunks()
    known = {"sample_id": samples, "prompt": prompts, "model": models}
    keys = ("sample_id", "repeat", "prompt", "prompt_version", "step", "model")
    found: NDArray[np.intp] = np.lexsort([_ranks(table[key], known.get(key, ())) for key in reversed(keys)])
    return found


def _ranks(column: pa.ChunkedArray, known: pa.Array | Sequence[str]) -> NDArray[np.int64]:
    """For each row the place of its value in `known`; what is not there comes after that, sorted."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    # A million names take long to compare, and few of them differ.
    codes = column.combine_chunks().dictionary_encode(null_encoding="encode")
    order = pa.array(known, codes.dictionary.type)
    others = codes.dictionary.filter(pc.invert(pc.is_in(codes.dictionary, value_set=order)))
    if len(others):
        order = pa.concat_arrays([order, others.take(pc.sort_indices(others))])
    rank: NDArray[np.int64] = pc.index_in(codes.dictionary, value_set=order).to_numpy()
    row: NDArray[np.int32] = codes.indices.to_numpy()
    return np.asarray(rank[row])
