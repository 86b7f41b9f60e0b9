"""The public fake: answers, delays, pieces and faults as the script says."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from labkit.catalog.model import Model
from labkit.errors import ConnectionLost, DefinitionError, InvalidRequest, RateLimited
from labkit.providers import scripted
from labkit.providers.script import Cut, Reply, Script, Stall
from labkit.records import Usage


@pytest.fixture
def ask(request_to: Callable[..., Any], listener: Any) -> Callable[..., Any]:
    """Ask a script something and give the answer; what was said is in the listener."""

    def run(script: Script, text: str = "Hi?", **more: Any) -> Any:
        provider = scripted.connect(Model("scripted/m", client=script), None)
        listener.heard.clear()
        request = request_to("scripted", messages=({"role": "user", "content": text},), **more)
        return asyncio.run(asyncio.wait_for(provider.ask(request, listener), 5))

    return run


def test_answers_from_a_function(ask: Any, listener: Any) -> None:
    """A function of the request answers, and its words are counted."""
    answer = ask(Script(lambda request: request.messages[-1]["content"].upper()), "one two")
    assert listener.said == "ONE TWO"
    assert answer.usage == Usage(input_tokens=2, output_tokens=2)
    assert answer.stop_reason == "stop"


def test_answers_from_a_list_begin_again(ask: Any, listener: Any) -> None:
    """A list is handed out in the order of asking, and from the beginning at its end."""
    script = Script(["a", "b"])
    heard = []
    for _ in range(5):
        ask(script)
        heard.append(listener.said)
    assert heard == ["a", "b", "a", "b", "a"]
    assert len(script.asked) == 5


def test_answers_from_a_mapping(ask: Any, listener: Any) -> None:
    """A mapping answers the last user message; what it does not know is a refused request."""
    script = Script({"Hi?": "Hello", "Bye?": "No"})
    ask(script, "Bye?")
    assert listener.said == "No"
    with pytest.raises(InvalidRequest, match="no answer to 'What\\?'"):
        ask(script, "What?")


def test_a_reply_says_everything(ask: Any) -> None:
    """A reply brings its own stop reason and counts."""
    usage = Usage(input_tokens=1, output_tokens=9, reasoning_tokens=4)
    answer = ask(Script([Reply("x", stop_reason="max_tokens", usage=usage)]))
    assert (answer.stop_reason, answer.usage) == ("max_tokens", usage)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_pieces_of_a_length(chunk: int, ask: Any, listener: Any) -> None:
    """Pieces have the length that was set, and together they are the answer."""
    ask(Script(["one two  three\n"], chunk=chunk))
    assert listener.said == "one two  three\n"
    assert {len(piece) for piece in listener.heard[:-1]} <= {chunk}


def test_pieces_are_words_by_default(ask: Any, listener: Any) -> None:
    """Without a length a piece is a word, blanks and all."""
    ask(Script(["one two  three"]))
    assert listener.heard == ["one", " two", " ", " three"]
    ask(Script([""]))
    assert listener.heard == []


def test_delays(ask: Any, listener: Any) -> None:
    """The first piece comes after `first_token_s`, the last `delay_s` later."""
    begun = time.perf_counter()
    ask(Script(["a b c"], first_token_s=0.05, delay_s=0.1))
    assert time.perf_counter() - begun >= 0.15


def test_faults_come_in_turn(ask: Any, listener: Any) -> None:
    """Each fault happens to one request, in order; None, and the end of the list, to none."""
    refused = RateLimited("slow", retry_after_s=2)
    script = Script(
        ["a b c d"], faults=[refused, None, Cut(after=2), Cut(after=0, error=InvalidRequest("no"))]
    )
    with pytest.raises(RateLimited) as caught:
        ask(script)
    assert caught.value is not refused
    assert caught.value.retry_after_s == 2
    ask(script)
    assert listener.said == "a b c d"
    with pytest.raises(ConnectionLost):
        ask(script)
    assert listener.said == "a b"
    with pytest.raises(InvalidRequest):
        ask(script)
    assert listener.said == ""
    ask(script)
    assert listener.said == "a b c d"


def test_faults_from_a_function(ask: Any) -> None:
    """A function of the request decides what goes wrong with it."""
    script = Script(["x"], faults=lambda request: InvalidRequest("no") if request.params.get("bad") else None)
    ask(script)
    with pytest.raises(InvalidRequest):
        ask(script, params={"bad": True})


def test_a_stall_never_ends(request_to: Callable[..., Any], listener: Any) -> None:
    """A stalled answer says so much and then nothing more."""
    provider = scripted.connect(Model("scripted/m", client=Script(["a b c"], faults=[Stall(after=1)])), None)

    async def wait() -> None:
        await asyncio.wait_for(provider.ask(request_to("scripted"), listener), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(wait())
    assert listener.said == "a"


def test_recorded_answers_in_their_order(ask: Any, listener: Any) -> None:
    """A frame of generations answers again, unfinished ones left out, with its own counts."""
    frame = pd.DataFrame(
        {
            "status": ["done", "failed", "done"],
            "text": ["first", None, "second"],
            "stop_reason": ["stop", None, "max_tokens"],
            "input_tokens": [3.0, math.nan, math.nan],
            "output_tokens": [4.0, math.nan, math.nan],
        }
    )
    script = Script.recorded(frame, version="tuesday")
    assert ask(script).usage == Usage(input_tokens=3, output_tokens=4)
    assert listener.said == "first"
    assert ask(script).stop_reason == "max_tokens"
    assert listener.said == "second"


def test_recorded_answers_by_their_messages(ask: Any, listener: Any) -> None:
    """Records that hold their messages answer equal messages, in whatever order they are asked."""
    records = [
        {"messages": [{"role": "user", "content": word}], "text": word * 2, "ttft_s": 0.1, "latency_s": 0.3}
        for word in ("a", "b")
    ]
    script = Script.recorded(records, speed=100)
    ask(script, "b")
    assert listener.said == "bb"
    ask(script, "a")
    assert listener.said == "aa"
    with pytest.raises(InvalidRequest):
        ask(script, "c")


@pytest.mark.parametrize(
    "wrong", [lambda: Script([]), lambda: Script(["a"], chunk=0), lambda: Script.recorded([])]
)
def test_what_cannot_be_is_refused(wrong: Callable[[], Script]) -> None:
    """A script without answers, or with pieces of nothing, is refused when it is made."""
    with pytest.raises(DefinitionError):
        wrong()


def test_identity_is_declared() -> None:
    """Only a script with a version can be replayed; one without has no identity."""
    assert scripted.identity(Model("scripted/m", client=Script(["a"], version="2"))) == "scripted:2"
    assert scripted.identity(Model("scripted/m", client=Script(["a"]))) is None
    with pytest.raises(DefinitionError, match="has no script"):
        scripted.connect(Model("scripted/m"), None)


def test_tokens_are_words(request_to: Callable[..., Any]) -> None:
    """The count of a request is exact: it is its words, in text and in blocks."""
    provider = scripted.connect(Model("scripted/m", client=Script(["a"])), None)
    blocks = [{"type": "text", "text": "one two"}, {"type": "text", "text": "three"}]
    request = request_to("scripted", messages=({"role": "user", "content": blocks},))
    assert asyncio.run(provider.count_tokens(request)) == 3
