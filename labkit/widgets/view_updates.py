"""What a view of a live run is told: the head, the columns, the rows, and each panel's words and new text.

Python composes every word, so the browser only sets text; nothing here is markup. A `ViewUpdates` remembers
what its views have been told and gives the difference. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

from labkit.visible import cut, shown
from labkit.widgets.live_run import LiveRun, Row
from labkit.widgets.model_progress import ModelProgress, cost_words, duration, usd
from labkit.widgets.panel import SHOWN_CHARS, Panel
from labkit.widgets.window import Window

STATES = {
    "queued": "queued",
    "waiting": "waiting",
    "asking": "asked, no text yet",
    "streaming": "streaming",
    "done": "done",
    "known": "known, not asked again",
    "failed": "failed",
    "partial": "broken off",
    "stopped": "not asked",
}
CLOCKS_EVERY_S = 0.5
"""How often the words of a panel that streams are brought up to date; its text is with every message."""


class ViewUpdates:
    """Draws one run for one widget, as differences to what was drawn before."""

    def __init__(self, live: LiveRun) -> None:
        self.live = live
        self.window = Window(live)
        self._told: dict[int, _Told] = {}
        self._layout: list[Any] = []
        self._head: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        """Everything, for a view that knows nothing."""
        self._told, self._layout, self._head = {}, [], {}
        return self.changes()

    def changes(self) -> dict[str, Any]:
        """What is new since the last call: `head`, `rows` and `panels`, each only where it changed."""
        rows = self.window.rows()
        found: dict[str, Any] = {}
        columns = {model: str(number) for number, model in enumerate(self.live.tallies)}
        layout = [_placed(row, self.live, columns) for row in rows]
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
        """The line above the grid, its bar, the columns' heads, the place in the pages."""
        live, tallies = self.live, list(self.live.tallies.items())
        window = self.window
        return {
            "title": shown(cut(live.title, limit=300)),
            "line": shown(line(live)),
            "state": _state(live),
            "trouble": shown(cut(live.last_failure, limit=600)),
            "bar": [sum(getattr(t, name) for _, t in tallies) for name in _BAR],
            "total": sum(tally.total for _, tally in tallies),
            "models": [_column(number, *pair) for number, pair in enumerate(tallies)],
            "where": window.words,
            "page": window.page,
            "pages": window.pages,
            "steers": live.controls is not None and not live.over.is_set(),
        }

    def _draw(self, panel: Panel) -> dict[str, Any] | None:
        told = self._told.get(panel.number)
        take = panel.take  # before the text: see Panel.begin_anew
        now = monotonic()
        stale = told is not None and panel.state == "streaming" and now - told.at_s >= CLOCKS_EVERY_S
        if told is not None and told.version == panel.version and not stale:
            return None
        version, text = panel.version, panel.text
        change: dict[str, Any] = {"i": panel.number}
        if told is None or told.take != take:
            change["t"] = shown(text)
        elif len(text) > told.chars:
            change["+"] = shown(text[told.chars :])
        words = _words(panel, self.live.rates.get(panel.model))
        ticking = told is not None and told.words[0] == words[0] == "streaming" and not stale
        if told is None or (words != told.words and not ticking):
            change["s"], change["w"], change["f"], change["c"], change["n"] = words
        else:
            words, now = told.words, told.at_s
        self._told[panel.number] = _Told(version, take, len(text), words, now)
        return change if len(change) > 1 else None


_Words = tuple[str, str, str, str, str]


class _Told:
    """What the views know of one panel."""

    __slots__ = ("at_s", "chars", "take", "version", "words")

    def __init__(self, version: int, take: int, chars: int, words: _Words, at_s: float) -> None:
        self.version, self.take, self.chars, self.words, self.at_s = version, take, chars, words, at_s


_BAR = ("settled", "replayed", "answered", "failed", "stopped")


def line(live: LiveRun) -> str:
    """The whole run in one line: progress, what is not as it should be, cost, speed, time left."""
    tallies = live.tallies.values()
    ended, total = sum(t.ended for t in tallies), sum(t.total for t in tallies)
    parts = [f"{ended:,}/{total:,}"]
    for name, word in (
        ("failed", "failed"),
        ("stopped", "not asked"),
        ("replayed", "known"),
        ("settled", "done by an earlier launch"),
        ("waiting", "waiting"),
    ):
        if count := sum(getattr(t, name) for t in tallies):
            parts.append(f"{count:,} {word}")
    if live.budget_usd is None:
        parts.append(cost_words(tallies))
    else:
        parts.append(f"{cost_words(tallies, before_usd=live.spent_usd)} of {usd(live.budget_usd)}")
    asked = sum(t.answered + t.failed for t in tallies)
    elapsed_s = (live.ended_at or monotonic()) - live.began_at
    if asked and elapsed_s > 0.5:
        parts.append(f"{asked / elapsed_s:.1f} answers/s")
        if (left := total - ended) and not live.over.is_set() and not live.paused:
            parts.append(f"about {duration(left * elapsed_s / asked)} left")
    if live.over.is_set():
        parts.append(f"took {duration(elapsed_s)}")
    parts += [f"{model} waits: {t.waiting_why}" for model, t in live.tallies.items() if t.waiting > 0]
    return " · ".join(parts)


def _state(live: LiveRun) -> str:
    if live.broken:
        return "broken off"
    if live.over.is_set():
        return "stopped" if live.stopping else "finished"
    if live.stopping:
        return "stopping: what is in flight is finished and kept"
    return "paused: what is in flight goes on" if live.paused else "running"


def _column(number: int, model: str, tally: ModelProgress) -> dict[str, Any]:
    counts = f"{tally.ended:,}/{tally.total:,}"
    if tally.failed:
        counts += f" · {tally.failed:,} failed"
    over = bool(tally.total) and tally.ended >= tally.total
    return {
        "id": str(number),
        "name": shown(cut(model, limit=80)),
        "counts": counts,
        "words": shown(cut(tally.words, limit=200)),
        "state": "ended" if over else "stopping" if tally.stopping else "",
    }


def _placed(row: Row, live: LiveRun, columns: Mapping[str, str]) -> dict[str, Any]:
    key = row.key
    version = "" if key.prompt_version is None else f"@{key.prompt_version}"
    repeat = f" · repeat {key.repeat}" if key.repeat else ""
    return {
        "id": row.number,
        "name": shown(cut(f"{key.prompt}{version} · {key.sample_id}{repeat}", limit=120)),
        "sample": shown(cut(live.sample(key.sample_id), limit=160)),
        "panels": {columns[model]: panel.number for model, panel in row.panels.items() if model in columns},
    }


def _words(panel: Panel, rate_usd: float | None) -> _Words:
    """State, the state in words, clocks, cost, and a note."""
    note = panel.note
    if panel.over and panel.length > SHOWN_CHARS:
        note = f"{note} cut here: {panel.length - SHOWN_CHARS:,} more characters are in the lab".strip()
    elif panel.stop_reason not in ("", "stop", "stop_sequence"):
        note = f"{note} ended by {panel.stop_reason}".strip()
    word = STATES[panel.state]
    if panel.attempt > 1:
        word += f" (attempt {panel.attempt})"
    return panel.state, word, " · ".join(_clocks(panel)), _cost(panel, rate_usd), shown(cut(note, limit=400))


def _clocks(panel: Panel) -> list[str]:
    clocks = []
    if panel.ttft_s is not None:
        clocks.append(f"TTFT {panel.ttft_s:.2f} s")
    if panel.state == "streaming":
        passed_s = monotonic() - panel.first_at
        if passed_s > 0.3 and len(panel.pieces) > 2:
            clocks.append(f"≈ {len(panel.pieces) / passed_s:.0f} tokens/s")
    elif panel.latency_s and panel.output_tokens:
        clocks.append(f"{panel.output_tokens / panel.latency_s:.0f} tokens/s")
        clocks.append(f"{panel.output_tokens:,} tokens")
    return clocks


def _cost(panel: Panel, rate_usd: float | None) -> str:
    """What it cost, or, while it streams, what its pieces so far would cost."""
    if panel.cost_usd is not None and panel.state != "known":
        return f"USD {usd(panel.cost_usd)}"
    if panel.state == "streaming" and rate_usd and len(panel.pieces) > 2:
        return f"≈ USD {usd(len(panel.pieces) * rate_usd)}"
    return ""
