"""A value as JSON in bytes, with an error in place of a dead process where memory lacks.

msgspec's `encode` ends the process when it gets no memory (0.22); its `encode_into` raises. What is large, as
lines of journals, identities and payloads of answers, is written by this. It knows no record and no file.
"""

from __future__ import annotations

from typing import Any

import msgspec

_PLAIN = msgspec.json.Encoder()


def json_bytes(value: Any, encoder: msgspec.json.Encoder = _PLAIN) -> bytes:
    """`value` as JSON, in the form of `encoder`. Raises `MemoryError`, and what the encoder raises.

    >>> json_bytes({"a": "é"}).decode()
    '{"a":"é"}'
    """
    found = bytearray()
    encoder.encode_into(value, found)
    return bytes(found)
