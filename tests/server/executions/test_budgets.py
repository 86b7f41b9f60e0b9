"""Budgets of users and workspaces: never passed, exact, told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from labkit.cli.budgets import budgets as command
from labkit.dollars import pusd_up
from labkit.errors import DefinitionError
from labkit.server.accounts.principal import Principal
from labkit.server.executions.budgets import left, listed, reserve, set_limit, settle
from labkit.server.problems import Problem
from labkit.server.settings import Settings
from labkit.server.state import State
from labkit.server.state.tables import Budget, DaySpending, Spending, User, Workspace

Together = Callable[[str, "State | str", int], list[str]]
DAY_US = 86_400_000_000
UNIT = 10**12


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOON = at("2026-11-28T12:00:00")


def limit(state: State, kind: str, subject: str, period: str, usd: str) -> None:
    with state.writing() as rows:
        set_limit(rows, kind, subject, period, Decimal(usd))  # type: ignore[arg-type] - given as text by tests


def admit(
    state: State, run: str, worst: float | None, *, who: str = "u1", where: str = "tickets", now: int = NOON
) -> Problem | None:
    """Admit a run as the service does; the refusal, or None."""
    try:
        with state.writing(durable=False) as rows:
            reserve(rows, run, who, where, worst, now)
    except Problem as problem:
        return problem
    return None


def end(state: State, run: str, cost: float | None) -> None:
    with state.writing(durable=False) as rows:
        settle(rows, run, cost)


def taken(state: State) -> int:
    """What all runs have reserved and spent; the sums by day say the same."""
    with state.reading() as rows:
        by_run = rows.scalar(select(func.sum(Spending.reserved_pusd + Spending.spent_pusd))) or 0
        by_day = select(func.sum(DaySpending.taken_pusd))
        assert by_run == (rows.scalar(by_day.where(DaySpending.kind == "user")) or 0)
        assert by_run == (rows.scalar(by_day.where(DaySpending.kind == "workspace")) or 0)
        return int(by_run)


# -- what is refused, and how it is told -------------------------------------------------------------


def test_without_a_budget_everything_is_admitted_and_counted(state: State) -> None:
    """No budget is no limit, and what was set aside counts for one that is set later."""
    assert admit(state, "r1", 3.0) is None
    assert admit(state, "r2", None) is None
    limit(state, "user", "u1", "day", "4")
    refused = admit(state, "r3", 2.0)
    assert refused is not None
    assert refused.more["left_usd"] == 1.0


def test_a_refusal_says_which_budget_what_is_left_and_when_it_resets(state: State) -> None:
    """402 names each budget that lacks, in words and in fields for programs."""
    limit(state, "user", "u1", "day", "0.5")
    limit(state, "workspace", "tickets", "month", "1")
    assert admit(state, "r1", 0.4) is None
    refused = admit(state, "r2", 0.2)
    assert refused is not None
    assert refused.status == 402
    assert refused.detail == (
        "Your budget of USD 0.50 a day has USD 0.10 left, and this may cost up to USD 0.20. "
        "It resets at 2026-11-29T00:00:00Z."
    )
    assert json.loads(bytes(refused.response().body)) == {
        "type": "about:blank",
        "title": "Payment Required",
        "status": 402,
        "detail": refused.detail,
        "errors": [refused.detail],
        "left_usd": 0.1,
        "resets": "2026-11-29T00:00:00Z",
    }
    refused = admit(state, "r2", 0.7)
    assert refused is not None
    assert [one.split(" has ")[0] for one in refused.errors] == [
        "Your budget of USD 0.50 a day",
        "The budget of workspace 'tickets' of USD 1.00 a month",
    ]
    assert "That is more than the whole budget: ask fewer models" in refused.errors[0]
    assert refused.errors[1].endswith("It resets at 2026-12-01T00:00:00Z.")
    assert refused.more == {"left_usd": 0.1, "resets": "2026-12-01T00:00:00Z"}


def test_a_refused_run_takes_nothing(state: State) -> None:
    """What was refused by one budget is set aside from none."""
    limit(state, "user", "u1", "day", "1")
    limit(state, "workspace", "tickets", "day", "0.1")
    assert admit(state, "r1", 0.5) is not None
    assert taken(state) == 0


@pytest.mark.parametrize("worst", [None, float("inf"), float("nan")])
def test_an_unknown_price_is_refused_where_a_budget_holds(state: State, worst: float | None) -> None:
    """A model whose price nobody knows is not asked under a budget, and that is the reason told."""
    limit(state, "workspace", "tickets", "month", "5")
    refused = admit(state, "r1", worst)
    assert refused is not None
    assert refused.status == 402
    assert "price of a chosen model is not known" in refused.detail
    assert admit(state, "r1", worst, where="other") is None


def test_what_is_free_is_admitted_by_a_budget_that_is_spent(state: State) -> None:
    """A model that costs nothing may be asked though nothing is left, or less than that."""
    limit(state, "user", "u1", "day", "1")
    assert admit(state, "r1", 1.0) is None
    limit(state, "user", "u1", "day", "0.5")
    assert admit(state, "r2", 0.0) is None
    assert admit(state, "r3", 1e-12) is not None


def test_a_budget_is_spent_to_the_last_unit(state: State) -> None:
    """Ten times 0.1 is one dollar, and not one millionth of a millionth more."""
    limit(state, "user", "u1", "day", "1")
    for n in range(10):
        assert admit(state, f"r{n}", 0.1) is None
    assert admit(state, "r10", 1e-12) is not None
    for n in range(10):
        end(state, f"r{n}", 0.1)
    assert taken(state) == UNIT


def test_budgets_of_others_are_not_touched(state: State) -> None:
    """A user's budget holds for that user alone, a workspace's for all who ask in it."""
    limit(state, "user", "u1", "day", "1")
    limit(state, "workspace", "tickets", "day", "1.5")
    assert admit(state, "r1", 1.0) is None
    assert admit(state, "r2", 1.0, who="u2", where="other") is None
    assert admit(state, "r3", 1.0, who="u2") is not None
    assert admit(state, "r4", 0.5, who="u2") is None


# -- settling ----------------------------------------------------------------------------------------


def test_what_was_not_spent_comes_back(state: State) -> None:
    """A run that cost less than its worst case frees the rest; one whose cost is not known frees nothing."""
    limit(state, "user", "u1", "day", "1")
    assert admit(state, "r1", 0.9) is None
    end(state, "r1", 0.1)
    assert admit(state, "r2", 0.9) is None
    end(state, "r2", None)
    assert admit(state, "r3", 0.01) is not None
    assert taken(state) == UNIT


def test_settling_again_is_harmless_and_a_known_cost_replaces_an_assumed_one(state: State) -> None:
    """A run that is settled by its driver and by a recovery counts once."""
    assert admit(state, "r1", 0.9) is None
    end(state, "r1", 0.2)
    end(state, "r1", None)
    assert taken(state) == pusd_up(0.2)
    end(state, "r1", 0.2)
    assert taken(state) == pusd_up(0.2)
    assert admit(state, "r2", 0.5) is None
    end(state, "r2", None)
    end(state, "r2", 0.1)
    assert taken(state) == pusd_up(0.2) + pusd_up(0.1)
    end(state, "nobody", 5.0)
    assert taken(state) == pusd_up(0.2) + pusd_up(0.1)


def test_a_run_counts_on_the_day_it_was_admitted(state: State) -> None:
    """A run admitted before midnight is that day's money, however late it ends; a new day begins at zero."""
    limit(state, "user", "u1", "day", "1")
    late, early = at("2026-11-30T23:59:59"), at("2026-12-01T00:00:00")
    assert admit(state, "r1", 1.0, now=late) is None
    assert admit(state, "r2", 1.0, now=early) is None
    end(state, "r1", 0.25)
    with state.reading() as rows:
        assert [one.left_usd for one in listed(rows, late)] == [0.75]
        assert [one.left_usd for one in listed(rows, early)] == [0.0]


def test_a_changed_limit_holds_from_the_next_admission(state: State) -> None:
    """A run that goes is not touched by a lower limit; the next one is; a limit that ends holds nothing."""
    limit(state, "user", "u1", "day", "1")
    assert admit(state, "r1", 0.8) is None
    limit(state, "user", "u1", "day", "0.5")
    assert admit(state, "r2", 0.1) is not None
    end(state, "r1", 0.3)
    assert admit(state, "r2", 0.1) is None
    with state.writing() as rows:
        set_limit(rows, "user", "u1", "day", None)
        set_limit(rows, "user", "u1", "day", None)
    assert admit(state, "r3", 100.0) is None


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity", "9000000.1"])
def test_what_is_no_budget_is_refused(sqlite_state: State, amount: str) -> None:
    """A limit is a number of dollars that the table can hold."""
    with pytest.raises(DefinitionError, match="is not possible"):
        limit(sqlite_state, "user", "u1", "day", amount)


def test_everybody_sees_what_they_have_left(state: State) -> None:
    """A user sees their own budgets and those of the workspaces they may read, no others."""
    for kind, subject in (("user", "u1"), ("user", "u2"), ("workspace", "tickets"), ("workspace", "secret")):
        limit(state, kind, subject, "day", "2")
    who = Principal(
        user_id="u1",
        name="ada",
        email=None,
        scopes=frozenset(["read"]),
        workspaces={"tickets": "viewer"},
        how="bearer",
        credential="s1",
    )
    assert admit(state, "r1", 0.5) is None
    with state.reading() as rows:
        seen = [(one.kind, one.subject, one.left_usd, one.resets) for one in left(rows, who, NOON)]
    assert seen == [
        ("user", "u1", 1.5, "2026-11-29T00:00:00Z"),
        ("workspace", "tickets", 1.5, "2026-11-29T00:00:00Z"),
    ]


# -- what always holds -------------------------------------------------------------------------------

money = st.integers(0, 2 * UNIT).map(lambda units: units / UNIT)
steps = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2"]),
        st.sampled_from(["tickets", "other"]),
        money,
        st.one_of(st.none(), st.floats(0, 1)),  # the part of the worst case that it costs
        st.integers(0, 40),  # days later
        st.booleans(),  # settled at once, or after all
    ),
    max_size=25,
)
limits = st.dictionaries(
    st.tuples(
        st.sampled_from([("user", "u1"), ("user", "u2"), ("workspace", "tickets")]),
        st.sampled_from(["day", "month"]),
    ),
    st.decimals(0, 5, places=12),
    max_size=4,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=steps, given_limits=limits)
def test_no_budget_is_ever_passed(state: State, asked: list[Any], given_limits: dict[Any, Decimal]) -> None:
    """Whatever is asked and whatever it costs: no budget's spent and reserved pass its limit, a month is the
    sum of its days, and nothing is refused that would have fitted."""
    with state.writing(durable=False) as rows:
        rows.execute(delete(Spending))
        rows.execute(delete(DaySpending))
        rows.execute(delete(Budget))
        for ((kind, subject), period), most in given_limits.items():
            set_limit(rows, kind, subject, period, most)
    book: dict[str, tuple[str, str, str, int]] = {}  # run → user, workspace, day, units
    later = []

    def units_of(kind: str, subject: str, period: str, day: str) -> int:
        span = day if period == "day" else day[:7]
        return sum(
            units
            for user, where, when, units in book.values()
            if subject == (user if kind == "user" else where) and when.startswith(span)
        )

    def ended(run: str, worst: float, part: float | None) -> None:
        cost = None if part is None else worst * part
        end(state, run, cost)
        user, where, day, units = book[run]
        book[run] = (user, where, day, units if cost is None else pusd_up(cost))

    for number, (user, where, worst, part, days, at_once) in enumerate(asked):
        now = NOON + days * DAY_US
        day = datetime.fromtimestamp(now // 1_000_000, UTC).date().isoformat()
        fits = not pusd_up(worst) or all(
            units_of(kind, subject, period, day) + pusd_up(worst) <= int(most * UNIT)
            for ((kind, subject), period), most in given_limits.items()
            if subject in (user, where)
        )
        assert (admit(state, f"r{number}", worst, who=user, where=where, now=now) is None) == fits
        if fits:
            book[f"r{number}"] = (user, where, day, pusd_up(worst))
            if at_once:
                ended(f"r{number}", worst, part)
            else:
                later.append((f"r{number}", worst, part))
        for ((kind, subject), period), most in given_limits.items():
            assert units_of(kind, subject, period, day) <= int(most * UNIT)
    for run in later:
        ended(*run)
    assert taken(state) == sum(units for *_, units in book.values())


def test_threads_do_not_pass_a_budget(state: State) -> None:
    """Eight threads that ask for more than there is get what there is, to the last unit."""
    limit(state, "user", "u1", "day", "1")
    limit(state, "workspace", "tickets", "month", "2")
    admitted: list[str] = []

    def ask(number: int) -> None:
        for n in range(10):
            run = f"r{number}-{n}"
            if admit(state, run, 0.05) is None:
                admitted.append(run)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(admitted) == 20
    assert taken(state) == UNIT


ASK = """
state = State(address)
passed = 0
for n in range(30):
    try:
        with state.writing(durable=False) as rows:
            budgets.reserve(rows, f"r{number}-{n}", f"u{n % 3}", "tickets", 0.05, 1764331200000000)
    except Problem:
        continue
    with state.writing(durable=False) as rows:
        budgets.settle(rows, f"r{number}-{n}", 0.03 if n % 2 else None)
    passed += 1
print(passed)
"""


def test_processes_do_not_pass_a_budget(state: State, together: Together) -> None:
    """Four processes that reserve and settle at once stay below every limit, and the sums are exact."""
    for user in range(3):
        limit(state, "user", f"u{user}", "day", "0.7")
    limit(state, "workspace", "tickets", "day", "1.5")
    passed = sum(int(one) for one in together(ASK, state, 4))
    with state.reading() as rows:
        rows_of = rows.execute(select(Spending.user_id, Spending.spent_pusd, Spending.reserved_pusd)).all()
    assert len(rows_of) == passed
    assert all(reserved == 0 for _, _, reserved in rows_of)
    per_user = {user: sum(spent for who, spent, _ in rows_of if who == user) for user, _, _ in rows_of}
    assert max(per_user.values()) <= pusd_up(0.7)
    assert pusd_up(1.45) < taken(state) <= pusd_up(1.5)


# -- the command -------------------------------------------------------------------------------------


def test_budgets_are_set_and_listed_by_command(tmp_path: Path) -> None:
    """`budgets set` sets and ends them, `budgets list` tells what is left; unknown names are told."""
    lab = tmp_path / "lab.duckdb"
    state = State(Settings(lab=lab).database)
    with state.writing() as rows:
        rows.add(User(id="u1", name="ada", created_us=0))
        rows.add(Workspace(name="tickets", created_us=0))

    def run(*words: str) -> str:
        result = CliRunner().invoke(command, [*words, "--lab", str(lab)])
        return result.output if result.exception is None else str(result.exception)

    assert run("list") == "no budget is set: everybody may spend without a limit\n"
    assert run("set", "--user", "ada", "--per", "day", "--usd", "2.50") == "user ada: USD 2.50 per day\n"
    assert run("set", "--workspace", "tickets", "--per", "month", "--usd", "10")
    with state.reading() as rows:
        assert sorted((one.subject, one.limit_pusd) for one in rows.scalars(select(Budget))) == [
            ("tickets", 10 * UNIT),
            ("u1", 5 * UNIT // 2),
        ]
    assert run("list").startswith("user ada: USD 2.50 of 2.50 per day left until 20")
    assert [one["subject"] for one in json.loads(run("list", "--json"))] == ["ada", "tickets"]
    assert run("set", "--user", "ada", "--per", "day", "--usd", "none") == "user ada: no budget per day\n"
    assert "no user 'eve'" in run("set", "--user", "eve", "--per", "day", "--usd", "1")
    assert "no workspace 'x'" in run("set", "--workspace", "x", "--per", "day", "--usd", "1")
    assert "one of the two" in run("set", "--per", "day", "--usd", "1")
    assert "--usd is 'much'" in run("set", "--user", "ada", "--per", "day", "--usd", "much")
    state.close()
