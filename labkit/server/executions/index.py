"""The index of executions: kept up with the lab, and made anew from it.

One process at a time reads what the lab got since, about every five seconds, whoever asked it: this service
or a notebook. What stands in the index of answers comes from the lab alone. It does not know HTTP.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from sqlalchemy import delete

from labkit.errors import RunBusy
from labkit.server.executions import history
from labkit.server.executions.history import Asking
from labkit.server.state import State
from labkit.server.state.tables import Execution, Meta
from labkit.store import Store

log = logging.getLogger("labkit.server")

LOCK = "service-index"
BATCH = 5_000
"""Rows of the lab that one transaction takes in."""
_READ = "read"
_WHERE = """
select min(applied_at)::varchar as lab, (select max(rowid) from log.generations) as upto
from log.schema_version
"""
_ROWS = """
with
    latest as (
        select max_by(rowid, if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at)) as place
        from log.generations
        where coalesce(step, 0) = 0 and {chosen}
            and run_id not in (select run_id from log.runs where kind = 'judge')
        group by generation_id
    ),
    asked as (
        select run_id, any_value(dataset) as dataset,
            any_value(json_extract(provenance, '$.service')) as service
        from log.runs
        group by run_id
    )
select
    g.generation_id, g.run_id, g.experiment, g.workspace, g.prompt, g.prompt_version, g.model, g.sample_id,
    g."repeat", g.status, g.started_at, g.queue_s, g.latency_s, g.ttft_s, g.retry_s, g.input_tokens,
    g.output_tokens, g.cost_usd, g.maybe_paid, g.replayed_from, g.stop_reason, g.error_type, g.error_message,
    g."user", g.written_at, {text} as "text", a.service,
    (
        select any_value(json_extract_string(fields, '$.prompt')) from log.samples as s
        where a.service is not null and s.dataset = a.dataset and s.sample_id = g.sample_id
    ) as prompt_text,
    (
        select any_value(json_extract(messages, '$[#-1].content')) from log.requests as r
        where a.service is null and r.request_id = g.request_id
    ) as content
from log.generations as g left join asked as a using (run_id)
where g.rowid in (select place from latest)
"""
_NEW = _ROWS.format(
    text=f'left(g."text", {history.EXCERPT + 1})',
    chosen="""generation_id in (
            select generation_id from log.generations where rowid > $after and rowid <= $upto
        )""",
)
_ONE = _ROWS.format(text='g."text"', chosen="generation_id = $id")


class Index:
    """The index of one service."""

    def __init__(self, state: State, store: Store) -> None:
        self._state = state
        self._store = store
        self._read: tuple[object, ...] = ()

    def catch_up(self) -> int:
        """Take in what the lab has since the last time; how many rows. 0 where another process does so now.

        Raises `StoreError` where the lab cannot be read.
        """
        there = self._store.fingerprint()
        with self._state.reading() as session:
            is_read = session.get(Meta, _READ) is not None
        if is_read and there == self._read:
            return 0  # opening the lab would keep others from it
        with suppress(RunBusy), self._store.drive(LOCK, called="The index"):
            taken = sum(self._batches())
            self._read = there
            return taken
        return 0

    def whole(self, row: Execution) -> tuple[str | None, str | None]:
        """All of the prompt and of the answer of a row, from the lab; None: as the row has it."""
        if row.status not in history.ENDED:
            return None, None
        found = self._store.table(_ONE, {"id": row.id}).to_pylist()
        return (_prompt(found[0]), found[0]["text"]) if found else (None, None)

    def _batches(self) -> Iterator[int]:
        if not self._store.is_there():
            return
        with self._state.reading() as session:
            read = session.get(Meta, _READ)
        known: dict[str, Any] = {"lab": None, "upto": -1} if read is None else read.value
        (there,) = self._store.table(_WHERE).to_pylist()
        newest = -1 if there["upto"] is None else there["upto"]
        if known["lab"] != there["lab"] or known["upto"] > newest:
            if known["lab"] is not None:
                self._begin_anew()
            known = {"lab": there["lab"], "upto": -1}
        for after in range(known["upto"], newest, BATCH):
            upto = min(after + BATCH, newest)
            rows = [_row(one) for one in self._store.table(_NEW, {"after": after, "upto": upto}).to_pylist()]
            with self._state.writing(durable=False) as session:
                history.put(session, rows)
                session.merge(Meta(name=_READ, value={"lab": there["lab"], "upto": upto}))
            yield len(rows)

    def _begin_anew(self) -> None:
        """Forget what is of another lab, or of one that was put back to an earlier state."""
        with self._state.writing() as session:
            session.execute(delete(Execution).where(Execution.status.in_(history.ENDED)))
            session.execute(delete(Meta).where(Meta.name == _READ))


def _row(found: Mapping[str, Any]) -> Execution:
    service = found["service"]
    asking = None if service is None else Asking.of(msgspec.json.decode(service))
    return history.execution(found, asking, _prompt(found))


def _prompt(found: Mapping[str, Any]) -> str:
    """What was asked: of the service the text it was sent, of a notebook the last message."""
    if found["prompt_text"] is not None:
        return str(found["prompt_text"])
    content = None if found["content"] is None else msgspec.json.decode(found["content"])
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)
