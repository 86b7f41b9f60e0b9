"""A server that sends the key back, wherever it can: nothing that is kept or shown holds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from labkit.keys import Key

DIALECTS = ("openai", "openai-responses", "anthropic")


def behaviours(secret: str) -> list[dict[str, Any]]:
    """The key in the text, whole, split and escaped; in the id and the model; in headers; in errors."""
    said = {"error": {"message": f"not with {secret}", "type": "invalid_request_error", "code": secret}}
    echo = {"x-request-id": secret, "request-id": secret, "x-echo": f"Bearer {secret}"}
    whole = {"id": secret, "model": secret, "choices": [{"message": {"content": secret}}]}
    escaped = "".join(f"\\u{ord(one):04x}" for one in secret)
    return [
        *({"text": f"It is {secret}, yes.", "events": events, "headers": echo} for events in (1, 3, 40)),
        {"text": f"It is {escaped}, yes.", "events": 1},
        {"status": 400, "body": said, "headers": echo},
        {"status": 401, "body": json.dumps(said).replace(secret, escaped), "headers": echo},
        {"status": 400, "body": f"<p>{secret}</p>", "headers": echo},
        {"raw": json.dumps(whole), "headers": echo},
        {"error_after": 2, "error": {"type": "error", **said}},
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_sent_back_is_not_kept(
    dialect: str, channel_for: Callable[[str], Any], put: Callable[..., Any], key: Key
) -> None:
    """In no row, no attempt and nothing a watcher was told is there as much as half of the key, plain or as
    JSON spells it."""
    secret = key.reveal()
    pieces = [secret[at : at + 12] for at in range(len(secret) - 11)]
    for how in behaviours(secret):
        channel = channel_for(dialect)
        channel.script(then=how)
        ran = put(channel.model())
        assert channel.seen()
        kept = [msgspec.json.encode(row).decode() for row in (*ran.sink.generations, *ran.sink.attempts)]
        kept += [repr(one) for one in vars(ran.sink).values()]
        for text in kept:
            plain = text.encode().decode("unicode_escape", "replace")
            assert not any(piece in text or piece in plain for piece in pieces), (how, text)
        assert ran.sink.generations, how
