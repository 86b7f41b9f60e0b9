"""Going on with a run of history: its plan, put together again, is launched under the same run_id.

It asks what has no finished answer. How a plan is put together again is `recall`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkit.errors import DefinitionError
from labkit.plan.extension import begin
from labkit.plan.kept_scorers import kept_scorers
from labkit.plan.study import Study
from labkit.run import Run, Settings
from labkit.visible import quoted


def resume(
    plan: Study, run: Run, *, scorers: Sequence[Any] | None, budget_usd: float | None, progress: str | None
) -> Run:
    """See `run.resume`: this is it, for a run of history whose `plan` this is.

    Raises DefinitionError where the run was scored by a scorer that is lost and `scorers` is None: what is
    asked now would have no such score, and nobody would know.
    """
    store = plan.services.store
    row = store.run_row(run.run_id)
    if row is None:
        raise DefinitionError(f"This lab has no run '{run.run_id}'.")
    lost = () if scorers is not None else kept_scorers(run.run_id, plan.services).lost
    if lost:
        raise DefinitionError(
            f"Run {run.run_id} was scored by {', '.join(map(quoted, lost))}, of which only the name is kept. "
            "Give all its scorers again: resume(scorers=[…]); or none, to score later: resume(scorers=[])."
        )
    settings = Settings(fresh=bool(row["fresh"]), budget_usd=budget_usd, seed=plan.seed)
    return begin(plan, settings, progress=progress, run_id=run.run_id).wait()
