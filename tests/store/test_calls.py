"""An answer belongs to its call: whoever writes it, however often, in whatever order it comes in."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.store import Store
from labkit.store import journal_line as lines
from labkit.store.journal_directory import SCHEMA, JournalDirectory, JournalName
from labkit.store.per_process_journal import ProcessIdentity

Put = Callable[..., None]
OTHER = "b" * 32


def write_dead(store: Store, process: str, *stamped: tuple[int, Any]) -> None:
    """A journal of a process that is gone, with its records' stamps."""
    folder = JournalDirectory(store.path)
    folder.make()
    name = JournalName(process, 1, min(stamp for stamp, _ in stamped), SCHEMA, process)
    text = b"".join(lines.frame(type(record), stamp, lines.body(record)) for stamp, record in stamped)
    (folder.path / str(name)).write_bytes(text)


def test_an_intent_is_settled_by_whoever_tells_of_its_call(store: Store, put: Put, make: Any) -> None:
    """A request that one process sent and another tells of is in flight no more, in every view; its
    reservation is given back for what it cost, whichever of the two has the earlier clock."""
    put(make.run(), make.intent("a", call_id=1), make.intent("b", call_id=2), make.intent("c", call_id=3))
    assert len(store.unsettled()) == 3
    assert store.spent("run-1") == 3.0
    write_dead(store, OTHER, (1, make.attempt("a", call_id=1)), (2, make.generation("b", call_id=2)))
    assert store.unsettled()["generation_id"].tolist() == ["c"]
    assert store.runs()["unsettled"].tolist() == [1]
    put(make.generation("a", call_id=1, cost_usd=0.5))
    assert store.spent("run-1") == 0.5 + 0.25 + 1.0


def test_another_call_of_the_same_cell_settles_nothing(store: Store, put: Put, make: Any) -> None:
    """What was in flight at a kill stays listed and spent, also where the same process asks the cell
    again."""
    put(make.run(), make.intent("a", call_id=1))
    put(make.intent("a", call_id=2), make.attempt("a", call_id=2), make.generation("a", call_id=2))
    assert store.unsettled()["call_id"].tolist() == [1]
    assert store.spent("run-1") == 1.25


def test_an_older_process_still_settles_by_itself(store: Store, put: Put, make: Any) -> None:
    """Rows without a call are settled by their own process alone, beside rows that have one."""
    write_dead(store, "1-00000000", (1, make.intent("a")), (2, make.intent("b")), (3, make.attempt("b")))
    put(make.run(), make.attempt("a"), make.intent("a", call_id=5), make.attempt("a", call_id=5))
    assert store.unsettled()["generation_id"].tolist() == ["a"]
    assert store.spent("run-1") == 3.0  # b's answer was told of, but not its price


CALLS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([None, 0.25, 0.5]),
        st.booleans(),  # whether its attempt may have been paid for
        st.integers(1, 3),  # by how many processes it is told
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS, data=st.data())
def test_what_is_collected_twice_is_counted_once(
    calls: Any, data: Any, tmp_path_factory: Any, make: Any
) -> None:
    """However often the rows of a call are written, by however many processes and in whatever order they come
    in, the lab shows the same attempts, answers, costs and money spent as if each had been written once."""
    once, often = (Store(tmp_path_factory.mktemp("calls") / "lab.duckdb") for _ in range(2))
    by: dict[int, list[Any]] = {process: [] for process in range(4)}
    for number, (cell, cost, paid, told) in enumerate(calls):
        status = "failed" if paid else "done"
        rows = [
            make.attempt(cell, call_id=number, maybe_paid=paid, error_type="TimedOut" if paid else None),
            make.generation(
                cell, call_id=number, status=status, cost_usd=None if paid else cost, maybe_paid=paid
            ),
        ]
        by[0] += [make.intent(cell, call_id=number), *rows]
        for process in range(1, told):
            by[process] += rows
    order = data.draw(st.permutations(range(4)))
    for store, processes in ((once, [0]), (often, order)):
        for process in processes:
            stamped = [(10_000 + n, row) for n, row in enumerate([make.run(), *by[process]])]
            write_dead(store, f"{process}" * 32, *stamped)
            store.fold()
    for sql in (
        "select run_id, cost_usd, cost_unknown, maybe_paid, unsettled, done, failed from runs",
        "select generation_id, attempt, call_id from attempts order by all",
        "select generation_id, status, cost_usd from generations order by all",
    ):
        assert often.table(sql).to_pylist() == once.table(sql).to_pylist()
    assert often.spent("run-1") == once.spent("run-1")


def test_newest_trusts_no_clock(store: Store, make: Any) -> None:
    """What is written by who had read a row is newer than that row, though the other's clock is a year
    ahead."""
    year_us = 365 * 86_400 * 10**6
    ahead = ProcessIdentity(JournalDirectory(store.path)).stamp() + year_us
    write_dead(store, OTHER, (ahead, make.generation("a", text="theirs")))
    assert store.generations()["text"].tolist() == ["theirs"]
    store.writer().put(make.generation("a", text="mine"))
    store.writer().flush()
    assert store.generations()["text"].tolist() == ["mine"]


@given(heeded=st.lists(st.one_of(st.none(), st.integers(0, 2**60 - 1)), max_size=30))
def test_stamps_rise_above_all_that_is_known(heeded: list[int | None], tmp_path_factory: Any) -> None:
    """Stamps always rise, and each is beyond every stamp that was heeded before it."""
    identity = ProcessIdentity(JournalDirectory(tmp_path_factory.getbasetemp() / "none.duckdb"))
    given_out, greatest = [], 0
    for stamp in heeded:
        if stamp is not None:
            identity.heed(stamp)
            greatest = max(greatest, stamp)
        given_out.append(identity.stamp())
        assert given_out[-1] > greatest
    assert all(one < other for one, other in pairwise(given_out))


def test_a_stamp_that_is_no_time_is_no_line(store: Store, make: Any) -> None:
    """A line whose stamp would outrank every finished answer is put aside, and not read."""
    write_dead(store, OTHER, (1, make.run()), (1 << 60, make.generation("a")))
    assert store.fold().bad[0].why == "its stamp is no time"
    assert store.generations().empty
