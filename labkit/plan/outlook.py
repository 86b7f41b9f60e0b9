"""An estimate from what there is at hand: the lab's history, current prices, the local models' tokenizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.catalog.model import Model
from labkit.design import Design, Place
from labkit.engine import clients, loop
from labkit.engine.limits import REMOTE
from labkit.plan.estimate import Count, Estimate, Seen, count, estimate
from labkit.records import Message, Request
from labkit.run import Bench

HISTORY = """
    select prompt, model, count(*) as n, avg(latency_s) as latency_s,
        quantile_cont(output_tokens, 0.05) as low, quantile_cont(output_tokens, 0.95) as high
    from generations
    where status = 'done' and replayed_from is null and output_tokens is not null
        and prompt in (select unnest(?)) and model in (select unnest(?))
    group by all
"""


def outlook(design: Design, places: Sequence[Place], *, bench: Bench, exact: bool) -> Estimate:
    """What `places` would cost. `exact` starts local models' servers to let them count."""
    counting: dict[int, Count] = {}
    if exact:
        for m, model in enumerate(design.models):
            if model.dialect == "local" and any(place.model == m for place in places):
                counting[m] = _counted_by_itself
    pairs = zip(design.models, design.params, strict=True)
    return estimate(
        design,
        places,
        pricers=[bench.pricer(model, params) for model, params in pairs],
        seen=_history(design, bench),
        counting=counting,
        concurrency=[_concurrency(model) for model in design.models],
    )


def _history(design: Design, bench: Bench) -> Mapping[tuple[str, str], Seen]:
    names = [prompt.name for prompt in design.prompts], [model.id for model in design.models]
    return {
        (row["prompt"], row["model"]): Seen(
            output_low_tokens=row["low"],
            output_high_tokens=row["high"],
            latency_s=row["latency_s"],
            n=row["n"],
        )
        for row in bench.store.table(HISTORY, list(names)).to_pylist()
    }


def _concurrency(model: Model) -> int:
    if model.concurrency:
        return model.concurrency
    return model.weights.slots if model.weights else REMOTE


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

    tokens = loop.run(ask()).result()
    return (tokens, tokens, "its own tokenizer") if tokens is not None else count(model, messages)
