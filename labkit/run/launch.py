"""What happens between pressing run and the last row: save the definitions, replay, ask, score, close.

It runs in a thread of its own and blocks there; only the asking is on labkit's loop. It does not know
notebooks, and decides nothing about what to ask: that is the design's. Its steps are read in their order,
from the first row to the last, and share what the launch has: so they stand together.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from random import Random
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from labkit import provenance
from labkit.arguments import check, number, switch
from labkit.catalog.model import Model
from labkit.catalog.prices import Pricer
from labkit.design import Design, Place
from labkit.engine import event_loop
from labkit.engine.executor import Executor, Job
from labkit.engine.retry import Policy
from labkit.errors import StoreError
from labkit.keys import Key
from labkit.records import Cell, Generation, RunEvent, RunKind, RunRecord, Score, Watcher
from labkit.run import replaying, save_definitions, score_answers, unasked
from labkit.run.chains import Asked, Chains
from labkit.run.earlier import NO_LIMIT
from labkit.run.lab_services import LabServices
from labkit.run.launch_commands import LaunchCommands
from labkit.run.stored import Stored
from labkit.scoring import Scorer, recipe
from labkit.store.writer import Writer

log = logging.getLogger("labkit.run")

SETTLE_S = 5.0
"""How long a run that broke off waits for what it has to be on disk."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run is driven; none of it decides what an answer says. `budget_usd` None: the run's last, if it
    had one; `math.inf`: none."""

    fresh: bool = False
    budget_usd: float | None = None
    allow_unpriced: bool = False
    policy: Policy = field(default_factory=Policy)
    seed: int = 0
    settles: bool = True
    """Whether the lab is folded at the end; else that is left to the background."""

    def __post_init__(self) -> None:
        check(
            number("budget_usd", self.budget_usd, least=0, below=None, or_none=True),
            switch("fresh", self.fresh),
            switch("allow_unpriced", self.allow_unpriced),
        )

    def after(
        self, stored: Stored, design: Design, services: LabServices, *, also: Callable[[], Sequence[str]]
    ) -> Settings:
        """These, and where they give no budget, the run's last and what that allowed; no budget is None.

        Raises `DefinitionError` where a budget could not hold for what is to be asked; `also` tells it of
        what is asked besides.
        """
        earlier, given = stored.earlier, self.budget_usd
        budget_usd = earlier.budget_usd if given is None else given
        allow_unpriced = self.allow_unpriced or (given is None and earlier.allow_unpriced)
        if budget_usd != math.inf and not allow_unpriced:
            check(unasked.unpriced(design, stored.unanswered(design), services), also())
        held_usd = None if budget_usd == math.inf else budget_usd
        return changed(self, budget_usd=held_usd, allow_unpriced=allow_unpriced)


class Ended(NamedTuple):
    """What is to be told of a launch that came to its end."""

    left: str | None
    """Why cells were left unasked, and what they would cost: see `unasked.reason`."""
    notes: Sequence[str]
    """What its scores lack, and why."""


class Judges(Protocol):
    """Who judges the answers of a launch once they are there; see `labkit.run.judging`."""

    def before_usd(self, place: Place) -> tuple[float, ...]: ...

    def after_usd(self, row: Generation) -> float: ...

    def owed_usd(self, run_id: str, *, fresh: bool) -> float: ...

    def judge(
        self, run_id: str, settings: Settings, *, commands: LaunchCommands, told: Callable[[Score], None]
    ) -> list[str]: ...


class Launch(LaunchCommands):
    """One launch of a design. `drive` does it all, and what controls it may be called from any thread.
    `stored` is what the lab had when it was begun; the `settings` leave nothing open. `parent_run_id` is the
    run whose answers are judged, or whose cells are asked again; `judges` judge its own."""

    def __init__(
        self,
        design: Design,
        *,
        run_id: str,
        resumed: bool,
        services: LabServices,
        keys: Mapping[str, Key | None],
        scorers: Sequence[Scorer],
        settings: Settings,
        stored: Stored,
        watcher: Watcher,
        parent_run_id: str | None = None,
        judges: Judges | None = None,
    ) -> None:
        super().__init__()
        self.design = design
        self.run_id = run_id
        self.resumed = resumed
        self.settings = settings
        self.scorers = tuple(scorers)
        self._services = services
        self._keys = keys
        self._stored = stored
        self._watcher = watcher
        self._parent_run_id = parent_run_id
        self._judges = judges

    def drive(self) -> Ended:
        """Do the whole launch; returns when every row is on disk. Raises `StoreError`."""
        store = self._services.store
        writer = store.writer()
        lacks_samples = not self._stored.has_samples
        save_definitions.save(self.design, self.run_id, self._services, samples=lacks_samples)
        cells = self._missing()
        self._begin(writer)
        try:
            chains = self._chains(writer, cells)
            known = self._stored.answers
            asked = chains.ready(cells if known is None else self._replay(writer, chains, cells, known))
            stopped = False
            while asked:
                first, sharing = replaying.share(asked) if self.design.share else (asked, [])
                stopped |= self._ask(writer, chains, first)
                asked = self._copy(writer, chains, sharing)
            writer.flush()
        except BaseException as error:
            self._tell(writer, "failed", error=f"{type(error).__name__}: {error}")
            with suppress(StoreError):  # what cannot be written now is tried again, and is why it ended
                writer.flush(timeout_s=SETTLE_S)
            raise
        left, unscored, notes = None, None, []
        try:
            notes = score_answers.mark(self.run_id, self.scorers, store, told=self._watcher.scored)
            if self._judges is not None and not self.aborted:
                notes += self._judges.judge(
                    self.run_id, self.settings, commands=self, told=self._watcher.scored
                )
            # A process that ends has no time for the lab: who reads it later counts (see `unasked.last`).
            if (stopped or self.stopped) and not self.aborted:
                left = unasked.reason(store, self.run_id, self.design, self._pricers(), cells)
        except StoreError as hindered:
            # Every answer is safe in the journal; only what reads the tables has to wait.
            if self.scorers:
                unscored = f"{hindered} Then score with lab.run('{self.run_id}').score(…)."
                notes = [f"not scored yet: {unscored}"]
                log.warning("Run %s is not scored yet. %s", self.run_id, unscored)
        reason = left or self.stopped
        self._tell(writer, "stopped" if reason else "finished", reason=reason, unscored=unscored)
        writer.flush()
        if self.settings.settles:
            store.settle()
        return Ended(reason, notes)

    # -- the steps, in order ---------------------------------------------------------------------

    def _begin(self, writer: Writer) -> None:
        self._services.remember(self.run_id, self.scorers)
        if not self.resumed:
            writer.put(
                RunRecord(
                    run_id=self.run_id,
                    plan_id=self.design.plan_id,
                    experiment=self.design.experiment,
                    workspace=self.design.workspace,
                    fresh=self.settings.fresh,
                    cells=len(self.design.places),
                    dataset=self.design.dataset.hash,
                    started_at=datetime.now(UTC),
                    user=self._services.user,
                    provenance=self._provenance(),
                    kind=self._kind(),
                    parent_run_id=self._parent_run_id,
                )
            )
        self._tell(
            writer,
            "resumed" if self.resumed else "started",
            prompts=[prompt.name for prompt in self.design.prompts],
            models=list(self.design.contenders),
            budget_usd=NO_LIMIT if self.settings.budget_usd is None else self.settings.budget_usd,
            allow_unpriced=self.settings.allow_unpriced or None,
            scorers=[recipe.kept(scorer) for scorer in self.scorers],
        )

    def _kind(self) -> RunKind:
        if self.design.judged:
            return "judge"
        return "plan" if self._parent_run_id is None else "reask"

    def _provenance(self) -> dict[str, Any]:
        settings = self.settings
        origin = self._services.origin
        return {
            **(provenance.collect(self._services.folder) if origin is None else origin),
            "seed": settings.seed,
            "budget_usd": settings.budget_usd,
            "concurrency": {model.id: model.concurrency for model in self.design.models},
            "prices": {model.id: pricer.price_id for model, pricer in self._priced()},
        }

    def _priced(self) -> Iterator[tuple[Model, Pricer]]:
        for model, params in zip(self.design.models, self.design.params, strict=True):
            yield model, self._services.pricer(model, params)

    def _pricers(self) -> list[Pricer]:
        return [pricer for _, pricer in self._priced()]

    def _tell(self, writer: Writer, event: str, **detail: Any) -> None:
        kept = {name: value for name, value in detail.items() if value is not None}
        writer.put(RunEvent(run_id=self.run_id, event=event, at_time=datetime.now(UTC), detail=kept or None))

    def _missing(self) -> list[tuple[Place, Cell]]:
        versions, user = self._stored.versions, self._services.user
        cells = [
            (place, self.design.cell(place, run_id=self.run_id, versions=versions, user=user))
            for place in self._stored.missing
        ]
        counts = Counter(place.model for place in self.design.places)
        total = {model.id: counts[m] for m, model in enumerate(self.design.models) if counts[m]}
        missing = Counter(cell.model for _, cell in cells)
        self._watcher.planned(total, {model: count - missing[model] for model, count in total.items()})
        return cells

    def _chains(self, writer: Writer, cells: list[tuple[Place, Cell]]) -> Chains:
        chains = Chains(self.design, cells, run_id=self.run_id, put=partial(self._put, writer))
        chains.rows.update(self._stored.steps)
        chains.sum_up(self._stored.summed)
        return chains

    def _replay(
        self, writer: Writer, chains: Chains, cells: list[tuple[Place, Cell]], known: replaying.Answers
    ) -> list[tuple[Place, Cell]]:
        """Write the answers the lab has; return the cells it has none for."""
        found, unfounded = replaying.answers(known)
        if unfounded:
            self._tell(writer, "unfounded", requests=unfounded)
        chains.originals.update(known.chains)
        missing = []
        for place, cell in cells:
            told = known.told(place)
            row = found.get((told.request_id, told.draw))
            # A step whose answers before it are others now is not what was looked up.
            if row is None or self.design.endpoints[place.model] is None or chains.waits(place):
                missing.append((place, cell))
            else:
                replayed = replaying.replay(row, replace(cell, request_id=told.request_id, draw=told.draw))
                self._put(writer, replayed)
                chains.known(replayed)
        return missing

    def _ask(self, writer: Writer, chains: Chains, cells: list[Asked]) -> bool:
        """Ask the cells, once all that tells of the run is on disk, and what follows their answers; whether
        some were stopped."""
        writer.flush()
        # Where there is a budget, no answer is paid for that there is no money to judge.
        judges = self._judges if self.settings.budget_usd is not None else None
        owed_usd = 0.0 if judges is None else judges.owed_usd(self.run_id, fresh=self.settings.fresh)
        shuffled = list(cells)
        Random(self.settings.seed).shuffle(shuffled)  # noqa: S311 - an order, not a secret
        executor = Executor(
            {model.id: model for model in self.design.models},
            self._keys,
            sink=writer,
            watcher=self._watcher,
            policy=self.settings.policy,
            budget_usd=self.settings.budget_usd,
            # What this launch asked so far is counted where it was asked.
            spent_usd=self.spent_usd if self.has_asked else self._stored.earlier.spent_usd,
            allow_unpriced=self.settings.allow_unpriced,
            seed=self.settings.seed,
        )
        executor.budget.keep(owed_usd)
        self.control(executor)
        pricers = self._pricers()

        def jobs(asked: Sequence[Asked]) -> Iterator[Job]:
            for one in asked:
                job = unasked.job(self.design, one.place, one.cell, pricers, messages=one.messages)
                if judges is not None:
                    after = (one.place, *self.design.later(one.place))
                    judged = (judges.before_usd(place) for place in after if self.design.is_last(place))
                    job = changed(job, later_usd=(*job.later_usd, *chain.from_iterable(judged)))
                writer.put(job.request)
                yield job

        def follow(row: Generation) -> Sequence[Job]:
            return list(jobs(chains.heard(row)))

        following = follow if self.design.has_chains else None
        # On labkit's loop the watcher hears of steps, so there it is to hear of what follows from them.
        chains.put = partial(self._put_at_once, writer)
        try:
            keep = None if judges is None else judges.after_usd
            event_loop.run(executor.execute(jobs(shuffled), follow=following, keep=keep)).result()
        finally:
            chains.put = partial(self._put, writer)
        return executor.stopped > 0

    def _copy(self, writer: Writer, chains: Chains, sharing: Sequence[Asked]) -> list[Asked]:
        """Give cells that share a request the answer the first of them got, and what follows them the answers
        that followed that; what of it is to be asked all the same."""
        to_ask: list[Asked] = []
        first = True
        while sharing:
            writer.flush()
            places = [one.place for one in sharing]
            known = replaying.look_up(self._services.store, self.design, places, done=chains.rows)
            left = self._replay(writer, chains, [(one.place, one.cell) for one in sharing], known)
            lacking = {cell.generation_id for _, cell in left}
            for one in sharing:
                if one.cell.generation_id in lacking and first:
                    row = replaying.unshared(one.cell)
                    self._put(writer, row)
                    chains.heard(row)
                elif one.cell.generation_id in lacking:
                    to_ask.append(one)
            copied = (one.place for one in sharing if one.cell.generation_id not in lacking)
            sharing, first = chains.ready(pair for place in copied for pair in chains.after(place)), False
        return to_ask

    def _put(self, writer: Writer, generation: Generation) -> None:
        writer.generation(generation, lambda: self._watcher.ended(generation))

    def _put_at_once(self, writer: Writer, generation: Generation) -> None:
        writer.put(generation)
        try:
            self._watcher.ended(generation)
        except Exception:
            log.exception("the watcher of run %s was not told of a chain; the run goes on", self.run_id)
