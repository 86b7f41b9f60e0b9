"""Growing the study of a run: more rows, models or repeats under its run_id; resuming one of history.

How it is done it does not know: the plan does, or the lab for a run of its history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from labkit.errors import DefinitionError

if TYPE_CHECKING:
    from labkit.catalog.model import Model
    from labkit.scoring import Scorer


class Extendable:
    """The part of a run's handle that grows its study. `Run` is the one."""

    run_id: str
    _grow: Callable[..., Any] | None = None
    """How the study grows: given by the plan, or by the lab for a run of its history."""
    _go_on: Callable[..., Any] | None = None
    """How a run of history is resumed: given by the lab."""

    def more(
        self,
        *,
        rows: int | None = None,
        models: Sequence[str | Model] = (),
        repeats: int | None = None,
        until: str | float | None = None,
        budget_usd: float | None = None,
        score: str | list[str] | None = None,
        by: str | Sequence[str] = "model",
        margin: float | None = None,
        level: float = 0.95,
        batch: int | None = None,
        params: Mapping[str, Any] | None = None,
        scorers: Sequence[Scorer] | None = None,
        allow_unpriced: bool = False,
        progress: str | None = None,
    ) -> Self:
        """Grow this study, balanced over its cells, and wait: a run under the same run_id, old answers in it.

        `rows`: so many more samples of the dataset, drawn at random from those not asked yet; each is
        asked of every prompt and model as often as the others. `models`: more models, on all samples so
        far; `params` go to them, by default those that all models of the study share. `repeats`: so many
        more of each. What did not finish is asked again.

        `until="decided"` asks batch after batch (`batch` samples each, by default a third of what there
        is) until each pair of `run.verdict(score, by=…, margin=…)` is decided, or the dataset (or `rows`) is
        used up, or the budget is empty; `until=0.1` until no interval is wider than that. Since it looks
        after every batch, and any run that grows could be looked at before, this run's intervals hold at
        any moment of stopping from then on. They are wider, and need a score whose scorer declares low=
        and high=, and two contenders. Of a list of scores it asks until that is so by each.

        `budget_usd` is the run's total over all its launches; None keeps the last, `math.inf` lifts it.
        `scorers` are needed for a run from history. Raises `DefinitionError` before anything is asked.

        >>> run = run.more(rows=50)                       # doctest: +SKIP
        >>> run = run.more(until="decided", budget_usd=5) # doctest: +SKIP
        """
        if self._grow is None:
            raise DefinitionError(
                f"Run {self.run_id} does not know its plan here; take lab.run('{self.run_id}')."
            )
        grown: Self = self._grow(
            self,
            rows=rows,
            models=models,
            repeats=repeats,
            until=until,
            budget_usd=budget_usd,
            score=score,
            by=by,
            margin=margin,
            level=level,
            batch=batch,
            params=params,
            scorers=scorers,
            allow_unpriced=allow_unpriced,
            progress=progress,
        )
        return grown

    def grown_by(self, grow: Callable[..., Any]) -> None:
        """Told by whoever knows the plan: how `more` is done."""
        self._grow = grow

    def resumed_by(self, go_on: Callable[..., Any]) -> None:
        """Told by the lab, for a run of its history: how `resume` is done."""
        self._go_on = go_on
