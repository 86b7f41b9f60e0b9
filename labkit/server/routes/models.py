"""The model catalog: what may be asked, with context windows and prices."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response

from labkit.server import shapes
from labkit.server.accounts.credentials import Reader
from labkit.server.problems import Problem
from labkit.server.service import Served

router = APIRouter(tags=["models"])

ModelId = Annotated[str, Path(description="Its slash may be `%2F`.", examples=["openai/gpt-4o", "gpt-4o"])]


@router.get(
    "/models",
    response_model=None,
    responses={200: {"model": list[shapes.Model]}, 304: {"description": "It is as `If-None-Match` says."}},
)
def models(served: Served, who: Reader, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """All models of the catalog."""
    listed = served.models.all()
    headers = {"ETag": listed.etag, "Cache-Control": "private, no-cache"}
    if if_none_match == listed.etag:
        return Response(status_code=304, headers=headers)
    return Response(listed.body, media_type="application/json", headers=headers)


@router.get("/models/{model_id:path}", response_model=None, responses={200: {"model": shapes.Model}})
def model(model_id: ModelId, served: Served, who: Reader) -> dict[str, Any]:
    """One model by its id, alias or bare name, under the name that was asked for."""
    found = served.models.find(model_id)
    if found is None:
        raise Problem(404, f"Model not found: {served.models.lacking(model_id)}")
    return served.models.described(found, model_id)
