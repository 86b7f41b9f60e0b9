"""What is known, settled, unfinished, unsettled and spent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.records import Generation
from labkit.store import Store
from labkit.store import journal_line as lines
from labkit.store.journal_directory import JournalDirectory, JournalName

Put = Callable[..., None]
STATUSES = ["done", "failed", "partial", "stopped"]


def keys(*pairs: tuple[str, int]) -> pa.Table:
    return pa.table(
        {
            "request_id": pa.array([pair[0] for pair in pairs], pa.string()),
            "draw": pa.array([pair[1] for pair in pairs], pa.int64()),
        }
    )


def write_dead(store: Store, process: str, first: int, *records: Any) -> None:
    """A journal of a process that is gone, its lines stamped from `first` on."""
    folder = JournalDirectory(store.path)
    folder.make()
    name = JournalName(process, 1, first, 1, process)
    text = b"".join(
        lines.frame(type(record), first + place, lines.body(record)) for place, record in enumerate(records)
    )
    (folder.path / str(name)).write_bytes(text)


def test_known_is_the_newest_original(store: Store, put: Put, make: Any) -> None:
    """For each request and draw the newest finished answer that is no replay, with every column."""
    put(
        make.generation("old", request_id="r1:a", text="old"),
        make.generation("new", request_id="r1:a", text="new", user="me"),
        make.generation("failed", request_id="r1:a", status="failed"),
        make.generation("replay", request_id="r1:a", text="new", replayed_from="new"),
        make.generation("second", request_id="r1:a", draw=1),
        make.generation("only failed", request_id="r1:b", status="partial"),
        make.generation("other", request_id="r1:c"),
    )
    found = store.known(keys(("r1:a", 0), ("r1:a", 1), ("r1:b", 0), ("r1:none", 0), ("r1:c", 1)))
    assert found.column_names == list(Generation.__struct_fields__)
    rows = {row["generation_id"]: row for row in found.to_pylist()}
    assert set(rows) == {"new", "second"}
    assert Generation(**rows["new"]) == make.generation("new", request_id="r1:a", text="new", user="me")
    narrow = store.known(keys(("r1:a", 0)), columns=["draw", "request_id"])
    assert narrow.to_pylist() == [{"draw": 0, "request_id": "r1:a"}]
    assert store.known(keys()).num_rows == 0
    with pytest.raises(DefinitionError, match="'nosuch' is no column"):
        store.known(keys(), columns=["nosuch"])


def test_known_gives_times_with_their_zone(store: Store, put: Put, make: Any) -> None:
    """A replay written from a known row keeps the moment of the first asking."""
    put(make.generation("a", request_id="r1:a"))
    (row,) = store.known(keys(("r1:a", 0))).to_pylist()
    assert row["started_at"] == make.moment


def test_known_requests_are_not_written_again(store: Store, put: Put, make: Any) -> None:
    """Asking what is known tells the writer which requests the lab has."""
    from labkit.records import Request

    def request(name: str) -> Request:
        return Request(
            request_id=name,
            provider="p",
            dialect="d",
            endpoint="e",
            model="m",
            name="n",
            messages=({"role": "user"},),
            params={"a": 1},
        )

    put(request("r1:a"))
    store.fold()
    store.close()
    store.known(keys(("r1:a", 0), ("r1:b", 0)))
    put(request("r1:a"), request("r1:b"))
    assert store.table("select request_id from log.requests order by 1")["request_id"].to_pylist() == [
        "r1:a",
        "r1:b",
    ]
    frame = store.requests()
    assert frame["messages"].tolist() == ['[{"role":"user"}]'] * 2
    assert frame["params"].tolist() == ['{"a":1}'] * 2


def test_settled_is_what_is_done(store: Store, put: Put, make: Any) -> None:
    """A resume leaves out exactly what has a finished answer in this run."""
    put(
        make.generation("a"),
        make.generation("b", status="failed"),
        make.generation("b", status="done"),
        make.generation("c", status="stopped"),
        make.generation("d", status="partial"),
        make.generation("e", run_id="run-2"),
    )
    assert store.settled("run-1") == {"a", "b"}


def test_one_row_a_generation_and_done_wins(store: Store, put: Put, make: Any) -> None:
    """The view has one row per generation: a finished answer before anything, else the newest."""
    put(
        make.generation("a", status="failed", text="1"),
        make.generation("a", status="done", text="2"),
        make.generation("a", status="stopped", text="3"),
        make.generation("b", status="failed", text="1"),
        make.generation("b", status="partial", text="2"),
        make.generation("c", status="done", text="1"),
        make.generation("c", status="done", text="2"),
    )
    frame = store.generations().set_index("generation_id")
    assert frame["status"].to_dict() == {"a": "done", "b": "partial", "c": "done"}
    assert frame["text"].to_dict() == {"a": "2", "b": "2", "c": "2"}
    view = store.table("select generation_id, status, text from generations order by 1").to_pylist()
    assert [(row["status"], row["text"]) for row in view] == [("done", "2"), ("partial", "2"), ("done", "2")]


def test_newest_is_by_when_it_was_put_not_by_when_it_was_folded(store: Store, make: Any) -> None:
    """The journal of an earlier process may be folded later, and is still the earlier one."""
    write_dead(store, "9-00000000", 2_000_000, make.generation("a", status="stopped", text="later"))
    store.fold()
    write_dead(store, "1-00000000", 1_000_000, make.generation("a", status="failed", text="earlier"))
    assert store.generations()["text"].tolist() == ["later"]


def test_unfinished_is_the_latest_run_to_go_on_with(store: Store, put: Put, make: Any) -> None:
    """A run that was stopped, failed or killed is gone on with; one that finished is not."""

    def run(name: str, hour: int, event: str | None, **fields: Any) -> None:
        put(make.run(name, started_at=datetime(2026, 1, 1, hour, tzinfo=UTC), **fields))
        put(make.event("started", name))
        if event:
            put(make.event(event, name))

    assert store.unfinished("plan-1", fresh=False) is None
    run("finished", 1, "finished")
    assert store.unfinished("plan-1", fresh=False) is None
    run("stopped", 2, "stopped")
    assert store.unfinished("plan-1", fresh=False) == "stopped"
    run("killed", 3, None)
    assert store.unfinished("plan-1", fresh=False) == "killed"
    run("fresh", 4, None, fresh=True)
    run("other", 5, None, plan_id="plan-2")
    assert store.unfinished("plan-1", fresh=False) == "killed"
    assert store.unfinished("plan-1", fresh=True) == "fresh"
    put(make.event("resumed", "killed"), make.event("finished", "killed"))
    assert store.unfinished("plan-1", fresh=False) == "stopped"


def test_status_of_a_run(store: Store, put: Put, make: Any) -> None:
    """From its events and counts: finished also if only the last word is missing, stopped also if cells
    were never asked, running while somebody drives it."""
    put(make.run(cells=2), make.event("started"), make.generation("a"))
    row = store.run_row("run-1")
    assert row is not None
    assert (row["status"], row["done"], row["ended_at"]) == ("unfinished", 1, None)
    with store.drive("run-1"):
        assert store.run_row("run-1")["status"] == "running"  # type: ignore[index]
        assert store.runs()["status"].tolist() == ["running"]
        assert len(store.runs(status="running")) == 1
        assert store.runs(status="unfinished").empty
    put(make.generation("b"))
    assert store.runs()["status"].tolist() == ["finished"]
    put(make.event("stopped"))
    assert store.runs()["status"].tolist() == ["stopped"]
    put(make.event("resumed"), make.event("finished"))
    row = store.run_row("run-1")
    assert row is not None
    assert (row["status"], row["ended_at"]) == ("finished", make.moment.replace(tzinfo=None))
    put(
        make.run("run-2"),
        make.generation("c", run_id="run-2", status="stopped", attempts=0),
        make.event("finished", "run-2"),
    )
    assert store.run_row("run-2")["status"] == "stopped"  # type: ignore[index]
    assert store.run_row("nosuch") is None


def test_runs_add_up(store: Store, put: Put, make: Any) -> None:
    """Counts are of generations as they are now; money is of everything that was asked, replays apart."""
    put(
        make.run(cells=6),
        make.generation("a", status="failed", cost_usd=None, maybe_paid=1),
        make.generation("a", cost_usd=0.5),
        make.generation("b", cost_usd=None),
        make.generation("c", status="failed", cost_usd=None),
        make.generation("d", status="partial", cost_usd=0.125, maybe_paid=1),
        make.generation("e", status="stopped", cost_usd=None, attempts=0),
        make.generation("f", cost_usd=99.0, replayed_from="x", attempts=0),
        make.run("run-2"),
        make.run("run-3"),
        make.generation("g", run_id="run-3", cost_usd=None),
    )
    runs = store.runs().set_index("run_id")
    first = runs.loc["run-1"]
    counts = ["cells", "done", "failed", "partial", "stopped", "replayed", "cost_unknown", "maybe_paid"]
    assert first[counts].tolist() == [6, 3, 1, 1, 1, 1, 2, 2]
    assert first["cost_usd"] == 0.625
    assert runs.loc["run-2", "cost_usd"] == 0
    assert runs["cost_usd"].isna().to_dict() == {"run-1": False, "run-2": False, "run-3": True}
    assert runs.loc["run-1", "provenance"] == '{"seed":1}'


def test_what_was_in_flight_at_a_kill_is_listed(store: Store, put: Put, make: Any) -> None:
    """A request whose process told nothing after sending it is unsettled, for ever, also if a later launch
    asked again and was answered."""
    write_dead(
        store,
        "1-00000000",
        1_000,
        make.run(),
        make.intent("answered"),
        make.attempt("answered"),
        make.generation("answered"),
        make.intent("without attempt row"),
        make.generation("without attempt row"),
        make.intent("failed"),
        make.attempt("failed", error_type="Overloaded"),
        make.generation("failed", status="failed"),
        make.intent("in flight"),
        make.intent("second attempt"),
        make.attempt("second attempt", error_type="TimedOut"),
        make.intent("second attempt", attempt=2),
    )
    put(make.intent("in flight"), make.attempt("in flight"), make.generation("in flight"))
    frame = store.unsettled(run="run-1")
    assert sorted(zip(frame["generation_id"], frame["attempt"], strict=True)) == [
        ("in flight", 1),
        ("second attempt", 2),
    ]
    runs = store.runs()
    assert (runs["unsettled"].tolist(), runs["maybe_paid"].tolist()) == ([2], [2])


CASES: dict[str, tuple[list[Any], float]] = {
    "answered": ([("intent", {}), ("attempt", {}), ("generation", {"cost_usd": 0.25})], 0.25),
    "answered, price unknown": ([("intent", {}), ("attempt", {}), ("generation", {"cost_usd": None})], 1.0),
    "in flight at a kill": ([("intent", {})], 1.0),
    "price of the reservation unknown": ([("intent", {"reserved_usd": None})], 0.0),
    "refused": (
        [
            ("intent", {}),
            ("attempt", {"error_type": "InvalidRequest"}),
            ("generation", {"status": "failed", "cost_usd": None}),
        ],
        0.0,
    ),
    "timed out": (
        [
            ("intent", {}),
            ("attempt", {"error_type": "TimedOut", "maybe_paid": True}),
            ("generation", {"status": "failed", "cost_usd": None, "maybe_paid": 1}),
        ],
        1.0,
    ),
    "timed out, then answered": (
        [
            ("intent", {}),
            ("attempt", {"error_type": "TimedOut", "maybe_paid": True}),
            ("intent", {"attempt": 2}),
            ("attempt", {"attempt": 2}),
            ("generation", {"cost_usd": 0.25}),
        ],
        1.25,
    ),
    "killed before the answer's row": ([("intent", {}), ("attempt", {})], 1.0),
    "no attempt row": ([("intent", {}), ("generation", {"cost_usd": 0.5})], 0.5),
    "replayed": ([("generation", {"replayed_from": "x", "cost_usd": 7.0})], 0.0),
    "stopped, then asked again here": (
        [
            ("intent", {}),
            ("generation", {"status": "stopped", "cost_usd": None, "maybe_paid": 1}),
            ("intent", {}),
            ("attempt", {}),
            ("generation", {"cost_usd": 0.25}),
        ],
        1.25,
    ),
    "nothing": ([], 0.0),
}


@pytest.mark.parametrize("case", CASES)
def test_spent_never_says_too_little(store: Store, put: Put, make: Any, case: str) -> None:
    """Money spent is what answers cost, and the whole reservation of what may have cost something else."""
    steps, want = CASES[case]
    put(make.run(), *(getattr(make, kind)(**fields) for kind, fields in steps))
    put(make.intent(run_id="run-2"))
    assert store.spent("run-1") == want


def test_spent_counts_every_launch(store: Store, put: Put, make: Any) -> None:
    """A request in flight at a kill stays spent after the resume that asked again."""
    write_dead(store, "1-00000000", 1_000, make.run(), make.intent("a"))
    put(make.intent("a"), make.attempt("a"), make.generation("a", cost_usd=0.25))
    assert store.spent("run-1") == 1.25


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(STATUSES)), max_size=12))
def test_the_view_is_as_a_model_says(told: list[tuple[str, str]], tmp_path_factory: Any, make: Any) -> None:
    """Whatever rows come in whatever order, each generation shows its last finished one, else its last."""
    store = Store(tmp_path_factory.mktemp("view") / "lab.duckdb")
    write_dead(
        store,
        "1-00000000",
        1_000,
        *(make.generation(name, status=status, text=str(n)) for n, (name, status) in enumerate(told)),
    )
    want: dict[str, tuple[str, str]] = {}
    for number, (name, status) in enumerate(told):
        if status == "done" or want.get(name, ("",))[0] != "done":
            want[name] = (status, str(number))
    frame = store.generations()
    assert (
        dict(zip(frame["generation_id"], zip(frame["status"], frame["text"], strict=True), strict=True))
        == want
    )


def test_a_kill_hides_no_attempt_that_may_have_been_paid_for(store: Store, put: Put, make: Any) -> None:
    """An attempt that was told of as maybe paid counts in its run also if its process was killed before the
    generation ended, and counts once if it did end."""
    put(make.run(), make.intent("g1"), make.attempt("g1", maybe_paid=True, error_type="TimedOut"))
    assert store.runs()["maybe_paid"].tolist() == [1]
    put(make.intent("g1", attempt=2), make.attempt("g1", attempt=2), make.generation("g1", maybe_paid=1))
    assert store.runs()["maybe_paid"].tolist() == [1]
    put(make.intent("g2"))
    assert store.runs()["maybe_paid"].tolist() == [2]
    row = store.run_row("run-1")
    assert row is not None
    assert row["maybe_paid"] == 2
