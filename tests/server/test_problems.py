"""labkit.server.problems: every error in one form, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.guard.guarded_app import client, problem


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Asks an application whose routes fail."""
    with client(tmp_path_factory.mktemp("problems")) as asking:
        yield asking


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("budget", 402, "Nothing is left"),
        ("named/a/b", 404, "Nothing is called a/b"),
        ("nowhere", 404, "openapi.json"),
        ("twice", 409, "under way"),
        ("definition", 422, "One is wrong. Two is wrong."),
        ("fast", 429, "Too fast"),
        ("fault", 500, "Its log says what"),
        ("locked", 503, "PID 7"),
        ("state", 503, "database"),
    ],
)
def test_every_error_is_a_problem(probe: TestClient, path: str, status: int, word: str) -> None:
    """Whatever a route raises is told as problem+json with one text."""
    assert word in problem(probe.get(f"/api/v1/{path}"), status)


def test_nothing_of_the_inside_is_told(probe: TestClient) -> None:
    """An exception nobody expected is answered without its words, its name or where it came from."""
    for path in ("fault", "state"):
        told = probe.get(f"/api/v1/{path}").text
        assert not [
            word
            for word in ("secret", "hunter2", "ZeroDivision", "Operational", "Traceback", ".py")
            if word in told
        ]


def test_when_to_come_again_is_told(probe: TestClient) -> None:
    """503 and 429 say it in `Retry-After`."""
    assert probe.get("/api/v1/locked").headers["retry-after"] == "5"
    assert probe.get("/api/v1/fast").headers["retry-after"] == "9"


def test_more_stands_beside_the_text(probe: TestClient) -> None:
    """What a machine needs, as the rest of a budget, is a member of its own; several faults are a list."""
    assert probe.get("/api/v1/budget").json()["left_usd"] == 0.5
    assert probe.get("/api/v1/definition").json()["errors"] == ["One is wrong.", "Two is wrong."]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, ["prompt: is missing.", "model_ids: is missing."]),
        ({"prompt": 1, "model_ids": "a"}, ["prompt: has to be a text.", "model_ids: has to be a list."]),
        (
            {"prompt": "", "model_ids": []},
            ["prompt: needs 1 or more characters.", "model_ids: needs 1 or more."],
        ),
        ({"prompt": "a", "model_ids": [1]}, ["model_ids.0: has to be a text."]),
        ({"prompt": "a", "model_ids": ["a"] * 3}, ["model_ids: may have at most 2, not 3."]),
        ([], ["The body: has to be an object."]),
    ],
)
def test_what_is_wrong_with_a_body_is_told_plainly(probe: TestClient, body: Any, told: list[str]) -> None:
    """422 names each member and what it has to be; nothing of what was sent comes back."""
    answer = probe.post("/api/v1/echo", json=body)
    assert problem(answer, 422) == " ".join(told)
    assert answer.json()["errors"] == told


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("limit=0", "limit: has to be 1 or more."),
        ("limit=-1", "limit: has to be 1 or more."),
        ("limit=1000000000", "limit: has to be 200 or less."),
        ("limit=abc", "limit: has to be a whole number."),
        ("limit=1.5", "limit: has to be a whole number."),
        ("limit=" + "9" * 5000, "limit: is too large a number."),
    ],
)
def test_what_is_wrong_with_a_query_is_told_plainly(probe: TestClient, query: str, told: str) -> None:
    """So does 422 for the query."""
    assert problem(probe.get(f"/api/v1/things?{query}"), 422) == told
