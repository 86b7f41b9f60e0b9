"""How often a password may be tried, by name and by address."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select, update
from starlette.requests import Request

from labkit.server.accounts import throttle
from labkit.server.problems import Problem
from labkit.server.state import State
from labkit.server.state.tables import Throttle

HERE, THERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still, however slow the day: only `later` moves it."""
    now = throttle.now_us()
    monkeypatch.setattr(throttle, "now_us", lambda: now)


def wait_s(state: State, name: str, address: str) -> int:
    """Try once and fail; how long one would have to wait before the next."""
    throttle.count(state, name, address)
    try:
        throttle.check(state, name, address)
    except Problem as error:
        return int(error.headers["Retry-After"])
    return 0


def later(state: State, seconds: float) -> None:
    """Make all that was counted so much older."""
    us = int(seconds * 1_000_000)
    with state.writing() as rows:
        rows.execute(update(Throttle).values(last_us=Throttle.last_us - us, until_us=Throttle.until_us - us))


def succeed(state: State, name: str, address: str) -> None:
    """Try with the right password."""
    made = throttle.count(state, name, address)
    with state.writing() as rows:
        throttle.succeeded(rows, made)


@contextmanager
def refused() -> Iterator[None]:
    """Where a try comes too early."""
    with pytest.raises(Problem, match=r"Too many log-ins failed\. Try again in \d+ s\.") as error:
        yield
    assert error.value.status == 429
    assert error.value.headers["Retry-After"] in error.value.detail


def test_five_free_then_doubling_to_15_minutes(state: State) -> None:
    """Failures of one name from many addresses, or of many names from one: five at once, then waits of 1, 2,
    4 … s, at most 15 minutes. What comes too early is not counted."""
    for given in (lambda n: ("ada", f"192.0.2.{n}"), lambda n: (f"name{n}", THERE)):
        waits = []
        for n in range(17):
            waits.append(wait_s(state, *given(n)))
            if waits[-1]:
                with refused():
                    throttle.count(state, *given(n))
            later(state, waits[-1])
        assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_failures_are_forgotten(state: State) -> None:
    """After a day it begins anew, and the rows of others' old failures go."""
    for _ in range(5):
        throttle.count(state, "ada", HERE)
    later(state, throttle.FORGOTTEN_S + 1)
    assert wait_s(state, "ada", HERE) == 0
    later(state, throttle.FORGOTTEN_S + 1)
    throttle.count(state, "ben", THERE)
    with state.reading() as rows:
        assert len(rows.scalars(select(Throttle)).all()) == 2


def test_a_known_address_is_never_locked_out(state: State) -> None:
    """Who logged in from an address can do so again, however many failed elsewhere, or there by other names;
    only failures of that name from that address make it wait."""
    succeed(state, "ada", HERE)
    for n in range(5):
        throttle.count(state, "ada", f"203.0.113.{n}")
        throttle.count(state, f"name{n}", HERE)
    with refused():
        throttle.check(state, "ada", THERE)
    with refused():
        throttle.check(state, "ben", HERE)
    succeed(state, "ada", HERE)
    assert [wait_s(state, "ada", HERE) for _ in range(5)] == [0, 0, 0, 0, 1]


def test_ones_own_log_in_gives_no_more_guesses(state: State) -> None:
    """Whoever logs in as himself between guesses at others' names, from one address, waits as before."""
    for n in range(4):
        throttle.count(state, f"name{n}", HERE)
        succeed(state, "eve", HERE)
    throttle.count(state, "name4", HERE)
    with refused():
        throttle.check(state, "name5", HERE)


def test_a_right_password_ends_the_names_waits(state: State) -> None:
    """After a log-in the failures of its name count no more."""
    for _ in range(4):
        throttle.count(state, "ada", HERE)
    succeed(state, "ada", THERE)
    later(state, 1)
    assert wait_s(state, "ada", "203.0.113.9") == 0


def test_many_at_once_are_no_more_than_one_after_another(state: State) -> None:
    """Of 40 tries by threads at one moment five are let through."""
    start, through = threading.Barrier(40), []

    def one() -> None:
        start.wait()
        try:
            throttle.count(state, "ada", HERE)
        except Problem:
            return
        through.append(1)

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == throttle.FREE


@pytest.mark.alone
def test_processes_count_together(state: State, together: Callable[..., list[str]]) -> None:
    """Of the tries of two processes at one moment each that is let through is counted, once."""
    said = together(
        """
from labkit.server.accounts import throttle
from labkit.server.problems import Problem
state, through = State(address), 0
for _ in range(50):
    try:
        throttle.count(state, "ada", "192.0.2.1")
        through += 1
    except Problem:
        pass
print(through)
""",
        state,
        2,
    )
    with state.reading() as rows:
        counted = set(rows.scalars(select(Throttle.failures)))
    assert counted == {sum(map(int, said))}
    assert min(counted) >= throttle.FREE


def test_no_name_is_kept(state: State) -> None:
    """What was typed for a name, which may be a password, is not in the state."""
    throttle.count(state, "my-password-by-mistake", HERE)
    succeed(state, "ada", HERE)
    with state.reading() as rows:
        keys = rows.scalars(select(Throttle.key)).all()
    assert not any("mistake" in key or "ada" in key for key in keys)


def request(client: str | None, *forwarded: str) -> Request:
    """A request from there, through what says so."""
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    return Request({"type": "http", "headers": headers, "client": client and (client, 1)})


def test_the_address_is_what_a_trusted_proxy_saw() -> None:
    """`X-Forwarded-For` counts only from a proxy that is trusted, and of it only what such a proxy added; of
    IPv6 the network counts."""
    proxies = ["127.0.0.1", "10.0.0.0/30", "2001:db8:1::/48"]
    seen = [
        (request(HERE, THERE), HERE),
        (request("127.0.0.1"), "127.0.0.1"),
        (request("127.0.0.1", THERE), THERE),
        (request("127.0.0.1", f"203.0.113.9, {THERE}"), THERE),
        (request("127.0.0.1", "203.0.113.9", THERE), THERE),
        (request("127.0.0.1", f"203.0.113.9, {THERE}, 10.0.0.2"), THERE),
        (request("10.0.0.4", THERE), "10.0.0.4"),
        (request("::ffff:127.0.0.1", THERE), THERE),
        (request("2001:db8:1::7", THERE), THERE),
        (request("127.0.0.1", f"{THERE},"), "127.0.0.1"),
        (request("2001:db8::1"), "2001:db8::/64"),
        (request("2001:db8::ffff:2"), "2001:db8::/64"),
        (request("::ffff:192.0.2.1"), HERE),
        (request("127.0.0.1", "x" * 5000), "x" * 64),
        (request(None), "here"),
    ]
    for one, address in seen:
        assert throttle.address_of(one, proxies) == address
    assert throttle.address_of(request("127.0.0.1", THERE), []) == "127.0.0.1"


def test_two_first_log_ins_at_once_both_succeed(state: State) -> None:
    """Both tries were counted before either's password was found right."""
    made = [throttle.count(state, "ada", HERE) for _ in range(2)]
    for one in made:
        with state.writing() as rows:
            throttle.succeeded(rows, one)
    assert wait_s(state, "ada", HERE) == 0
