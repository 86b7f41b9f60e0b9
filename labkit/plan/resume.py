"""Going on with a run of history: its plan, put together again, is launched under the same run_id.

It asks what has no finished answer. How a plan is put together again is `recall`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkit.errors import DefinitionError
from labkit.plan.extension import begin
from labkit.plan.study import Study
from labkit.run import Run, Settings
from labkit.scoring.structure import STRUCTURE
from labkit.visible import quoted

SCORERS = """
    select distinct scorer from scores
    where scorer <> ? and generation_id in (select generation_id from generations where run_id = ?)
    order by scorer
"""


def resume(
    plan: Study, run: Run, *, scorers: Sequence[Any] | None, budget_usd: float | None, progress: str | None
) -> Run:
    """See `run.resume`: this is it, for a run of history whose `plan` this is.

    Raises DefinitionError where the run was scored and `scorers` is None: what is asked now would have no
    score, and nobody would know.
    """
    store = plan.services.store
    row = store.run_row(run.run_id)
    if row is None:
        raise DefinitionError(f"This lab has no run '{run.run_id}'.")
    had = store.table(SCORERS, [STRUCTURE, run.run_id])["scorer"].to_pylist()
    if had and scorers is None:
        raise DefinitionError(
            f"Run {run.run_id} was scored by {', '.join(map(quoted, had))}, and scorers are not kept. Give "
            "them again: resume(scorers=[…]); or none, to score later: resume(scorers=[])."
        )
    settings = Settings(fresh=bool(row["fresh"]), budget_usd=budget_usd, seed=plan.seed)
    return begin(plan, settings, progress=progress, run_id=run.run_id).wait()
