"""Messages as labkit keeps and hashes them, whoever is asked.

A message's content is a text, or a list of parts where a text is not enough:

    {"type": "text", "text": "…"}, with "cache": True where a beginning ends that is worth caching
    {"type": "image", "image": "i1:…", "media_type": "image/png", "width": 640, "height": 480, "bytes": 81234}
    {"type": "image", "url": "https://…"}

An image stands there by the hash of its content (see `labkit.images`), so a stored request stays small.
Provider modules turn these parts into their dialect's own; parts of other types go through as they are.
It does not know prompts, files or dialects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labkit.records import Message

Part = dict[str, Any]


def unmarked(messages: Sequence[Message]) -> Sequence[Message]:
    """The same messages without cache marks, neighbouring texts joined: what decides the answer.

    A mark changes what an answer costs and not what it says, so `request_id` is taken of this form, and
    a dialect that caches by itself is sent it.

    >>> marked = [{"type": "text", "text": "Long. ", "cache": True}, {"type": "text", "text": "Short?"}]
    >>> unmarked([{"role": "user", "content": marked}])
    [{'role': 'user', 'content': 'Long. Short?'}]
    """
    if all(type(message.get("content")) is str for message in messages):
        return messages
    return [
        {**message, "content": _joined(message["content"])}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def text_of(content: Any) -> str:
    """The text of a message's content, without its images.

    >>> text_of([{"type": "text", "text": "What is "}, {"type": "image", "url": "https://…"}])
    'What is '
    """
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if _is_text(part))


def shown(content: Any) -> str:
    """A message's content for a person to read: its text, with a note where an image stands.

    >>> shown([{"type": "text", "text": "See "}, {"type": "image", "url": "https://host/a.png"}])
    'See [image https://host/a.png]'
    """
    if isinstance(content, str):
        return content
    return "".join(part["text"] if _is_text(part) else _noted(part) for part in content or ())


def _noted(part: Any) -> str:
    if not isinstance(part, dict) or part.get("type") != "image":
        return f"[{part.get('type') if isinstance(part, dict) else type(part).__name__}]"
    if "url" in part:
        return f"[image {part['url']}]"
    return f"[image {part['media_type']}, {part['width']} × {part['height']}]"


def images_in(messages: Iterable[Message]) -> Iterator[Part]:
    """Every image in the messages, in order."""
    for message in messages:
        content = message.get("content")
        if type(content) is list:
            yield from (part for part in content if isinstance(part, dict) and part.get("type") == "image")


def _joined(parts: Sequence[Any]) -> Any:
    kept: list[Any] = []
    for part in parts:
        if _is_text(part) and not set(part) - {"type", "text", "cache"}:
            plain = {"type": "text", "text": part["text"]}
            if kept and _is_text(kept[-1]) and set(kept[-1]) == {"type", "text"}:
                plain["text"] = kept.pop()["text"] + plain["text"]
            kept.append(plain)
        else:
            kept.append(part)
    if len(kept) == 1 and set(kept[0]) == {"type", "text"}:
        return kept[0]["text"]
    return kept


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
