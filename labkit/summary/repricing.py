"""What answers would have cost under other prices: those of another date, of a batch service, or one's own.

The rows of the lab stay as they are. Prices are looked up once per model and way of serving; the sums are
DuckDB's. It does not know why prices differ, and prices tokens as they were: a model that would have answered
at another length, or cached otherwise, is not its affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from labkit import served
from labkit.catalog import prices as listed
from labkit.catalog.catalog import Catalog
from labkit.catalog.check import price_faults
from labkit.catalog.model import Model
from labkit.catalog.rates import Rates
from labkit.errors import DefinitionError, UnknownModel
from labkit.served import FACTS, TTL_1H, Served
from labkit.store import Store, filters
from labkit.store.arrow_to_pandas import to_frame
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

GRAINS = (
    "run_id", "experiment", "workspace", "prompt", "prompt_version", "model", "provider", "sample_id",
    "repeat", "generation_id", "user", "step_name",
)  # fmt: skip
"""What costs can be added up by."""

_ASKED = ("service_tier", "speed", "inference_geo", "web_search_options")
"""What of the params decides a price, beside the types of the tools and whether a cache is kept an hour."""

# Every row that was or may have been charged for, also those a later one took the place of: as in `runs`; of
# chains their steps.
# `asked` is what of the params decides its price, `told` what its answer says of how it was served.
PAID = f"""
    select *, {FACTS} as told,
        try_cast(coalesce(payload ->> '$.{TTL_1H}', '0') as double) as hour
    from (
        select g.*, r.asked, try_cast(g.raw as json) as payload, coalesce(g.cache_read_tokens, 0) as read,
            coalesce(g.cache_write_tokens, 0) as written, coalesce(g.reasoning_tokens, 0) as thought
        from log.generations as g
        left join (
            select request_id, to_json([
                to_json(json_extract(any_value(params), {[f"$.{name}" for name in _ASKED]})),
                to_json(list_sort(list_distinct(json_extract_string(any_value(params), '$.tools[*].type')))),
                to_json(regexp_matches(any_value(params)::varchar, '"ttl"\\s*:\\s*"1h"'))
            ]) as asked
            from log.requests group by request_id
        ) as r using (request_id)
        where g.replayed_from is null and g.steps is null
            and (
                coalesce(g.cost_usd, g.input_tokens, g.output_tokens) is not null or g.status = 'done'
                or (g.status = 'partial' and g.attempts > 0) or g.maybe_paid > 0
            )
            and {{chosen}}
    )
"""  # noqa: S608 - constants

# The same reasons and the same sum as in `Rates.price`: parts of the totals have their own rates, the rest
# the whole's.
COSTED = """
    select *,
        case
            when why is null then
                (input_tokens - read - written) * p_input + read * p_cache_read
                + (written - coalesce(hour, 0)) * p_cache_write
                + coalesce(hour, 0) * coalesce(p_cache_write_1h, 0)
                + (output_tokens - thought) * coalesce(p_output, 0) + thought * coalesce(p_reasoning, 0)
                + p_fees_usd
        end as repriced,
        coalesce(why, p_price_id) as repriced_id
    from (
        select paid.*, p.* exclude (model, asked, told),
            case
                when p_input is null
                    then coalesce(p_price_id, 'unknown: it came while prices were looked up')
                when input_tokens is null then 'unknown: input tokens were not reported'
                when output_tokens is null then 'unknown: output tokens were not reported'
                when p_output is null and output_tokens > 0
                    then 'unknown: ' || p_price_id || ' has no price for output'
                when p_unpriced is not null then p_unpriced
                when written > 0 and (hour is null or not p_tells_kept)
                    then 'unknown: how long what was written to a cache is kept was not reported'
                when hour < 0 or hour > written or hour <> floor(hour)
                    then 'unknown: more tokens were kept in a cache for an hour than were written to it'
                when hour > 0 and p_cache_write_1h is null
                    then 'unknown: ' || p_price_id || ' has no price for cache writes kept for an hour'
            end as why
        from paid
        left join prices as p
            on p.model = paid.model
            and p.asked is not distinct from paid.asked::varchar and p.told = paid.told::varchar
            and coalesce(input_tokens, 0) > p_above
            and (p_upto is null or coalesce(input_tokens, 0) <= p_upto)
    )
"""

SUMS = """
    count(*) as n,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(cost_usd) as cost_usd,
    count(*) - count(cost_usd) as cost_unknown,
    sum(repriced) as repriced_usd,
    count(*) - count(repriced) as repriced_unknown,
    sum(repriced) filter (where cost_usd is not null)
        / nullif(sum(cost_usd) filter (where repriced is not null), 0) as ratio,
    string_agg(distinct price_id, '; ' order by price_id) as price_id,
    string_agg(distinct repriced_id, '; ' order by repriced_id) as repriced_price_id
"""

KEPT = """
    select model, dialect, endpoint, prices::varchar as prices from models
    where model in (select unnest(?::varchar[]))
"""
_RATES = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
_PRICED = {
    **dict.fromkeys(("model", "asked", "told"), "varchar"),
    **dict.fromkeys(("p_above", "p_upto"), "bigint"),
    **dict.fromkeys((*(f"p_{kind}" for kind in _RATES), "p_fees_usd"), "double"),
    **dict.fromkeys(("p_unpriced", "p_price_id"), "varchar"),
    "p_tells_kept": "boolean",
}
_PRICE = f"({', '.join(f'?::{kind}' for kind in _PRICED.values())})"


def reprice(
    store: Store,
    catalog: Catalog,
    *,
    at: Any,
    prices: Mapping[str, Mapping[str, float]] | None,
    batch: bool,
    by: str | Sequence[str],
    chosen: Mapping[str, Any],
    since: Any,
    until: Any,
) -> pd.DataFrame:
    """See `Lab.reprice`. `chosen` is names wanted by column. Raises `DefinitionError`, all faults at once."""
    moment, grain, own = _checked(at, prices, by, catalog)
    conditions, params = filters.names({f"{name}": wanted for name, wanted in chosen.items()})
    timed, timed_params = filters.times("coalesce(g.started_at, g.written_at)", since=since, until=until)
    where = " and ".join(["true", *(f"g.{condition}" for condition in conditions), *timed])
    paid, bound = PAID.format(chosen=where), [*params, *timed_params]
    ways = f"select distinct model, asked::varchar as asked, told::varchar as told from ({paid}) order by all"  # noqa: S608 - bound
    asked = store.table(ways, bound).to_pylist()
    if strangers := sorted(set(own) - {row["model"] for row in asked}):
        there = ", ".join(sorted({row["model"] for row in asked})) or "none"
        raise DefinitionError(
            f"Nothing chosen here was answered by {', '.join(strangers)}, so prices for it change nothing; "
            f"there are answers of {there}."
        )
    models = _models(store, catalog, {row["model"] for row in asked})
    rows: list[Any] = []
    for row in asked:
        rates, told = _rates(row, models, own, moment, batch=batch)
        tells_kept = told.cache_write_1h_tokens is not None
        fixed = rates.fees_usd(told), rates.unpriced(told), rates.price_id, tells_kept
        for step in _steps(rates):
            rows += [row["model"], row["asked"], row["told"], *step, *fixed]
    values = ", ".join([_PRICE] * (len(rows) // len(_PRICED))) or f"{_PRICE} limit 0"
    names = ", ".join(f'"{name}"' for name in grain)
    table = store.table(
        f"with paid as ({paid}), prices({', '.join(_PRICED)}) as (select * from (values {values})), "  # noqa: S608 - bound
        f"costed as ({COSTED}) select {names + ', ' if names else ''}{SUMS} from costed "
        f"{f'group by {names}' if names else ''} having count(*) > 0 {f'order by {names}' if names else ''}",
        [*bound, *(rows or [None] * len(_PRICED))],
    )
    counted = ("n", "cost_unknown", "repriced_unknown", "repeat")
    frame = to_frame(table, never_missing=counted)
    amounts = dict.fromkeys(("cost_usd", "repriced_usd", "ratio"), "float64")
    return frame.astype({**amounts, "price_id": "str", "repriced_price_id": "str"})


def _checked(
    at: Any, prices: Any, by: str | Sequence[str], catalog: Catalog
) -> tuple[datetime, list[str], dict[str, Mapping[str, float]]]:
    faults: list[str] = []
    moment = datetime.now(UTC)
    if at is not None:
        try:
            moment = filters.utc(at).replace(tzinfo=UTC)
        except (TypeError, ValueError):
            faults.append(f"at={quoted(at)} is no time. Give a date or time as ISO text, date or datetime.")
    grain = filters.listed(by)
    faults += [
        f"by has {quoted(name)}, which is no column to add up by; there are {', '.join(GRAINS)}."
        for name in grain
        if name not in GRAINS
    ]
    own: dict[str, Mapping[str, float]] = {}
    if prices is not None and not isinstance(prices, Mapping):
        faults.append("prices is to be a mapping such as {'openai/gpt-4o': {'input': 2.5, 'output': 10}}.")
        prices = None
    for name, given in (prices or {}).items():
        wrong = price_faults(given, str(name)) if given is not None else [f"prices of {name} is None."]
        faults += wrong
        own[catalog.get(name).id if name in catalog else str(name)] = given
    if faults:
        raise DefinitionError(faults)
    return moment, list(dict.fromkeys(grain)), own


def _models(store: Store, catalog: Catalog, ids: Iterable[str]) -> dict[str, list[Model]]:
    """Each model in the ways it may be priced, the likeliest first: as given, by its address, by its name."""
    kept = {row["model"]: row for row in store.table(KEPT, [sorted(ids)]).to_pylist()}
    return {id: list(_ways(id, kept.get(id), catalog)) for id in ids}


def _ways(id: str, kept: Mapping[str, Any] | None, catalog: Catalog) -> Iterable[Model]:
    try:
        listed_now = catalog.get(id)
    except UnknownModel:
        listed_now = None
    if listed_now is not None and listed_now.prices is not None:
        yield listed_now
        return
    then = msgspec.json.decode(kept["prices"]) if kept and kept["prices"] else {}
    dialect = kept["dialect"] if kept else ""
    if str(then.get("price_id")).startswith("given: "):
        yield Model(id, dialect=dialect, prices=then["usd_per_mtok"])
        return
    endpoint = kept["endpoint"] if kept else None
    if isinstance(endpoint, str) and endpoint.startswith("http"):
        yield Model(id, dialect=dialect, base_url=endpoint)
    else:
        yield listed_now or Model(id, dialect=dialect)
    if not str(then.get("price_id", "unknown: ")).startswith("unknown: "):
        yield Model(id, dialect=dialect)  # as through a client of one's own, whose address says nothing


def _rates(
    row: Mapping[str, str | None],
    models: Mapping[str, Sequence[Model]],
    own: Mapping[str, Mapping[str, float]],
    at: datetime,
    *,
    batch: bool,
) -> tuple[Rates, Served]:
    """The prices of answers of a model that were asked for and served in one way."""
    id, asked, told = str(row["model"]), row["asked"], served.read(row["told"] or "[]")
    values, kinds, hour = msgspec.json.decode(asked) if asked else ((), (), False)
    params = dict(zip(_ASKED, values or (), strict=False)) | {
        "tools": [{"type": kind} for kind in kinds or ()],
        "cache_control": {"ttl": "1h"} if hour else None,
    }
    if batch:
        told = replace(told, service_tier=None, speed=None)
    mine = [Model(id, prices=own[id])] if id in own else models[id]
    ways = [listed.pricer(model, at, params=params, batch=batch and id not in own).of(told) for model in mine]
    return next((found for found in ways if found[0].by_kind), ways[0])


def _steps(rates: Rates) -> Iterable[tuple[int | float | None, ...]]:
    """Per step of input tokens (above, up to): USD a token for each of `_RATES`."""
    starts = sorted({start for rate in rates.by_kind.values() for start, _ in rate.tiers})
    for above, upto in zip([-1, *starts], [*starts, None], strict=True):
        found = [rates.of(kind) for kind in _RATES]
        yield (above, upto, *(None if rate is None else rate.at(above + 1) for rate in found))
