"""What makes two things the same: canonical JSON, tagged hashes of content, `request_id`; and a run's id.

The forms are a documented contract: answers are found by them for as long as a lab lives. It does not know
what is hashed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from labkit.json_bytes import json_bytes

_encoder = msgspec.json.Encoder(order="sorted")


def canonical_json(value: Any) -> bytes:
    """`value` as JSON with sorted keys, no blanks, UTF-8: equal values give equal bytes.

    >>> canonical_json({"b": 1, "a": "é"}).decode()
    '{"a":"é","b":1}'
    """
    return json_bytes(value, _encoder)


def content_hash(tag: str, value: Any) -> str:
    """A tagged hash of a value's canonical JSON: `tag:` and 32 hex digits (BLAKE2b, 128 bits).

    >>> content_hash("p1", {"text": "hi"})
    'p1:...'
    """
    return f"{tag}:{hashlib.blake2b(canonical_json(value), digest_size=16).hexdigest()}"


class RequestHasher:
    """Gives `request_id`s for one model under one set of params.

    The id is `r1:` and the BLAKE2b-128 of the canonical JSON of
    `[provider, dialect, endpoint, name, params]`, a newline, and that of `messages`. All that comes
    before the messages is hashed once, so a plan of 100,000 cells pays only for the messages.

    >>> ask = RequestHasher("openai", "openai", "https://api.openai.com/v1", "gpt-4o", {"seed": 1})
    >>> turn, turned = {"role": "user", "content": "hi"}, {"content": "hi", "role": "user"}
    >>> ask.request_id([turn]) == ask.request_id([turned])
    True
    """

    def __init__(
        self, provider: str, dialect: str, endpoint: str, name: str, params: Mapping[str, Any]
    ) -> None:
        head = canonical_json([provider, dialect, endpoint, name, dict(params)])
        self._head = hashlib.blake2b(head + b"\n", digest_size=16)

    def request_id(self, messages: Any) -> str:
        """The id of the request that sends these messages."""
        state = self._head.copy()
        state.update(canonical_json(messages))
        return "r1:" + state.hexdigest()


def new_run_id() -> str:
    """A run's id: its start in UTC and six random hex digits, so that ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
