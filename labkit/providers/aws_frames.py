"""AWS event streams, as Bedrock frames an answer: bytes in as they arrive, the data of each event out.

A frame is its length, the length of its headers, a checksum of both, the headers, the payload, and a checksum
of all. An event's payload holds the dialect's own event in base64; an exception becomes an `error` event of
the dialect. It knows nothing of the socket the bytes came from, and needs no AWS package.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from typing import Any

import msgspec

from labkit.providers.sse import LIMIT_BYTES, EventTooLarge

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE = struct.Struct(">III")
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; the other two, bytes and text, say their length."""
_TEXT = 7


class FrameBroken(ValueError):
    """A frame is not what its checksums and lengths say."""


class _Chunk(msgspec.Struct):
    bytes: str | None = None
    message: str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class FrameParser:
    """Cuts a stream of bytes into events, however the bytes were cut on their way."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def rest(self) -> list[bytes]:
        """Nothing: half a frame is no event."""
        return []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event that `chunk` completes, in order.

        Raises `FrameBroken` for bytes that are no frames, `EventTooLarge` for one beyond the limit.
        """
        self._held += chunk
        events = []
        while len(self._held) >= _PRELUDE.size:
            total, headers, checksum = _PRELUDE.unpack_from(self._held)
            if zlib.crc32(self._held[:8]) != checksum or total < headers + 16:
                raise FrameBroken("the head of a frame does not fit its checksum")
            if total > LIMIT_BYTES:
                raise EventTooLarge(f"an event of more than {LIMIT_BYTES:,} bytes")
            if len(self._held) < total:
                break
            frame, self._held = self._held[:total], self._held[total:]
            if zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:]):
                raise FrameBroken("a frame does not fit its checksum")
            data = _data_of(_headers(frame[12 : 12 + headers]), frame[12 + headers : -4])
            if data is not None:
                events.append(data)
        return events


def _data_of(headers: dict[str, str], payload: bytes) -> bytes | None:
    kind = headers.get(":message-type", "event")
    if kind == "event":
        text = _chunk(payload).bytes
        try:
            return None if text is None else binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error as error:
            raise FrameBroken(f"the payload of a frame is no base64: {error}") from None
    code = headers.get(":exception-type") or headers.get(":error-code") or kind
    try:
        said: Any = _chunk(payload).message
    except FrameBroken:
        said = payload.decode("utf-8", "replace")
    told = {"type": _CODES.get(code, code), "message": said or headers.get(":error-message") or code}
    return msgspec.json.encode({"type": "error", "error": told})


_CODES = {
    "throttlingException": "rate_limit_error",
    "modelTimeoutException": "timeout_error",
    "serviceUnavailableException": "overloaded_error",
    "internalServerException": "api_error",
    "modelStreamErrorException": "api_error",
    "validationException": "invalid_request_error",
}
"""What Bedrock's exceptions are called in the dialect."""


def _chunk(payload: bytes) -> _Chunk:
    try:
        return _decode(payload or b"{}")
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise FrameBroken(f"the payload of a frame is no JSON: {error}") from None


def _headers(data: bytes) -> dict[str, str]:
    """The headers that are text, by name."""
    found = {}
    at = 0
    try:
        while at < len(data):
            end = at + 1 + data[at]
            name, kind, at = data[at + 1 : end].decode(), data[end], end + 1
            size = _SIZES.get(kind)
            if size is None:
                size, at = int.from_bytes(data[at : at + 2]), at + 2
            if kind == _TEXT:
                found[name] = data[at : at + size].decode()
            at += size
    except (IndexError, UnicodeError):
        raise FrameBroken("the headers of a frame cannot be read") from None
    return found
