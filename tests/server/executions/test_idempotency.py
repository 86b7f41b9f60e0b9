"""Idempotency keys: the same request twice runs once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from labkit.server.executions.idempotency import claim, forget, keep
from labkit.server.problems import Problem
from labkit.server.state import State
from labkit.server.state.tables import IdempotencyKey

Together = Callable[[str, "State | str", int], list[str]]
ROUTE = "POST /execute"
BODY = {"prompt": "Hi", "model_ids": ["a", "b"]}


def asked(
    state: State, run: str, key: str = "k", body: Any = BODY, user: str = "u1", route: str = ROUTE
) -> str:
    """The run that answers, as the service admits it."""
    with state.writing(durable=False) as rows:
        earlier = claim(rows, user, route, key, body)
        if earlier is None:
            keep(rows, user, route, key, body, run, 1_000)
    return earlier or run


def test_the_same_request_is_answered_by_the_same_run(state: State) -> None:
    """The first request's run answers all that follow, whatever the order of names in the body."""
    assert asked(state, "r1") == "r1"
    assert asked(state, "r2") == "r1"
    assert asked(state, "r3", body={"model_ids": ["a", "b"], "prompt": "Hi"}) == "r1"


@pytest.mark.parametrize(
    "body",
    [{"prompt": "Hi", "model_ids": ["b", "a"]}, {**BODY, "stream": True}, {**BODY, "prompt": "hi"}, None],
)
def test_another_body_is_refused(state: State, body: Any) -> None:
    """What was asked before under the key is not answered with something else, nor forgotten."""
    asked(state, "r1")
    with pytest.raises(Problem, match="another body") as refused:
        asked(state, "r2", body=body)
    assert refused.value.status == 422
    assert asked(state, "r3") == "r1"


def test_a_key_belongs_to_one_user_and_one_route(state: State) -> None:
    """Another user's key of the same name says nothing, nor does one of another route."""
    assert asked(state, "r1") == "r1"
    assert asked(state, "r2", user="u2", body="else") == "r2"
    assert asked(state, "r3", route="POST /workbench/execute", body="else") == "r3"
    assert asked(state, "r4", key="K", body="else") == "r4"


@pytest.mark.parametrize("key", ["", "a" * 256, "a\n", "a\x00", "ä", "\x7f", "\ud800"])
def test_what_is_no_key_is_refused(sqlite_state: State, key: str) -> None:
    """A key has 1 to 255 printable ASCII characters."""
    with pytest.raises(Problem) as refused:
        asked(sqlite_state, "r1", key=key)
    assert refused.value.status == 400
    assert asked(sqlite_state, "r1", key="~ " + "a" * 253) == "r1"


def test_a_key_survives_a_restart_and_is_forgotten_in_time(state: State) -> None:
    """Another process finds it; what is older than asked for is deleted, and nothing else."""
    asked(state, "r1")
    again = State(state.address)
    assert asked(again, "r2") == "r1"
    with again.writing() as rows:
        forget(rows, before_us=1_000)
    assert asked(again, "r2") == "r1"
    with again.writing() as rows:
        forget(rows, before_us=1_001)
    assert asked(again, "r2") == "r2"
    again.close()


def test_a_block_that_fails_keeps_no_key(state: State) -> None:
    """Where the run was not admitted (a budget, a fault), the key is free for another try."""

    def refused() -> None:
        with state.writing() as rows:
            assert claim(rows, "u1", ROUTE, "k", BODY) is None
            keep(rows, "u1", ROUTE, "k", BODY, "r1", 1_000)
            raise Problem(402, "no money")

    with pytest.raises(Problem):
        refused()
    assert asked(state, "r2") == "r2"


CLAIM = """
from concurrent.futures import ThreadPoolExecutor
state = State(address)

def ask(n):
    with state.writing() as rows:
        earlier = idempotency.claim(rows, "u1", "POST /execute", "k", {"prompt": "Hi"})
        if earlier is None:
            idempotency.keep(rows, "u1", "POST /execute", "k", {"prompt": "Hi"}, f"r{number}-{n}", 1)
        return earlier or f"r{number}-{n}"

with ThreadPoolExecutor(13) as pool:
    print("\\n".join(pool.map(ask, range(13))))
"""


def test_of_many_claims_at_once_one_is_the_first(state: State, together: Together) -> None:
    """Fifty-two equal requests in four processes at once get one and the same run."""
    said = together(CLAIM, state, 4)
    assert len(said) == 52
    assert len(set(said)) == 1
    with state.reading() as rows:
        assert rows.scalar(select(func.count()).select_from(IdempotencyKey)) == 1
