"""How a `History` is drawn: runs to tick with filters, and what can be done with them.

It holds no choice: the history does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets

from labkit.errors import DefinitionError
from labkit.widgets import answers, forms
from labkit.widgets.forms import WIDE, WRAPPED, Pager, Status, button, framed
from labkit.widgets.history import FACTS, History
from labkit.widgets.listbox import Listbox
from labkit.widgets.results import Results


class HistoryForm:
    """Draws one history; `widget` is the whole of it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._status = Status()
        self._results = Results(self._status)
        guarded = self._status.guarded
        self._list = Listbox(
            history,
            noun="runs",
            heads=("run (UTC)", *FACTS),
            widths=(
                "58px minmax(72px, 1.4fr) minmax(58px, 1fr) minmax(52px, 1fr) minmax(66px, 1.6fr) "
                "minmax(66px, 0.7fr)"
            ),
            status=self._status,
            filters={
                kind.capitalize(): {forms.plain(one, limit=60): f"{kind}:{one}" for one in history.tags(kind)}
                for kind in ("workspace", "model", "status")
            },
        )
        self._since = ipywidgets.DatePicker(description="Since", value=history.since)
        self._since.observe(guarded(lambda change: setattr(history, "since", change["new"])), "value")
        self._place = ipywidgets.VBox(layout=WIDE)
        self._code = ipywidgets.HTML(layout=WIDE)
        acts: dict[str, tuple[Callable[[], None], str]] = {
            "Open": (self._open, "show the ticked run"),
            "Compare two": (
                self._compare,
                "what changed between two ticked runs, and their answers side by side",
            ),
            "Run again": (self._rerun, "a new run of the ticked run's plan; known answers are free"),
            "Resume": (self._resume, "ask what the ticked run has no finished answer for"),
            "Refresh": (history.renew, "read the lab's runs again"),
            "Show code": (self._show_code, "the Python that opens what is ticked"),
        }
        buttons = [button(words, guarded(_calling(act)), tip=tip) for words, (act, tip) in acts.items()]
        self.widget = framed(
            [
                self._since,
                self._list.widget,
                ipywidgets.HBox([*buttons, self._status.widget], layout=WRAPPED),
                self._code,
                self._place,
            ]
        )
        history.on_change(self._refresh)

    def _refresh(self) -> None:
        if self._code.value:
            self._code.value = forms.code(self._history.code)

    def _open(self) -> None:
        run = self._history.open()
        self._place.children = [self._results.widget]
        self._results.show(run)
        self._status.say(f"run {run.run_id}: {run.status}")

    def _compare(self) -> None:
        history = self._history
        said = [f"<div><b>{side}</b>: {forms.text(run)}</div>" for side, run in history.sides()]
        frame = history.answers()
        count = frame["sample_id"].nunique()
        self._status.say(f"two runs, {count:,} sample{'' if count == 1 else 's'} in common")
        try:
            if not count:
                raise DefinitionError("The two runs have no sample in common: there is nothing to compare.")
            said.append(history.compare()._repr_html_())
        except DefinitionError as error:
            said.append(f"<div>{forms.text(error, limit=2000)}</div>")
        told, side_by_side = ipywidgets.HTML("".join(said), layout=WIDE), ipywidgets.HTML(layout=WIDE)
        told.add_class("lk-lines")

        def draw() -> None:
            side_by_side.value = (
                answers.table(frame, page=pager.within(answers.pages(frame))) if count else ""
            )

        pager = Pager(self._status, draw)
        draw()
        self._place.children = [told, side_by_side, pager.widget]

    def _rerun(self) -> None:
        self._start(self._history.rerun)

    def _resume(self) -> None:
        self._start(self._history.resume)

    def _start(self, start: Callable[..., Any]) -> None:
        run = start(progress="none")
        over = run.progress.over
        self._place.children = [run.progress.grid, self._results.widget]
        self._results.show(run, goes=lambda seconds: not over.wait(seconds))
        self._status.say(f"run {run.run_id}")
        threading.Thread(target=self._await, args=(run,), name="labkit-await", daemon=True).start()

    def _await(self, run: Any) -> None:
        try:
            run.wait()
            self._history.renew()
        except Exception as error:  # noqa: BLE001 - what stopped the run is said where the person looks
            self._status.fail(error)
        else:
            self._status.say(f"run {run.run_id}: {run.status}")

    def _show_code(self) -> None:
        self._code.value = "" if self._code.value else forms.code(self._history.code)


def _calling(act: Callable[[], None]) -> Callable[[Any], None]:
    return lambda _: act()
