"""Server-sent events as bytes, and what one that is far behind gets."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from labkit.server.streams import sse
from labkit.server.streams.stream_events import StreamEvent, said

RUN = "run-1"


def recorded(chance: random.Random, events: int) -> list[StreamEvent]:
    """A stream of three models, one of which fails and begins anew now and then."""
    made = [said("start", RUN, model) for model in "abc"]
    while len(made) < events:
        model = chance.choice("abc")
        if chance.random() < 0.01:
            made.append(said("start", RUN, model))
        else:
            made.append(said("token", RUN, model, token=f"{len(made)} ", index=0))
    made.append(said("complete", RUN, "a", output=""))
    made.append(said("end", RUN, None, runs=[]))
    return [StreamEvent(number, *one) for number, one in enumerate(made, 1)]


def all_bytes(events: list[StreamEvent], position: int) -> list[bytes]:
    sent = []
    while position < len(events):
        frames, position = sse.step(RUN, events, position)
        sent.append(frames)
    return sent


def test_a_text_makes_no_lines_of_its_own(new_client: Any, hostile: str) -> None:
    """What ends lines somewhere, or looks like a field, is escaped: each event is three lines of ASCII."""
    event = StreamEvent(1, *said("token", RUN, "a", token=hostile, index=0))
    frames, _ = sse.step(RUN, [event], 0)
    assert len(frames.decode("ascii").splitlines()) == 4
    client = new_client()
    for byte in frames:
        client.take(bytes([byte]))
    assert client.texts == {"a": hostile}


def test_who_is_behind_gets_one_token_a_model(new_client: Any) -> None:
    """A reader that lacks more than 256 events gets the tokens between two others in one event a model."""
    events = [StreamEvent(1, *said("start", RUN, "a")), StreamEvent(2, *said("start", RUN, "b"))]
    for number in range(3, 1_003):
        events.append(
            StreamEvent(number, *said("token", RUN, "ab"[number % 2], token=f"{number} ", index=number))
        )
    events.append(StreamEvent(1_003, *said("complete", RUN, "a", output="")))
    client, alone = new_client(), new_client()
    for frames in all_bytes(events, 0):
        client.take(frames)
    for event in events:
        alone.take(sse.frame(RUN, *event))
    assert client.texts == alone.texts
    assert client.kinds == ["start", "start", "token", "token", "complete"]
    assert client.last_id == f"{RUN}-1003"


def test_a_few_large_events_are_behind_too(new_client: Any) -> None:
    """More than 64 kB of tokens are brought together as well."""
    events = [StreamEvent(n, *said("token", RUN, "a", token="x" * 10_000, index=n)) for n in range(1, 9)]
    client = new_client()
    frames, position = sse.step(RUN, events, 0)
    client.take(frames)
    assert position == 8
    assert client.kinds == ["token"]


def test_a_step_is_bounded() -> None:
    """However far behind a reader is, what is made for it at once is bounded."""
    events = [StreamEvent(n, *said("token", RUN, "a", token="x" * 1_000, index=n)) for n in range(1, 5_000)]
    assert max(len(frames) for frames in all_bytes(events, 0)) < sse.MOST_BYTES + 2_000


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_between_any_two_events_loses_nothing(seed: int, new_client: Any) -> None:
    """Wherever in a merged stream the connection ends, a reader that goes on after the id it has ends with
    the texts that a reader of every single event has."""
    chance = random.Random(seed)
    events = recorded(chance, chance.choice((50, 400, 3_000)))
    whole = new_client()
    for event in events:
        whole.take(sse.frame(RUN, *event))
    client = new_client()
    while not client.over:
        client.connected()
        sent = b"".join(all_bytes(events, sse.read_id(RUN, client.last_id)))
        client.take(sent[: chance.randint(len(sent) // 3, len(sent) + len(sent) // 3)])
    assert client.texts == whole.texts


@pytest.mark.parametrize(
    "told",
    [None, "", "7", "run-1", "run-1-", "run-1--7", "run-1-x", "run-1-७", "run-2-7", "run-1-" + 40 * "9"],
)
def test_an_id_of_no_event_is_the_beginning(told: str | None) -> None:
    """What is no id of this run's events counts as having seen none."""
    assert sse.read_id(RUN, told) == 0


def test_an_id_says_how_far() -> None:
    """A run's id may hold the sign that parts it from the number."""
    assert sse.read_id(RUN, "run-1-17") == 17
    assert json.loads(said("start", RUN, "a").data)["runId"] == RUN
