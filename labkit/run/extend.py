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
        """Make this study larger, and wait: a run under the same run_id, with the old answers in it.

        It stays balanced: each prompt and model answers each sample as often as every other. What did not
        finish is asked again. Raises `DefinitionError` before anything is asked.

        Args:
            rows: So many more samples of the dataset, drawn at random from those not asked yet.
            models: More models, on all samples so far.
            repeats: So many more answers to each request.
            until: When to end. `"decided"`: when each pair of `run.verdict(score, by=…, margin=…)` is. A
                number, such as 0.1: when no interval is wider. Also when the dataset (or `rows`) or the
                budget is used up.
            budget_usd: The run's total over all its launches; None keeps the last, `math.inf` lifts it.
            score: Which score `until` goes by; of a list, each.
            by: What it compares, as in `run.verdict`.
            margin: The difference that would not matter, as in `run.verdict`.
            level: How sure, as in `run.verdict`.
            batch: With `until`, so many samples before each look; by default a third of what there is.
            params: What goes to the new `models`; by default what all models of the study share.
            scorers: By default the run's own. Of a run from history functions of yours are to be given again,
                since only built-in scorers are kept.
            allow_unpriced: As for `plan.run`.
            progress: As for `plan.run`.

        A study that can be looked at before it grows has more chances to be fooled by luck. From then on this
        run's intervals hold at any moment of stopping: they are wider, and need a score whose scorer declares
        `low=` and `high=`, and `"decided"` needs two contenders.

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
