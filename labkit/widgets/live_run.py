"""A run while it goes, as something to look at: panels in rows and columns, and counts per model.

A column is a contender: a model or, where chains are asked, who answers its steps. Counts are of requests,
each once, however many lines of a chain begin with it.

It hears a run as a `Watcher` and changes nothing. It does not know widgets, notebooks or how a run is
driven; whoever may stop the run is given to it as `controls`, for its views' buttons. What is heard and what
views read is one state under one set of counts, and stands together.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol

from labkit.records import Cell, Generation, Score
from labkit.summary import cut_answers
from labkit.widgets.asking_clock import AskingClock
from labkit.widgets.chain_line import FAILED, Line, Lines
from labkit.widgets.grid_row import Key, Row
from labkit.widgets.model_progress import Before, ModelProgress
from labkit.widgets.panel import Finished, Panel

BUTTONS = frozenset({"RunStopped", "ModelStopped", "RunAborted"})
"""Why cells were not asked that a person asked for: no news to that person while the run goes."""
LATEST = 64
"""How many of the rows that ended last are remembered as such."""


class Controls(Protocol):
    """What a view's buttons may do to the run; safe from any thread."""

    def stop(self, reason: str = ..., *, model: str | None = None) -> None: ...

    def pause(self) -> None: ...

    def go_on(self) -> None: ...


class LiveRun:
    """The state of one run. `title` may be what words it once it is shown. `rates` are USD per output token
    by model, for the cost of what still streams; `samples` are the fields of the samples by id, and `prompts`
    the names of the prompts, in the order they are to be read in. Where chains are asked, `lines` says which
    a step belongs to, `contenders` how many answers are wanted of each and how many are there, and `answered`
    what an earlier launch has of lines that go on."""

    def __init__(
        self,
        *,
        title: str | Callable[[], str] = "",
        budget_usd: float | None = None,
        spent_usd: float = 0.0,
        before: Mapping[str, Before] | None = None,
        rates: Mapping[str, float] | None = None,
        samples: Mapping[str, Mapping[str, Any]] | None = None,
        prompts: Sequence[str] = (),
        lines: Lines | None = None,
        contenders: Mapping[str, tuple[int, int]] | None = None,
        answered: Iterable[Generation] = (),
        keep_text: bool = True,
    ) -> None:
        self._title = title
        self.budget_usd = budget_usd
        self.spent_usd = spent_usd
        """What earlier launches of the run spent, which its budget counts."""
        self.before = before
        """What they had of each model; None: this is the first."""
        self.rates = dict(rates or {})
        self.samples = samples or {}
        self.prompts = prompts
        self.lines = lines or {}
        self.tallies: dict[str, ModelProgress] = {}
        """By model, its requests."""
        self.contenders = {
            name: ModelProgress(total=total, settled=settled)
            for name, (total, settled) in (contenders or {}).items()
        }
        """By contender, its answers, each with the cost of all its steps; empty where the contenders are the
        models."""
        self.rows: dict[Key, Row] = {}
        self.order: list[Row] = []
        self.active: dict[int, Row] = {}
        """Rows with something in flight, by number, the longest there first."""
        self.latest: deque[Row] = deque(maxlen=LATEST)
        self.controls: Controls | None = None
        self.paused = False
        self.stopping = False
        """No more is asked."""
        self.left = ""
        """What the run left unasked, why, and what that would cost; while it goes, why the latest was not."""
        self.over = threading.Event()
        self.stirred = threading.Event()
        """There is something new to look at; who shows it clears this first."""
        self.asking = AskingClock()
        self.began_at = monotonic()
        self.took_s: float | None = None
        """How long it went, once it is over."""
        self.last_failure = ""
        self.broken = False
        """The run ended by an error of its own."""
        self.keeps_text = keep_text
        """Whether it wants to hear the text while it comes."""
        self._by_id: dict[str, tuple[Row, Panel]] = {}
        self._told: Sequence[str] = ()
        self._hearing: list[Callable[[], None]] = []
        self._finished = Finished()
        self.unreached = 0
        """Cells that were not asked since a step before them failed."""
        self.judging = ""
        """How far judges are with the answers."""
        self._panels = 0
        self._sorted: list[Row] = []
        self._places: list[dict[str, int]] = []
        for step in answered:
            self._end(self._place(step)[1], step)

    @property
    def title(self) -> str:
        """The run's first line."""
        if not isinstance(self._title, str):
            self._title = self._title()
        return self._title

    @classmethod
    def of(
        cls,
        generations: Iterable[Generation],
        *,
        scores: Iterable[Score] = (),
        took_s: float = 0.0,
        left: str | None = None,
        notes: Sequence[str] = (),
        **given: Any,
    ) -> LiveRun:
        """What a run that is over looks like, from its rows, its models in the order of these: of a chain its
        steps, then the whole. `left` and `notes` are as for `close`."""
        live, listed = cls(**given), list(generations)
        live.planned(Counter(generation.model for generation in listed if not generation.steps), {})
        for generation in listed:
            live.ended(generation)
        for score in scores:
            live.scored(score)
        live.close(left=left, notes=notes)
        live.took_s = took_s
        return live

    # -- what the run tells ----------------------------------------------------------------------

    def planned(self, total: Mapping[str, int], settled: Mapping[str, int]) -> None:
        self.began_at = monotonic()
        before = self.before or {}
        self.tallies = {
            model: ModelProgress(
                total=count, settled=settled.get(model, 0), before=before.get(model, Before())
            )
            for model, count in total.items()
        }

    def queued(self, cell: Cell) -> None:
        self._place(cell)

    def sent(self, cell: Cell, attempt: int) -> None:
        row, panel = self._place(cell)
        tally = self._tally(cell.model)
        tally.left_queue(waited=panel.state == "waiting", first=attempt == 1)
        panel.sent(attempt)
        row.touched = panel.sent_at
        self.active[row.number] = row
        self.asking.go(True)
        self.stirred.set()

    def text(self, cell: Cell, delta: str) -> None:
        if self.keeps_text:
            found = self._by_id.get(cell.generation_id)
            if found is not None:
                found[1].add(delta)
                if not self.stirred.is_set():
                    self.stirred.set()

    def waiting(self, cell: Cell, seconds: float, why: str) -> None:
        panel = self._place(cell)[1]
        self._tally(cell.model).wait(seconds, why, was=panel.state)
        panel.wait(f"{why}; again in {seconds:.0f} s" if seconds >= 1 else why)
        self._rest()

    def ended(self, generation: Generation) -> None:
        if generation.steps and generation.generation_id not in self._by_id:
            return  # all its steps were answered in an earlier launch
        row, panel = self._place(generation)
        if panel.over:
            return
        if not generation.steps:
            self._tally(generation.model).end(generation, waited=panel.state == "waiting")
        if not generation.step and generation.model in self.contenders:
            self.contenders[generation.model].end(generation, waited=False)
        self._end(panel, generation)
        if not generation.steps:  # a whole has no news that its steps had not
            self._tell_lack(generation, panel.note)
        row.touched = monotonic()
        if not any(panel.going for panel in row.panels.values()):
            self.active.pop(row.number, None)
        if row not in self.latest:
            self.latest.append(row)
        self._rest()

    def _end(self, panel: Panel, generation: Generation) -> None:
        panel.end(generation)
        if not self.keeps_text:
            panel.begin_anew([])
        self._finished.keep(panel)

    def _tell_lack(self, generation: Generation, why: str) -> None:
        if generation.status == "stopped" and generation.error_type == FAILED:
            self.unreached += 1
            # Where no request failed, an answer came that cannot be read.
            self.last_failure = self.last_failure or f"{generation.model}: {why}"
        elif generation.status == "stopped" and generation.error_type not in BUTTONS:
            self.left = f"{generation.model}: {why}"
        elif generation.status in ("failed", "partial"):
            self.last_failure = f"{generation.model}: {why}"

    def scored(self, score: Score) -> None:
        """An answer has a value."""
        found = self._by_id.get(score.generation_id)
        if found is not None:
            found[1].score(score)
            self.stirred.set()

    def judged(self, words: str) -> None:
        """Judges are asked about the answers: how far they are."""
        self.judging = words
        self.stirred.set()

    def on_late_scores(self, heard: Callable[[], None]) -> None:
        """Call `heard` when answers got scores after the end."""
        self._hearing.append(heard)

    def rescored(self, scores: Iterable[Score]) -> None:
        """Answers of a run that is over have values now."""
        for score in scores:
            self.scored(score)
        for heard in self._hearing:
            heard()

    def halted(self, *, model: str | None = None) -> None:
        """No more is asked, or no more of one model, whoever said so."""
        if model is None:
            self.stopping = True
        else:
            self._tally(model).stopping = True
        self.stirred.set()

    def rested(self, paused: bool) -> None:
        """Nothing is sent for now, or it is sent again, whoever said so."""
        self.paused = paused
        if not paused and self.asking.seconds:
            self.asking.go(True)
        self._rest()
        self.stirred.set()

    def close(
        self, error: BaseException | None = None, *, left: str | None = None, notes: Sequence[str] = ()
    ) -> None:
        """Nothing more will happen; `error` is why, where the run could not be driven to its end, and
        `left` says what it left unasked. `notes` are sentences about what its scores lack."""
        self._told = notes
        if left is not None and self.unasked:
            self.left = left
        if error is not None:
            self.last_failure = f"{type(error).__name__}: {error}"
            self.broken = True
        self.asking.go(False)
        self.took_s = monotonic() - self.began_at
        self.over.set()
        self.stirred.set()

    @property
    def unasked(self) -> int:
        """Cells that were not asked, and not for a failure before them."""
        return sum(tally.stopped for tally in list(self.tallies.values())) - self.unreached

    def _rest(self) -> None:
        if self.paused and not any(tally.in_flight for tally in self.tallies.values()):
            self.asking.go(False)

    # -- what buttons ask for --------------------------------------------------------------------

    def steer(self, controls: Controls) -> None:
        """Give the views' buttons somebody to turn to."""
        self.controls = controls

    def stop(self, *, model: str | None = None) -> None:
        """Ask nothing more, or nothing more of one model."""
        if self.controls is None or self.over.is_set():
            return
        if model is None or model in self.tallies:
            self.halted(model=model)
            self.controls.stop("stopped in the notebook", model=model)

    def pause(self, paused: bool) -> None:
        """Send nothing for the moment; what is in flight goes on."""
        if self.controls is None or self.over.is_set() or paused == self.paused:
            return
        self.controls.pause() if paused else self.controls.go_on()
        self.rested(paused)

    # -- reading ---------------------------------------------------------------------------------

    @property
    def columns(self) -> list[str]:
        """Who has a column."""
        return list(self.contenders or self.tallies)

    @property
    def notes(self) -> list[str]:
        """A sentence each for answers cut, empty or refused and, at the end, for what scores lack."""
        tallies = list(self.tallies.values())
        lacks = sum((tally.lacks for tally in tallies), Counter[str]())
        return [
            *cut_answers.sentences(lacks, sum(tally.settled + tally.done for tally in tallies)),
            *self._told,
        ]

    def sample(self, sample_id: str) -> str:
        """What a person reads of a sample: its values, the target apart."""
        fields = self.samples.get(sample_id, {})
        return " · ".join(str(value) for name, value in fields.items() if name != "target")

    def in_order(self) -> list[Row]:
        """The rows as samples stand in the dataset and prompts in the plan, whatever came first."""
        rows = list(self.order)
        if len(rows) != len(self._sorted):
            if not self._places:
                named = (self.samples, self.prompts)
                self._places = [{name: place for place, name in enumerate(names)} for names in named]
            self._sorted = sorted(rows, key=self._rank)
        return self._sorted

    def _rank(self, row: Row) -> tuple[int, int, int, int]:
        samples, prompts = self._places
        sample = samples.get(row.key.sample_id, len(samples))
        return sample, row.key.repeat, prompts.get(row.key.prompt, len(prompts)), row.number

    # -- keeping ---------------------------------------------------------------------------------

    def _tally(self, model: str) -> ModelProgress:
        return self.tallies.setdefault(model, ModelProgress())

    def _place(self, cell: Cell | Generation) -> tuple[Row, Panel]:
        found = self._by_id.get(cell.generation_id)
        if found is not None:
            return found
        key = Key(cell.prompt, cell.prompt_version, cell.sample_id, cell.repeat)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Row(len(self.order), key)
            self.order.append(row)
        panel = Panel(self._count(), cell.model)
        if cell.step:
            self._join(row, cell, panel)
        else:
            # Readers go through `panels` at any moment: a new dict in place of the old never surprises them.
            row.panels = {**row.panels, cell.model: panel}
        found = self._by_id[cell.generation_id] = row, panel
        return found

    def _join(self, row: Row, cell: Cell | Generation, panel: Panel) -> None:
        """Put the panel of a step into all lines that it is of."""
        for of in self.lines.get(cell.generation_id, ()):
            line = row.panels.get(of.contender)
            if not isinstance(line, Line):
                line = Line(self._count(), of.contender, names=of.steps)
                row.panels = {**row.panels, of.contender: line}
                self._by_id[of.chain_id] = row, line
            line.put(cell.step, panel)

    def _count(self) -> int:
        self._panels += 1
        return self._panels - 1
