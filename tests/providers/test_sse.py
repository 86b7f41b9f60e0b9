"""Server-sent events: whatever way the bytes are cut, the same events come out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.providers.sse import EventParser, EventTooLarge, form


def parse(data: bytes, cuts: list[int] | None = None) -> list[bytes]:
    """All events of `data`, fed in pieces cut at `cuts`."""
    parser = EventParser()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or [])})
    events = []
    for start, end in pairwise(edges):
        events += parser.feed(data[start:end])
    return events + parser.rest()


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\r\n\r\ndata: b\r\r", [b"a", b"b"]),
        (b"event: x\ndata: a\nid: 3\n\n", [b"a"]),
        (b": comment\n\ndata: a\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"\n\n\n\ndata: a\n\n", [b"a"]),
        (b"retry: 3\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"dataset: a\n\n", []),
        ("data: é\u2028x\n\n".encode(), ["é\u2028x".encode()]),
        (b"", []),
    ],
)
def test_events_by_the_rules(data: bytes, events: list[bytes]) -> None:
    """Line endings, comments, joined lines and a byte order mark are read as the standard says."""
    assert parse(data) == events


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n', [b'{"a":1}', b'{"b":2}', b"[DONE]"]),
        (b'data: {\ndata: "a":1\ndata: }\n\n', [b'{\n"a":1\n}']),
        (b'data: data: {"a":1}\n\ndata: data: [DONE]\n\n', [b'{"a":1}', b"[DONE]"]),
        (b'Event: x\nDATA: {"type":"y"}\n\n', [b'{"type":"y"}']),
        (
            b'event: x\ndata: {"a":{"type":"y"}}\n\nevent: z\ndata: {}\n\n',
            [b'{"type":"x","a":{"type":"y"}}', b'{"type":"z"}'],
        ),
        (b'event: x\ndata: {"type":"y"}\n\n', [b'{"type":"y"}']),
        (b'event: x\ndata: {"a":1,"type":"y"}\n\n', [b'{"a":1,"type":"y"}']),
        (b'event: x\ndata: {"a":1\n\n', [b'{"a":1']),
        (b"event: x\ndata: [DONE]\n\n", [b"[DONE]"]),
        (b'event: error\ndata: it is "late"\n\n', [b'{"error":"it is \\"late\\""}']),
        (b'{"a":1}\n\n', [b'{"a":1}']),
    ],
)
def test_events_beyond_the_rules(data: bytes, events: list[bytes]) -> None:
    """Blank lines left out, `data:` twice, names in capitals; an event's name is its type where its data has
    none, and words under the name of an error are one."""
    assert parse(data) == parse(data, list(range(len(data)))) == events


@pytest.mark.parametrize(
    ("begin", "found"),
    [
        (b"foo: bar\n\ndata: {}", "events"),
        (b"foo: bar\n\n", None),
        (b"Event: x", "events"),
        (b"fo", None),
        (b"Error: " + b"x" * 3000, "events"),
        (b"Note: " + b"x" * 3000, "other"),
        (b"no such page", "other"),
        (b"<html>", "other"),
        (b'\n[{"a"', "json"),
    ],
)
def test_what_a_body_is(begin: bytes, found: str | None) -> None:
    """By how it begins; after a field that nobody knows, by whether data comes."""
    assert form(begin) == found


lines = st.sampled_from(
    [b"data: {}", b"data:x", b"data", b": c", b"event: e", b"", b"data: \xc3\xa9", b"id: 1"]
)
endings = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(lines, endings), max_size=30), st.lists(st.integers(0, 400), max_size=20))
def test_cuts_change_nothing(parts: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    """However a stream is cut on its way, the same events come out of it."""
    data = b"".join(line + ending for line, ending in parts) + b"\n\n"
    assert parse(data, cuts) == parse(data)
    assert parse(data, list(range(len(data)))) == parse(data)


def test_an_endless_event_is_refused() -> None:
    """A server that never ends an event cannot fill the memory."""
    parser = EventParser(limit_bytes=1000)
    for _ in range(9):
        parser.feed(b"data: " + b"x" * 100)
    with pytest.raises(EventTooLarge, match="1,000 bytes"):
        parser.feed(b"x" * 100)
