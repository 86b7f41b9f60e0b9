"""The model catalog over HTTP: what may be asked, with context windows and prices.

It does not know keys beyond whether one is found, and contacts nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter

from labkit import keys
from labkit.catalog.model import CAPABILITIES, Model
from labkit.server import shapes
from labkit.server.accounts.credentials import Reader
from labkit.server.problems import Problem
from labkit.server.service import Served, Service

router = APIRouter(tags=["models"])

_PER_1K = {"inputCostPer1kTokens": "input", "outputCostPer1kTokens": "output"}


@router.get("/models", response_model=None, responses={200: {"model": list[shapes.Model]}})
def models(served: Served, who: Reader) -> list[dict[str, Any]]:
    """All models of the catalog."""
    return [described(served, model, model.id) for model in served.lab.models]


@router.get("/models/{model_id:path}", response_model=None, responses={200: {"model": shapes.Model}})
def model(model_id: str, served: Served, who: Reader) -> dict[str, Any]:
    """One model by its id, alias or bare name, under the name that was asked for."""
    found = served.find_model(model_id)
    if found is None:
        raise Problem(404, f"Model not found: {served.no_model(model_id)}")
    return described(served, found, model_id)


def described(service: Service, model: Model, name: str) -> dict[str, Any]:
    """A model as clients of the workbench read it; what is not known is left out."""
    pricer = service.lab.models.pricer(model, datetime.now(UTC))
    per_1k = {
        told: usd / 1000 for told, kind in _PER_1K.items() if (usd := pricer.usd_mtok(kind)) is not None
    }
    told: dict[str, Any] = {
        "id": name,
        "name": model.label or model.name,
        "provider": model.provider,
        "maxTokens": model.context_window,
        "supportsStreaming": model.streams,
        "costPer1kTokens": per_1k.get("inputCostPer1kTokens"),
        "contextWindow": model.context_window,
        "pricing": per_1k or None,
        "metadata": _metadata(service, model),
    }
    return {name: value for name, value in told.items() if value is not None}


def _metadata(service: Service, model: Model) -> Mapping[str, Any]:
    told = {
        "modelId": model.id,
        "aliases": list(model.aliases),
        "key": keys.state(model, folder=service.folder),
        "capabilities": [name for name in CAPABILITIES if name in model.capabilities],
        "maxOutputTokens": model.max_output,
        "retired": None if model.retired is None else model.retired.isoformat(),
    }
    return {name: value for name, value in told.items() if value is not None}
