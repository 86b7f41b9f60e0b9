"""A run while it goes, as something to look at: panels in rows and columns, and counts per model.

It hears a run as a `Watcher` and changes nothing. It does not know widgets, notebooks or how a run is
driven; whoever may stop the run is given to it as `controls`, for its views' buttons.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple, Protocol

from labkit.records import Cell, Generation
from labkit.widgets.model_progress import ModelProgress
from labkit.widgets.panel import Panel

KEPT_CHARS = 8_000_000
"""Text of finished answers kept for paging through them; of older ones the beginning stays."""


BUTTONS = frozenset({"RunStopped", "ModelStopped", "RunAborted"})
"""Why cells were not asked that a person asked for: no news to that person."""
LATEST = 64
"""How many of the rows that ended last are remembered as such."""


class Controls(Protocol):
    """What a view's buttons may do to the run; safe from any thread."""

    def stop(self, reason: str = ..., *, model: str | None = None) -> None: ...

    def pause(self) -> None: ...

    def go_on(self) -> None: ...


class Key(NamedTuple):
    """A row: one prompt with one sample, for the how-manieth time."""

    prompt: str
    prompt_version: int | None
    sample_id: str
    repeat: int


@dataclass(slots=True, eq=False)
class Row:
    """The panels of one row, by model."""

    number: int
    key: Key
    panels: dict[str, Panel] = field(default_factory=dict)
    touched: float = 0.0
    """When something last began or ended in it."""


class LiveRun:
    """The state of one run. `title` may be what words it once it is shown. `rates` are USD per output token
    by model, for the cost of what still streams; `samples` are the fields of the samples by id, in the order
    rows are to be read in."""

    def __init__(
        self,
        *,
        title: str | Callable[[], str] = "",
        budget_usd: float | None = None,
        spent_usd: float = 0.0,
        rates: Mapping[str, float] | None = None,
        samples: Mapping[str, Mapping[str, Any]] | None = None,
        keep_text: bool = True,
    ) -> None:
        self._title = title
        self.budget_usd = budget_usd
        self.spent_usd = spent_usd
        """What earlier launches of the run spent, which its budget counts."""
        self.rates = dict(rates or {})
        self.samples = samples or {}
        self.tallies: dict[str, ModelProgress] = {}
        self.rows: dict[Key, Row] = {}
        self.order: list[Row] = []
        self.active: dict[int, Row] = {}
        """Rows with something in flight, by number, the longest there first."""
        self.latest: deque[Row] = deque(maxlen=LATEST)
        self.controls: Controls | None = None
        self.paused = False
        self.stopping = ""
        """Why no more is asked, once that is so."""
        self.over = threading.Event()
        self.stirred = threading.Event()
        """There is something new to look at; who shows it clears this first."""
        self.began_at = monotonic()
        self.ended_at: float | None = None
        self.last_failure = ""
        self.broken = False
        """The run ended by an error of its own."""
        self.keeps_text = keep_text
        """Whether it wants to hear the text while it comes."""
        self._by_id: dict[str, tuple[Row, Panel]] = {}
        self._finished: deque[Panel] = deque()
        self._kept_chars = 0
        self._panels = 0
        self._sorted: list[Row] = []
        self._places: dict[str, int] = {}

    @property
    def title(self) -> str:
        """The run's first line."""
        if not isinstance(self._title, str):
            self._title = self._title()
        return self._title

    @classmethod
    def of(cls, generations: Iterable[Generation], **given: Any) -> LiveRun:
        """What a run that is over looks like, from its rows."""
        listed = list(generations)
        live = cls(**given)
        counts: dict[str, int] = {}
        for generation in listed:
            counts[generation.model] = counts.get(generation.model, 0) + 1
        live.planned(counts, {})
        for generation in listed:
            live.ended(generation)
        live.close()
        return live

    # -- what the run tells ----------------------------------------------------------------------

    def planned(self, total: Mapping[str, int], settled: Mapping[str, int]) -> None:
        self.began_at = monotonic()
        self.tallies = {
            model: ModelProgress(total=count, settled=settled.get(model, 0)) for model, count in total.items()
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

    def ended(self, generation: Generation) -> None:
        row, panel = self._place(generation)
        if panel.over:
            return
        self._tally(generation.model).end(generation, waited=panel.state == "waiting")
        panel.end(generation)
        asked_for = generation.error_type in BUTTONS
        if generation.status in ("failed", "partial") or (generation.status == "stopped" and not asked_for):
            self.last_failure = f"{generation.model}: {panel.note}"
        row.touched = monotonic()
        if not any(panel.going for panel in row.panels.values()):
            self.active.pop(row.number, None)
        if row not in self.latest:
            self.latest.append(row)
        if not self.keeps_text:
            panel.begin_anew([])
        self._keep(panel)

    def close(self, error: BaseException | None = None, *, left: str | None = None) -> None:
        """Nothing more will happen; `error` is why, where the run could not be driven to its end, and
        `left` says what it left unasked. What a model's own button stopped needs no telling."""
        if left is not None and any(t.stopped and not t.stopping for t in self.tallies.values()):
            self.stopping = self.last_failure = left
        if error is not None:
            self.last_failure = f"{type(error).__name__}: {error}"
            self.broken = True
        self.ended_at = monotonic()
        self.over.set()
        self.stirred.set()

    # -- what buttons ask for --------------------------------------------------------------------

    def steer(self, controls: Controls) -> None:
        """Give the views' buttons somebody to turn to."""
        self.controls = controls

    def stop(self, *, model: str | None = None) -> None:
        """Ask nothing more, or nothing more of one model."""
        if self.controls is None or self.over.is_set():
            return
        if model is None:
            self.stopping = "stopped in the notebook"
            self.controls.stop(self.stopping)
        elif model in self.tallies:
            self.tallies[model].stopping = True
            self.controls.stop("stopped in the notebook", model=model)

    def pause(self, paused: bool) -> None:
        """Send nothing for the moment; what is in flight goes on."""
        if self.controls is None or self.over.is_set() or paused == self.paused:
            return
        self.controls.pause() if paused else self.controls.go_on()
        self.paused = paused

    # -- reading ---------------------------------------------------------------------------------

    def sample(self, sample_id: str) -> str:
        """What a person reads of a sample: its values, the target apart."""
        fields = self.samples.get(sample_id, {})
        return " · ".join(str(value) for name, value in fields.items() if name != "target")

    def in_order(self) -> list[Row]:
        """The rows by prompt, then as their samples stand in the dataset, whatever came first."""
        rows = list(self.order)
        if len(rows) != len(self._sorted):
            if not self._places:
                self._places = {sample_id: place for place, sample_id in enumerate(self.samples)}
            self._sorted = sorted(rows, key=self._rank)
        return self._sorted

    def _rank(self, row: Row) -> tuple[str, int, int, int]:
        place = self._places.get(row.key.sample_id, len(self._places))
        return row.key.prompt, place, row.key.repeat, row.number

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
        panel = Panel(self._panels, cell.model)
        self._panels += 1
        # Readers go through `panels` at any moment: a new dict in place of the old never surprises them.
        row.panels = {**row.panels, cell.model: panel}
        found = self._by_id[cell.generation_id] = row, panel
        return found

    def _keep(self, panel: Panel) -> None:
        self._finished.append(panel)
        self._kept_chars += min(panel.length, 20_000)
        while self._kept_chars > KEPT_CHARS and len(self._finished) > 1:
            oldest = self._finished.popleft()
            self._kept_chars -= min(oldest.length, 20_000)
            oldest.forget()
