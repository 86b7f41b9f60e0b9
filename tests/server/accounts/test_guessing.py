"""What somebody who guesses passwords gets: how many tries, and what the time of a refusal tells."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.stats import mannwhitneyu

from labkit.server.accounts import accounts, throttle
from labkit.server.state import State
from labkit.server.state.moments import now_us
from tests.server.running import KEPT, running

WORKERS = 3
HOME = "192.0.2.1"
FLOOD = """
from types import SimpleNamespace
from labkit.server.accounts import passwords, throttle
from labkit.server.routes import auth

passwords.matches = lambda kept, password: False  # each takes a fifth of a second of a core
served = SimpleNamespace(state=State(address))

def guess(i):
    throttle.now_us = lambda: BEGAN_US + i * 20_000
    name, seen = ("ada", f"198.51.100.{i % 256}") if i % 2 else (f"name{i}", "203.0.113.9")
    try:
        throttle.check(served.state, name, seen)
        auth._try(served, name, f"guess {i}", seen, False)
    except Problem as problem:
        return problem.status
    return 200

answers = [guess(i) for i in range(number, 10_000, 3)]
print(*(answers.count(status) for status in (200, 401, 429)), len(answers))
"""


@pytest.mark.alone
def test_a_flood_of_guesses(sqlite_state: State, together: Callable[..., list[str]]) -> None:
    """Of 10,000 guesses at 50 a second, on three workers at once, half at one name from everywhere and half
    at every name from one address, each half has the twelve tries that 200 s allow; the user logs in from
    home meanwhile."""
    with sqlite_state.writing() as rows:
        accounts.add_user(rows, "ada", KEPT)
    at_home = throttle.count(sqlite_state, "ada", HOME)
    with sqlite_state.writing() as rows:
        throttle.succeeded(rows, at_home)
    # The clock is the guess's number: however slow the machine, each comes at its moment.
    said = together(f"BEGAN_US = {now_us()}\n{FLOOD}", sqlite_state, WORKERS)
    assert [sum(column) for column in zip(*(map(int, line.split()) for line in said), strict=True)] == [
        0,
        2 * 12,
        10_000 - 2 * 12,
        10_000,
    ]
    throttle.count(sqlite_state, "ada", HOME)


@pytest.mark.soak
@pytest.mark.alone
def test_a_refusal_takes_as_long_for_a_name_that_nobody_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 400 refusals each, in turns, the times for a user's name and for nobody's are of one distribution as
    far as a rank test tells."""
    monkeypatch.setattr(throttle, "FREE", 10_000)
    taken: dict[str, list[float]] = {"ada": [], "eda": []}
    with running(tmp_path) as served:
        for turn in range(400):
            for name in sorted(taken, reverse=turn % 2 == 0):
                wrong = {"username": name, "password": f"guess {turn}"}
                began = time.perf_counter()
                answer = served.ask("POST", "/auth/login/json", json=wrong, as_=None)
                taken[name].append(time.perf_counter() - began)
                assert answer.status_code == 401
    p = mannwhitneyu(taken["ada"], taken["eda"]).pvalue
    medians = {name: f"{statistics.median(times) * 1000:.2f} ms" for name, times in taken.items()}
    print(f"medians {medians}, p = {p:.3f}")
    assert p > 0.001, medians
