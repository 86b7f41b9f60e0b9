"""`POST /execute`: one prompt on several models, answered whole, as a stream, or by a place to look at.

It decides how the answer leaves; what is admitted and how it is asked are `admission`'s and `asking`'s.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from labkit.server import shapes
from labkit.server.accounts.credentials import Executor
from labkit.server.accounts.principal import Principal
from labkit.server.executions import history
from labkit.server.guard.negotiation import names
from labkit.server.openapi import EVENTS
from labkit.server.problems import Problem
from labkit.server.routes.runs import EventStream
from labkit.server.runs.admission import Wanted, admit
from labkit.server.service import Served, Service
from labkit.server.state.tables import Execution

router = APIRouter(tags=["execute"])

DEFAULT_WORKSPACE = "default"


class Execute(BaseModel):
    """What is to be asked."""

    prompt: str = Field(description="Literal text: what looks like a template in it is text.")
    model_ids: list[str] = Field(description="Ids or aliases of GET /models; the answers come in this order.")
    workspace_id: str | None = Field(None, description="By default `default`, or the only one you are in.")
    context_blocks: list[str] = Field([], description="Names or hashes of saved blocks, put in front.")
    stream: bool = Field(
        False, description="Without effect: a stream is asked for by Accept: text/event-stream."
    )
    replay: bool = Field(
        False, description="Take answers that workspaces you read have already, for nothing."
    )

    def wanted(self, who: Principal) -> Wanted:
        """It as what `who` wants asked."""
        return Wanted(
            prompt=self.prompt,
            model_ids=self.model_ids,
            workspace=_workspace(who, self.workspace_id),
            context_blocks=self.context_blocks,
            replay=self.replay,
        )


class WorkbenchParameters(BaseModel):
    """Sampling parameters of `POST /workbench/execute`."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None


class WorkbenchExecute(BaseModel):
    """What is to be asked of one model."""

    prompt: str
    model_id: str
    context_blocks: list[str] = []
    parameters: WorkbenchParameters = WorkbenchParameters()
    workspace_id: str | None = None


Key = Annotated[str | None, Header(alias="Idempotency-Key")]


_RUNS = list[shapes.PromptRun]


@router.post(
    "/execute",
    responses={
        200: {"model": _RUNS, "content": EVENTS},
        202: {"model": _RUNS, "description": "Admitted; Location leads to the events."},
        402: {},
        409: {},
    },
)
async def execute(
    body: Execute,
    served: Served,
    who: Executor,
    idempotency_key: Key = None,
    accept: Annotated[str, Header()] = "*/*",
    prefer: Annotated[str, Header()] = "",
) -> Response:
    """Ask every model; an array of `PromptRun`s in the order asked, also where some or all failed."""
    wanted = body.wanted(who)
    run_id, replayed = await run_in_threadpool(
        admit, served, who, wanted, key=idempotency_key, route="/execute"
    )
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    if names(accept, EventStream.media_type):
        return EventStream(served.board.frames(run_id, 0, access=who.access(wanted.workspace)), headers)
    if "respond-async" in prefer.lower():
        headers |= {"Location": f"/api/v1/runs/{run_id}/events", "Preference-Applied": "respond-async"}
        return JSONResponse(await run_in_threadpool(_so_far, served, run_id), 202, headers=headers)
    return JSONResponse(await served.board.ended(run_id), headers=headers)


@router.post(
    "/workbench/execute",
    responses={200: {"model": shapes.WorkbenchAnswer}, 402: {}, 409: {}, 502: {}},
)
async def workbench_execute(
    body: WorkbenchExecute, served: Served, who: Executor, idempotency_key: Key = None
) -> Response:
    """Ask one model. 502 where it gave no answer."""
    wanted = Wanted(
        prompt=body.prompt,
        model_ids=[body.model_id],
        workspace=_workspace(who, body.workspace_id),
        context_blocks=body.context_blocks,
        params=body.parameters.model_dump(exclude_none=True),
    )
    run_id, replayed = await run_in_threadpool(
        admit, served, who, wanted, key=idempotency_key, route="/workbench/execute"
    )
    (run,) = await served.board.ended(run_id)
    if run["status"] != "completed":
        raise Problem(502, f"{run['modelId']} gave no answer: {run.get('error', run['status'])}")
    usage = {
        "prompt_tokens": "inputTokens",
        "completion_tokens": "outputTokens",
        "total_tokens": "totalTokens",
    }
    answer: dict[str, Any] = {
        "run_id": run["id"],
        "model_id": run["modelId"],
        "output": run.get("output", ""),
        "usage": {name: run[ours] for name, ours in usage.items() if ours in run},
        "created_at": run["createdAt"],
    }
    if "latency" in run["metrics"]:
        answer["latency_ms"] = run["metrics"]["latency"]
    return JSONResponse(answer, headers={"Idempotency-Replayed": "true"} if replayed else {})


def _workspace(who: Principal, asked: str | None) -> str:
    """The workspace that is meant: the one asked for, else `default`, else the only one there is."""
    if asked is not None:
        return asked
    if DEFAULT_WORKSPACE in who.workspaces or len(who.workspaces) != 1:
        return DEFAULT_WORKSPACE
    return next(iter(who.workspaces))


def _so_far(service: Service, run_id: str) -> list[dict[str, Any]]:
    with service.state.reading() as session:
        rows = session.scalars(
            select(Execution).where(Execution.run_id == run_id).order_by(Execution.position)
        )
        return [history.prompt_run(row) for row in rows]
