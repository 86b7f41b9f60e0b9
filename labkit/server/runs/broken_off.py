"""Runs that a killed process left open: their executions end `failed`, in the lab, in the history and for
whoever still reads their streams.

What the lab has of such a run stands. What it lacks gets a row that says what happened, with the text that
readers saw so far, and whether it may have been paid for. It does not know how a run is driven.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from msgspec.structs import asdict
from sqlalchemy import select
from sqlalchemy.orm import Session

from labkit.errors import RunBusy
from labkit.records import Cell, Generation, RunEvent, RunRecord
from labkit.server.executions import budgets
from labkit.server.executions.history import Asking
from labkit.server.executions.run_answers import RunAnswers
from labkit.server.service import Service
from labkit.server.state import State
from labkit.server.state.tables import ServedRun
from labkit.server.streams.event_writer import stored
from labkit.server.streams.run_stream import Also
from labkit.store.definition_records import SampleRecord

log = logging.getLogger("labkit.server")

KILLED = "The service was killed while this was asked."
TOLD = ("complete", "error")
_COLUMNS = ", ".join(f'"{name}"' for name in Generation.__struct_fields__)
_KNOWN = f"select {_COLUMNS} from generations where run_id = $run"  # noqa: S608 - our own names
_SENT = """
select generation_id, max(call_id) as call_id
from (
    select generation_id, call_id from unsettled where run_id = $run
    union
    select generation_id, call_id from attempts where run_id = $run and maybe_paid
)
group by generation_id
"""
"""What was sent and of which nothing was told, or all but the answer."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a run leaves behind before it is asked, for the case that its process is killed."""

    run: RunRecord
    sample: SampleRecord
    cells: Sequence[Cell]


def end_all(service: Service) -> int:
    """End every run that is open and that no process drives; how many. Raises `StoreError`."""
    with service.state.reading() as session:
        there = session.scalars(
            select(ServedRun.id).where(ServedRun.ended_us.is_(None), ServedRun.asked.is_not(None))
        )
        left_open = [run_id for run_id in there if run_id not in service.asked]
    ended = 0
    for run_id in left_open:
        with suppress(RunBusy), service.lab.store.drive(run_id):
            with service.state.reading() as session:
                run = session.get(ServedRun, run_id)
            if run is not None and run.ended_us is None:
                _end(service, run)
                ended += 1
    return ended


def _end(service: Service, run: ServedRun) -> None:
    note = msgspec.convert(run.asked, Note)
    asking = Asking.of(note.run.provenance["service"])
    answers = RunAnswers(note.cells, asking, note.sample.fields["prompt"])
    store, writer = service.lab.store, service.lab.store.writer()
    seen = _Seen(service.state, run.id)
    with store.complete_opening():
        of_run = {"run": run.id}
        known = {row["generation_id"]: Generation(**row) for row in store.table(_KNOWN, of_run).to_pylist()}
        sent = {row["generation_id"]: row["call_id"] for row in store.table(_SENT, of_run).to_pylist()}
        is_begun = store.run_row(run.id) is not None
    if not is_begun:
        writer.put(note.run)
        writer.put(note.sample)
    stream = service.board.open(run.id, asking.names, ended=answers.ended)
    told: list[Also] = []
    for cell in note.cells:
        row = known.get(cell.generation_id)
        if row is None:
            row = _killed(cell, seen.text(asking.names[cell.model]), sent)
            writer.put(row)
        if asking.names[cell.model] in seen.over:
            told.append(answers.ended(row))
        else:
            stream.ended(row)
    writer.put(RunEvent(run_id=run.id, event="failed", at_time=datetime.now(UTC), detail={"reason": KILLED}))
    writer.flush()
    spent_usd = store.spent(run.id)

    def settle(session: Session) -> None:
        for write in told:
            write(session)
        budgets.settle(session, run.id, spent_usd)

    stream.end(answers.all(), KILLED, also=settle)
    stream.kept.wait()  # else it would be ended again
    log.warning("Run %s was broken off: its process was killed. Its executions say so.", run.id)


def _killed(cell: Cell, text: str, sent: Mapping[str, int | None]) -> Generation:
    """The row of what was not answered; of what was `sent` nobody knows what it cost."""
    return Generation(
        **asdict(cell),
        status="failed",
        text=text or None,
        error_type="ServiceKilled",
        error_message=KILLED,
        maybe_paid=int(cell.generation_id in sent),
        call_id=sent.get(cell.generation_id),
    )


class _Seen:
    """What readers of a run's stream have seen: each model's text, and which models are `over`."""

    def __init__(self, state: State, run_id: str) -> None:
        self.over: set[str] = set()
        self._texts: dict[str, list[str]] = {}
        with state.reading() as session:
            events = stored(session, run_id)
        for event in events:
            told = json.loads(event.data)
            if event.kind == "start":
                self._texts[told["modelId"]] = []
            elif event.kind == "token":
                self._texts.setdefault(told["modelId"], []).append(told["data"]["token"])
            elif event.kind in TOLD:
                self.over.add(told["modelId"])

    def text(self, model: str) -> str:
        return "".join(self._texts.get(model, ()))
