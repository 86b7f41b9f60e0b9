"""Two workspaces of one service: whatever is done in one, nobody of the other can tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

import labkit as lk
from tests.server.running import Running, running

PROMPTS = ("one", "two", "three")
MODELS = ("scripted/echo", "scripted/parrot")
STEPS = 12
# What differs from one asking to the next, whoever else asks: ids, moments, how long it took.
_OWN = re.compile(
    r'"(id|runId|startedAt|createdAt|completedAt|created_at|ends|last_used)":"[^"]*"'
    r'|"(durationMs|duration|latency|ttftMs)":[0-9.e+-]+'
)


def told(served: Running, *request: Any, **more: Any) -> tuple[int, str, str]:
    """What somebody is answered, without what differs anyway."""
    answer = served.ask(*request, **more)
    text = re.sub(r"cursor=[^&>]*", "cursor=", answer.headers.get("link", ""))
    body = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "RUN", answer.text)
    body = re.sub(r"g1:[0-9a-f]{32}|user_[0-9a-f]{16}", "ID", body)
    return answer.status_code, text, _OWN.sub(lambda found: f'"{found[1] or found[2]}"', body)


def asks(served: Running, user: str, random: Random) -> tuple[int, str, str]:
    """Something that a member of a workspace does, drawn at random."""
    prompt, model = random.choice(PROMPTS), random.choice(MODELS)
    body: dict[str, Any] = {"prompt": prompt, "model_ids": [model], "replay": random.random() < 0.5}
    if random.random() < 0.3:
        body["context_blocks"] = [random.choice(("style", "tone", "nothing"))]
    headers = {"Idempotency-Key": random.choice("abc")} if random.random() < 0.3 else {}
    chosen = random.randrange(5)
    if chosen < 3:
        return told(served, "POST", "/execute", as_=user, json=body, headers=headers)
    query = random.choice(("", "?limit=2", f"?q={prompt}", f"?model_id={model}", "?status=completed&limit=3"))
    return told(served, "GET", f"/executions{query}", as_=user)


def meddles(served: Running, random: Random) -> None:
    """What those of the other workspace do meanwhile, here and in a notebook."""
    asks(served, "otto", random)
    lab = served.service.lab.within("other", user="otto")
    if random.random() < 0.3:
        name = random.choice(("style", "tone"))
        prompt = lk.Prompt("theirs", "{{ prompt }}", blocks=[lk.Block(name, f"Theirs: {random.random()}")])
        plan = lab.plan(
            prompts=prompt, models=[random.choice(MODELS)], dataset=[{"prompt": random.choice(PROMPTS)}]
        )
        plan.run()


@pytest.fixture
def worlds(tmp_path: Path, echo: Callable[..., Any]) -> Iterator[list[Running]]:
    """Two services that are the same."""
    with ExitStack() as stack:
        made = []
        for name in ("alone", "beside"):
            (folder := tmp_path / name).mkdir()
            made.append(stack.enter_context(running(folder, [echo("echo"), echo("parrot")])))
        yield made


@pytest.mark.alone
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 10))])
def test_nothing_crosses(worlds: list[Running], seed: int) -> None:
    """All that `ada` is answered is the same whether or not others work beside her on the same prompts, keys,
    blocks and models: lists, pages, counts, replays, error words."""
    alone, beside = worlds
    for world in worlds:
        block = lk.Block("style", "Ours.")
        lab = world.service.lab.within("default", user="ada")
        prompt = lk.Prompt("ours", "{{ prompt }}", blocks=[block])
        lab.plan(prompts=prompt, models=["scripted/echo"], dataset=[{"prompt": "one"}]).run()
        world.service.index.catch_up()
    hers, theirs = (Random(seed), Random(seed)), Random(1_000 + seed)
    for step in range(STEPS):
        meddles(beside, theirs)
        answers = [asks(world, "ada", random) for world, random in zip(worlds, hers, strict=True)]
        assert answers[0] == answers[1], f"step {step}"
    for path in ("/workspaces", "/models", "/auth/me", "/executions?limit=200"):
        assert told(alone, "GET", path) == told(beside, "GET", path)


def test_what_is_theirs_is_as_if_it_were_not(worlds: list[Running]) -> None:
    """Ids of others' executions and runs get what ids of nothing get."""
    _, beside = worlds
    (run,) = beside.execute("hi", "scripted/echo", as_="otto")
    for method, path, theirs, nothing in (
        ("GET", "/executions/{}", run["id"], "g1:" + "0" * 32),
        ("GET", "/runs/{}/events", run["metadata"]["runId"], "20200101-000000-abcdef"),
        ("DELETE", "/runs/{}", run["metadata"]["runId"], "20200101-000000-abcdef"),
    ):
        answers = [told(beside, method, path.format(id_)) for id_ in (theirs, nothing)]
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
