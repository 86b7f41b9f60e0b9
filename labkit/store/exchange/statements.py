# ruff: noqa: S608 - what stands in these are names of tables and columns of labkit, and whole numbers
"""The SQL by which journal lines go into a shared lab's tables and come out again. It asks nothing itself.

The server reads the columns out of each line, so that the machine that sends it does not parse it again.
"""

from __future__ import annotations

from labkit.store.line_kinds import SHARED, Kind, Shape

_TYPES: dict[Shape, str] = {
    "text": "text",
    "whole": "bigint",
    "number": "double precision",
    "flag": "boolean",
    "time": "timestamptz",
    "json": "json",
}
_IN_BODY = frozenset({("generations", "raw")})
"""Columns that the tables leave to the line itself: they are long, and seldom read."""
_FIRST = ("run", "generation")
"""Others find their workspace in these."""
IN_ORDER: tuple[Kind, ...] = tuple(
    sorted(SHARED, key=lambda kind: (_FIRST.index(kind.tag) if kind.tag in _FIRST else len(_FIRST), kind.tag))
)
"""In which lines go in. Whoever sends keeps to it, and within a kind to the order of processes and stamps:
then no two can wait for each other, also where two copies of a lab send the same lines."""
PLACES = {kind.tag: place for place, kind in enumerate(IN_ORDER)}

COPY = "copy pg_temp.labkit_lines from stdin (format binary)"
COPIED = ["int4", "text", "int8", "int8", "bytea"]


def columns(kind: Kind) -> list[str]:
    """The columns of the kind's table that its lines tell."""
    return [name for name in kind.columns if (kind.table, name) not in _IN_BODY]


def insert(kind: Kind, *, sender: int, first: int, last: int) -> str:
    """Moves the lines at these places, which are of one kind, into its table; those that are there stay.

    They are read in the order in which they were copied: that is how a table is read that no other
    transaction sees, and no step of this plan changes it.
    """
    told = columns(kind)
    others = [f'"{name}"' for name in told if name != "workspace"]
    row = ", ".join(f'"{name}" {_TYPES[kind.columns[name]]}' for name in told)
    return (
        f"insert into labkit_log.{kind.table}"
        f" (process, stamp, sender, seq, body, workspace, {', '.join(others)})"
        f" select l.process, l.stamp, {sender}, l.seq, l.body, {_workspace(kind)},"
        f" {', '.join(f'r.{name}' for name in others)}"
        f" from pg_temp.labkit_lines l, json_to_record(labkit_log.json_of(l.body)) r({row})"
        f" where l.place between {first} and {last} on conflict (process, stamp) do nothing"
    )


def insert_unread(kind: Kind, *, sender: int, place: int) -> str:
    """Moves one line whose values do not fit: its columns stay NULL."""
    return (
        f"insert into labkit_log.{kind.table} (process, stamp, sender, seq, body)"
        f" select process, stamp, {sender}, seq, body from pg_temp.labkit_lines where place = {place}"
        " on conflict (process, stamp) do nothing"
    )


def _workspace(kind: Kind) -> str:
    if "workspace" in kind.columns:
        return "r.workspace"
    for name, table in (("run_id", "runs"), ("generation_id", "generations")):
        if name in kind.columns:
            return (
                f"(select o.workspace from labkit_log.{table} o"
                f" where o.{name} = r.{name} and o.workspace is not null limit 1)"
            )
    return "null"


AT_MOST = 20_000
"""Lines of a sender that one `fetch` looks at, however short they are."""
_ASKED_FOR = ("requests", "samples")
"""These are brought where they are asked for alone: most of them are of no use elsewhere."""


def _all(what: str, upto: str) -> str:
    # What has no workspace, or none that is known, is of all.
    return " union all ".join(
        f"(select {what} from labkit_log.{kind.table}"
        f" where sender = %(sender)s and seq > %(after)s and seq <= {upto}"
        " and (%(workspace)s::text is null or workspace is null or workspace = %(workspace)s))"
        for kind in IN_ORDER
        if kind.table not in _ASKED_FOR
    )


FETCH = f"""
with
    near as (
        select seq, octet_length(body) as size
        from ({_all("seq, body", f"%(after)s + {AT_MOST}")}) as lines
    ),
    summed as (
        select seq, sum(size) over (order by seq rows unbounded preceding) - size as size_before from near
    ),
    ends as (
        select case
            when bool_or(size_before >= %(most_bytes)s)
            then max(seq) filter (where size_before < %(most_bytes)s)
            else (select least(upto, %(after)s + {AT_MOST}) from labkit_log.senders where number = %(sender)s)
        end as upto
        from summed
    )
select null::text, null::bytea, upto from ends
union all
(
    select process, body, null::bigint
    from ({_all("process, body, seq", "(select upto from ends)")}) as lines
    order by seq
)
"""
NEWS = "select number, identity, machine, upto from labkit_log.senders order by number"
REQUESTS = (
    "select distinct on (request_id) process, body from labkit_log.requests where request_id = any(%s)"
    " order by request_id, process, stamp"
)
SAMPLES = (
    "select process, body"
    " from (select distinct on (dataset, sample_id) dataset, position, process, body from labkit_log.samples"
    " where dataset = any(%s) order by dataset, sample_id, process, stamp) as one"
    " order by dataset, position"
)

OLDER_BACKEND = """
select pg_terminate_backend(a.pid)
from labkit_log.senders s
join pg_stat_activity a on a.pid = s.backend and a.backend_start = s.backend_start
where s.identity = %(identity)s and a.pid <> pg_backend_pid() and a.xact_start is not null
    and a.usename = current_user
"""
REGISTER = """
insert into labkit_log.senders (identity, machine, lab, backend, backend_start)
select %(identity)s, %(machine)s, %(lab)s, pid, backend_start
from pg_stat_activity where pid = pg_backend_pid()
on conflict (identity) do update set
    machine = excluded.machine, lab = excluded.lab, backend = excluded.backend,
    backend_start = excluded.backend_start, seen = now()
returning number, upto
"""
KNOWN = "select number, upto from labkit_log.senders where identity = %(identity)s"
SENT = "select journal, upto from labkit_log.sent where sender = %s"
BEGIN = """
update labkit_log.senders set upto = upto + %s, seen = now() where number = %s and upto = %s returning upto;
insert into labkit_log.sent (sender, journal, upto)
select %s, journal, upto from unnest(%s::text[], %s::bigint[]) as noted(journal, upto)
on conflict (sender, journal) do update set upto = excluded.upto;
do $$ begin
    if to_regclass('pg_temp.labkit_lines') is null then
        create temp table labkit_lines (place integer, process text, stamp bigint, seq bigint, body bytea)
            with (toast_tuple_target = 8160) on commit delete rows;
        alter table pg_temp.labkit_lines alter column body set storage external;
    end if;
end $$
"""
"""Moves a sender on, notes how far its journals were sent, and makes the table for the lines where it lacks:
behind a pool, each transaction may be in another server process. There, what is short enough for a page stays
in it, uncompressed."""

NUMBERED = """
select version from labkit_log.prompt_numbers where name = %(name)s and hash = %(hash)s
union all
(
    select version from labkit_log.prompts where name = %(name)s and hash = %(hash)s
    order by stamp, process limit 1
)
limit 1
"""
# Who asks for the same name in the same moment waits for the other, and then finds the number taken.
NUMBER = """
insert into labkit_log.prompt_numbers (name, hash, version)
select %(name)s, %(hash)s, 1 + greatest(
    %(known)s,
    (select max(version) from labkit_log.prompt_numbers where name = %(name)s),
    (select max(version) from labkit_log.prompts where name = %(name)s)
)
on conflict do nothing returning version
"""
