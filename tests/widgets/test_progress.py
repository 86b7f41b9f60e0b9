"""How a run shows itself, headless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labkit.errors import DefinitionError
from labkit.widgets import progress as module
from labkit.widgets.progress import Progress


def test_headless_means_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a notebook a run prints lines, and no widget is made."""
    monkeypatch.delenv("LABKIT_PROGRESS", raising=False)
    assert Progress(title="t").style == "lines"


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """`$LABKIT_PROGRESS` wins over the place, the argument over both."""
    monkeypatch.setenv("LABKIT_PROGRESS", "table")
    assert Progress(title="t").style == "table"
    assert Progress(title="t", style="none").style == "none"


def test_unknown_styles_are_refused() -> None:
    """A style that does not exist is refused, with those that do."""
    with pytest.raises(DefinitionError, match="grid, table, lines, none"):
        Progress(title="t", style="fireworks")


def test_lines_end_with_the_last_state(
    cell: Callable[..., Any], generation: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line printed is the run as it ended, with what hides made visible."""
    shown = Progress(title="t", style="lines")
    shown.planned({"m\u202e": 1}, {})
    shown.start()
    shown.ended(generation(cell("m\u202e"), None, status="failed", error_type="TimedOut"))
    shown.finish()
    assert capsys.readouterr().out.startswith("t\n  finished · 1 of 1 · 1 failed · ")


def test_none_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """`none` prints nothing."""
    shown = Progress(title="t", style="none")
    shown.start()
    shown.finish()
    assert capsys.readouterr().out == ""


def test_a_slow_run_prints_each_line_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that says the same as the last is not printed again."""
    monkeypatch.setattr(module, "LINES_EVERY_S", 0.005)
    shown = Progress(title="t", style="lines")
    lines = iter(["a", "a", "a", "b"])
    looked = []

    def line() -> str:
        looked.append(1)
        if len(looked) >= 4:
            shown.over.set()
        return next(lines, "b")

    monkeypatch.setattr(shown, "line", line)
    shown.start()
    shown.over.wait(30)
    shown.finish()
    assert capsys.readouterr().out.split("\n  ") == ["t", "a", "b", "finished · b\n"]


def test_the_table_is_escaped(hostile: tuple[str, ...]) -> None:
    """Names in the small table are text."""
    shown = Progress(title=hostile[0], style="none")
    shown.planned(dict.fromkeys(hostile, 1), {})
    page = shown._repr_html_()
    assert "<img" not in page
    assert "<script" not in page
    assert "&lt;img" in page


def test_a_run_has_one_grid(cell: Callable[..., Any]) -> None:
    """All views of a run are views of one grid, so that they agree."""
    shown = Progress(title="t", style="none")
    assert shown.grid is shown.grid
    shown.finish()


@pytest.mark.parametrize("style", ["lines", "table"])
def test_the_end_says_what_is_left_and_the_notes(
    style: str, cell: Callable[..., Any], generation: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that ends tells its state, what it left unasked and what else is to be said, also headless."""
    shown = Progress(title="t", style=style)
    shown.planned({"m": 2}, {})
    shown.start()
    shown.ended(generation(cell("m")))
    shown.ended(generation(cell("m", "s1"), None, status="stopped", attempts=0))
    shown.finish(left="1 cell was not asked: interrupted.", notes=["a note"])
    said = capsys.readouterr().out if style == "lines" else shown._repr_html_()
    assert "stopped · 1 of 2 · 1 not asked" in said
    assert said.index("1 cell was not asked: interrupted.") < said.index("a note")
