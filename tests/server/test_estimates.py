"""`POST /estimate`: the range of what an execution costs, counted as a budget counts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit as lk
from labkit import tokens
from labkit.plan.token_counts import count
from tests.server.running import Running, running

PRICES = {"input": 1.0, "output": 4.0}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    """A service with a model whose cost is bounded, and two that lack a price or a longest answer."""
    script = lk.Script(lambda request: "yes", version="1")
    models = [
        lk.Model("scripted/known", client=script, prices=PRICES, max_output=100),
        lk.Model("scripted/endless", client=script, prices=PRICES),
        lk.Model("own/unpriced", dialect="openai", base_url="http://127.0.0.1:9/v1", max_output=10),
    ]
    with running(tmp_path, models) as there:
        yield there


def test_the_range_goes_from_one_token_to_the_longest_answer(served: Running) -> None:
    """The lower end is the counted input and one token, the upper the most that input can count and the
    model's longest answer: as much as the execution costs at most."""
    body = {"prompt": "Is it praise?", "model_ids": ["scripted/known"]}
    told = served.ask("POST", "/estimate", json=body).json()
    messages = [{"role": "user", "content": "Is it praise?"}]
    least, bound = count(served.service.lab.models.get("scripted/known"), messages)[0], tokens.bound(messages)
    assert told["low_usd"] == pytest.approx((least * 1.0 + 1 * 4.0) / 1e6)
    assert told["high_usd"] == pytest.approx((bound * 1.0 + 100 * 4.0) / 1e6)
    (run,) = served.execute("Is it praise?", "scripted/known")
    assert run["cost"] <= told["high_usd"]
    assert told["unknown"] == []


def test_what_is_not_known_is_named(served: Running) -> None:
    """A model without a price, or without a longest answer, is named as it was asked for, and not counted."""
    body = {"prompt": "?", "model_ids": ["own/unpriced", "scripted/known", "scripted/endless"]}
    told = served.ask("POST", "/estimate", json=body).json()
    known = served.ask("POST", "/estimate", json={"prompt": "?", "model_ids": ["scripted/known"]}).json()
    assert told["unknown"] == ["own/unpriced", "scripted/endless"]
    assert told["high_usd"] == known["high_usd"]


def test_it_is_refused_as_the_execution_would_be(served: Running) -> None:
    """Blank prompts, unknown models and blocks: 422, other workspaces: 404, viewers: 403. Nothing is kept."""
    good = {"prompt": "Hi", "model_ids": ["scripted/known"]}
    cases = [
        ({**good, "prompt": " "}, "ada", 422),
        ({**good, "model_ids": []}, "ada", 422),
        ({**good, "model_ids": ["scripted/none"]}, "ada", 422),
        ({**good, "context_blocks": ["none"]}, "ada", 422),
        ({**good, "workspace_id": "other"}, "ada", 404),
        (good, "vic", 403),
    ]
    for body, who, status in cases:
        answer = served.ask("POST", "/estimate", as_=who, json=body)
        assert (answer.status_code, type(answer.json()["detail"])) == (status, str)
    assert served.ask("GET", "/executions").json() == []
