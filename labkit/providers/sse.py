"""Server-sent events, read incrementally: bytes in as they arrive, the data of each event out.

It follows the WHATWG rules (any line ending, comments, several `data` lines, a byte order mark) and
knows nothing of dialects or of the socket the bytes came from. The dialects repeat the names of events inside
the data: where one does not, it is put there as the data's `type`. Beyond the rules, it takes what llama.cpp
writes where it fails (`error: {…}`), and an object between the events, for data; names of fields may be in
capitals, `data:` may stand twice, and blank lines may be left out.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress

import msgspec

LIMIT_BYTES = 16 * 1024 * 1024


_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b"error:", b":")
_FIELD = re.compile(rb"[a-z][\w-]{0,30}(:|$)")
_DATA = re.compile(rb"^data:", re.MULTILINE)
_LONGEST_BEGIN = 2000
BLANK = b" \t\r\n\xef\xbb\xbf"
"""What may stand before a body, a byte order mark included."""


def form(begin: bytes) -> str | None:
    """What a body is that begins so: `events`, `json`, or `other`; None where it is too short to tell.

    >>> form(b": hello"), form(b' {"a"'), form(b"<html>"), form(b"dat")
    ('events', 'json', 'other', None)
    """
    begin = begin.lstrip(BLANK)
    if begin[:1] in (b"{", b"["):
        return "json"
    begin = begin[:_LONGEST_BEGIN].replace(b"\r", b"\n").lower()
    if begin.startswith(_FIELDS):
        return "events"
    if not _FIELD.match(begin) and begin:
        return "other"
    # A field that nobody knows: events only if data comes.
    return "events" if _DATA.search(begin) else None if len(begin) < _LONGEST_BEGIN else "other"


class EventTooLarge(ValueError):
    """One event is larger than any answer can be."""


class EventParser:
    """Cuts a stream of bytes into events, however the bytes were cut on their way.

    >>> parser = EventParser()
    >>> parser.feed(b"data: {}\\n\\nda")
    [b'{}']
    >>> parser.feed(b"ta: [DONE]\\n\\n")
    [b'[DONE]']
    """

    __slots__ = ("_begun", "_held", "_limit", "_twice")

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._held = b""
        self._begun = False
        self._twice = False
        self._limit = limit_bytes

    def rest(self) -> list[bytes]:
        """The last event of a stream that ended without the blank line after it."""
        return self.feed(b"\n\n") if self._held.strip() else []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event that `chunk` completes, in order.

        Raises `EventTooLarge` where one event grows beyond the limit.
        """
        if self._begun and not self._held and _is_one(chunk) and not self._twice:
            return [chunk[6:-2]]
        text = self._held + chunk if self._held else chunk
        if not self._begun:
            if len(text) < 3 and b"\xef\xbb\xbf".startswith(text):
                self._held = text
                return []
            self._begun = True
            text = text.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in text:
            # A carriage return at the very end may be half of a CRLF: it waits for what follows.
            waiting = b"\r" if text.endswith(b"\r") else b""
            text = text[: len(text) - len(waiting)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            waiting = b""
        blocks = text.split(b"\n\n")
        self._held = blocks.pop() + waiting
        if len(self._held) > self._limit:
            raise EventTooLarge(f"an event of more than {self._limit:,} bytes")
        events = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(block[6:])
            else:
                events += _data_of(block)
        if events and (self._twice or events[0].startswith(b"data:")):
            self._twice = True
            events = [event.removeprefix(b"data:").lstrip() for event in events]
        return events


def _is_one(chunk: bytes) -> bool:
    """Whether it is exactly one event of one line, as most that arrive are."""
    return (
        chunk.startswith(b"data: ")
        and chunk.endswith(b"\n\n")
        and chunk.find(b"\n") == len(chunk) - 2
        and b"\r" not in chunk
    )


def _data_of(block: bytes) -> list[bytes]:
    """The joined `data` lines of one event, or what stands for them; none where it has none."""
    head, named, data = block.partition(b"\ndata: ")
    if named and data.startswith(b'{"type"') and head.startswith(b"event:") and b"\n" not in data:
        return [data]
    if block.lstrip()[:1] == b"{":
        return [block]
    lines, name = [], b""
    for line in block.split(b"\n"):
        field, colon, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field.lower():
            case b"data":
                lines.append(value)
            case b"event":
                name = value.strip()
            case b"error" if colon:
                lines.append(b'{"error":' + value + b"}")
    if len(lines) > 1 and _is_json(lines[0]):
        # Each line is an event: the blank ones between them were left out.
        return lines
    return [_named(b"\n".join(lines), name)] if lines else []


def _named(data: bytes, name: bytes) -> bytes:
    """`data` with the name of its event, where it does not tell it itself."""
    begin = data.lstrip()
    if not name or not begin:
        return data
    word = json.dumps(name.decode("utf-8", "replace")).encode()
    if begin[:1] != b"{":
        said = json.dumps(data.decode("utf-8", "replace")).encode()
        return b'{"error":' + said + b"}" if name.lower() == b"error" else data
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        if msgspec.json.decode(data, type=_Typed).type is None:
            rest = begin[1:].lstrip()
            return b'{"type":' + word + (b"" if rest[:1] == b"}" else b",") + rest
    return data


class _Typed(msgspec.Struct, gc=False):
    type: msgspec.Raw | None = None


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return line.lstrip()[:1] == b"{"
