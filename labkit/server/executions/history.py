"""One execution in its two forms: a row of the index, and the `PromptRun` that clients of the workbench read.

A row is made of a generation of the lab and of what its run says of who asked for what, and of nothing
else: so the index can be made anew from the lab. It asks nothing and reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from labkit.dollars import PUSD
from labkit.records import Cell
from labkit.server.state.moments import microseconds, written
from labkit.server.state.tables import Execution

EXCERPT = 200
"""Characters of a prompt and of an answer that the index has."""
STATUS = {"done": "completed", "failed": "failed", "partial": "failed", "stopped": "cancelled"}
PENDING = "pending"
ENDED = frozenset(STATUS.values())
STOPPED = ("RunAborted", "RunStopped", "ModelStopped")
"""What a row says that somebody stopped, also one that has a part of its answer."""
_TABLE = Execution.metadata.tables[Execution.__tablename__]
"""Written by itself where every answer passes: that takes a third of the time that objects do."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What a run of the service says of itself: its `provenance["service"]`, and when it was asked."""

    names: Mapping[str, str]
    """The model's id → the id or alias it was asked for by, in the order asked."""
    blocks: Sequence[str] = ()
    """Of the context blocks, as they were asked for."""
    created_us: int

    def kept(self) -> dict[str, Any]:
        """It as a run keeps it."""
        models = [[model, name] for model, name in self.names.items()]
        return {"models": models, "blocks": list(self.blocks), "created_us": self.created_us}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Asking:
        """It from what a run kept."""
        return cls(names=dict(kept["models"]), blocks=kept["blocks"], created_us=kept["created_us"])


def pending(cell: Cell, asking: Asking, prompt: str) -> Execution:
    """The row of what was admitted and is not answered yet."""
    return Execution(
        id=cell.generation_id,
        run_id=cell.run_id,
        position=list(asking.names).index(cell.model),
        workspace=cell.workspace,
        user=cell.user,
        model=cell.model,
        asked=asking.names[cell.model],
        blocks=list(asking.blocks),
        status=PENDING,
        created_us=asking.created_us,
        prompt=excerpt(prompt),
        more=_cut(prompt, None),
    )


def execution(generation: Mapping[str, Any], asking: Asking | None, prompt: str) -> Execution:
    """The row of a generation that ended: its columns by name, `written_at` among them where a
    notebook asked it (`asking` None)."""
    model, status, text = generation["model"], generation["status"], generation["text"]
    started, latency_s = generation["started_at"], generation["latency_s"]
    if asking is None:
        created_us = microseconds(started or generation["written_at"])
    else:
        created_us = asking.created_us
    before_s = (generation["queue_s"] or 0.0) + (generation["retry_s"] or 0.0)
    answered = status in ("done", "partial")
    more = {
        "partial": status == "partial" or None,
        "maybePaid": generation["maybe_paid"] > 0 or None,
        "replayed": generation["replayed_from"] is not None or None,
        "costKnown": False if answered and generation["cost_usd"] is None else None,
        "stopReason": generation["stop_reason"],
        "ttftMs": None if generation["ttft_s"] is None else round(generation["ttft_s"] * 1000, 3),
        **_cut(prompt, text),
    }
    if asking is None:
        more |= {
            "experiment": generation["experiment"],
            "prompt": generation["prompt"],
            "promptVersion": generation["prompt_version"],
            "sampleId": generation["sample_id"],
            "repeat": generation["repeat"],
        }
    cost = generation["cost_usd"]
    return Execution(
        id=generation["generation_id"],
        run_id=generation["run_id"],
        position=0 if asking is None else list(asking.names).index(model),
        workspace=generation["workspace"],
        user=generation["user"],
        model=model,
        asked=model if asking is None else asking.names[model],
        blocks=[] if asking is None else list(asking.blocks),
        status="cancelled" if generation["error_type"] in STOPPED else STATUS[status],
        created_us=created_us,
        completed_us=_after(started, latency_s),
        duration_us=None if latency_s is None else round((before_s + latency_s) * 1e6),
        latency_us=None if latency_s is None else round(latency_s * 1e6),
        input_tokens=generation["input_tokens"],
        output_tokens=generation["output_tokens"],
        cost_pusd=None if cost is None else round(cost * PUSD),
        prompt=excerpt(prompt),
        text=None if text is None else excerpt(text),
        error=None if generation["error_message"] is None else _storable(generation["error_message"]),
        more={name: value for name, value in more.items() if value is not None},
    )


def prompt_run(row: Execution, *, prompt: str | None = None, text: str | None = None) -> dict[str, Any]:
    """The row as a `PromptRun`, with the whole `prompt` and answer where they are given. What is not known is
    left out."""
    whole = {name for name, given in (("promptCut", prompt), ("textCut", text)) if given is not None}
    more = {name: value for name, value in row.more.items() if name not in whole}
    tokens = [count for count in (row.input_tokens, row.output_tokens) if count is not None]
    total = sum(tokens) if len(tokens) == 2 else None
    duration, latency = _milliseconds(row.duration_us), _milliseconds(row.latency_us)
    cost = None if row.cost_pusd is None else row.cost_pusd / PUSD
    created = written(row.created_us)
    metrics = {
        "totalTokens": total,
        "duration": duration,
        "inputTokens": row.input_tokens,
        "outputTokens": row.output_tokens,
        "latency": latency,
        "cost": cost,
    }
    told = {
        "id": row.id,
        "workspaceId": row.workspace,
        "promptSnapshot": row.prompt if prompt is None else prompt,
        "contextBlockIds": row.blocks,
        "modelId": row.asked,
        "status": row.status,
        "startedAt": created,
        "createdAt": created,
        "completedAt": None if row.completed_us is None else written(row.completed_us),
        "durationMs": duration,
        "inputTokens": row.input_tokens,
        "outputTokens": row.output_tokens,
        "totalTokens": total,
        "cost": cost,
        "output": row.text if text is None else text,
        "error": row.error,
        "metrics": {name: value for name, value in metrics.items() if value is not None},
        "metadata": {"runId": row.run_id, **({} if row.user is None else {"user": row.user}), **more},
    }
    return {name: value for name, value in told.items() if value is not None}


def excerpt(text: str) -> str:
    """The beginning of a text, as every database can keep it."""
    return _storable(text[:EXCERPT])


def _storable(text: str) -> str:
    return text.replace("\0", "␀").encode(errors="replace").decode()


def _cut(prompt: str, text: str | None) -> dict[str, Any]:
    cut = {"promptCut": len(prompt) > EXCERPT, "textCut": text is not None and len(text) > EXCERPT}
    return {name: True for name, is_cut in cut.items() if is_cut}


def _after(started: datetime | None, latency_s: float | None) -> int | None:
    if started is None or latency_s is None:
        return None
    return microseconds(started) + round(latency_s * 1e6)


def _milliseconds(us: int | None) -> float | None:
    return None if us is None else us / 1000


def put(session: Session, rows: Sequence[Execution]) -> None:
    """Put rows in place of those of the same ids."""
    if rows:
        session.execute(delete(_TABLE).where(_TABLE.c.id.in_([row.id for row in rows])))
        add(session, rows)


def add(session: Session, rows: Sequence[Execution]) -> None:
    """Put rows of which none is there yet."""
    session.execute(insert(_TABLE), [{one.name: getattr(row, one.name) for one in _TABLE.c} for row in rows])


def running(session: Session, execution_id: str) -> None:
    """What was admitted is asked for; what has ended meanwhile stays so."""
    row = (_TABLE.c.id == execution_id, _TABLE.c.status == PENDING)
    session.execute(update(_TABLE).where(*row).values(status="running"))
