"""Server-sent events as bytes, and what a reader that is far behind gets instead of each single one.

It does not know where events come from, nor who reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from labkit.server.streams.stream_events import StreamEvent, dumped

RETRY = b"retry: 1000\n\n"
"""The first thing sent: a browser that lost the connection comes again after a second."""
PING = b": still here\n\n"
BEHIND_EVENTS = 256
BEHIND_BYTES = 64 * 1024
"""A reader that lacks more than either gets the tokens of each model in one event."""
MOST_EVENTS = 4096
MOST_BYTES = 256 * 1024
"""So much is taken in one step, which bounds what a connection holds."""


def frame(run_id: str, number: int | None, kind: str, data: str) -> bytes:
    """One event. `number` None: it is not one of those a reader can go on after."""
    head = "" if number is None else f"id: {run_id}-{number}\n"
    return f"{head}event: {kind}\ndata: {data}\n\n".encode("ascii")


def read_id(run_id: str, last_event_id: str | None) -> int:
    """The number in what a reader says it has seen last; 0, the beginning, where that is none of this run.

    >>> read_id("r-1", "r-1-17"), read_id("r-1", "r-2-17"), read_id("r-1", "hello")
    (17, 0, 0)
    """
    run, _, number = (last_event_id or "").rpartition("-")
    good = run == run_id and number.isascii() and number.isdigit() and len(number) < 16
    return int(number) if good else 0


def step(run_id: str, events: Sequence[StreamEvent], position: int) -> tuple[bytes, int]:
    """What is sent next to a reader that has `position` of the `events`, and how many it has then.

    >>> step("r", [StreamEvent(1, "start", "{}")], 0)
    (b'id: r-1\\nevent: start\\ndata: {}\\n\\n', 1)
    """
    taken: list[StreamEvent] = []
    size = 0
    for event in events[position : position + MOST_EVENTS]:
        taken.append(event)
        size += len(event.data)
        if size > MOST_BYTES:
            break
    behind = len(taken) > BEHIND_EVENTS or size > BEHIND_BYTES
    frames = _merged(run_id, taken) if behind else (frame(run_id, *event) for event in taken)
    return b"".join(frames), position + len(taken)


def _merged(run_id: str, events: Iterable[StreamEvent]) -> Iterable[bytes]:
    """The events with neighbouring tokens in one a model.

    Between two of these a reader has one model's text up to a later moment than the other's, which no
    number says: should it lose the connection there, number 0 has it begin anew.
    """
    tokens: dict[str, tuple[dict[str, Any], list[str]]] = {}
    last = 0
    for event in events:
        if event.kind == "token":
            told = json.loads(event.data)
            tokens.setdefault(told["modelId"], (told, []))[1].append(told["data"]["token"])
            last = event.number
            continue
        yield from _tokens(run_id, tokens, last)
        tokens.clear()
        yield frame(run_id, *event)
    yield from _tokens(run_id, tokens, last)


def _tokens(run_id: str, tokens: dict[str, tuple[dict[str, Any], list[str]]], last: int) -> Iterable[bytes]:
    for place, (told, texts) in enumerate(tokens.values(), 1):
        told["data"]["token"] = "".join(texts)
        yield frame(run_id, last if place == len(tokens) else 0, "token", dumped(told))
