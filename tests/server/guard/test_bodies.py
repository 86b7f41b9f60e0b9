"""labkit.server.guard.bodies: which bodies reach a route."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import Message

from labkit.server.guard import strict_json
from labkit.server.guard.bodies import Bodies
from labkit.server.problems import Problem
from tests.server.guard.guarded_app import problem

JSON = {"Content-Type": "application/json"}
ASKED = {"prompt": "{{ é 😀 \u2028", "model_ids": ["a", "b"]}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_good_body_arrives_as_it_is(probe: TestClient, method: str) -> None:
    """What is well formed is read by the route to the last character."""
    assert probe.request(method, "/api/v1/echo", json=ASKED).json() == ASKED


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "not JSON"),
        (b" ", "not JSON"),
        (b"prompt=1", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'"text"', "bare value"),
        (b"12", "bare value"),
        (b"null", "bare value"),
        (b'{"prompt": 1, "prompt": 2}', "twice"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "'b' twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e400}', "too large"),
        (b'{"a": 9223372036854775808}', "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too large"),
        (b'{"a": "\\ud800"}', "lone surrogate"),
        (b'{"\\udfff": 1}', "lone surrogate"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a": "\x00"}', "not JSON"),
        (b'{"a": "\xff"}', "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b"[" * 10_000 + b"]" * 10_000, "64 deep"),
        (b"[" * 65 + b"]" * 65, "64 deep"),
        (b'{"a":' * 300_000, "64 deep"),
    ],
)
def test_a_body_that_can_be_read_two_ways_is_refused(probe: TestClient, body: bytes, word: str) -> None:
    """Each is 400 with one sentence that says what is wrong with it."""
    body = body[: 2**20]
    told = problem(probe.post("/api/v1/free", content=body, headers=JSON), 400)
    assert word in told


def test_what_is_nested_64_deep_passes(probe: TestClient) -> None:
    """The last depth that is taken."""
    body = b"[" * 64 + b"]" * 64
    assert probe.post("/api/v1/free", content=body, headers=JSON).status_code == 200


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBER = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(st.lists(ANYTHING) | st.dictionaries(st.text("abc"), ANYTHING))
def test_whatever_python_writes_passes(value: object) -> None:
    """No JSON of ordinary values is refused."""
    strict_json.check(json.dumps(value).encode())


@given(st.binary())
@example(b"[" * 100_000)
def test_bytes_pass_or_are_refused(body: bytes) -> None:
    """Whatever comes, it is JSON to Python too, or a problem: no other error leaves the check."""
    try:
        strict_json.check(body)
        passed = True
    except Problem:
        passed = False
    if passed:
        json.loads(body)


def test_more_than_a_mebibyte_is_refused(probe: TestClient) -> None:
    """2**20 bytes are taken; one more is 413."""
    body = b'{"a":"' + b"x" * (2**20 - 8) + b'"}'
    assert probe.post("/api/v1/free", content=body, headers=JSON).status_code == 200
    problem(probe.post("/api/v1/free", content=body + b" ", headers=JSON), 413)


def test_a_large_body_of_any_method_is_refused(probe: TestClient) -> None:
    """Also where no route would read it."""
    for method in ("GET", "DELETE", "OPTIONS", "POST"):
        problem(probe.request(method, "/api/v1/things", content=b"x" * (2**20 + 1)), 413)


def test_chunks_without_an_end_are_read_up_to_the_limit() -> None:
    """A body without length is 413 when it passes the limit; what would follow is not read."""
    read = 0

    async def receive() -> Message:
        nonlocal read
        read += 2**16
        return {"type": "http.request", "body": b" " * 2**16, "more_body": True}

    async def never(*_: object) -> None:
        raise AssertionError("the route was called")

    headers = [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    with pytest.raises(Problem) as raised:
        asyncio.run(Bodies(never)(scope, receive, never))
    assert raised.value.status == 413
    assert read == 2**20 + 2**16


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_compressed_body_is_not_unpacked(probe: TestClient, encoding: str) -> None:
    """A body that says it is compressed is 415, also a small one that would be large."""
    bomb = gzip.compress(b" " * 10_000_000)
    headers = {**JSON, "Content-Encoding": encoding}
    problem(probe.post("/api/v1/echo", content=bomb, headers=headers), 415)


@pytest.mark.parametrize(
    "form",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "",
    ],
)
def test_a_body_of_another_type_is_refused(probe: TestClient, form: str) -> None:
    """A page of another site can send these without asking first: 415."""
    problem(probe.post("/api/v1/echo", content=b"{}", headers={"Content-Type": form}), 415)


def test_forms_are_for_the_log_in_alone(probe: TestClient) -> None:
    """The log-in takes a form; a form with files is not one it takes."""
    form = {"username": "ada", "password": "not it"}
    problem(probe.post("/api/v1/auth/login", data=form), 401)
    told = problem(probe.post("/api/v1/auth/login", files={"username": b"ada"}), 415)
    assert told.endswith("Content-Type: application/json or application/x-www-form-urlencoded.")
    assert problem(probe.post("/api/v1/auth/login", data={"username": "ada"}), 422) == "password: is missing."


def test_no_body_needs_no_type(probe: TestClient) -> None:
    """A POST without a body passes; where one is needed, 422 says so."""
    assert probe.post("/api/v1/free").json() == {"said": None}
    assert "body" in problem(probe.post("/api/v1/echo"), 422)


def test_json_may_name_its_characters(probe: TestClient) -> None:
    """`application/json; charset=utf-8` is JSON, in any case of its letters."""
    for form in ("application/json; charset=utf-8", "Application/JSON"):
        answer = probe.post("/api/v1/free", content=b"[]", headers={"Content-Type": form})
        assert answer.json() == {"said": []}
