"""Runs whose process was killed, as they stand in the lab: what may have been paid for says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from labkit.records import Attempt, Intent
from labkit.server.runs import broken_off
from labkit.server.state.tables import ServedRun
from tests.server.running import Running, running

NAMES = ("unsent", "sent", "refused", "answered", "late")
AT = datetime(2026, 11, 28, tzinfo=UTC)


def test_what_was_sent_may_have_been_paid_for(tmp_path: Path, echo: Callable[..., Any]) -> None:
    """`maybePaid` is what was sent and of which nothing was told, and what was answered, or failed in a way
    that may be charged, before its row was on disk; not what was never sent or refused for nothing."""
    with running(tmp_path, [echo(name, first_token_s=60.0) for name in NAMES]) as served:
        note = noted(served)
        cells = dict(zip(NAMES, note.cells, strict=True))
        writer = served.service.lab.store.writer()
        for name, cell in cells.items():
            if name != "unsent":
                told = {
                    "run_id": cell.run_id,
                    "generation_id": cell.generation_id,
                    "attempt": 1,
                    "sent_at": AT,
                }
                writer.intent(Intent(**told, reserved_usd=None))
                if name != "sent":
                    writer.attempt(Attempt(**told, **how(name)))
        writer.flush()
        there = broken(served, note)
    assert {one["status"] for one in there.values()} == {"failed"}
    assert {name for name in NAMES if there[f"scripted/{name}"]["metadata"].get("maybePaid")} == {
        "sent",
        "answered",
        "late",
    }


def how(name: str) -> dict[str, Any]:
    """How an attempt ended."""
    error = {"answered": None, "refused": "RateLimited", "late": "TimedOut"}[name]
    return {
        "latency_s": 1.0,
        "status_code": {"answered": 200, "refused": 429, "late": None}[name],
        "error_type": error,
        "error_message": error,
        "retry_after_s": None,
        "wait_s": None,
        "maybe_paid": name != "refused",
        "provider_request_id": None,
    }


def noted(served: Running) -> broken_off.Note:
    """What a run of all models leaves behind before it is asked, as that of another run."""
    body = {"prompt": "hi", "model_ids": [f"scripted/{name}" for name in NAMES]}
    answer = served.ask("POST", "/execute", json=body, headers={"Prefer": "respond-async"})
    asked = answer.json()[0]["metadata"]["runId"]
    with served.service.state.reading() as session:
        row = session.get(ServedRun, asked)
    assert row is not None
    note = msgspec.convert(row.asked, broken_off.Note)
    assert served.ask("DELETE", f"/runs/{asked}").status_code == 204
    run_id = f"{asked[:-6]}abcdef"
    cells = [
        replace(cell, run_id=run_id, generation_id=f"g1:{number:032}")
        for number, cell in enumerate(note.cells)
    ]
    return broken_off.Note(run=replace(note.run, run_id=run_id), sample=note.sample, cells=cells)


def broken(served: Running, note: broken_off.Note) -> dict[str, dict[str, Any]]:
    """The executions of a run that nobody drives, once they have ended, by model."""
    service = served.service
    with service.state.writing() as session:
        user_id = session.query(ServedRun.user_id).first()[0]
        session.add(
            ServedRun(
                id=note.run.run_id,
                user_id=user_id,
                workspace="default",
                created_us=note.run.provenance["service"]["created_us"],
                events=0,
                asked=msgspec.to_builtins(note),
            )
        )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        there = served.ask("GET", "/executions").json()
        found = {one["modelId"]: one for one in there if one["metadata"]["runId"] == note.run.run_id}
        if len(found) == len(NAMES):
            return found
        time.sleep(0.1)  # until the upkeep came by
    raise AssertionError("the run was not ended")
