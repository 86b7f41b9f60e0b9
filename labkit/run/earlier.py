"""What earlier launches of a run left to the next: the budget they were held to, what they spent, and how
their answers are.

A budget is the run's, over all its launches: one that is not given anew holds on. It reads the lab, and does
not know what the next launch asks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from labkit.dollars import usd
from labkit.store.queries import DERIVED
from labkit.summary.cut_answers import KINDS, REFUSED
from labkit.widgets.model_progress import Before

NO_LIMIT = "inf"
"""How the lab writes a budget that is none: JSON has no such number."""
# Of a lab that is older than the budget of each launch, the first launch's is known.
_BUDGET = """
    select
        coalesce(
            (
                select detail->>'budget_usd' from log.run_events
                where run_id = $run and (detail->>'budget_usd') is not null order by written_at desc limit 1
            ),
            (select provenance->>'budget_usd' from runs where run_id = $run),
            'inf'
        )::double as budget_usd,
        coalesce(
            (
                select detail->>'allow_unpriced' = 'true' from log.run_events
                where run_id = $run and (detail->>'budget_usd') is not null order by written_at desc limit 1
            ),
            false
        ) as allow_unpriced
"""
_COSTS = """
    select
        model, coalesce(sum(cost_usd) filter (where replayed_from is null), 0) as cost_usd,
        count(*) filter (where cost_usd is null and status = 'done' and replayed_from is null) as cost_unknown
    from log.generations where run_id = ? and steps is null group by model
"""
_KINDS = f"""
    select
        model, count(*) filter (where stop_reason = 'max_tokens') as cut,
        count(*) filter (where {DERIVED["empty"]}) as empty,
        count(*) filter (where list_contains(?, stop_reason)) as refused
    from steps where run_id = ? and status = 'done' group by model
"""  # noqa: S608 - labkit's own text


class Earlier(NamedTuple):
    """What a run's launches so far left; as it is, that of a new run."""

    budget_usd: float = math.inf
    """The last launch's; infinite: none."""
    allow_unpriced: bool = False
    """Whether that launch asked what has no price outside its budget."""
    spent_usd: float = 0.0
    """Over all launches, with what was set aside for requests that may have been paid for unanswered."""
    before: Mapping[str, Before] = {}
    """By model, what their answers cost, replays apart, and how all of them are."""
    resumed: bool = False

    @classmethod
    def read(cls, store: Any, run_id: str) -> Earlier:
        """What the launches of a run left. Raises `StoreError`."""
        held = store.table(_BUDGET, {"run": run_id}).to_pylist()[0]
        kinds = {row["model"]: row for row in store.table(_KINDS, [list(REFUSED), run_id]).to_pylist()}
        before = {
            row["model"]: Before(
                cost_usd=row["cost_usd"],
                cost_unknown=row["cost_unknown"],
                lacks=Counter({kind: kinds.get(row["model"], {}).get(kind, 0) for kind in KINDS}),
            )
            for row in store.table(_COSTS, [run_id]).to_pylist()
        }
        return cls(**held, spent_usd=store.spent(run_id), before=before, resumed=True)

    def words(self, given_usd: float | None) -> str:
        """Which budget holds where `given_usd` is what the next launch was told, and where it comes from;
        empty where there is none and there was none.

        >>> Earlier().words(5), Earlier().words(None)
        ('budget USD 5.00', '')
        >>> Earlier(0.13, spent_usd=0.12, resumed=True).words(None)
        'budget USD 0.13 as at its last launch (budget_usd= changes it), USD 0.12 of it spent'
        """
        budget_usd = self.budget_usd if given_usd is None else given_usd
        spent = f", USD {usd(self.spent_usd)} of it spent" if self.resumed else ""
        if budget_usd != math.inf:
            outside = ", outside which models without a price are asked" if self.allow_unpriced else ""
            kept = f" as at its last launch{outside} (budget_usd= changes it)" if given_usd is None else ""
            return f"budget USD {usd(budget_usd)}{kept}{spent}"
        if self.budget_usd != math.inf:
            return f"no budget any more, it was USD {usd(self.budget_usd)}{spent}"
        return ""
