"""What a view of a live run is told: the head, the columns, the rows, and each panel's words and new text.

Python composes every word, so the browser only sets text; nothing here is markup. A `ViewUpdates` remembers
what its views have been told and gives the difference. It sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import monotonic
from typing import Any, NamedTuple

from labkit.dollars import usd
from labkit.summary.cut_answers import KINDS
from labkit.visible import cut, shown
from labkit.widgets.chain_line import Line
from labkit.widgets.grid_row import Row, prompt_name, row_name, sample_name
from labkit.widgets.live_run import LiveRun
from labkit.widgets.model_progress import ModelProgress, cost_words, duration
from labkit.widgets.panel import Panel
from labkit.widgets.panel_words import Words, folded, note, words_of
from labkit.widgets.window import Window

CLOCKS_EVERY_S = 0.5
"""How often the words of a panel that streams are brought up to date; its text is with every message."""
LINE_CHARS = 30
"""Text and note of an answer that still stands in a row of one line."""
FEWEST_FOLDED = 4
"""Rows from which on a run that is over folds to its line: fewer are no way to scroll past."""


class ViewUpdates:
    """Draws one run for one widget, as differences to what was drawn before."""

    def __init__(self, live: LiveRun) -> None:
        self.live = live
        self.window = Window(live)
        self._told: dict[int, _Told] = {}
        self._layout: list[Any] = []
        self._head: dict[str, Any] = {}
        self._long = False
        """Some answer does not stand in a line, so what still comes may not either."""
        self._came_late = live.over.is_set()
        """The run was over already: who looks at it now wants to see the answers."""

    def whole(self) -> dict[str, Any]:
        """Everything, for a view that knows nothing."""
        self._told, self._layout, self._head = {}, [], {}
        return self.changes()

    def changes(self) -> dict[str, Any]:
        """What is new since the last call: `head`, `rows` and `panels`, each only where it changed."""
        rows = self.window.rows()
        found: dict[str, Any] = {}
        columns = {name: str(number) for number, name in enumerate(self.live.columns)}
        slim = [self._slim(row) for row in rows]
        layout = [
            _placed(row, self.live, columns) | {"slim": one} for row, one in zip(rows, slim, strict=True)
        ]
        if layout != self._layout:
            self._layout = found["rows"] = layout
        panels = [panel for row in rows for panel in row.panels.values()]
        there = {panel.number for panel in panels}
        self._told = {number: told for number, told in self._told.items() if number in there}
        if drawn := [change for panel in panels if (change := self._draw(panel))]:
            found["panels"] = drawn
        head = self.head()
        if head != self._head:
            self._head = found["head"] = head
        return found

    def head(self) -> dict[str, Any]:
        """The line above the grid, its bar, what each model did, the columns' heads where those are others,
        the place in the pages."""
        live, tallies = self.live, list(self.live.tallies.items())
        window, over = self.window, self.live.over.is_set()
        return {
            "title": shown(cut(live.title, limit=300)),
            "state": state(live),
            "line": shown(line(live)),
            "left": shown(cut(live.left, limit=600)),
            "notes": [shown(cut(said, limit=600)) for said in live.notes],
            "trouble": shown(cut(live.last_failure, limit=600)),
            "bar": [sum(getattr(t, name) for _, t in tallies) for name in _BAR],
            "total": sum(tally.total for _, tally in tallies),
            "models": [_column(n, *pair, _asks(live)) for n, pair in enumerate(tallies)],
            "columns": [_column(n, *pair, "answer") for n, pair in enumerate(live.contenders.items())],
            "rows": shown(cut(_only_prompt(live) or "", limit=80)),
            "where": window.words,
            "page": window.page,
            "pages": window.pages,
            "over": over,
            "folds": folds(live) and not self._came_late,
            "steers": live.controls is not None and not over,
            "pauses": True,
        }

    def _slim(self, row: Row) -> bool:
        """Whether the row is one line: its answers are short and, where they still come, all were so far. A
        chain has its steps behind it, and so is none."""
        panels = list(row.panels.values())
        if any(isinstance(panel, Line) for panel in panels):
            return False
        if not all(_is_short(panel) for panel in panels):
            self._long = True
            return False
        return not self._long or all(panel.over for panel in panels)

    def _draw(self, panel: Panel) -> dict[str, Any] | None:
        told = self._told.get(panel.number)
        shows = panel.now
        take = shows.number, shows.take  # before the text: see Panel.begin_anew
        now = monotonic()
        stale = told is not None and shows.state == "streaming" and now - told.at_s >= CLOCKS_EVERY_S
        version = shows.number, shows.version, panel.version
        if told is not None and told.version == version and not stale:
            return None
        # Leading blanks are the model's, and are kept in the lab; here they only push the answer aside.
        text = shows.text.lstrip()
        change: dict[str, Any] = {"i": panel.number}
        if told is None or told.take != take:
            change["t"] = shown(text)
        elif len(text) > told.chars:
            change["+"] = shown(text[told.chars :])
        words = words_of(panel, self.live.rates.get(shows.model))
        ticking = told is not None and told.words[0] == words[0] == "streaming" and not stale
        if told is None or (words != told.words and not ticking):
            change |= dict(zip("swamfcn", words, strict=True))
        else:
            words, now = told.words, told.at_s
        steps = [(name, one, one.version) for name, one in panel.earlier]
        if steps != (told.steps if told is not None else []):
            change["e"] = folded(panel)
        self._told[panel.number] = _Told(version, take, len(text), words, now, steps)
        return change if len(change) > 1 else None


class _Told(NamedTuple):
    """What the views know of one panel."""

    version: tuple[int, int, int]
    take: tuple[int, int]
    chars: int
    words: Words
    at_s: float
    steps: list[tuple[str, Panel, int]]


_BAR = ("settled", "replayed", "answered", "failed")


def line(live: LiveRun) -> str:
    """The whole run in one line: progress, what is not as it should be, cost, speed, time left."""
    tallies = list(live.tallies.values())
    asks = _asks(live)
    parts = [_counts(sum(t.ended for t in tallies), sum(t.total for t in tallies), asks)]
    for name, word in (
        ("failed", "failed"),
        ("stopped", "not asked"),
        ("replayed", "known"),
        ("settled", "done by an earlier launch"),
        ("waiting", "waiting"),
    ):
        if count := sum(getattr(t, name) for t in tallies):
            after = (
                f" ({live.unreached:,} after a failed step)" if name == "stopped" and live.unreached else ""
            )
            parts.append(f"{count:,} {word}{after}")
    for kind in KINDS:
        if count := sum(t.lacks[kind] for t in tallies):
            parts.append(f"{count:,} {kind}")
    if live.budget_usd is None:
        cost = cost_words(tallies)
    else:
        cost = f"{cost_words(tallies, before_usd=live.spent_usd)} of {usd(live.budget_usd)}"
    if live.before is not None:
        own_usd = sum(t.cost_usd for t in tallies)
        cost += f", USD {usd(own_usd)} of it by this launch" if own_usd else ", nothing by this launch"
    parts.append(cost)
    over = live.over.is_set()
    asked, asking_s = sum(t.answered + t.failed for t in tallies), live.asking.seconds or live.took_s or 0.0
    if asked and asking_s > 0.5:
        parts.append(f"{asked / asking_s:.1f} {asks or 'answer'}s/s")
        if (left := sum(t.left for t in tallies)) and not over and not live.paused:
            parts.append(f"about {duration(left * asking_s / asked)} left")
    if over and live.took_s:
        parts.append(f"{'took' if live.before is None else 'this launch took'} {duration(live.took_s)}")
    parts += [live.judging] if live.judging else []
    parts += [f"{model} waits: {t.waiting_why}" for model, t in list(live.tallies.items()) if t.waiting > 0]
    return " · ".join(parts)


def _asks(live: LiveRun) -> str:
    """What is counted of a model, where that is not what the rows show."""
    return "request" if live.lines else ""


def _counts(ended: int, total: int, what: str) -> str:
    several = "" if total == 1 or not what else "s"
    return f"{ended:,} of {total:,} {what}{several}".rstrip()


def state(live: LiveRun) -> str:
    """What the run is doing, in a word or two."""
    if live.broken:
        return "broken off"
    if live.over.is_set():
        return "stopped" if live.unasked else "finished"
    if live.stopping:
        return "stopping: what is in flight is finished and kept"
    return "paused: what is in flight goes on" if live.paused else "running"


def folds(live: LiveRun) -> bool:
    """Whether the run is over and has so many answers that they are shown only when they are asked for."""
    return live.over.is_set() and len(live.order) >= FEWEST_FOLDED


def _only_prompt(live: LiveRun) -> str | None:
    """The prompt, where all rows are of one: then it is said once, above them."""
    return prompt_name(live.order[0].key) if len(live.prompts) == 1 and live.order else None


def _column(number: int, name: str, tally: ModelProgress, counted: str) -> dict[str, Any]:
    counts = _counts(tally.ended, tally.total, counted)
    for count, word in ((tally.failed, "failed"), (tally.stopped, "not asked")):
        if count:
            counts += f" · {count:,} {word}"
    over = bool(tally.total) and tally.left <= 0
    return {
        "id": str(number),
        "name": shown(cut(name, limit=80)),
        "counts": counts,
        "words": shown(cut(tally.words, limit=200)),
        "state": "ended" if over else "stopping" if tally.stopping else "",
    }


def _placed(row: Row, live: LiveRun, columns: Mapping[str, str]) -> dict[str, Any]:
    label = sample_name(row.key) if _only_prompt(live) else row_name(row)
    return {
        "id": row.number,
        "name": shown(cut(row_name(row), limit=120)),
        "label": shown(cut(label, limit=120)),
        "sample": shown(cut(live.sample(row.key.sample_id), limit=300)),
        "panels": {columns[model]: panel.number for model, panel in row.panels.items() if model in columns},
    }


def _is_short(panel: Panel) -> bool:
    """Whether it stands in one line. What was not asked does: why is said of the whole run."""
    if panel.state == "stopped":
        return True
    if panel.length > 10 * LINE_CHARS:  # not even looked at: it may come by thousands
        return False
    text = panel.text.strip()
    return len(shown(text)) + len(note(panel)) <= LINE_CHARS and not re.search(r"[\n\r\u2028\u2029]", text)
