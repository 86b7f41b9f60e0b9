"""Bad input: each is one status and one sentence, and then nothing was asked and nothing written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

import labkit as lk
from labkit.catalog.model import Model
from labkit.providers.script import Script
from labkit.records import Request
from labkit.server.state.tables import Audit, Execution, IdempotencyKey, ServedRun
from tests.server.guard.guarded_app import problem
from tests.server.running import Running, running

JSON = {"Content-Type": "application/json"}
GOOD: dict[str, Any] = {"prompt": "Hi", "model_ids": ["scripted/one"]}
ASKED: list[Request] = []


def said(request: Request) -> str:
    """What the models answer; it is remembered that they were asked."""
    ASKED.append(request)
    return "Hi"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running service whose models remember what they were asked."""
    models = [
        Model(f"scripted/{name}", client=Script(said), aliases=(f"the-{name}",)) for name in ("one", "two")
    ]
    with running(tmp_path_factory.mktemp("bad"), models) as there:
        there.bearer("ada")
        there.service.lab.prompts.save(lk.Prompt("first", "Hi"))  # the lab is there
        yield there


def kept(served: Running) -> list[Any]:
    """What is written of executions: how many rows there are, in the state and in the lab."""
    with served.service.state.reading() as rows:
        tables = (Execution, ServedRun, IdempotencyKey, Audit)
        counts = [rows.scalar(select(func.count()).select_from(table)) for table in tables]
    tables_of_lab = ("runs", "generations", "requests", "prompts", "blocks")
    columns = ", ".join(f"(select count(*) from {name})" for name in tables_of_lab)
    return counts + served.service.lab.sql(f"select {columns}").iloc[0].tolist()


@pytest.fixture(scope="module")
def before(served: Running) -> list[Any]:
    """What was written before any bad input came."""
    return kept(served)


def body(**changes: Any) -> bytes:
    """A good body with some members changed; None leaves one out."""
    return json.dumps(
        {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    ).encode()


BODIES: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"prompt=Hi", 400, "not JSON"),
    "a bare value": (b'"Hi"', 400, "bare value"),
    "a list": (b"[]", 422, "has to be an object"),
    "a name twice": (b'{"prompt": "a", "prompt": "b", "model_ids": ["scripted/one"]}', 400, "'prompt' twice"),
    "NaN": (b'{"prompt": NaN, "model_ids": ["scripted/one"]}', 400, "NaN"),
    "1e400": (b'{"prompt": 1e400, "model_ids": ["scripted/one"]}', 400, "too large"),
    "half a character": (b'{"prompt": "\\ud83d", "model_ids": ["scripted/one"]}', 400, "half a character"),
    "NUL": (b'{"prompt": "a\\u0000", "model_ids": ["scripted/one"]}', 400, "NUL"),
    "10,000 deep": (b'{"prompt":' * 10_000 + b"1" + b"}" * 10_000, 400, "64 deep"),
    "more than 1 MiB": (body(prompt="x" * 2**20), 413, "1,048,576 bytes"),
    "5 MB": (body(prompt="x" * 5_000_000), 413, "1,048,576 bytes"),
    "nothing": (b"", 422, "The body: is missing"),
    "an empty object": (b"{}", 422, "prompt: is missing"),
    "no prompt": (body(prompt=None), 422, "prompt: is missing"),
    "an empty prompt": (body(prompt=""), 422, "prompt"),
    "a blank prompt": (body(prompt=" \n\t"), 422, "prompt is blank"),
    "a number as prompt": (body(prompt=5), 422, "prompt: has to be a text"),
    "no models": (body(model_ids=None), 422, "model_ids: is missing"),
    "an empty list of models": (body(model_ids=[]), 422, "model_ids"),
    "1,000 models": (body(model_ids=[f"scripted/{n}" for n in range(1000)]), 422, "at most 32"),
    "a text as models": (body(model_ids="scripted/one"), 422, "model_ids: has to be a list"),
    "a number as a model": (body(model_ids=[1]), 422, "model_ids.0: has to be a text"),
    "a model twice": (body(model_ids=["scripted/one", "scripted/one"]), 422, "scripted/one twice"),
    "a model by two names": (body(model_ids=["scripted/one", "the-one"]), 422, "scripted/one twice"),
    "unknown models": (body(model_ids=["gpt-9", "gpt-10"]), 422, "'gpt-10'"),
    "one known, one unknown": (body(model_ids=["scripted/one", "gpt-9"]), 422, "'gpt-9'"),
    "a file as a model": (body(model_ids=["local:/etc/passwd"]), 422, "/etc/passwd"),
    "an unknown block": (body(context_blocks=["ctx-1", "ctx-2"]), 422, "'ctx-2'"),
    "a number as a block": (body(context_blocks=[1]), 422, "context_blocks.0: has to be a text"),
    "an unknown workspace": (body(workspace_id="nowhere"), 404, "no workspace 'nowhere'"),
    "a workspace of others": (body(workspace_id="other"), 404, "no workspace 'other'"),
    "a number as workspace": (body(workspace_id=7), 422, "workspace_id: has to be a text"),
    "a number as stream": (body(stream=7), 422, "stream: has to be true or false"),
    "a text as replay": (body(replay="perhaps"), 422, "replay: has to be true or false"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_asks_and_writes_nothing(served: Running, before: list[Any], name: str) -> None:
    """What is wrong with the body of `POST /execute` is told in words that name it."""
    content, status, word = BODIES[name]
    ASKED.clear()
    answer = served.ask("POST", "/execute", content=content, headers=JSON if content else {})
    assert word in problem(answer, status)
    assert ASKED == []
    assert kept(served) == before


def test_all_unknown_models_are_named(served: Running) -> None:
    """Nobody has to correct a list of models one by one."""
    answer = served.ask("POST", "/execute", json={**GOOD, "model_ids": ["gpt-9", "scripted/one", "gpt-10"]})
    told = problem(answer, 422)
    assert "'gpt-9'" in told
    assert "'gpt-10'" in told
    assert len(answer.json()["errors"]) == 2


def test_a_workspace_of_others_is_as_one_that_is_not_there(served: Running) -> None:
    """The two answers differ by the name that was asked for and nothing else."""
    told = [
        problem(served.ask("POST", "/execute", json={**GOOD, "workspace_id": name}), 404).replace(name, "…")
        for name in ("other", "nowhere")
    ]
    assert told[0] == told[1]


HEADS: dict[str, tuple[dict[str, str], int]] = {
    "compressed": ({**JSON, "Content-Encoding": "gzip"}, 415),
    "no type": ({}, 415),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "another form of answer": ({**JSON, "Accept": "application/xml"}, 406),
    "an empty key": ({**JSON, "Idempotency-Key": ""}, 400),
    "a key that is too long": ({**JSON, "Idempotency-Key": "x" * 256}, 400),
    "another host": ({**JSON, "Host": "evil.test"}, 421),
    "another page": ({**JSON, "Cookie": "labkit=x", "Sec-Fetch-Site": "cross-site"}, 403),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_bad_head_asks_and_writes_nothing(served: Running, before: list[Any], name: str) -> None:
    """So is what is wrong with the headers."""
    headers, status = HEADS[name]
    ASKED.clear()
    who = None if "Cookie" in headers else "ada"
    problem(served.ask("POST", "/execute", as_=who, content=body(), headers=headers), status)
    assert ASKED == []
    assert kept(served) == before


QUERIES = {
    "limit=0": 422,
    "limit=-1": 422,
    "limit=1000000000": 422,
    "limit=abc": 422,
    "limit=": 422,
    "status=done": 422,
    "cursor=abc": 422,
    "cursor=%F0%9F%98%80": 422,
    "cursor=" + "W10" * 100: 422,
    "cursor=WzFlOTk5LCJhIiwwLCJhIl0": 422,  # [1e999,"a",0,"a"]
    "cursor=WzE4NDQ2NzQ0MDczNzA5NTUxNjE1LCJhIiwwLCJhIl0": 422,  # [18446744073709551615,"a",0,"a"]
    "cursor=WzEsIlx1MDAwMCIsMCwiYSJd": 422,  # [1,"\u0000",0,"a"]
    "workspace_id=nowhere": 404,
    "workspace_id=%00": 400,
    "workspace_id=a&workspace_id=default": 200,
    "q=%25_%5C": 200,
    "q=" + "x" * 201: 422,
    "model_id='%20or%201=1--": 200,
    "&".join(f"p{n}={n}" for n in range(200)): 200,
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_bad_query_is_told(served: Running, query: str) -> None:
    """What is wrong with the query of the history is told; what nobody knows is passed over."""
    answer = served.ask("GET", f"/executions?{query}")
    if QUERIES[query] == 200:
        assert answer.json() == []
    else:
        problem(answer, QUERIES[query])


PATHS = {
    "/executions/a%2F..%2F..%2Fb": 404,
    "/executions/%00": 400,
    "/executions/" + "x" * 10_000: 414,
    "/executions/" + "x" * 5_000: 404,
    "/models/..%2F..%2Fetc%2Fpasswd": 404,
    "/models/local:%2Fetc%2Fpasswd": 404,
    "/models/%FF%FE": 404,
    "/models/" + "x" * 10_000: 414,
    "/runs/%27%20or%201=1/events": 404,
    "/runs/" + "%F0%9F%98%80" * 50 + "/events": 404,
    "/EXECUTIONS": 404,
    "/execute/": 404,
    "/execute": 405,
}


@pytest.mark.parametrize("path", PATHS)
def test_a_bad_path_is_told(served: Running, path: str) -> None:
    """An id that is a path, too long or no text is not found; so is what only looks like an address."""
    problem(served.ask("GET", path), PATHS[path])


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"])
def test_a_wrong_method_does_nothing(served: Running, before: list[Any], method: str) -> None:
    """Asking takes POST and nothing else, whatever headers say of another method."""
    answer = served.ask(method, "/execute", headers={"X-HTTP-Method-Override": "POST"})
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"
    assert kept(served) == before
