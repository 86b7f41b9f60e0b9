"""labkit.providers.aws_frames: Bedrock's frames, however they are cut on their way."""

from __future__ import annotations

import base64
import itertools
import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.providers.aws_frames import FrameBroken, FrameParser
from labkit.providers.sse import EventTooLarge


def frame(payload: bytes, **headers: Any) -> bytes:
    """One frame, as AWS documents them: text headers, or of another type where `(type, bytes)` is given."""
    told = b""
    for name, value in {":message-type": "event", ":event-type": "chunk", **headers}.items():
        kind, data = value if isinstance(value, tuple) else (7, len(value).to_bytes(2) + value.encode())
        told += bytes([len(name)]) + name.encode() + bytes([kind]) + data
    prelude = struct.pack(">II", len(told) + len(payload) + 16, len(told))
    head = prelude + zlib.crc32(prelude).to_bytes(4) + told + payload
    return head + zlib.crc32(head).to_bytes(4)


def event(data: Any) -> bytes:
    """An event of the dialect in a frame."""
    inner = base64.b64encode(json.dumps(data).encode()).decode()
    return frame(json.dumps({"bytes": inner, "p": "abcdef"}).encode())


def fed(parser: FrameParser, data: bytes, cuts: list[int]) -> list[Any]:
    """The events of `data`, given to the parser in pieces."""
    ends = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[begin:end] for begin, end in itertools.pairwise(ends)]
    return [json.loads(one) for piece in pieces for one in parser.feed(piece)]


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=40), max_size=3), max_size=5),
    st.lists(st.integers(0, 10**6), max_size=8),
)
def test_events_are_the_same_however_they_are_cut(events: list[Any], cuts: list[int]) -> None:
    """Frames cut anywhere give the events that went into them, in order."""
    parser = FrameParser()
    assert fed(parser, b"".join(map(event, events)), cuts) == events
    assert parser.rest() == []


def test_headers_of_every_type_are_passed_over() -> None:
    """A header of any type AWS knows stands between those that are read."""
    others = {
        "a": (0, b""), "b": (1, b""), "c": (2, b"1"), "d": (3, b"12"), "e": (4, b"1234"),
        "f": (5, b"12345678"), "g": (6, b"\x00\x02hi"), "h": (8, b"12345678"), "i": (9, b"0123456789abcdef"),
    }  # fmt: skip
    kept = {**others, ":message-type": "exception", ":exception-type": "throttlingException"}
    (data,) = FrameParser().feed(frame(b'{"message": "slow down"}', **kept))
    assert json.loads(data) == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "slow down"},
    }


@pytest.mark.parametrize(
    ("payload", "headers", "told"),
    [
        (b'{"message": "x"}', {":exception-type": "validationException"}, ("invalid_request_error", "x")),
        (b"no JSON", {":exception-type": "fooException"}, ("fooException", "no JSON")),
        (b"", {":message-type": "error", ":error-code": "E1", ":error-message": "m"}, ("E1", "m")),
    ],
)
def test_an_exception_is_an_error_event(payload: bytes, headers: Any, told: tuple[str, str]) -> None:
    """What breaks off a stream is an `error` event of the dialect, under a code that it knows."""
    (data,) = FrameParser().feed(frame(payload, **{":message-type": "exception", **headers}))
    assert json.loads(data)["error"] == {"type": told[0], "message": told[1]}


def test_a_frame_without_an_event_is_passed_over() -> None:
    """A frame that holds nothing for the dialect, such as the first, gives no event."""
    assert FrameParser().feed(frame(b"{}", **{":event-type": "initial-response"}) + frame(b"")) == []


@pytest.mark.parametrize("at", [0, 5, 9, 20, -5, -1])
def test_a_damaged_frame_is_refused(at: int) -> None:
    """One bit changed anywhere, and the frame is refused rather than read."""
    data = bytearray(event({"a": 1}))
    data[at] ^= 1
    with pytest.raises(FrameBroken):
        FrameParser().feed(bytes(data))


@pytest.mark.parametrize("payload", [b"{", b'{"bytes": "!!"}', b'{"bytes": 5}'])
def test_a_payload_that_is_none_is_refused(payload: bytes) -> None:
    """A payload that is no JSON, or holds no base64, is no event."""
    with pytest.raises(FrameBroken):
        FrameParser().feed(frame(payload))


def test_a_frame_beyond_any_answer_is_refused_before_it_is_held() -> None:
    """A length that no answer has is refused when it is read, not when it has come."""
    prelude = struct.pack(">II", 2**31, 0)
    with pytest.raises(EventTooLarge):
        FrameParser().feed(prelude + zlib.crc32(prelude).to_bytes(4))
