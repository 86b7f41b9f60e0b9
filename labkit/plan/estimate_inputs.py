"""An estimate from what there is at hand: the lab's history, current prices, the local models' tokenizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labkit.catalog.model import Model
from labkit.design import Design, Place
from labkit.engine import clients, event_loop
from labkit.engine.concurrency import REMOTE
from labkit.plan.estimate import Estimate
from labkit.plan.forecast import forecast
from labkit.plan.past_answers import Asking, Seen, history
from labkit.plan.token_counts import Count, count
from labkit.records import Message, Request
from labkit.run import LabServices


def outlook(
    design: Design,
    places: Sequence[Place],
    *,
    services: LabServices,
    exact: bool,
    seen: Mapping[Asking, Seen] | None = None,
) -> Estimate:
    """What `places` would cost. `exact` starts local models' servers to let them count; `seen` is what the
    lab saw of the design, where that was looked up already."""
    if seen is None:
        seen = history(design, services.store) if places else {}
    counting: dict[int, Count] = {}
    if exact:
        for m, model in enumerate(design.models):
            if model.dialect == "local" and any(place.model == m for place in places):
                counting[m] = _counted_by_itself
    pairs = zip(design.models, design.params, strict=True)
    return forecast(
        design,
        places,
        pricers=[services.pricer(model, params) for model, params in pairs],
        seen=seen,
        counting=counting,
        queues=[queue_of(model) for model in design.models],
    )


def queue_of(model: Model) -> tuple[Any, int]:
    """What is the same for models that share an endpoint's places, and how many places there are."""
    if model.concurrency or model.dialect in ("local", "scripted"):
        slots = model.weights.slots if model.weights else REMOTE
        return model.id, model.concurrency or slots
    return (model.dialect, model.provider, model.base_url, model.key_env, id(model.client)), REMOTE


def _counted_by_itself(model: Model, messages: Sequence[Message]) -> tuple[int, int, str]:
    request = Request(
        request_id="",
        provider=model.provider,
        dialect=model.dialect,
        endpoint="",
        model=model.id,
        name=model.name,
        messages=tuple(messages),
        params={},
    )

    async def ask() -> int | None:
        return await (await clients.provider(model, None)).count_tokens(request)

    tokens = event_loop.run(ask()).result()
    return (tokens, tokens, "its own tokenizer") if tokens is not None else count(model, messages)
