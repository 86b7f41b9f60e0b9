"""One record as one journal line: `checksum kind stamp json`, ending in a newline.

    5f2a91c0 generation 1795418400123456 {"generation_id":"g1:…",…}

The checksum is the CRC-32 of all that follows it up to the newline, in hex. The stamp is unique and rising
within a process, so it also names the line: the microsecond at which it was queued, or one more than that of
any line its process had read by then. A line is whole only with its newline and the right checksum. JSON has
no bare newline, so no text can look like the end of a line. This module does no I/O."""

from __future__ import annotations

import zlib
from datetime import date
from typing import Any, NamedTuple

import msgspec

from labkit.errors import DefinitionError, StoreError
from labkit.json_bytes import json_bytes
from labkit.records import Record
from labkit.store.line_kinds import BY_RECORD, BY_TAG, Kind

MOST_STAMP = 1 << 60
"""Finished answers are ranked above others by adding so much to their stamp (the year 38,500)."""


def _plain(value: Any) -> Any:
    # numpy and pandas have scalars of their own; what else comes here has no JSON form.
    if isinstance(value, date):
        return value.isoformat()
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 0) == 0:
        return item()
    raise TypeError(f"a {type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


class Line(NamedTuple):
    """A whole line, read back."""

    kind: Kind
    stamp: int
    row: Any
    """A struct with the kind's columns."""


class BrokenLine(ValueError):
    """The line is not what was written."""


def body(record: Record) -> bytes:
    """The record as JSON. Lone surrogates, which UTF-8 cannot hold, become U+FFFD.

    Raises `DefinitionError` if a value in it has no JSON form, `StoreError` where memory lacks.
    """
    try:
        try:
            return json_bytes(record, _encoder)
        except UnicodeEncodeError:
            return json_bytes(_without_surrogates(msgspec.structs.asdict(record)), _encoder)
    except MemoryError:
        raise StoreError(
            f"Memory ran out while this {type(record).__name__} was to be kept. What was shown as done is on"
            " disk. Free some memory, or ask fewer at once, and run it again: it asks only what is missing."
        ) from None
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise DefinitionError(
            f"This {type(record).__name__} cannot be kept: {error}. Use numbers, text, lists and dicts."
        ) from None


def frame(record: type[Record], stamp: int, json: bytes) -> bytes:
    """The whole line of a record's JSON."""
    rest = b"%s %d %s" % (BY_RECORD[record].tag.encode(), stamp, json)
    return b"%08x %s\n" % (zlib.crc32(rest), rest)


def parse(line: bytes) -> Line:
    """Read a line, given without its newline. Raises `BrokenLine`, saying why."""
    rest = line[9:]
    if line[8:9] != b" " or line[:8] != b"%08x" % zlib.crc32(rest):
        raise BrokenLine("its checksum is wrong")
    try:
        tag, stamp, json = rest.split(b" ", 2)
        number = int(stamp)
    except ValueError:
        raise BrokenLine("it is not of the form: checksum kind stamp json") from None
    if not 0 <= number < MOST_STAMP:
        raise BrokenLine("its stamp is no time")
    kind = BY_TAG.get(tag)
    if kind is None:
        raise BrokenLine(f"its kind {tag[:40]!r} is not known")
    try:
        return Line(kind, number, kind.decoder.decode(json))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenLine(f"its JSON is not that of a {kind.tag}: {error}") from None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
