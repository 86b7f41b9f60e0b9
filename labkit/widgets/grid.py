"""The live grid: a run while it goes as one anywidget, with buttons to pause and stop it.

One thread sends at most ten messages a second for the whole grid: a snapshot to a view that asks, then
numbered differences. A view that misses a number asks again, so a page reload loses nothing. It knows
a run only as a `LiveRun` and its controls.
"""

from __future__ import annotations

import threading
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import anywidget
import traitlets

from labkit.arguments import able, check
from labkit.widgets import static_table
from labkit.widgets.fallback import WithFallback
from labkit.widgets.live_run import LiveRun
from labkit.widgets.past_run import Readable, past_run
from labkit.widgets.view_updates import ViewUpdates, line, state

EVERY_S = 0.1
STILL_EVERY_S = 15.0
"""How often the saved table is renewed while the run goes."""
UNASKED_S = 1.5
"""How often a snapshot goes to views that could not ask for it yet."""
STATIC = Path(__file__).parent / "static"


class Watchable(Readable, Protocol):
    """A run that can be shown: one that goes has a `LiveRun`, one from history its rows."""

    @property
    def progress(self) -> LiveRun | None: ...


class LiveGrid(anywidget.AnyWidget):
    """A column per model, a row per sample and prompt; tokens arrive together.

    Of a chain a panel shows the step it is in, with the earlier ones folded above it, and in the end its
    answer. Where the models of its steps differ a column is who answers them, and what each model was asked
    stands above.

    Rows of short answers are lines, others are cards. With many cells it shows those in flight and the
    latest, and pages through the rest. Above it: progress, cost against the budget, time left, failures, and
    the buttons *Pause* and *Stop*, one of them per model. When the run is over it folds to that line, with
    what was left unasked, until its answers are asked for; each then says right, wrong, its score, or that it
    is not scored. A run that was over when it is shown is open. Several grids, and several views of one, show
    the same run. Where scripts do not run, and in the saved notebook, a table with the answers cut at 200
    characters stands in its place.

    `run` is a run of `plan.start()`, or one from history.

    >>> run = plan.start()             # doctest: +SKIP
    >>> LiveGrid(run)                  # doctest: +SKIP
    """

    _esm = STATIC / "grid.js"
    _css = STATIC / "grid.css"
    still = traitlets.Dict().tag(sync=True)

    def __init__(self, run: Watchable | LiveRun) -> None:
        self._live = run if isinstance(run, LiveRun) else _live(run)
        self._pencil = ViewUpdates(self._live)
        self._number = 0
        self._drawing = threading.Lock()
        self._wake = threading.Event()
        self._heard_hello = False
        self._standing: list[WithFallback] = []
        super().__init__()
        self.layout.width = "100%"
        answer_while_busy(self)
        self.on_msg(self._heard)
        self._live.on_late_scores(self._renew)
        if self._live.over.is_set():
            self.still = static_table.rows(self._live)
        else:
            threading.Thread(target=self._follow, name="labkit-grid", daemon=True).start()

    # -- telling ---------------------------------------------------------------------------------

    def show(self) -> None:
        """Display it here, with a table that stands in for it in the saved notebook."""
        view, _ = super()._repr_mimebundle_() or ({}, {})
        self._standing.append(
            WithFallback({**view, "text/plain": repr(self)}, static_table.table(self._live))
        )

    _ipython_display_ = show

    def _follow(self) -> None:
        renewed = told = monotonic()
        while not self._live.over.is_set():
            stirred = self._live.stirred.wait(EVERY_S)
            self._live.stirred.clear()
            if not self._heard_hello and monotonic() - told > UNASKED_S:
                self._whole()  # a view's question may have to wait for the end of the cell
                told = monotonic()
            self._tell()
            if monotonic() - renewed > STILL_EVERY_S:
                self._keep()
                renewed = monotonic()
            if stirred:
                # What comes after a silence is shown at once, what follows is gathered.
                self._live.over.wait(EVERY_S)
        self._renew()

    def _renew(self) -> None:
        self._tell()
        self._keep()

    def _tell(self) -> None:
        with self._drawing:
            if not self._number:
                return  # nobody looks yet; the first who does gets everything
            if changes := self._pencil.changes():
                self._number += 1
                self.send({"kind": "some", "number": self._number, **changes})

    def _keep(self) -> None:
        self.still = static_table.rows(self._live)
        for standing in self._standing:
            standing.renew(static_table.table(self._live))

    def _whole(self) -> None:
        with self._drawing:
            self._number += 1
            self.send({"kind": "all", "number": self._number, **self._pencil.whole()})

    # -- hearing ---------------------------------------------------------------------------------

    def _heard(self, _: Any, content: Any, buffers: Any) -> None:
        try:
            self._obey(content)
        except Exception as error:  # noqa: BLE001 - a callback's exception is shown nowhere else
            self.send({"kind": "trouble", "words": f"{type(error).__name__}: {error}"})

    def _obey(self, content: dict[str, Any]) -> None:
        asked = content.get("kind")
        if asked == "hello":
            self._heard_hello = True
            self._whole()
        elif asked == "stop":
            model = content.get("model")
            self._live.stop(model=None if model is None else list(self._live.tallies)[int(model)])
        elif asked == "pause":
            self._live.pause(bool(content.get("on")))
        elif asked == "page":
            self._pencil.window.turn(content.get("page"))
        if asked != "hello" and self._live.over.is_set():
            self._tell()

    # -- showing ---------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"LiveGrid({state(self._live)} · {line(self._live)})"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        view, metadata = super()._repr_mimebundle_() or ({}, {})
        return {**view, "text/plain": repr(self), "text/html": static_table.table(self._live)}, metadata


def _live(run: Watchable) -> LiveRun:
    check(able("run", run, "progress", "generations", like="a run: plan.start()"))
    return past_run(run) if run.progress is None else run.progress


def answer_while_busy(widget: Any) -> None:
    """Leave the messages to `widget` on the shell the browser sent them to.

    JupyterLab sends a widget's messages to a subshell, which answers while a cell runs. ipykernel 7.4
    diverts the answers to a widget that was made in a cell back to the main shell, where they wait for the
    cell's end: for a Stop button that is too late.

    Callbacks then run in another thread than the cells, so they must only call what is safe from any
    thread. Kernels without that diversion are left as they are.
    """
    comm = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, asked: asked
