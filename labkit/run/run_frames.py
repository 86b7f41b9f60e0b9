"""A run's rows as frames: generations, attempts, the summary, answers side by side, charts, scores.

It reads the lab, during the run and ever after; it concludes nothing and asks nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, text
from labkit.errors import DefinitionError
from labkit.records import Score
from labkit.run.judge_facts import judge_facts
from labkit.run.lab_services import LabServices
from labkit.scoring import Function, Scorer
from labkit.scoring import scorers as as_scorers
from labkit.scoring.check import column_faults
from labkit.summary.compact_frame import FIGURES
from labkit.visible import quoted
from labkit.widgets.progress import Progress

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

log = logging.getLogger("labkit.run")

KEYS = ["prompt", "model"]
BY_ITSELF = ("agreement", "block_effects", "nights", "scores", "step_costs")
"""Charts that know what they tell apart."""
GROWN = """
    select
        count(*) filter (where coalesce(detail->>'$.more.rows', detail->>'$.until') is not null) as rows,
        count(*) filter (where
            coalesce(detail->>'$.more.models[0]', detail->>'$.more.repeats') is not null
        ) as others,
        count(*) filter (where event = 'resumed' and (detail->'$.prompts') is not null)
            - count(*) filter (where (detail->'$.more') is not null) as resumed
    from log.run_events where run_id = ?
"""
MAYBE_PAID = """
    with of_run as (
        select $run::varchar as run_id union select run_id from log.runs where parent_run_id = $run
    )
    select
        generation_id, prompt, step_name as step, model, sample_id, "repeat", m.attempt, m.sent_at,
        m.reserved_usd, m.why
    from (
        select generation_id, attempt, sent_at, reserved_usd,
            'sent, and its process ended before it told how that went' as why
        from unsettled where run_id in (from of_run)
        union all
        select generation_id, attempt, sent_at, null, coalesce(error_message, error_type)
        from attempts where run_id in (from of_run) and maybe_paid
    ) as m
    left join steps as g using (generation_id)
    order by m.sent_at
"""


class RunFrames:
    """The part of a run's handle that reads. `Run` is the one."""

    run_id: str
    progress: Progress | None
    _services: LabServices

    def generations(self, *, columns: Sequence[str] | None = None, steps: bool = False) -> pd.DataFrame:
        """One row per answer: the columns of `lab.generations()`, plus `sample.<column>` and `score.<name>`.

        The row of a chain has its last step's text, cost and clocks of all its steps together, and where one
        failed its name as `failed_step`. `steps=True` gives one row per request: of a chain each step, with
        its own clocks and cost, `step` from 1 up, `step_name`, and in `parent_id` the step before it.

        Rows stand as they were planned, by sample, repeat, prompt and model, whatever was answered first.

        `columns` chooses some (`sample.*`, `score.*`: all of those), which is much faster without `text`
        and `raw`. In `attrs`: `labels`, how tables and charts are to call models, by id; `scales`, what
        scorers declared of their values; `failures`, where scorers failed, and why; `grown`, how often the
        study was made larger after it could be looked at, by `rows` and by `others` (models, repeats);
        `resumed`, how often it went on after it was stopped; where there are scores of judges `judges` (see
        `labkit.run.judge_facts`);
        `plan`, its `prompts`, `models` and `scorers` in order. Scores stand in that order too; what `score`
        gave later stands after them.
        """
        store = self._services.store
        with store.one_opening():
            frame = store.generations(run=self.run_id, columns=columns, steps=steps)
            (told,) = store.table(GROWN, [self.run_id]).to_pylist()
            grown = {name: int(told[name]) for name in ("rows", "others")}
            frame.attrs |= {"labels": store.labels(), "grown": grown, "resumed": int(told["resumed"])}
            if judges := judge_facts(self.run_id, store):
                frame.attrs["judges"] = judges
        return frame

    def attempts(self) -> pd.DataFrame:
        """One row per HTTP request that was sent."""
        return self._services.store.attempts(run=self.run_id)

    def maybe_paid(self) -> pd.DataFrame:
        """What may have been paid for without giving an answer: one row per request, in the order of sending,
        those to the run's judges among them: their `prompt` is `judge <name>`, their `sample_id` the
        generation_ids that are judged.

        Columns: `generation_id`; `prompt`, `step`, `model`, `sample_id`, `repeat` of its cell (missing until
        the cell has a row); `attempt`; `sent_at`; `reserved_usd`, what it may have cost at most where its
        process was killed; `why`. While the run goes, what is in flight is in it too.

        >>> len(run.maybe_paid())           # doctest: +SKIP
        16
        """
        table = self._services.store.table(MAYBE_PAID, {"run": self.run_id})
        frame: pd.DataFrame = table.to_pandas()
        return frame.astype({"repeat": "Int64"})

    def checks(self) -> pd.DataFrame:
        """What sentinels said of this run and of the nights before it: rows of the view `checks`, one for
        each night, of every sentinel that checked this run or asked its rows again in it. Empty where none
        did.

        `night` counts a sentinel's runs; `sentences`, `notes` and `findings` are JSON text.

        >>> run.checks()[["sentinel", "night", "outcome"]]      # doctest: +SKIP
        """
        from labkit.run.sentinel_checks import checks

        return checks(self.run_id, self._services.store)

    def summary(
        self,
        by: str | Sequence[str] = ("prompt", "model"),
        *,
        score: str | Sequence[str] | None = None,
        baseline: str | None = "target",
        level: float = 0.95,
        clusters: str | None = None,
    ) -> pd.DataFrame:
        """One row per prompt and model: n, failures, score with interval, latency, TTFT, tokens/s and cost.

        See `labkit.summary.summarize` for the columns. Below the table stands what scores and answers lack.

        Args:
            by: What makes a row: `"model"`, `"prompt"`, or both.
            score: The scorer, or several; by default all, side by side.
            baseline: A column of the samples: always giving its most frequent value is what a score is held
                against. Left out where there is no such column, or hardly a value twice.
            level: How sure the intervals are.
            clusters: A column in which samples belong together.
        """
        from labkit.summary import majority, summarize

        check(text("baseline", baseline, or_none=True))
        frame = self.generations(columns=FIGURES)
        rate = majority(frame, baseline)
        return summarize(frame, by=by, score=score, baseline=rate, level=level, clusters=clusters)

    def outputs(self) -> pd.DataFrame:
        """Answers side by side: one row per sample and repeat, one column per prompt and model (text)."""
        import pandas as pd

        frame = self.generations(columns=["sample_id", "repeat", *KEYS, "text"])
        wide = frame.pivot(index=["sample_id", "repeat"], columns=KEYS, values="text")
        asked: list[Any] = wide.columns.tolist()
        plan = frame.attrs["plan"]
        planned = [pair for pair in product(plan["prompts"], plan["models"]) if pair in asked]
        columns = list(dict.fromkeys([*planned, *asked]))
        # Rows are in order in the frame; columns may not be where the first sample lacks some answer.
        rows = frame[["sample_id", "repeat"]].drop_duplicates()
        return wide.reindex(
            index=pd.MultiIndex.from_frame(rows), columns=pd.MultiIndex.from_tuples(columns, names=KEYS)
        )

    def chart(self, kind: str, *, by: str | Sequence[str] | None = None) -> go.Figure:
        """A chart of `labkit.charts` of this run by its name: `frontier`, `forest`, `scores`, `latency`, …

        `by` says what is told apart, `"model"`, `"prompt"` or both in a list; by default models, and both
        where there are several prompts. `scores` always shows both, `block_effects` blocks, `nights` the
        nights of the sentinel that checked this run. Raises `DefinitionError` where there is no such chart.
        """
        from labkit import charts

        if kind not in charts.__all__:
            raise DefinitionError(f"There is no chart {quoted(kind)}; there are {', '.join(charts.__all__)}.")
        chosen = {} if kind in BY_ITSELF else {"by": by}
        figure: go.Figure = getattr(charts, kind)(self, **chosen)
        return figure

    def score(
        self,
        *scorers: Scorer | Function,
        budget_usd: float | None = None,
        allow_unpriced: bool | None = None,
        fresh: bool | None = None,
    ) -> pd.DataFrame:
        """Score the run's answers, again or for the first time. Returns `generations()`.

        Judges (`lk.judge`, `lk.duel`) are asked what is not known, in runs of their own; other scorers ask
        nobody. `budget_usd` is the run's total, its judges' included; None keeps its last, and the others are
        as for `plan.run`. A scorer that fails is told in a warning, and stays told under `summary()`. Raises
        `DefinitionError` for what is no scorer, for columns that the samples do not have, and for judges that
        cannot be asked.
        """
        from labkit.run.judging import score_by_judges
        from labkit.run.score_answers import mark

        store, marking = self._services.store, as_scorers(scorers)
        lacking = column_faults(marking, list(store.samples(self.run_id).values()))
        try:
            asking = score_by_judges(
                self.run_id,
                marking,
                self._services,
                budget_usd=budget_usd,
                allow_unpriced=allow_unpriced,
                fresh=fresh,
            )
        except DefinitionError as error:
            raise (DefinitionError if lacking else type(error))([*lacking, *error.faults]) from None
        check(lacking)
        self._services.remember(self.run_id, marking)
        made: list[Score] = []
        for failure in [*mark(self.run_id, marking, store, told=made.append), *asking(made.append)]:
            log.warning("Run %s: %s", self.run_id, failure)
        if self.progress is not None:
            self.progress.rescored(made)
        return self.generations()
