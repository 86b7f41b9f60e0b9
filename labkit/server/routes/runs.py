"""Runs over HTTP: their events as a stream, and the wish that one, or one model of it, stops.

It does not know how events come to be (see `board`), nor what starts a run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from starlette.types import Message, Send

from labkit.server.accounts.credentials import Executor, Reader
from labkit.server.accounts.principal import Principal
from labkit.server.openapi import EVENTS
from labkit.server.problems import Problem
from labkit.server.service import Served, Service
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Execution, ServedRun
from labkit.server.streams import sse
from labkit.visible import quoted

log = logging.getLogger("labkit.server")

WRITE_S = 30.0
"""A reader that takes nothing for so long is let go."""

router = APIRouter(tags=["runs"])


class EventStream(StreamingResponse):
    """The `frames` of a board as a response. A reader that takes nothing for `WRITE_S` loses its connection;
    the run goes on, and the reader may come again with `Last-Event-ID`."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None) -> None:
        # A proxy that gathers what it passes on would hold up the stream.
        own = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(frames, headers={**own, **(headers or {})})
        self._frames = frames

    async def stream_response(self, send: Send) -> None:
        """Send it all, in the time each part has."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(WRITE_S):
                await send(message)

        try:
            async with aclosing(self._frames):
                await super().stream_response(in_time)
        except TimeoutError:
            log.info("A reader of a stream took nothing for %.0f s; its connection ends.", WRITE_S)


@router.get(
    "/runs/{run}/events",
    response_class=Response,
    responses={
        200: {"content": EVENTS},
        204: {"description": "The run is over, and its last event was seen."},
    },
)
def events(
    run: str,
    served: Served,
    who: Reader,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The run's events, server-sent, until its end; after `Last-Event-ID` where that is one of its ids."""
    found = _found(served, run, who)
    who.check("read", found.workspace)
    after = sse.read_id(run, last_event_id)
    if found.ended_us is not None and after == found.events > 0:
        return Response(status_code=204)  # has a browser that comes again after the end stop doing so
    return EventStream(served.board.frames(run, after, access=who.access(found.workspace)))


@router.delete("/runs/{run}", status_code=204)
def stop(
    run: str,
    served: Served,
    who: Executor,
    model_id: Annotated[str | None, Query(description="The model that is to stop alone.")] = None,
) -> None:
    """Ask the run to stop, or one model of it. What was answered is kept; what is over stays as it is."""
    found = _found(served, run, who)
    who.check("execute", found.workspace)
    model = None if model_id is None else _model(served, run, model_id)
    with served.state.writing() as rows:
        going = rows.get(ServedRun, run)
        if going is None or going.ended_us is not None:
            return
        if model is None:
            going.stop_asked_us = going.stop_asked_us or now_us()
        elif model not in (known := going.stop_models or []):
            going.stop_models = [*known, model]


def _model(served: Service, run: str, name: str) -> str:
    """The id of the run's model that was asked for by this name. Raises 404 where there is none."""
    with served.state.reading() as rows:
        models = rows.execute(select(Execution.asked, Execution.model).where(Execution.run_id == run)).all()
    for asked, model in models:
        if name in (asked, model):
            return model
    names = ", ".join(asked for asked, _ in models)
    raise Problem(404, f"The run does not ask {quoted(name)}. It asks {names}.")


def _found(served: Service, run: str, who: Principal) -> ServedRun:
    """Raises the same 404 for a run that is not there and one in a workspace that it does not see."""
    with served.state.reading() as rows:
        found = rows.get(ServedRun, run)
    if found is None or found.workspace not in who.workspaces:
        raise Problem(404, f"Run not found: there is none with the id {run[:80]!r} that you may see.")
    return found
