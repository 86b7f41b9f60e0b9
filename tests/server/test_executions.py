"""The history: newest first, filtered, paged; runs of notebooks in it; made anew from the lab."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import delete, select

import labkit as lk
from labkit.server.executions import history
from labkit.server.executions.index import Index
from labkit.server.state import State
from labkit.server.state.tables import Execution, Meta
from tests.server.running import Running

DEADLINE_S = 20.0
COLUMNS = [column.name for column in Execution.__table__.columns]


def listed(served: Running, path: str = "/executions", **more: Any) -> list[dict[str, Any]]:
    answer = served.ask("GET", path, **more)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def eventually(true: Callable[[], bool]) -> None:
    """Wait until it is so."""
    until = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < until, f"not so within {DEADLINE_S:.0f} s"
        time.sleep(0.05)


def test_pages_lead_through_the_whole_history(served: Running) -> None:
    """Newest come first; the `Link` of each page leads to the next, and none is left out or comes twice."""
    for number in range(7):
        served.execute(f"number {number}", "scripted/echo", "scripted/parrot")
    whole = listed(served)
    assert [run["output"] for run in whole] == [f"number {n}" for n in reversed(range(7)) for _ in range(2)]
    seen: list[dict[str, Any]] = []
    path: str | None = "/executions?limit=3"
    while path is not None:
        answer = served.ask("GET", path)
        seen += answer.json()
        link = answer.headers.get("link")
        where = None if link is None else urlsplit(link.partition(">")[0].removeprefix("<"))
        path = where and f"{where.path.removeprefix('/api/v1')}?{where.query}"
    assert seen == whole


def test_filters_narrow_the_history(served: Running) -> None:
    """Model, status, user and words of prompt or answer each narrow the list; they go together."""
    served.execute("a red fox", "scripted/echo", "scripted/parrot")
    served.execute("100% of it_", "scripted/echo")
    assert len(listed(served, "/executions?model_id=scripted/echo")) == 2
    assert len(listed(served, "/executions?status=completed&user_id=ada")) == 3
    assert listed(served, "/executions?status=failed") == []
    assert listed(served, "/executions?user_id=root") == []
    assert len(listed(served, "/executions?q=RED")) == 2
    assert [run["output"] for run in listed(served, "/executions?q=100%25")] == ["100% of it_"]
    assert listed(served, "/executions?q=a_red") == []
    assert len(listed(served, "/executions?workspace_id=default&model_id=scripted/parrot")) == 1


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=1000000000", "limit=abc", "cursor=nonsense", "status=odd"]
)
def test_a_wrong_filter_is_told(served: Running, query: str) -> None:
    """A filter that cannot be is 422, with its name in the text."""
    answer = served.ask("GET", f"/executions?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["detail"]


def test_a_status_that_none_can_have_is_told_in_words(served: Running) -> None:
    """What a status may be is listed, not given as a pattern."""
    detail = served.ask("GET", "/executions?status=odd").json()["detail"]
    assert detail == "status: has to be 'pending', 'running', 'completed', 'failed' or 'cancelled'."


def test_other_workspaces_are_not_in_it(served: Running) -> None:
    """One sees the executions of one's own workspaces only, in the list and by id."""
    (theirs,) = served.execute("secret", "scripted/echo", as_="otto")
    assert listed(served) == []
    missing = served.ask("GET", "/executions/g1:nothing")
    hidden = served.ask("GET", f"/executions/{theirs['id']}")
    assert (missing.status_code, hidden.status_code) == (404, 404)
    assert hidden.json()["detail"] == missing.json()["detail"].replace("g1:nothing", theirs["id"])
    assert served.ask("GET", "/executions?workspace_id=other").status_code == 404


def test_runs_of_notebooks_appear(served: Running) -> None:
    """What a notebook asks in a workspace of the lab comes into the history of its members by itself."""
    lab = served.service.lab.within("default", user="nora")
    long = "long " * 100
    lab.plan(prompts=["Say {{ x }}"], models=["scripted/echo"], dataset=[{"x": "hi"}, {"x": long}]).run()
    eventually(lambda: len(listed(served)) == 2)
    runs = {run["promptSnapshot"][:8]: run for run in listed(served)}
    assert runs["Say hi"]["metadata"]["user"] == "nora"
    assert runs["Say hi"]["output"] == "Say hi"
    cut = runs["Say long"]
    assert (len(cut["output"]), cut["metadata"]["textCut"], cut["metadata"]["promptCut"]) == (200, True, True)
    whole = listed_one(served, cut["id"])
    assert (whole["output"], whole["promptSnapshot"]) == (f"Say {long}", f"Say {long}")
    assert "textCut" not in whole["metadata"]


def listed_one(served: Running, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = served.ask("GET", f"/executions/{id_}").json()
    return found


def everything(state: State) -> list[dict[str, Any]]:
    with state.reading() as session:
        return [
            {name: getattr(row, name) for name in COLUMNS}
            for row in session.scalars(select(Execution).order_by(Execution.id))
        ]


def test_a_deleted_index_is_made_anew_from_the_lab(
    state: State, tmp_path: Path, echo: Callable[..., Any]
) -> None:
    """The index of runs of the service and of notebooks, failures and replays among them, is made again from
    the lab alone, and is the same."""
    lab = lk.Lab(tmp_path / "lab.duckdb", models=[echo("echo"), echo("nul", answers=lambda _: "a\0b\ud83d")])
    rows = [{"x": "one"}, {"x": "two {{ x }}"}, {"x": "three\0"}]
    plan = lab.plan(prompts=["Say {{ x }}"], models=["scripted/echo", "scripted/nul"], dataset=rows)
    plan.run()
    plan.run(fresh=False)
    index = Index(state, lab.store)
    assert index.catch_up() == 12
    assert index.catch_up() == 0
    before = everything(state)
    lab.within("other").plan(prompts=["Say {{ x }}"], models=["scripted/echo"], dataset=rows).run()
    assert index.catch_up() == 3
    assert [row for row in everything(state) if row["workspace"] == "default"] == before
    before = everything(state)
    with state.writing() as session:
        session.execute(delete(Execution))
        session.execute(delete(Meta))
    index.catch_up()
    assert everything(state) == before


def test_what_has_ended_is_not_running_again(state: State, tmp_path: Path, echo: Callable[..., Any]) -> None:
    """An answer that comes into the index before the event that it was sent stays as it ended."""
    lab = lk.Lab(tmp_path / "lab.duckdb", models=[echo("echo")])
    lab.plan(prompts=["Say it"], models=["scripted/echo"]).run()
    Index(state, lab.store).catch_up()
    (before,) = everything(state)
    with state.writing() as session:
        history.running(session, before["id"])
    assert everything(state) == [before]


def test_the_index_of_another_lab_is_forgotten(
    sqlite_state: State, tmp_path: Path, echo: Callable[..., Any]
) -> None:
    """Where another lab was put in the place of the one that was read, the index is that lab's."""
    for number, name in enumerate(("first", "second")):
        lab = lk.Lab(tmp_path / f"{name}.duckdb", models=[echo("echo")])
        lab.plan(prompts=["Say {{ x }}"], models=["scripted/echo"], dataset=[{"x": name}]).run()
        Index(sqlite_state, lab.store).catch_up()
        (row,) = everything(sqlite_state)
        assert row["text"] == f"Say {name}", number


def test_the_service_and_the_lab_say_the_same(served: Running) -> None:
    """What the service wrote of its own executions is what the lab gives when the index is made anew."""
    for text in ("one", "two " * 100):
        served.execute(text, "scripted/parrot", "scripted/echo", context_blocks=[])
    index, state = served.service.index, served.service.state
    before = everything(state)
    with state.writing() as session:
        session.execute(delete(Execution))
        session.execute(delete(Meta))
    eventually(lambda: index.catch_up() >= 0 and len(everything(state)) == 4)
    assert everything(state) == before
    assert {row["status"] for row in before} <= history.ENDED
