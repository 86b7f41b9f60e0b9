"""The history over HTTP: executions of the service and of notebooks, newest first, and one of them whole.

The list is read from the index alone, one of them from the lab. It does not know how the index is filled.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Query, Request
from sqlalchemy import Select, and_, or_, select
from starlette.responses import JSONResponse

from labkit.server import shapes
from labkit.server.accounts.credentials import Reader
from labkit.server.accounts.principal import no_workspace
from labkit.server.executions import history
from labkit.server.problems import Problem
from labkit.server.service import Served
from labkit.server.state.tables import Execution

router = APIRouter(tags=["executions"])

MOST = 200


@router.get("/executions", response_model=None, responses={200: {"model": list[shapes.PromptRun]}})
def executions(
    request: Request,
    served: Served,
    who: Reader,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    workspace_id: str | None = None,
    model_id: str | None = None,
    user_id: str | None = None,
    run_id: str | None = None,
    status: shapes.Status | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> JSONResponse:
    """Executions that you may read, newest first; `Link: <…>; rel="next"` leads to older ones.

    `q` is looked for in the beginnings of prompts and answers; prompts and outputs are cut at 200 characters,
    which `metadata` then says.
    """
    readable = who.readable()
    if workspace_id is not None and workspace_id not in readable:
        raise no_workspace(workspace_id)
    query: Select[Any] = select(Execution).where(
        Execution.workspace.in_([workspace_id] if workspace_id else readable)
    )
    named = ((Execution.user, user_id), (Execution.run_id, run_id), (Execution.status, status))
    for column, value in named:
        if value is not None:
            query = query.where(column == value)
    if model_id is not None:
        query = query.where(or_(Execution.model == model_id, Execution.asked == model_id))
    if q:
        query = query.where(
            or_(Execution.prompt.icontains(q, autoescape=True), Execution.text.icontains(q, autoescape=True))
        )
    if cursor is not None:
        query = _after(query, cursor)
    newest = (Execution.created_us.desc(), Execution.run_id.desc(), Execution.position, Execution.id)
    with served.state.reading() as session:
        rows = list(session.scalars(query.order_by(*newest).limit(limit + 1)))
    headers = {}
    if len(rows) > limit:
        rows = rows[:limit]
        there = {**request.query_params, "cursor": _cursor(rows[-1])}
        headers["Link"] = f'<{request.url.path}?{urlencode(there)}>; rel="next"'
    # FastAPI would look through every value for what JSON does not know: half of the time this takes.
    return JSONResponse([history.prompt_run(row) for row in rows], headers=headers)


@router.get("/executions/{execution_id}", response_model=None, responses={200: {"model": shapes.PromptRun}})
def execution(execution_id: str, served: Served, who: Reader) -> dict[str, Any]:
    """One execution, whole."""
    with served.state.reading() as session:
        row = session.get(Execution, execution_id)
    if row is None or row.workspace not in who.readable():
        raise Problem(404, f"Execution not found: there is none {execution_id[:80]!r} that you may read.")
    prompt, text = served.index.whole(row)
    return history.prompt_run(row, prompt=prompt, text=text)


_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[\x20-\x7e]*$")]
_Place = tuple[_Whole, _Id, _Whole, _Id]
"""Where a page ends. Nothing else is put into a query: a database does not take every number and text."""


def _cursor(row: Execution) -> str:
    place = msgspec.json.encode([row.created_us, row.run_id, row.position, row.id])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _after(query: Select[Any], cursor: str) -> Select[Any]:
    """What comes after the row that the cursor names, in the order newest first."""
    try:
        place = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        created_us, run_id, position, id_ = msgspec.json.decode(place, type=_Place)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise Problem(422, "cursor: take it from the Link header of an answer of this address.") from None
    same_time, same_run = Execution.created_us == created_us, Execution.run_id == run_id
    later_position = or_(
        Execution.position > position, and_(Execution.position == position, Execution.id > id_)
    )
    older = or_(
        Execution.created_us < created_us,
        and_(same_time, Execution.run_id < run_id),
        and_(same_time, same_run, later_position),
    )
    return query.where(older)
