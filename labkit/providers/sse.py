"""Server-sent events, read incrementally: bytes in as they arrive, the data of each event out.

It follows the WHATWG rules (any line ending, comments, several `data` lines, a byte order mark) and
knows nothing of dialects or of the socket the bytes came from. The names of events are left out: the dialects
repeat them inside the data. Beyond the rules, it takes what llama.cpp writes where it fails (`error: {…}`),
and an object between the events, for data.
"""

from __future__ import annotations

LIMIT_BYTES = 16 * 1024 * 1024


_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b"error:", b":")
BLANK = b" \t\r\n\xef\xbb\xbf"
"""What may stand before a body, a byte order mark included."""


def form(begin: bytes) -> str | None:
    """What a body is that begins so: `events`, `json`, or `other`; None where it is too short to tell.

    >>> form(b": hello"), form(b' {"a"'), form(b"<html>"), form(b"dat")
    ('events', 'json', 'other', None)
    """
    begin = begin.lstrip(BLANK)
    if begin.startswith(_FIELDS):
        return "events"
    if begin[:1] in (b"{", b"["):
        return "json"
    return None if any(field.startswith(begin) for field in _FIELDS) else "other"


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

    __slots__ = ("_begun", "_held", "_limit")

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._held = b""
        self._begun = False
        self._limit = limit_bytes

    def rest(self) -> list[bytes]:
        """The last event of a stream that ended without the blank line after it."""
        return self.feed(b"\n\n") if self._held.strip() else []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event that `chunk` completes, in order.

        Raises `EventTooLarge` where one event grows beyond the limit.
        """
        if self._begun and not self._held and _is_one(chunk):
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
            elif (data := _data_of(block)) is not None:
                events.append(data)
        return events


def _is_one(chunk: bytes) -> bool:
    """Whether it is exactly one event of one line, as most that arrive are."""
    return (
        chunk.startswith(b"data: ")
        and chunk.endswith(b"\n\n")
        and chunk.find(b"\n") == len(chunk) - 2
        and b"\r" not in chunk
    )


def _data_of(block: bytes) -> bytes | None:
    """The joined `data` lines of one event, or what stands for them; None where it has none."""
    if block.lstrip()[:1] == b"{":
        return block
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            lines.append(b"")
        elif line.startswith(b"error:"):
            lines.append(b'{"error":' + line[6:] + b"}")
    return b"\n".join(lines) if lines else None
