"""Which providers could be asked: whether a key is found, or weights are pulled. Nobody is contacted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from labkit.server import shapes
from labkit.server.accounts.credentials import Reader
from labkit.server.service import Served

router = APIRouter(tags=["providers"])


@router.get("/providers", response_model=None, responses={200: {"model": dict[str, shapes.Provider]}})
def providers(served: Served, who: Reader) -> dict[str, dict[str, Any]]:
    """By provider: `configured` and `available` (alike: nobody is asked whether it answers), and its `type`.

    `ollama` stands for the models of this machine, as the older workbench called them.
    """
    found: dict[str, dict[str, Any]] = {}
    for model in served.lab.models:
        provider = "ollama" if model.dialect == "local" else model.provider
        ready = served.models.lacks(model) is None
        known = found.setdefault(
            provider, {"configured": False, "type": "local" if model.dialect == "local" else "api"}
        )
        known["configured"] = known["configured"] or ready
    return {name: {**told, "available": told["configured"]} for name, told in found.items()}


@router.get("/api-status", response_model=None, responses={200: {"model": shapes.ApiStatus}})
def api_status(served: Served, who: Reader) -> dict[str, Any]:
    """`mode` `api`: answers come from the providers themselves. And the providers."""
    return {"mode": "api", "providers": providers(served, who)}
