"""The live grid's talk with its views, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from labkit.widgets.grid import LiveGrid, answer_while_busy
from labkit.widgets.live_run import LiveRun


class Told(LiveGrid):
    """A grid that keeps what it sends."""

    def __init__(self, run: Any) -> None:
        self.told: list[dict[str, Any]] = []
        super().__init__(run)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.told.append(content)

    def hear(self, **content: Any) -> None:
        self._heard(self, content, [])


@pytest.fixture
def closing() -> Any:
    """Boards whose grids' threads end with the test."""
    live_runs: list[LiveRun] = []
    yield live_runs.append
    for live in live_runs:
        live.close()


def test_nobody_looks_nothing_is_sent(live: Callable[..., LiveRun], closing: Any) -> None:
    """Until a view says hello there is nothing to send."""
    found = live()
    closing(found)
    grid = Told(found)
    grid._tell()
    assert grid.told == []


def test_numbers_have_no_gap(cell: Callable[..., Any], live: Callable[..., LiveRun]) -> None:
    """Every message bears the next number, snapshots too, so that a view sees when it missed one."""
    found = live()
    found.over.set()
    grid = Told(found)
    grid.hear(kind="hello")
    found.sent(cell("m/one", "s0"), 1)
    for text in "abc":
        found.text(cell("m/one", "s0"), text)
        grid._tell()
    grid.hear(kind="hello")
    assert [message["number"] for message in grid.told] == [1, 2, 3, 4, 5]
    assert [message["kind"] for message in grid.told] == ["all", "some", "some", "some", "all"]


def test_a_late_view_gets_everything(cell: Callable[..., Any], live: Callable[..., LiveRun]) -> None:
    """A view that comes in the middle is told all the text there is."""
    found = live()
    found.over.set()
    grid = Told(found)
    found.sent(cell("m/one", "s0"), 1)
    found.text(cell("m/one", "s0"), "all of it")
    grid.hear(kind="hello")
    assert [p["t"] for p in grid.told[-1]["panels"] if p["i"] == 0] == ["all of it"]


def test_buttons(live: Callable[..., LiveRun], controls: Any, closing: Any) -> None:
    """The browser's buttons reach the run, and paging works also when the run is over."""
    found = live(rows=100)
    closing(found)
    found.steer(controls)
    grid = Told(found)
    grid.hear(kind="pause", on=True)
    grid.hear(kind="stop", model="0")
    grid.hear(kind="stop")
    assert controls.heard == ["pause", ("stop", "m/one"), ("stop", None)]
    grid.hear(kind="hello")
    found.close()
    grid.hear(kind="page", page=2)
    assert any(message.get("head", {}).get("page") == 2 for message in grid.told)


@pytest.mark.parametrize(
    "content", [{"kind": "page", "page": "x"}, {"kind": "page", "page": [1]}, [], None, "stop"]
)
def test_nonsense_from_a_view_is_answered(live: Callable[..., LiveRun], content: Any) -> None:
    """A message that makes no sense is told back as trouble, and nothing breaks."""
    found = live()
    found.over.set()
    grid = Told(found)
    grid._heard(grid, content, [])
    assert grid.told[-1]["kind"] == "trouble"
    grid.hear(kind="hello")
    assert grid.told[-1]["kind"] == "all"


def test_a_failing_button_is_shown(live: Callable[..., LiveRun], closing: Any) -> None:
    """What a button's callback raises is told to the view, where the person looks."""

    class Broken:
        def stop(self, reason: str = "", *, model: str | None = None) -> None:
            raise RuntimeError("no engine")

        def pause(self) -> None: ...

        def go_on(self) -> None: ...

    found = live()
    closing(found)
    found.steer(Broken())
    grid = Told(found)
    grid.hear(kind="stop")
    assert grid.told[-1] == {"kind": "trouble", "words": "RuntimeError: no engine"}


def test_the_bundle_has_a_table(live: Callable[..., LiveRun], closing: Any) -> None:
    """Beside the widget's view stand the table and one line of text."""
    found = live()
    closing(found)
    data, _ = LiveGrid(found)._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(data)
    assert "<table" in data["text/html"]


def test_state_that_is_saved_is_small(cell: Callable[..., Any], generation: Callable[..., Any]) -> None:
    """What a notebook saves of a grid of 300 long answers, with its script and table, is below 200 kB."""
    rows = [generation(cell(f"m/{n % 3}", f"s{n // 3}"), "word " * 400) for n in range(300)]
    grid = LiveGrid(LiveRun.of(rows))
    state = sum(len(str(value).encode()) for value in grid.get_state().values())
    assert state + len(grid._repr_mimebundle_()[0]["text/html"].encode()) < 200_000


def test_a_run_from_history(generation: Callable[..., Any], cell: Callable[..., Any]) -> None:
    """A run of history is shown from its rows, whatever types a frame gives them."""

    class Past:
        run_id = "r"
        progress = None
        left = None

        def generations(self) -> pd.DataFrame:
            rows = [generation(cell(sample=f"s{n}"), f"answer {n}", ttft_s=None) for n in range(3)]
            frame = pd.DataFrame(
                [{name: getattr(row, name) for name in row.__struct_fields__} for row in rows]
            )
            frame["output_tokens"] = frame["output_tokens"].astype("Int64")
            frame["sample.text"] = "x"
            return frame

    grid = Told(Past())
    grid.hear(kind="hello")
    assert [panel["t"] for panel in grid.told[0]["panels"]] == ["answer 0", "answer 1", "answer 2"]
    assert grid.told[0]["head"]["steers"] is False


def test_the_browsers_choice_holds() -> None:
    """A kernel that would divert messages no longer does for this widget."""

    class Comm:
        def _reply_subshell_for(self, data: object, asked: str | None) -> str | None:
            return None

    class Widget:
        comm = Comm()

    answer_while_busy(Widget)
    assert Widget.comm._reply_subshell_for({}, "subshell-1") == "subshell-1"


def test_other_kernels_are_left_alone() -> None:
    """Where nothing is diverted nothing is changed."""

    class Widget:
        comm = object()

    answer_while_busy(Widget)
    assert not hasattr(Widget.comm, "_reply_subshell_for")


def test_scores_that_come_late_reach_the_views(
    cell: Callable[..., Any], generation: Callable[..., Any], score: Callable[..., Any]
) -> None:
    """Answers that are scored when the run is over are marked in every grid of it, and in what is saved."""
    one = cell()
    live = LiveRun.of([generation(one)])
    grid = Told(live)
    grid.hear(kind="hello")
    live.rescored([score(one, 1.0)])
    assert [panel["m"] for panel in grid.told[-1]["panels"]] == ["right"]
    assert grid.still["rows"][0]["panels"][0][3:] == ["right", "right"]
