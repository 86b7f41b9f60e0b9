"""A run's handle: start, watch, wait, resume; it steers, reads and concludes by its base classes.

It does not know how a run is driven (see `launch`) nor how it is drawn: it holds both together. What a person
can await, stop or wait for is one object's life, from its thread to its end, and stands together.
"""

from __future__ import annotations

import asyncio
import atexit
import html
import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from labkit.arguments import check, number
from labkit.design import Design, Place
from labkit.engine import event_loop
from labkit.errors import DefinitionError, LabkitError
from labkit.identity import new_run_id
from labkit.nearest import listed
from labkit.run import panels, unasked
from labkit.run.conclusions import Conclusions
from labkit.run.extend import Extendable
from labkit.run.judging import judging_of
from labkit.run.lab_services import LabServices
from labkit.run.launch import Launch, Settings
from labkit.run.run_control import RunControl
from labkit.run.stored import Stored
from labkit.scoring import Scorer
from labkit.scoring import scorers as as_scorers
from labkit.visible import quoted, shown
from labkit.widgets.model_progress import ModelProgress, cost_words
from labkit.widgets.progress import Progress

EXIT_S = 10.0
"""How long a process that ends waits for what its runs have to write."""


class Run(Conclusions, Extendable, RunControl):
    """One launch of a plan. Made by `plan.run()` and `plan.start()`, or from history by `lab.run(run_id)`.

    >>> run = plan.run()                # doctest: +SKIP
    >>> run.summary(by="model")         # doctest: +SKIP
    """

    def __init__(self, run_id: str, *, services: LabServices, launch: Launch | None = None) -> None:
        self.run_id = run_id
        self._services = services
        self._launch = launch
        self._over: Future[None] = Future()
        self.progress: Progress | None = None
        self._title: Callable[[Sequence[Place]], Callable[[], str]] = lambda _: lambda: ""
        self._driving = ExitStack()
        self._thread: threading.Thread | None = None

    @classmethod
    def find(cls, run_id: str, services: LabServices) -> Run:
        """A run of the lab by its id, or the `latest`. Raises `DefinitionError` where there is none."""
        if not isinstance(run_id, str):
            raise DefinitionError(f"A run is named by its id, which is text, not by {quoted(run_id)}.")
        if run_id == "latest":
            latest = services.store.runs(limit=1)
            if latest.empty:
                raise DefinitionError("This lab has no run yet. Make a plan and run it.")
            run_id = str(latest["run_id"].iloc[0])
        elif services.store.run_row(run_id) is None:
            there = listed(run_id, services.store.runs(limit=1_000)["run_id"], most=3)
            raise DefinitionError(
                f"This lab has no run {quoted(run_id)}; its runs, the likest first: {there}."
            )
        return cls(run_id, services=services)

    @classmethod
    def start(
        cls,
        design: Design,
        *,
        services: LabServices,
        scorers: Sequence[Scorer],
        settings: Settings,
        progress: str | None,
        title: Callable[[Sequence[Place]], Callable[[], str]],
        run_id: str | None = None,
        parent_run_id: str | None = None,
    ) -> Run:
        """Check what can be checked before anything is paid for, then begin in a thread of its own.

        `parent_run_id` is the run whose cells are asked again, where that is so. `title` looks up what the
        run's first line tells of what is to be asked, and gives what puts it in words if it is shown.
        """
        judging = judging_of(design, scorers, services)
        keys = services.find_keys(design.models)
        event_loop.get()
        services.store.catch_up()
        with ExitStack() as driving:
            with services.store.one_opening():
                services.store.check_writable()
                if run_id is None:
                    # Two that begin the same plan in one moment would each find no run of it to go on with.
                    lock = f"{design.plan_id} {'fresh' if settings.fresh else 'replaying'}"
                    driving.enter_context(services.store.drive(lock, called="This plan"))
                unfinished = run_id or services.store.unfinished(design.plan_id, fresh=settings.fresh)
                run_id = unfinished or new_run_id()
                driving.enter_context(services.store.drive(run_id))
                stored = Stored.read(
                    design, services, run_id=run_id, resumed=unfinished is not None, fresh=settings.fresh
                )
                to_ask = stored.unanswered(design)
                earlier, given = stored.earlier, settings.budget_usd
                settings = settings.after(stored, design, services, also=judging.unpriced)
                told = title(to_ask)
            shown = Progress(
                title=lambda: "; ".join(filter(None, (told(), earlier.words(given)))),
                style=progress,
                budget_usd=settings.budget_usd,
                spent_usd=earlier.spent_usd,
                before=earlier.before if earlier.resumed else None,
                rates=_output_rates(design, services),
                samples={sample.id: sample.fields for sample in design.dataset.samples},
                prompts=[prompt.name for prompt in design.prompts],
                lines=panels.lines(design, run_id),
                contenders=panels.contenders(design, stored.missing) if design.has_chains else None,
                answered=panels.answered(stored),
            )
            launch = Launch(
                design,
                run_id=run_id,
                resumed=unfinished is not None,
                services=services,
                keys=keys,
                scorers=scorers,
                settings=settings,
                stored=stored,
                watcher=shown,
                parent_run_id=parent_run_id,
                judges=judging.shown_by(shown.judged) if judging else None,
            )
            run = cls(run_id, services=services, launch=launch)
            run.progress, run._title = shown, title
            shown.steer(run)
            shown.start()  # here and not in the thread: what it shows belongs to this cell
            run._driving = driving.pop_all()
        run._thread = threading.Thread(target=run._drive, name=f"labkit-{run_id}", daemon=True)
        _going.add(run)
        try:
            run._thread.start()
        except RuntimeError as error:
            _going.discard(run)
            run._driving.close()
            raise LabkitError(f"Run {run_id} cannot begin: {error}. Nothing was asked.") from None
        return run

    def _drive(self) -> None:
        assert self._launch is not None
        assert self.progress is not None
        try:
            with self._driving:
                ended = self._launch.drive()
        except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits
            self.progress.finish(error)
            self._services.tell_ended()
            self._over.set_exception(error)
        else:
            self.progress.finish(left=ended.left, notes=ended.notes)
            self._services.tell_ended()
            self._over.set_result(None)
        finally:
            _going.discard(self)

    # -- waiting and resuming --------------------------------------------------------------------

    @property
    def status(self) -> str:
        """`running`, or what the lab says: `finished`, `stopped`, `unfinished`, `failed`."""
        if self._launch is not None and not self._over.done():
            return "running"
        row = self._services.store.run_row(self.run_id)
        return str(row["status"]) if row else "unfinished"

    @property
    def left(self) -> str | None:
        """What the run did not ask when it ended, why, and what asking it would cost; None: all was asked.

        >>> run.left                    # doctest: +SKIP
        '212 cells were not asked: The budget of USD 0.1300 is used up: … costs at most USD 6.5720 …'
        """
        return None if self.status == "running" else unasked.last(self._services.store, self.run_id)

    def wait(self, timeout_s: float | None = None) -> Run:
        """Wait for the end. Ctrl-C asks nothing more and waits for what is in flight; a second ends at once.

        Raises what stopped the run if it could not be driven to its end, and `TimeoutError` after
        `timeout_s` (the run goes on).
        """
        check(number("timeout_s", timeout_s, least=0, below=None, or_none=True))
        if self._launch is None:
            return self
        try:
            self._wait(timeout_s)
        except KeyboardInterrupt:
            self.stop("interrupted")
            print(
                "labkit: no more is asked; waiting for what is in flight. Interrupt again to end now.",
                flush=True,
            )
            try:
                self._wait(None)
            except KeyboardInterrupt:
                self._launch.abort("interrupted twice")
                self._wait(2.0)
                raise
        return self

    def _wait(self, timeout_s: float | None) -> None:
        # A wait without a time-out cannot be interrupted on Windows, so it is done in steps.
        left_s = timeout_s
        while True:
            step_s = 0.5 if left_s is None else min(0.5, left_s)
            try:
                return self._over.result(step_s)
            except NotYet:
                if self._over.done():
                    raise
                if left_s is not None and (left_s := left_s - step_s) <= 0:
                    raise TimeoutError(f"Run {self.run_id} still goes on; wait again or stop it") from None

    def __await__(self) -> Generator[Any, None, Run]:
        if self._launch is not None:
            # One for each who waits: giving up cancels theirs, and neither the run's nor anybody else's.
            waiting: Future[None] = Future()
            self._over.add_done_callback(lambda over: _tell_end(over, waiting))
            yield from asyncio.wrap_future(waiting).__await__()
        return self

    def _leave(self) -> None:
        assert self._launch is not None
        assert self._thread is not None
        self._launch.abort("the process ended")
        self._thread.join(EXIT_S)

    def resume(
        self,
        *,
        budget_usd: float | None = None,
        scorers: Sequence[Scorer] | None = None,
        progress: str | None = None,
    ) -> Run:
        """Ask what has no finished answer yet, in the same run; waits, as `plan.run` does.

        `budget_usd` is the run's total over all its launches; None keeps the last, `math.inf` lifts it.
        `scorers` are by default the run's own; a run from history that was scored by a function of yours
        needs them again, since functions are not kept. Raises `DefinitionError` before anything is asked.

        >>> lab.run("latest").resume(scorers=[lk.exact()])      # doctest: +SKIP
        """
        if self._launch is None and self._go_on is not None:
            going: Run = self._go_on(self, budget_usd=budget_usd, scorers=scorers, progress=progress)
            return going
        launch = self._driven()
        return Run.start(
            launch.design,
            services=self._services,
            scorers=launch.scorers if scorers is None else as_scorers(scorers),
            settings=replace(launch.settings, budget_usd=budget_usd),
            progress=progress,
            title=self._title,
            run_id=self.run_id,
        ).wait()

    # -- showing ---------------------------------------------------------------------------------

    def __repr__(self) -> str:
        counts = self._counts() if self.progress is None else self.progress.line()
        return f"Run({self.status}{counts and f': {counts}'}){f' {left}' if (left := self.left) else ''}"

    def _counts(self) -> str:
        """Of a run from history, as of one that is driven: how many of its cells are over, and their cost."""
        row = self._services.store.run_row(self.run_id)
        if row is None:
            return ""
        ended = row["done"] + row["failed"] + row["partial"]
        parts = [f"{ended:,} of {row['cells']:,}"]
        for name, word in (("failed", "failed"), ("stopped", "not asked"), ("replayed", "known")):
            count = row[name] + (row["partial"] if name == "failed" else 0)
            parts += [f"{count:,} {word}"] if count else []
        cost = ModelProgress(cost_usd=row["cost_usd"] or 0.0, cost_unknown=row["cost_unknown"])
        return " · ".join([*parts, cost_words([cost])])

    def _ipython_display_(self) -> None:
        # While it goes a notebook shows the live grid, unless this cell shows it already.
        if self.progress is not None and not self._over.done() and self.progress.can_show_grid:
            self.progress.grid.show()
            return
        from IPython.display import display

        shown = {"text/plain": repr(self)}
        if self.status != "running":
            shown["text/html"] = self._repr_html_()
        display(shown, raw=True)  # type: ignore[no-untyped-call]

    def _repr_html_(self) -> str:
        from labkit import summary

        head = f"<div><b>run {html.escape(self.run_id)}</b>: {html.escape(self.status)}</div>"
        if (left := self.left) is not None:
            head += f"<div>{html.escape(shown(left))}</div>"
        return head + summary.html(self.summary())


def _tell_end(over: Future[None], waiting: Future[None]) -> None:
    if waiting.set_running_or_notify_cancel():
        if (error := over.exception()) is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(None)


_going: set[Run] = set()


@atexit.register
def _leave_all() -> None:
    # A daemon thread inside DuckDB while the interpreter goes down would take the process with it.
    for run in list(_going):
        run._leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_going.clear)


def _output_rates(design: Design, services: LabServices) -> dict[str, float]:
    """USD per output token, by model, where it is known."""
    asked = zip(design.models, design.params, strict=True)
    rates = {model.id: services.pricer(model, params).usd_mtok("output") for model, params in asked}
    return {model: usd / 1e6 for model, usd in rates.items() if usd is not None}
