"""Under which circumstances runs were asked, as far as the lab keeps it: who answered, what was sent, at
which prices, from where, scored by what.

It reads the lab. What of it explains a difference is told in `causes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.contender import steps_of
from labkit.scoring.verdict_request import NAMED
from labkit.sentinel.rows import Contender
from labkit.store import Store

_ASKED = """
    select
        g.prompt, g.model,
        list_sort(list(distinct g.response_model) filter (where g.response_model is not null)) as resolved,
        list_sort(list(distinct f.fingerprint) filter (where f.fingerprint is not null)) as fingerprints,
        list_sort(list(distinct g.prompt_version) filter (where g.prompt_version is not null)) as versions,
        list_sort(list(distinct g.price_id) filter (where g.price_id is not null)) as price_ids,
        list_sort(list(distinct r.endpoint) filter (where r.endpoint is not null)) as endpoints,
        list_sort(list(distinct r.params::varchar) filter (where r.params is not null)) as params,
        median(g.in_flight) as in_flight, avg(g.input_tokens) as input_tokens,
        avg(g.cache_read_tokens) as cache_read_tokens, avg(g.output_tokens) as output_tokens
    from steps as g
    left join requests as r using (request_id)
    left join (
        select generation_id, json_extract_string(raw, '$.system_fingerprint') as fingerprint
        from steps where json_valid(raw) and run_id in (select unnest($runs::varchar[]))
    ) as f using (generation_id)
    where g.run_id in (select unnest($runs::varchar[])) and g.status = 'done' and g.replayed_from is null
    group by g.prompt, g.model
"""
_RUNS = """
    select run_id, dataset, provenance->>'host' as host from runs
    where run_id in (select unnest($runs::varchar[])) order by started_at
"""
_PRICES = """
    select model, prices::varchar as prices from log.models
    where run_id in (select unnest($runs::varchar[])) order by written_at
"""
_SCORERS = """
    select scorer->>'name' as name, scorer::varchar as told from (
        select written_at, unnest(detail->'$.scorers[*]') as scorer from log.run_events
        where run_id in (select unnest($runs::varchar[]))
    ) where (scorer->>'name') is not null order by written_at
"""
_JUDGES = """
    select
        prompt as judge, list_sort(list(distinct prompt_version)) as versions,
        list_sort(list(distinct model)) as models
    from log.generations
    where run_id in (
        select run_id from log.runs where kind = 'judge' and parent_run_id in (select
        unnest($runs::varchar[]))
    )
    group by prompt
"""


_LISTS = ("resolved", "fingerprints", "versions", "price_ids", "endpoints", "params")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How one prompt was asked on one model. Lists have each value once."""

    resolved: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    versions: tuple[int, ...] = ()
    price_ids: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    in_flight: float | None = None
    """The median of requests in flight."""
    input_tokens: float | None = None
    """Of a request on average, as are the next two."""
    cache_read_tokens: float | None = None
    output_tokens: float | None = None


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """Of one run, or of several that are a baseline."""

    asked: Mapping[Contender, Asked] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    """Their hashes."""
    samples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The fields of each row, by id."""
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By model USD per million tokens: `input`, `output`, `cache_read` …"""
    scorers: Mapping[str, str] = field(default_factory=dict)
    """By name how a scorer was made or, of a judge, who judged by which rubric."""

    def of(self, contender: Contender) -> Asked:
        """How this prompt was asked on this model; of a chain how its steps were, all that is known of
        them."""
        prompt, model = contender
        if contender in self.asked:
            return self.asked[contender]
        parts = [self.asked[prompt, one] for one in steps_of(model).values() if (prompt, one) in self.asked]
        return _together(parts)


def _together(parts: Sequence[Asked]) -> Asked:
    lists: dict[str, Any] = {
        name: tuple(sorted({value for part in parts for value in getattr(part, name)})) for name in _LISTS
    }
    return Asked(**lists)


def circumstances(run_ids: Sequence[str], store: Store) -> Circumstances:
    """What is known of these runs. Raises `StoreError`."""
    given = {"runs": list(run_ids)}
    with store.one_opening():
        asked = store.table(_ASKED, given).to_pylist()
        runs = store.table(_RUNS, given).to_pylist()
        prices = store.table(_PRICES, given).to_pylist()
        scorers = store.table(_SCORERS, given).to_pylist()
        judges = store.table(_JUDGES, given).to_pylist()
        samples = {id: sample.fields for run_id in run_ids for id, sample in store.samples(run_id).items()}
    made = {row["name"]: row["told"] for row in scorers}
    made |= {row["judge"].removeprefix(NAMED): json.dumps([row["models"], row["versions"]]) for row in judges}
    return Circumstances(
        asked={(row.pop("prompt"), row.pop("model")): Asked(**_as_kept(row)) for row in asked},
        hosts=tuple(dict.fromkeys(row["host"] for row in runs if row["host"])),
        datasets=tuple(dict.fromkeys(row["dataset"] for row in runs if row["dataset"])),
        samples=samples,
        rates={
            row["model"]: dict(json.loads(row["prices"] or "{}").get("usd_per_mtok") or {}) for row in prices
        },
        scorers=made,
    )


def _as_kept(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value or ()) if name in _LISTS else value for name, value in row.items()}
