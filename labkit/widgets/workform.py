"""How a `Workbench` is drawn: choices, an estimate that follows them, Run, the live grid, and the results.

It holds no choice: the workbench does. The estimate is made in a thread, so that typing never waits
for it; a newer choice overtakes an older one.
"""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets

from labkit.errors import DefinitionError, LabkitError
from labkit.widgets import forms
from labkit.widgets.forms import WIDE, WRAPPED, Status, button, framed, heading
from labkit.widgets.model_progress import duration
from labkit.widgets.results import Blocks, Results
from labkit.widgets.sources import TYPED
from labkit.widgets.workbench import Workbench, blocks_html

SETTLE_S = 0.3


class WorkForm:
    """Draws one workbench; `widget` is the whole of it."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._status = Status()
        self._results = Results(self._status)
        self._shown: Any = None
        self._changed = threading.Event()
        self._estimating: threading.Thread | None = None
        self._turn = threading.Lock()
        self._value_boxes: dict[str, ipywidgets.Textarea] = {}
        self._values = ipywidgets.VBox(layout=WIDE)
        self._estimate = ipywidgets.HTML(layout=WIDE)
        self._estimate.add_class("lk-lines")
        self._detail = ipywidgets.HTML(layout=WIDE)
        self._grid = ipywidgets.VBox(layout=WIDE)
        self._code = ipywidgets.HTML(layout=WIDE)
        workbench.prompts.form.embed()
        workbench.models.form.embed()
        guarded = self._status.guarded
        self._run = button("Run", guarded(lambda _: workbench.start()), tip="start the plan", kind="primary")
        show = button("Show code", guarded(lambda _: self._show_code()), tip="the Python of this choice")
        details = ipywidgets.Accordion(
            [self._detail], titles=["Plan in detail"], layout=WIDE, selected_index=None
        )
        self.widget = framed(
            [
                heading("Prompts"),
                workbench.prompts.form.widget,
                heading("Models"),
                workbench.models.form.widget,
                heading("Samples"),
                self._data(),
                self._values,
                heading("Run"),
                self._estimate,
                details,
                ipywidgets.HBox([self._run, show, self._status.widget]),
                self._code,
                self._grid,
                self._results.widget,
            ]
        )
        workbench.on_change(self._refresh)
        self._refresh()

    # -- samples ---------------------------------------------------------------------------------

    def _data(self) -> ipywidgets.Widget:
        workbench, guarded = self._workbench, self._status.guarded
        found = workbench.sources()
        self._source = ipywidgets.Dropdown(
            description="From",
            options=[(forms.plain(one.name, limit=80), one) for one in found],
            value=next(one for one in found if one.name == workbench.source.name),
            layout={"width": "34em"},
        )
        again = button(
            "Refresh", guarded(lambda _: self._renew()), tip="list new frames and files, estimate again"
        )
        numbers = [
            self._number("rows", "Rows", "all", int),
            self._number("repeats", "Repeats", "1", int),
            self._number("budget_usd", "Budget (USD)", "none", float),
        ]
        score = ipywidgets.Dropdown(
            description="Score", options=list(workbench.scorers), value=workbench.score
        )
        score.observe(guarded(lambda change: workbench.set(score=change["new"])), "value")
        self._source.observe(guarded(self._chosen), "value")
        return ipywidgets.VBox(
            [
                ipywidgets.HBox([self._source, again], layout=WRAPPED),
                ipywidgets.HBox([*numbers, score], layout=WRAPPED),
            ]
        )

    def _number(self, name: str, words: str, none: str, kind: type) -> ipywidgets.Text:
        given = getattr(self._workbench, name)
        empty = {"rows": 0, "repeats": 1}.get(name)
        box = ipywidgets.Text(
            value="" if given in (None, empty) else str(given),
            description=words,
            placeholder=none,
            continuous_update=False,
            layout={"width": "13em"},
            style={"description_width": "initial"},
        )

        def read(change: Any) -> None:
            typed = change["new"].strip()
            try:
                value = kind(typed) if typed else empty
            except ValueError:
                raise ValueError(f"{words} is {typed!r:.40}; write a number, or nothing for {none}") from None
            self._workbench.set(**{name: value})
            self._status.say("")

        box.observe(self._status.guarded(read), "value")
        return box

    def _renew(self) -> None:
        found = self._workbench.sources()
        self._source.options = [(forms.plain(one.name, limit=80), one) for one in found]
        self._source.value = next(one for one in found if one.name == self._workbench.source.name)
        self._refresh()

    def _chosen(self, change: Any) -> None:
        if change["new"] is not None and change["new"].name != self._workbench.source.name:
            self._workbench.set(source=change["new"])

    def _draw_values(self) -> None:
        names = self._workbench.variables if self._workbench.source is TYPED else ()
        for name in names:
            if name not in self._value_boxes:
                self._value_boxes[name] = self._value_box(name)
        self._values.children = [self._value_boxes[name] for name in names]

    def _value_box(self, name: str) -> ipywidgets.Textarea:
        box = ipywidgets.Textarea(
            value=self._workbench.values.get(name, ""),
            description=forms.plain(name, limit=40),
            placeholder="its value",
            rows=2,
            layout=WIDE,
        )

        def read(change: Any) -> None:
            self._workbench.values[name] = change["new"]
            self._workbench.changed()

        box.observe(self._status.guarded(read), "value")
        return box

    # -- estimate --------------------------------------------------------------------------------

    def _refresh(self) -> None:
        self._draw_values()
        if self._code.value:
            self._code.value = forms.code(self._workbench.code)
        self._status.guarded(lambda _: self._show_run())(None)
        self._changed.set()
        with self._turn:
            if self._estimating is None or not self._estimating.is_alive():
                self._estimating = threading.Thread(target=self._follow, name="labkit-estimate", daemon=True)
                self._estimating.start()

    def _follow(self) -> None:
        while True:
            while self._changed.is_set():
                self._changed.clear()
                if self._changed.wait(SETTLE_S):
                    continue  # still typing
                self._draw_estimate()
            with self._turn:
                if not self._changed.is_set():
                    self._estimating = None
                    return

    def _draw_estimate(self) -> None:
        try:
            plan = self._workbench.plan()
            words, shows, faults = outlook(plan)
            odd = plan.remarks()
            detail = plan._repr_html_()
        except Exception as error:  # noqa: BLE001 - whatever is wrong is said where the person looks
            told = str(error) if isinstance(error, LabkitError) else f"{type(error).__name__}: {error}"
            self._estimate.value = f"<div role='status' class='lk-bad'>{forms.text(told, limit=2000)}</div>"
            self._detail.value = ""
            self._run.disabled = True
            return
        missing = "".join(f"<div class='lk-bad'>{forms.text(fault, limit=400)}</div>" for fault in faults)
        soft = [*([shows] if shows else []), *odd]
        power = "".join(f"<div class='lk-soft'>{forms.text(one, limit=600)}</div>" for one in soft)
        self._estimate.value = (
            f"<div role='status' class='lk-estimate'>{forms.text(words)}</div>{power}{missing}"
        )
        self._detail.value = f"<div class='lk-scroll'>{detail}</div>"
        self._run.disabled = bool(faults)

    # -- running ---------------------------------------------------------------------------------

    def _show_run(self) -> None:
        """Show the latest run, whoever started it."""
        run = self._workbench.run
        if run is self._shown:
            return
        self._shown = run
        over = run.progress.over
        self._grid.children = [run.progress.grid]
        self._status.say(f"run {run.run_id}")
        blocks = blocks_html if self._workbench.measures else None
        self._results.show(run, goes=lambda seconds: not over.wait(seconds), blocks=blocks)
        threading.Thread(target=self._await, args=(run, blocks), name="labkit-await", daemon=True).start()

    def _await(self, run: Any, blocks: Blocks | None) -> None:
        try:
            run.wait()
        except Exception as error:  # noqa: BLE001 - what stopped the run is said where the person looks
            self._status.fail(error)
        else:
            self._status.say(f"run {run.run_id}: {run.status}")
        self._results.show(run, blocks=blocks)

    def _show_code(self) -> None:
        self._code.value = "" if self._code.value else forms.code(self._workbench.code)


def outlook(plan: Any) -> tuple[str, str, tuple[str, ...]]:
    """What a plan will ask and cost, what it can show ("" where nothing is known), which keys are missing."""
    estimate = plan.estimate(exact=False)
    to_ask = estimate.requests - estimate.known
    time = "" if estimate.seconds is None or not to_ask else f", about {duration(estimate.seconds)}"
    words = f"{estimate.known:,} of {estimate.requests:,} known, {to_ask:,} to ask, {estimate.cost}{time}"
    try:
        shows = str(plan.power())
    except DefinitionError:  # nothing to decide, or nothing to go by
        shows = ""
    return words, shows, tuple(plan.services.missing_keys(plan.design.models))
