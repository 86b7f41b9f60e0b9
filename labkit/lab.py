"""The front door: one lab, its models and prompts, its plans, its runs and their comparison.

It holds no connection: the store opens the file for one reading or folding at a time. Each method is a door
to the module that does it, documented where it is met; that makes it long, and not deep.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labkit import keys, provenance
from labkit.archive import Archive, Names, When
from labkit.arguments import check
from labkit.arguments import seed as seeds
from labkit.catalog.catalog import Catalog
from labkit.datasets import of_samples
from labkit.engine.clients import warm_up
from labkit.errors import DefinitionError
from labkit.library import Library
from labkit.plan import Plan
from labkit.plan.extension import more
from labkit.plan.kept_scorers import kept_scorers
from labkit.plan.recall import recall
from labkit.plan.resume import resume
from labkit.plan.validation import define
from labkit.prompts import Block
from labkit.run import LabServices, Run
from labkit.run.lab_services import fresh_by_default
from labkit.scoring import Scorer
from labkit.scoring.scorer import scorers as as_scorers
from labkit.store import Store
from labkit.store.exchange import local_copy
from labkit.store.filters import listed
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

    from labkit.catalog.model import Model
    from labkit.run.judge_check import JudgeCheck
    from labkit.scoring import Judge
    from labkit.sentinel.sentinel import Sentinel
    from labkit.store.exchange.status import Sharing
    from labkit.verdict.comparison import Comparison


class Lab(Archive):
    """A lab is one DuckDB file and the journals beside it. Making one opens and contacts nothing.

    `path` is by default `$LABKIT_LAB`, else `lab.duckdb` in the working folder. `workspace` separates
    projects in one lab: it is a filter, not a wall. `models` are your own, beside the catalog's: a list
    of `lk.Model`, or a TOML file.

    `share` is the PostgreSQL through which several machines share the lab (default: `$LABKIT_SHARE`), as
    `postgresql://USER@HOST/DATABASE`: what is written here goes there, what others write in this workspace
    comes here, and with the server away everything goes on and is made up for later. With such an address
    as `path` this machine's part lies in the user's cache. `share=False`: not, whatever the variable says.

    >>> lab = Lab("notes.duckdb", workspace="tickets")
    >>> lab
    Lab(notes.duckdb, workspace='tickets')
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        workspace: str = "default",
        models: Sequence[Model] | str | os.PathLike[str] = (),
        user: str | None = None,
        share: str | Literal[False] | None = None,
    ) -> None:
        given = path if path is not None else os.environ.get("LABKIT_LAB") or "lab.duckdb"
        if not isinstance(user, str | None):
            raise DefinitionError(f"user is {quoted(user)}; give a name as text.")
        self.workspace = workspace
        self.user = user or provenance.user()
        if share is None:
            share = os.environ.get("LABKIT_SHARE") or None
        given, address = local_copy.place(given, share or None)
        self.store = Store(given, share=address)
        self.store.include(workspace)
        self.path = self.store.path
        self._own_models = models

    def within(self, workspace: str, *, user: str | None = None) -> Lab:
        """The same lab, with its models, as another workspace or for another user.

        >>> lab.within("triage").workspace
        'triage'
        """
        other = copy.copy(self)
        other.__dict__.pop("_services", None)
        other.workspace, other.user = workspace, user or self.user
        other.store.include(workspace)
        return other

    # -- what there is ---------------------------------------------------------------------------

    @cached_property
    def models(self) -> Catalog:
        """Models by id or alias, with context window, capabilities and prices: `lab.models["gpt-4o"]`."""
        catalog = Catalog(keys=lambda model: keys.state(model, folder=Path.cwd()))
        if isinstance(self._own_models, str | os.PathLike):
            catalog.load(self._own_models)
        else:
            catalog.add(*listed(self._own_models))
        return catalog

    @cached_property
    def prompts(self) -> Library:
        """Saved prompts and those in `data/prompts`: `lab.prompts["triage@2"]`."""
        return Library(self.store, Path.cwd())

    @property
    def share(self) -> Sharing | None:
        """How far this lab and the server that it is shared through are alike; None: it is not shared.

        >>> lab.share is None
        True
        """
        return self.store.sharing()

    # -- asking ----------------------------------------------------------------------------------

    def plan(
        self,
        *,
        prompts: Any,
        models: Any,
        dataset: Any = None,
        id: str | None = "id",
        repeats: int = 1,
        params: Mapping[str, Any] | None = None,
        context: Sequence[Block] = (),
        scorers: Sequence[Scorer | Callable[..., Any]] = (),
        experiment: str | None = None,
        duplicates: str = "ask",
        seed: int = 0,
    ) -> Plan:
        """Multiply prompts × models × samples × repeats into a plan. Nothing is asked or paid.

        Args:
            prompts: Texts, saved names (`triage`, `triage@2`), `lk.Prompt`, `.md` files.
            models: Ids, aliases, `lk.Model`.
            dataset: A CSV, JSONL or Parquet path, a frame, a list of dicts, SQL over the lab, or None for
                prompts without variables. See `labkit.datasets.load`.
            id: The column that tells rows apart, or None where none does.
            repeats: How often the same is asked.
            params: What goes to every model (`temperature`, `max_tokens` …), over its own params. A misspelt
                name is refused; what is in `extra_body={…}` is sent as it stands. Where JSON of a schema is
                asked for (`response_format`), each answer is kept as it came and scored by whether it fits:
                `score.structure`.
            context: Blocks of text in front of every prompt.
            scorers: Scorers such as `lk.contains("label")`, or functions of your own, which read columns by
                name.
            experiment: The name under which runs belong together; by default the dataset's name.
            duplicates: `ask` gives cells that send the same request an answer each, `share` one for all.
            seed: Decides the order of asking.

        Raises one `DefinitionError` naming all that is wrong.

        >>> def named(generation, sample):
        ...     return sample["city"] in generation.text
        >>> rows = [{"land": "France", "city": "Paris"}, {"land": "Peru", "city": "Lima"}]
        >>> plan = lab.plan(
        ...     prompts=["Capital of {{ land }}?"], models=[echo], dataset=rows, scorers=[named]
        ... )
        >>> len(plan)
        2
        """
        check(seeds(seed))
        design, marking = define(
            prompts=prompts,
            models=models,
            dataset=dataset,
            id=id,
            repeats=repeats,
            params=params,
            context=context,
            experiment=experiment,
            workspace=self.workspace,
            duplicates=duplicates,
            catalog=self.models,
            library=self.prompts,
            sql=self.store.query,
            scorers=scorers,
        )
        warm_up(design.models)
        return Plan(design=design, scorers=marking, seed=seed, services=self._services)

    def again(self, run_id: str, *, scorers: Sequence[Scorer | Callable[..., Any]] | None = None) -> Plan:
        """The plan of an earlier run, or of the `latest`: the same prompts, models, params and samples.

        Running it continues the run where it is unfinished, else begins a new one, with replay. `scorers`
        are by default the run's: built-ins that it was launched with are made again, own functions and those
        that came with `run.score` come along where this lab object still has them; those that are lost are
        named in the plan's line. Raises `DefinitionError` where the lab does not know enough.
        """
        run_id = self.run(run_id).run_id
        marking, lost = kept_scorers(run_id, self._services) if scorers is None else (as_scorers(scorers), ())
        known = recall(run_id, store=self.store, catalog=self.models, library=self.prompts)
        cells = known.pop("cells")
        plan = self.plan(**known, scorers=marking)
        if lost:
            told = (
                f"not scored by {', '.join(map(quoted, lost))}, of which only the name is kept: run.score(…)"
            )
            plan = replace(plan, design=replace(plan.design, notes=(*plan.design.notes, told)))
        if cells is None:
            return plan
        frame = plan.frame()
        keys = zip(frame["prompt"], frame["model"], frame["sample_id"], frame["repeat"], strict=True)
        return plan.select([key in cells for key in keys])

    def run(self, run_id: str) -> Run:
        """A run of this lab by its id, or by `latest`: its rows, summary, scores, verdict and report."""
        run = Run.find(run_id, self._services)
        run.grown_by(self._more)
        run.resumed_by(self._resume)
        return run

    def _resume(self, run: Run, *, scorers: Sequence[Scorer] | None, **wanted: Any) -> Run:
        return resume(self.again(run.run_id, scorers=scorers), run, scorers=scorers, **wanted)

    def _more(self, run: Run, *, scorers: Sequence[Scorer] | None, **wanted: Any) -> Run:
        """How a run of history grows: its plan is put together again, over all samples of its dataset."""
        plan = self._whole(run.run_id, scorers)
        return more(plan, run, scorers=None, **wanted)

    def _whole(self, run_id: str, scorers: Sequence[Scorer] | None) -> Plan:
        plan = self.again(run_id, scorers=scorers)
        every = self.store.samples(run_id).values()
        if len(every) == len(plan.design.dataset.samples):
            return plan
        return plan.over(of_samples(list(every), name=plan.design.dataset.name))

    def _checked(self, judge: Judge, **given: Any) -> JudgeCheck:
        from labkit.run.judge_check import check_judge

        return check_judge(judge, self._services, workspace=self.workspace, **given)

    def compare(
        self,
        run_a: str | Run,
        run_b: str | Run,
        *,
        score: str | None = None,
        level: float = 0.95,
        names: tuple[str, str] | None = None,
    ) -> Comparison:
        """Run B against run A on the cells that both have: what changed, what explains it, what is undecided.

        Runs are given by id, by `latest`, or as themselves; sentences call them by their ids, or by `names`.
        Answers of B that are replays of A's are left out, since a copy shows no noise. See
        `labkit.verdict.comparison.compare`.

        >>> lab.compare(monday, tuesday)          # doctest: +SKIP
        """
        from labkit.verdict.comparison import compare

        runs = [run if isinstance(run, Run) else self.run(run) for run in (run_a, run_b)]
        before, after = (run.generations() for run in runs)
        called = [run.run_id for run in runs] if names is None else listed(names)
        if len(called) != 2 or not all(isinstance(name, str) for name in called):
            raise DefinitionError(f"names is {quoted(names)}; give two texts, such as ('before', 'after').")
        return compare(before, after, score=score, level=level, names=(called[0], called[1]))

    def sentinel(
        self,
        name: str,
        *,
        baseline: str | None = None,
        score: str | Sequence[str] | None = None,
        margin: float | Mapping[str, float] = 0.02,
        latency: float | None = 1.25,
        cost: float | None = 1.10,
        false_alarms_per_year: float = 1,
        better: str | Mapping[str, str] = "higher",
        confirm: bool = True,
        notify: Sequence[str] | None = None,
        rows: bool = False,
    ) -> Sentinel:
        """A named watch over a scheduled run: did quality, price or latency get worse than an accepted
        baseline?

        `watch.check(run)` is the last cell of the notebook, `watch.accept(run)` makes a baseline. All it
        knows is in the lab, under its name in this workspace.

        Args:
            name: What it is called in messages and tables.
            baseline: The name of the baseline that runs are held against, and that `accept` makes; by default
                the latest that was accepted.
            score: The scores that are watched, by name; by default all that the baseline has.
            margin: The difference of a score that does not matter (0.02: 2 points), or a mapping by score.
            latency: The ratio of typical latencies that does not matter; None: they are not watched.
            cost: The same of what an answer costs.
            false_alarms_per_year: How often chance may call it worse, if it checks one run a day. The levels
                of its tests are chosen by this (`labkit.stats.false_alarms`).
            better: `"lower"` for scores that are better when lower, or a mapping by score.
            confirm: Whether what looks worse is asked once more before it is called worse. Without it, one
                look decides, at a level that keeps the same number of false alarms: it finds less.
            notify: A command and its arguments, such as `["mail", "-s", "labkit", "ada@example.org"]`; it
                gets the message on its input.
            rows: Whether messages show answers of the three worst rows, not their ids alone.

        Raises one `DefinitionError` naming all that is wrong, also with `LABKIT_WEBHOOK` and
        `LABKIT_HEARTBEAT`.

        >>> watch = lab.sentinel("nightly", score="exact", margin=0.05)
        """
        from labkit.sentinel.definition import define as watched

        return watched(
            name,
            services=self._services,
            workspace=self.workspace,
            user=self.user,
            again=self.again,
            baseline=baseline,
            score=score,
            margin=margin,
            latency=latency,
            cost=cost,
            false_alarms_per_year=false_alarms_per_year,
            better=better,
            confirm=confirm,
            notify=notify,
            rows=rows,
        )

    def reprice(
        self,
        *,
        at: When = None,
        prices: Mapping[str, Mapping[str, float]] | None = None,
        batch: bool = False,
        by: str | Sequence[str] = ("run_id", "prompt", "model"),
        run: Names = None,
        experiment: Names = None,
        model: Names = None,
        prompt: Names = None,
        workspace: Names = None,
        since: When = None,
        until: When = None,
    ) -> pd.DataFrame:
        """What answers would have cost under other prices; no row is changed. Replays cost nothing and are
        not in it; verdicts of judges are, in runs and under prompts (`judge <name>`) of their own.

        `at`: at the prices of that day (default: now). `prices`: by model, USD per million tokens as in
        `lk.Model`, in place of the catalog's. `batch`: in the provider's batch service. Columns: those of
        `by`, `n` (rows), `input_tokens`, `output_tokens` (Int64), `cost_usd` as paid and `repriced_usd`
        (float64, NaN: not known for any row), for how many rows each is not known (`cost_unknown`,
        `repriced_unknown`, int64), `ratio` (repriced ÷ paid, over the rows where both are known), and by
        which prices (`price_id`, `repriced_price_id`). Raises `DefinitionError`, all faults at once.

        >>> lab.reprice(at="2025-01-01", by="model")                            # doctest: +SKIP
        >>> lab.reprice(prices={"openai/gpt-4o": {"input": 1, "output": 4}})    # doctest: +SKIP
        """
        from labkit.summary.repricing import reprice

        chosen = {
            "run_id": run,
            "experiment": experiment,
            "model": model,
            "prompt": prompt,
            "workspace": workspace,
        }
        frame = reprice(
            self.store,
            self.models,
            at=at,
            prices=prices,
            batch=batch,
            by=by,
            chosen=chosen,
            since=since,
            until=until,
        )
        self._hint("generations", frame, chosen)
        return frame

    @cached_property
    def _services(self) -> LabServices:
        return LabServices(
            store=self.store, catalog=self.models, folder=Path.cwd(), user=self.user, fresh=fresh_by_default()
        )

    def _repr_html_(self) -> str:
        return f"<div><b>{escape(self.path.name)}</b> · workspace {escape(self.workspace)}</div>"

    def __repr__(self) -> str:
        return f"Lab({self.path.name}, workspace={self.workspace!r})"
