"""What is to be known of the judges of a run beside their scores: who they are, what they cost, which
verdicts were not read, how often they went by the order.

It reads the lab, and concludes nothing.
"""

from __future__ import annotations

import json
from typing import Any

from labkit.scoring.verdict_request import NAMED
from labkit.store import Store

_ANY = "select 1 from log.runs where parent_run_id = ? and kind = 'judge' limit 1"
# Of a judge that was asked again, with another rubric or after a stop, the scores are of the latest run.
_LATEST = """
    with
        of_run as (
            select run_id, any_value(started_at) as began_at from log.runs
            where parent_run_id = $run and kind = 'judge' group by run_id
        ),
        judging as (
            select distinct run_id, prompt, began_at from log.generations join of_run using (run_id)
        ),
        latest as (
            select prompt as judge, max_by(run_id, began_at) as run_id from judging group by prompt
        ),
        -- What the same text was asked once for is paid for once, by all that share it.
        verdicts as (
            select
                j.*,
                j.cost_usd / count(*) over (
                    partition by j.judge, coalesce(j.replayed_from, j.generation_id)
                ) as share_usd
            from judgements as j join latest using (judge, run_id)
        )
"""
_MODELS = f"""
    {_LATEST} select judge, list(distinct model order by model) as models from verdicts group by judge
"""  # noqa: S608 - labkit's own text
_USD = f"""
    {_LATEST}
    select
        v.judge, g.prompt, g.model, sum(v.share_usd) as usd,
        count(*) filter (
            where v.cost_usd is null and (v.status in ('done', 'partial') or v.maybe_paid > 0)
        ) as unknown
    from verdicts as v join generations as g on g.generation_id = v.parent_id
    group by v.judge, g.prompt, g.model
"""  # noqa: S608 - labkit's own text
_CHECKS = f"""
    {_LATEST}
    select any_value(c.judge) as judge, max_by(e.detail->'$.check', e.written_at) as "check"
    from log.run_events as e join (
        select distinct j.run_id, j.judge from judgements as j
        join (select distinct judge, prompt_version, model from verdicts)
            using (judge, prompt_version, model)
    ) as c using (run_id)
    where (e.detail->'$.check') is not null
    group by c.judge
"""  # noqa: S608 - labkit's own text
_SCORES = """
    select
        s.scorer, g.prompt, g.model, count(*) as answers,
        count(*) filter (
            where s.error is not null
                or list_sum(json_extract(s.metadata, '$.duels[*].unread')::bigint[]) > 0
        ) as unread,
        -- What nobody was asked about has no verdicts.
        count(*) filter (
            where s.error is null and s."value" is null
                and coalesce(
                    json_array_length(s.metadata, '$.judgements'), json_array_length(s.metadata, '$.duels')
                ) > 0
        ) as cannot_tell,
        coalesce(sum(list_sum(json_extract(s.metadata, '$.duels[*].flips')::bigint[])), 0)::bigint as flips,
        coalesce(sum(list_sum(json_extract(s.metadata, '$.duels[*].turned')::bigint[])), 0)::bigint as duels,
        coalesce(bool_or(json_array_length(s.metadata, '$.duels') > 0), false) as compares
    from scores as s join generations as g using (generation_id)
    where g.run_id = $run and s.scorer in (select unnest($scorers::varchar[]))
    group by s.scorer, g.prompt, g.model
"""


def judge_facts(run_id: str, store: Store) -> dict[str, dict[str, Any]]:
    """By score of a judge: `models`, who judges; `compares`, whether two answers at a time; and `of`, a list
    of dicts by `prompt` and `model` of the judged: `answers`, `unread` (also where other duels give a value),
    `cannot_tell`, `duels` (in which a judge said which is better in both orders) and `flips` (in which it did
    not say the same), both counted for each of the two answers, `usd` (what its verdicts cost when they were
    asked) and `unknown`, for how many that is not known. `check`, where it was asked about its controls: a
    list of dicts with `control`, `value`, `right`. Empty where nobody judged."""
    with store.one_opening():
        if not store.table(_ANY, [run_id]).num_rows:
            return {}
        models = store.table(_MODELS, {"run": run_id}).to_pylist()
        usd = store.table(_USD, {"run": run_id}).to_pylist()
        checks = store.table(_CHECKS, {"run": run_id}).to_pylist()
        names = [row["judge"].removeprefix(NAMED) for row in models]
        scores = store.table(_SCORES, {"run": run_id, "scorers": names}).to_pylist()
    cost = {(row["judge"].removeprefix(NAMED), row["prompt"], row["model"]): row for row in usd}
    found: dict[str, dict[str, Any]] = {
        row["judge"].removeprefix(NAMED): {"models": row["models"], "compares": False, "of": []}
        for row in models
    }
    for row in checks:
        found[row["judge"].removeprefix(NAMED)]["check"] = json.loads(row["check"])
    for row in scores:
        name, where = row.pop("scorer"), (row["prompt"], row["model"])
        paid = cost.get((name, *where), {"usd": 0.0, "unknown": 0})
        found[name]["compares"] |= row.pop("compares")
        found[name]["of"].append(row | {"usd": paid["usd"], "unknown": paid["unknown"]})
    return found
