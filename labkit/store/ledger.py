"""What the lab has of answers and money: what is known, settled, unsettled and spent.

Queries over an open lab. It does not know how the lab is opened, nor what a plan is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labkit.errors import DefinitionError
from labkit.records import Generation
from labkit.store import filters
from labkit.store.database import name
from labkit.visible import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

COLUMNS = Generation.__struct_fields__

_KNOWN = """
select {columns} from log.generations where rowid in (
    select max_by(g.rowid, epoch_us(g.written_at))
    from log.generations as g semi join labkit_keys using (request_id, draw)
    where g.status = 'done' and g.replayed_from is null and g.steps is null
        and ($workspaces is null or list_contains($workspaces, g.workspace))
    group by g.request_id, g.draw
)
"""

# A reservation stays spent where the attempt may have been paid for, or where it gave an answer whose
# price is not known, or where nobody told how it ended. Of older rows, which name no call, what is told of an
# attempt comes from the same process, after the intent and before the next intent of the same number.
_SPENT = """
with
    of_run as (select $run::varchar as run_id union select run_id from log.runs where parent_run_id = $run),
    intents as (from log.intents where run_id in (from of_run)),
    attempts as (from log.attempts where run_id in (from of_run)),
    answers as (select *, rowid from log.generations where run_id in (from of_run)),
    sent as (
        select
            *,
            lead(written_at) over (
                partition by written_by, generation_id, attempt order by written_at
            ) as again_at
        from intents
        where call_id is null
    ),
    tried as (
        select i.*, a.written_at as told_at, a.maybe_paid, a.error_type
        from sent as i asof left join attempts as a
            on a.generation_id = i.generation_id and a.attempt = i.attempt
            and a.written_by = i.written_by and a.written_at > i.written_at
    ),
    ended as (
        select i.*, g.written_at as ended_at, g.cost_usd
        from tried as i asof left join answers as g
            on g.generation_id = i.generation_id
            and g.written_by = i.written_by and g.written_at > i.written_at
    ),
    matched as (
        select
            reserved_usd,
            if(told_at < coalesce(again_at, 'infinity'), maybe_paid, null) as maybe_paid,
            if(told_at < coalesce(again_at, 'infinity'), error_type, null) as error_type,
            if(ended_at < coalesce(again_at, 'infinity'), cost_usd, null) as cost_usd
        from ended
        union all
        select reserved_usd, maybe_paid, error_type, cost_usd
        from (from intents where call_id is not null)
        left join (
            select
                generation_id, call_id, attempt, bool_or(maybe_paid) as maybe_paid,
                any_value(error_type) as error_type
            from attempts group by all
        ) using (generation_id, call_id, attempt)
        left join (
            select generation_id, call_id, max(cost_usd) as cost_usd from answers group by all
        ) using (generation_id, call_id)
    )
select
    coalesce((
        select sum(cost_usd) from (
            select max(cost_usd) as cost_usd from answers
            where replayed_from is null and steps is null
            group by generation_id, call_id, if(call_id is null, rowid, null)
        )
    ), 0)
    + coalesce((
        select sum(reserved_usd)
        from matched
        where coalesce(maybe_paid, false) or (error_type is null and cost_usd is null)
    ), 0)
"""


def as_keys(keys: pa.Table) -> pa.Table:
    """The table's `request_id` and `draw`, in the types the tables have."""
    import pyarrow as pa

    columns = {"request_id": pa.string(), "draw": pa.int64()}
    return pa.table({column: keys[column].cast(type_) for column, type_ in columns.items()})


def known(
    connection: duckdb.DuckDBPyConnection,
    keys: pa.Table,
    *,
    columns: Sequence[str] | None = None,
    workspaces: Sequence[str] | None = None,
) -> pa.Table:
    """The newest finished answer that is no replay itself, for each `(request_id, draw)` that has one: in all
    of the lab, or in these `workspaces`."""
    wanted = list(COLUMNS if columns is None else columns)
    faults = [f"{quoted(column)} is no column of generations" for column in wanted if column not in COLUMNS]
    if faults:
        raise DefinitionError(faults)
    connection.register("labkit_keys", keys)
    try:
        query = _KNOWN.format(columns=", ".join(map(name, wanted)))
        within = None if workspaces is None else list(workspaces)
        return connection.execute(query, {"workspaces": within}).to_arrow_table()
    finally:
        connection.unregister("labkit_keys")


def requests_of(connection: duckdb.DuckDBPyConnection, keys: pa.Table) -> list[str]:
    """Which of the keys' requests the lab has already written down."""
    connection.register("labkit_keys", keys.select(["request_id"]))
    try:
        rows = connection.sql(
            "select distinct request_id from log.requests semi join labkit_keys using (request_id)"
        ).to_arrow_table()
    finally:
        connection.unregister("labkit_keys")
    found: list[str] = rows["request_id"].to_pylist()
    return found


def settled(connection: duckdb.DuckDBPyConnection, run_id: str) -> frozenset[str]:
    """The run's generations that are done."""
    rows = connection.execute(
        "select distinct generation_id from log.generations "
        "where run_id = ? and status = 'done' and steps is null",
        [run_id],
    ).fetchall()
    return frozenset(generation_id for (generation_id,) in rows)


def spent_usd(connection: duckdb.DuckDBPyConnection, run_id: str) -> float:
    """What the run cost so far, over all its launches, its judges' included, and what it may have cost
    besides."""
    row = connection.execute(_SPENT, {"run": run_id}).fetchone()
    assert row is not None
    return float(row[0])


def unfinished(connection: duckdb.DuckDBPyConnection, plan_id: str, *, fresh: bool) -> str | None:
    """The latest run of the plan that did not come to its end."""
    # A look at one table spares a new plan the view, which counts the cells of every run.
    if connection.execute("select 1 from log.runs where plan_id = ? limit 1", [plan_id]).fetchone() is None:
        return None
    row = connection.execute(
        "select run_id from runs where plan_id = ? and fresh = ? and status <> 'finished' "
        "order by started_at desc limit 1",
        [plan_id, fresh],
    ).fetchone()
    return None if row is None else str(row[0])


def run_row(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any] | None:
    """The run as `runs` has it."""
    conditions, params = filters.names({"run_id": run_id})
    rows = connection.execute(f"from runs where {conditions[0]}", params)
    row = rows.fetchone()
    if row is None:
        return None
    return dict(zip((column[0] for column in rows.description or ()), row, strict=True))
