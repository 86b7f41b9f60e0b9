"""What is said of one panel: its state or its scores, its clocks, its cost, a note, and of a chain its
earlier steps. Words only; it does not know who draws them.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from labkit.dollars import usd
from labkit.visible import cut, shown
from labkit.widgets.panel import SHOWN_CHARS, Panel
from labkit.widgets.score_mark import mark

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
Words = tuple[str, str, str, str, str, str, str]
"""State, the state or the scores in words, these aloud, their mark, clocks, cost, and a note."""


def note(panel: Panel) -> str:
    """What is to be said of an answer beside its text and its state."""
    said = panel.note
    if panel.over and panel.length > SHOWN_CHARS:
        return f"{said} cut here: {panel.length - SHOWN_CHARS:,} more characters are in the lab".strip()
    if panel.stop_reason not in ("", "stop", "stop_sequence"):
        said = f"{said} ended by {panel.stop_reason}".strip()
    if panel.state in ("done", "known") and not panel.text.strip():
        return f"empty answer · {said}" if said else "empty answer"
    return said


def words_of(panel: Panel, rate_usd: float | None) -> Words:
    """What is said of a panel; `rate_usd` is what a token costs."""
    shows, scored = panel.now, mark(panel.scores)
    word = scored.words or state_words(panel)
    if scored.words and shows.state == "known":
        word += " · known"
    if shows.attempt > 1:
        word += f" (attempt {shows.attempt})"
    cost, clocks, said = cost_of(shows, rate_usd), _clocks(shows), shown(cut(note(shows), limit=400))
    if panel is not shows and cost:  # beside the step there is no room
        clocks, cost = [*clocks, cost], ""
    aloud = shown(scored.aloud)
    return shows.state, shown(word), aloud, scored.kind, " · ".join(clocks), cost, said


def state_words(panel: Panel) -> str:
    """How it is with an answer; of a chain first the step it is in, or which failed."""
    words, place = STATES[panel.now.state], cut(panel.place, limit=60)
    if place and panel.now.state == "streaming":
        return place  # one sees that it is
    return f"{place}: {words}" if place else words


def folded(panel: Panel, *, limit: int = SHOWN_CHARS) -> dict[str, Any]:
    """The earlier steps of a chain's line: in one line, and each with what it came to and its text."""
    steps = [(_step_words(name, one), one.text.strip()) for name, one in panel.earlier]
    if len(steps) == 1:
        ((line, text),) = steps
        return {"line": line, "steps": [["", shown(cut(text, limit=limit))]]}
    names = " → ".join(name for name, _ in panel.earlier)
    line = f"{len(steps)} earlier steps: {shown(cut(names, limit=200))}"
    return {"line": line, "steps": [[line, shown(cut(text, limit=limit))] for line, text in steps]}


def _step_words(name: str, panel: Panel) -> str:
    """A step's name, what is to be said of its state or score, its time, its tokens, its cost."""
    said = mark(panel.scores).words or ("" if panel.state == "done" else panel.state)
    time = "" if panel.latency_s is None else f"{panel.latency_s:.2f} s"
    count = "" if panel.output_tokens is None else _tokens(panel.output_tokens)
    return shown(" · ".join(filter(None, (cut(name, limit=60), said, time, count, cost_of(panel, None)))))


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
        clocks.append(_tokens(panel.output_tokens))
    return clocks


def cost_of(panel: Panel, rate_usd: float | None) -> str:
    """What it cost, or, while it streams, what its pieces so far would cost."""
    if panel.cost_usd is not None and panel.state != "known":
        return f"USD {usd(panel.cost_usd)}"
    if panel.state == "streaming" and rate_usd and len(panel.pieces) > 2:
        return f"≈ USD {usd(len(panel.pieces) * rate_usd)}"
    return ""


def _tokens(count: int) -> str:
    return f"{count:,} token{'' if count == 1 else 's'}"
