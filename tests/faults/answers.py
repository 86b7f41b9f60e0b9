"""What an answer looks like on the wire, in each dialect: whole, or as the events of a stream.

Shapes only: nothing here waits, fails or sends.
"""

from __future__ import annotations

import json
from typing import Any

WORDS = "the quick brown fox jumps over the lazy dog again and again"
FIRST = {"openai": 1, "openai-responses": 2, "anthropic": 3}
"""Where among the events the first text stands."""
_COUNTS = {"openai": ("prompt_tokens", "completion_tokens")}


def usage(dialect: str, input_tokens: int, output_tokens: int) -> dict[str, int]:
    """The counts in the dialect's words."""
    given, made = _COUNTS.get(dialect, ("input_tokens", "output_tokens"))
    return {given: input_tokens, made: output_tokens, "total_tokens": input_tokens + output_tokens}


def openai_events(how: dict[str, Any], count: int) -> list[bytes]:
    """The events of a streamed answer in the chat completions dialect."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-2026"}
    pieces = _pieces(how.get("text", WORDS), count)
    blocks = [{**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
    blocks += [{**head, "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    end = {"index": 0, "delta": {}, "finish_reason": how.get("finish", "stop")}
    blocks.append({**head, "choices": [end]})
    usage = how.get("usage", {"prompt_tokens": 7, "completion_tokens": 12, "total_tokens": 19})
    if usage is not None:
        blocks.append({**head, "choices": [], "usage": usage})
    return [f"data: {json.dumps(block)}\n\n".encode() for block in blocks] + [b"data: [DONE]\n\n"]


def anthropic_events(how: dict[str, Any], count: int) -> list[bytes]:
    """The events of a streamed answer in the messages dialect."""
    usage = how.get("usage", {"input_tokens": 7, "output_tokens": 12}) or {}
    start = {name: value for name, value in usage.items() if name != "output_tokens"}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-2026", "content": []}
    stop = {"stop_reason": how.get("finish", "end_turn"), "stop_sequence": None}
    blocks: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "usage": {**start, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    blocks += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in _pieces(how.get("text", WORDS), count)
    ]
    blocks.append({"type": "content_block_stop", "index": 0})
    out = {"output_tokens": usage["output_tokens"]} if "output_tokens" in usage else {}
    blocks.append({"type": "message_delta", "delta": stop, "usage": out})
    blocks.append({"type": "message_stop"})
    return [f"event: {block['type']}\ndata: {json.dumps(block)}\n\n".encode() for block in blocks]


def responses_events(how: dict[str, Any], count: int) -> list[bytes]:
    """The events of a streamed answer in the responses dialect."""
    begun = {"id": "resp_1", "object": "response", "model": "m-2026", "status": "in_progress", "output": []}
    blocks: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    blocks += [
        {"type": "response.output_text.delta", "output_index": 0, "delta": piece}
        for piece in _pieces(how.get("text", WORDS), count)
    ]
    ended = _response(how)
    blocks.append({"type": f"response.{ended['status']}", "response": ended})
    return [f"event: {block['type']}\ndata: {json.dumps(block)}\n\n".encode() for block in blocks]


def _response(how: dict[str, Any]) -> dict[str, Any]:
    cut = how.get("finish", "completed")
    usage = how.get("usage", {"input_tokens": 7, "output_tokens": 12, "total_tokens": 19})
    message = {"type": "message", "content": [{"type": "output_text", "text": how.get("text", WORDS)}]}
    return {
        "id": "resp_1",
        "object": "response",
        "model": "m-2026",
        "status": "completed" if cut == "completed" else "incomplete",
        "incomplete_details": None if cut == "completed" else {"reason": cut},
        "output": [message],
        "usage": usage,
    }


def whole(dialect: str, how: dict[str, Any]) -> bytes:
    """An answer in one piece."""
    text = how.get("text", WORDS)
    if dialect == "openai-responses":
        return json.dumps(_response(how)).encode()
    if dialect == "openai":
        usage = how.get("usage", {"prompt_tokens": 7, "completion_tokens": 12, "total_tokens": 19})
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": how.get("finish", "stop")}
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-2026"}
        return json.dumps({**body, "choices": [choice], "usage": usage}).encode()
    usage = how.get("usage", {"input_tokens": 7, "output_tokens": 12})
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-2026"}
    content = [{"type": "text", "text": text}]
    return json.dumps(
        {**body, "content": content, "stop_reason": how.get("finish", "end_turn"), "usage": usage}
    ).encode()


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


MAKERS = {"openai": openai_events, "openai-responses": responses_events, "anthropic": anthropic_events}
