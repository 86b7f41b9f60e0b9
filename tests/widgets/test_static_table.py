"""The table that stands where no script runs."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from labkit.widgets import static_table
from labkit.widgets.live_run import LiveRun

OURS = {"style", "div", "b", "i", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}


class Seen(HTMLParser):
    """Every element, attribute and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def finished(
    generation: Callable[..., Any], cell: Callable[..., Any], texts: Any, model: str = "m"
) -> LiveRun:
    return LiveRun.of(generation(cell(model, f"s{n}"), text) for n, text in enumerate(texts))


def test_no_element_comes_from_data(
    cell: Callable[..., Any], generation: Callable[..., Any], hostile: tuple[str, ...]
) -> None:
    """Hostile answers, models, prompts, samples and reasons add no element and no attribute."""
    rows = [
        generation(cell(name, name, prompt=name), name, status="failed", error_type=name, error_message=name)
        for name in hostile
    ]
    seen = Seen(static_table.table(LiveRun.of(rows, title=hostile[0])))
    assert seen.tags <= OURS
    assert seen.attributes <= {"style", "class", "scope", "open"}
    assert "<img src=x onerror=alert(1)>" in seen.text
    assert not set(seen.text) & set("\u202e\u200b\x1b\u2066")


def test_long_answers_are_cut_and_say_so(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """An answer of more than 200 characters is cut there, and the table says that it is."""
    page = static_table.table(finished(generation, cell, ["y" * 5000]))
    assert "y" * 200 in page
    assert "y" * 201 not in page
    assert "cut: 4,800 more characters" in page


def test_three_hundred_answers_stay_small(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """300 answers of any length, hostile ones too, leave less than 200 kB in all in the notebook."""
    for text in ("word " * 400, "<" * 3000, "\u202e" * 3000, "é" * 3000):
        rows = [generation(cell(f"m/{n % 3}", f"s{n // 3}"), text) for n in range(300)]
        live = LiveRun.of(rows)
        saved = len(static_table.table(live).encode()) + len(str(static_table.rows(live)).encode())
        assert saved < 170_000


def test_left_out_rows_are_counted(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """Where not all rows fit, the table says how many are missing and where they are."""
    page = static_table.table(finished(generation, cell, ["z" * 300] * 2000))
    assert "more rows: run.generations() has them all" in page


def test_rows_are_the_same_as_plain_values(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """What is saved with the widget is what the table shows: names, states, texts."""
    found = static_table.rows(finished(generation, cell, ["a", "b"]))
    assert found["columns"] == ["m"]
    assert [row["panels"][0][:2] for row in found["rows"]] == [["done", "a"], ["done", "b"]]
    assert found["left"] == 0


def test_a_run_that_is_over_is_folded(
    cell: Callable[..., Any], generation: Callable[..., Any], score: Callable[..., Any]
) -> None:
    """Of a run that is over the line, what is left and the notes are seen, and the answers, each with its
    score, when they are asked for; of one that goes, or of
    hardly a row, all is."""
    cells = [cell(sample=f"s{n}") for n in range(5)]
    live = LiveRun.of(map(generation, cells), scores=[score(cells[0], 0.0)], took_s=13.0, notes=["a note"])
    live.left = "nothing <b>much</b>"
    before, _, folded = static_table.table(live).partition("<details><summary>show answers</summary>")
    assert "finished · 5 of 5" in before
    assert "took 13 s" in before
    assert "nothing &lt;b&gt;much" in before
    assert "a note" in before
    assert "<i>wrong</i>" in folded
    assert "<details open>" in static_table.table(LiveRun.of([generation(cells[0])]))
    goes = LiveRun()
    goes.planned({"m/one": 1}, {})
    assert "<details>" not in static_table.table(goes)
