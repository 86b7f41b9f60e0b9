"""What answers would have cost under other prices: those of another date, of a batch service, or one's own.

The rows of the lab stay as they are. Prices are looked up once per model and service tier; the sums are
DuckDB's. It does not know why prices differ, and prices tokens as they were: a model that would have answered
at another length, or cached otherwise, is not its affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labkit.catalog import prices as listed
from labkit.catalog.catalog import Catalog
from labkit.catalog.check import price_faults
from labkit.catalog.model import Model
from labkit.catalog.prices import Pricer
from labkit.errors import DefinitionError, UnknownModel
from labkit.store import Store, filters
from labkit.store.arrow_to_pandas import to_frame

if TYPE_CHECKING:
    import pandas as pd

GRAINS = (
    "run_id", "experiment", "workspace", "prompt", "prompt_version", "model", "provider", "sample_id",
    "repeat", "generation_id", "user",
)  # fmt: skip
"""What costs can be added up by."""

# Every row that was or may have been charged for, also those a later one took the place of: as in `runs`.
PAID = """
    select g.*, json_extract_string(r.params, '$.service_tier') as tier,
        json_extract_string(r.params, '$.speed') as speed, coalesce(g.cache_read_tokens, 0) as read,
        coalesce(g.cache_write_tokens, 0) as written, coalesce(g.reasoning_tokens, 0) as thought
    from log.generations as g
    left join (
        select request_id, any_value(params) as params from log.requests group by request_id
    ) as r using (request_id)
    where g.replayed_from is null
        and (
            coalesce(g.cost_usd, g.input_tokens, g.output_tokens) is not null or g.status = 'done'
            or (g.status = 'partial' and g.attempts > 0) or g.maybe_paid > 0
        )
        and {chosen}
"""

# The same sum as `Pricer.price`: parts of the totals have their own rates, the rest the whole's.
COSTED = """
    select paid.*,
        case
            when p.input is null or paid.input_tokens is null or paid.output_tokens is null then null
            when p.output is null and paid.output_tokens > 0 then null
            else
                (paid.input_tokens - paid.read - paid.written) * p.input
                + paid.read * p.cache_read + paid.written * p.cache_write
                + (paid.output_tokens - paid.thought) * coalesce(p.output, 0)
                + paid.thought * coalesce(p.reasoning, 0)
                + p.request_usd
        end as repriced,
        case
            when p.input is null then coalesce(p.price_id, 'unknown: it came while prices were looked up')
            when paid.input_tokens is null then 'unknown: input tokens were not reported'
            when paid.output_tokens is null then 'unknown: output tokens were not reported'
            when p.output is null and paid.output_tokens > 0
                then 'unknown: ' || p.price_id || ' has no price for output'
            else p.price_id
        end as repriced_id
    from paid
    left join prices as p
        on p.model = paid.model
        and p.tier is not distinct from paid.tier and p.speed is not distinct from paid.speed
        and coalesce(paid.input_tokens, 0) > p.above
        and (p.upto is null or coalesce(paid.input_tokens, 0) <= p.upto)
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
_PRICE = "(?::varchar, ?::varchar, ?::varchar, ?::bigint, ?::bigint, " + "?::double, " * 6 + "?::varchar)"
_PRICED = (
    "model, tier, speed, above, upto, input, output, cache_read, cache_write, reasoning, "
    "request_usd, price_id"
)


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
    asked = store.table(f"select distinct model, tier, speed from ({paid}) order by all", bound).to_pylist()  # noqa: S608 - bound
    if strangers := sorted(set(own) - {row["model"] for row in asked}):
        there = ", ".join(sorted({row["model"] for row in asked})) or "none"
        raise DefinitionError(
            f"Nothing chosen here was answered by {', '.join(strangers)}, so prices for it change nothing; "
            f"there are answers of {there}."
        )
    models = _models(store, catalog, {row["model"] for row in asked})
    rows: list[Any] = []
    for row in asked:
        service = {name: row[of] for name, of in (("service_tier", "tier"), ("speed", "speed")) if row[of]}
        pricer = _pricer(row["model"], models, own, moment, service, batch=batch)
        for step in _steps(pricer):
            rows += [row["model"], row["tier"], row["speed"], *step, pricer.request_usd, pricer.price_id]
    values = ", ".join([_PRICE] * (len(rows) // 12)) or f"{_PRICE} limit 0"
    names = ", ".join(f'"{name}"' for name in grain)
    table = store.table(
        f"with paid as ({paid}), prices({_PRICED}) as (select * from (values {values})), "  # noqa: S608 - bound
        f"costed as ({COSTED}) select {names + ', ' if names else ''}{SUMS} from costed "
        f"{f'group by {names}' if names else ''} having count(*) > 0 {f'order by {names}' if names else ''}",
        [*bound, *(rows or [None] * 12)],
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
            faults.append(f"at={at!r:.80} is no time. Give a date or time as ISO text, date or datetime.")
    grain = [by] if isinstance(by, str) else list(by)
    faults += [
        f"by has {name!r:.60}, which is no column to add up by; there are {', '.join(GRAINS)}."
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
    import msgspec

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


def _pricer(
    id: str,
    models: Mapping[str, Sequence[Model]],
    own: Mapping[str, Mapping[str, float]],
    at: datetime,
    service: Mapping[str, str],
    *,
    batch: bool,
) -> Pricer:
    if id in own:
        return listed.pricer(Model(id, prices=own[id]), at)
    ways = [listed.pricer(model, at, params=service, batch=batch) for model in models[id]]
    return next((found for found in ways if found.rates), ways[0])


def _steps(pricer: Pricer) -> Iterable[tuple[int, int | None, float | None, float | None, Any, Any, Any]]:
    """Per step of input tokens (above, up to): USD a token for input, output, and parts of them."""
    of = pricer.rates.get
    into, out = of("input"), of("output")
    starts = sorted({start for rate in pricer.rates.values() for start, _ in rate.tiers})
    for above, upto in zip([-1, *starts], [*starts, None], strict=True):
        at = above + 1
        rates = into, out, of("cache_read") or into, of("cache_write") or into, of("reasoning") or out
        # Always five rates: mypy does not count what is unpacked.
        yield (above, upto, *(None if rate is None else rate.at(at) for rate in rates))  # type: ignore[misc]
