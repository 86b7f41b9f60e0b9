"""What the bodies of all dialects have in common: they are made, they hold images, they ask for one answer.

It knows no dialect's words and sends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from labkit import images
from labkit.errors import InvalidRequest
from labkit.messages import Part, images_in
from labkit.records import Request


async def made(make: Callable[[Request], dict[str, Any]], request: Request) -> dict[str, Any]:
    """The body of a request; one with images is made in a thread, since they are read from files."""
    if any(True for _ in images_in(request.messages)):
        return await asyncio.to_thread(make, request)
    return make(request)


def image_url(part: Part) -> str:
    """An image as an address: its own, or `data:` with its content."""
    if "url" in part:
        return str(part["url"])
    return f"data:{part['media_type']};base64,{images.encoded(part)}"


def refuse_several(body: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` where several answers are asked for at once."""
    if body.get("n", 1) != 1:
        raise InvalidRequest("params n: one request gives one answer; use repeats instead of n")
