"""Two workers share budgets and idempotency keys: what is asked at once at both costs what one may cost."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from labkit.server.accounts import accounts
from labkit.server.executions import budgets
from labkit.server.state import State
from tests.faults.channel import Channel
from tests.server.processes.serve_process import ServeProcess
from tests.server.processes.streamed import MODELS

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")]

USD_MTOK = {"input": 300.0, "output": 1500.0}
MOST_TOKENS = 40
PRICES = f"""prices = {{input = {USD_MTOK["input"]}, output = {USD_MTOK["output"]}}}
max_output = {MOST_TOKENS}
params = {{max_tokens = {MOST_TOKENS}}}"""
INPUT_TO = 8
"""Less than the bound of any request here."""
MOST_REQUESTS, AT_ONCE, SAME = 200, 64, 50
WORKSPACES = {"ada": "default", "root": "default", "otto": "other"}
LIMITS_USD = {("user", "ada"): 1.0, ("workspace", "default"): 1.8, ("user", "otto"): 1.2}
"""Of so many requests. One answer costs up to some seven cents, and all of them are worth more."""


@pytest.mark.parametrize("requests", [60, pytest.param(MOST_REQUESTS, marks=pytest.mark.soak)])
def test_no_budget_is_overshot(serve: Callable[..., ServeProcess], channel: Channel, requests: int) -> None:
    """Requests of three users, 64 at once at two workers: by the provider's own account no budget is
    overshot, some are refused by 402, and what the history says they cost is what the provider charged."""
    service = serve(workers=2, models=PRICES)
    channel.script(then={"usage_to": [INPUT_TO, MOST_TOKENS], "first_s": [0, 0.3]})
    limits_usd = {subject: usd * requests / MOST_REQUESTS for subject, usd in LIMITS_USD.items()}
    state = State(service.state)
    with state.writing() as session:
        for (kind, name), limit_usd in limits_usd.items():
            subject = accounts.user(session, name).id if kind == "user" else name
            budgets.set_limit(session, kind, subject, "day", Decimal(limit_usd))  # type: ignore[arg-type] # a literal
    state.close()
    service.start()
    for name in WORKSPACES:
        service.bearer(name)
    chance = Random(1)

    def ask(number: int) -> int:
        name = chance.choice(list(WORKSPACES))
        models = chance.choice([MODELS, MODELS[:1], MODELS[1:]])
        body = {"prompt": f"{name} {number}", "model_ids": models, "workspace_id": WORKSPACES[name]}
        answer = service.ask("POST", "/execute", as_=name, json=body)
        assert answer.status_code in (200, 402), answer.text
        if answer.status_code == 200:
            assert [one["status"] for one in answer.json()] == ["completed"] * len(models), answer.text
        return answer.status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = Counter(pool.map(ask, range(requests)))
    charged_usd = charged(channel.seen())
    assert told[402]
    assert told[200]
    for (kind, subject), limit_usd in limits_usd.items():
        assert 0 < charged_usd[kind, subject] <= limit_usd
    spent = [one for name in ("root", "otto") for one in service.executions(name)]
    assert sum(one["cost"] for one in spent) == pytest.approx(
        sum(charged_usd["user", name] for name in WORKSPACES)
    )


def charged(seen: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """What the provider's own account comes to for each user and workspace, in USD."""
    account: Counter[tuple[str, str]] = Counter()
    for one in seen:
        name = one["body"]["messages"][-1]["content"].split()[0]
        given, made = one["usage"]
        usd = (given * USD_MTOK["input"] + made * USD_MTOK["output"]) / 1e6
        account["user", name] += usd
        account["workspace", WORKSPACES[name]] += usd
    return account


def test_one_key_is_one_run(serve: Callable[..., ServeProcess], channel: Channel) -> None:
    """50 equal requests at once under one key, at two workers: one run, and 50 equal answers."""
    service = serve(workers=2)
    channel.script(then={"first_s": [0.3, 0.6]})
    service.start()
    headers = {"Idempotency-Key": "the same"}
    body = {"prompt": "once", "model_ids": MODELS}
    service.bearer()

    def ask(_: int) -> tuple[str, str | None]:
        answer = service.ask("POST", "/execute", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text, answer.headers.get("Idempotency-Replayed")

    with ThreadPoolExecutor(SAME) as pool:
        answers = list(pool.map(ask, range(SAME)))
    assert len({text for text, _ in answers}) == 1
    assert Counter(replayed for _, replayed in answers) == {None: 1, "true": SAME - 1}
    assert len(channel.seen()) == len(MODELS)
    assert len(service.executions()) == len(MODELS)
