"""An image in a sample: read, checked, named by its content; and given back when it is sent.

A prompt says where it goes: `{{ photo | image }}`. The column holds the path of a file, an `https://`
address, or the image itself as a `data:` text (bytes in a frame become that). Files and texts are looked
at when the plan is made: PNG, JPEG, GIF or WebP, of at most 20 MB. An address is handed on as it is: the
provider fetches it, labkit does not, so it is named by its text.

Where an image with a hash can be read again is remembered in this process; nothing is kept twice. It does
not know prompts or dialects.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labkit.errors import DefinitionError, InvalidRequest
from labkit.imagesize import measure
from labkit.messages import Part
from labkit.paths import plain_file, read_bytes

LARGEST_BYTES = 20_000_000
MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_DATA = re.compile(r"data:image/[a-z+.-]{1,20};base64,", re.ASCII)
_LONGEST_URL = 4096

# Digits only, so that no filter for upper and lower case takes a mark for something else. Not guessable:
# a text in a sample cannot pass for an image.
_TOKEN = str(secrets.randbelow(10**30) + 10**30)
_MARK = re.compile(f"<{_TOKEN}:([^<>]*):{_TOKEN}>")

_sources: dict[str, Path | str] = {}
"""Content hash → the file it was read from, or the text that holds it in base64."""


def mark(value: Any) -> str:
    """What stands in a rendered text for the image that a sample's `value` names; `split` finds it again.

    Raises `DefinitionError` saying what is wrong with the image.
    """
    return f"<{_TOKEN}:{base64.b64encode(json.dumps(part(value)).encode()).decode()}:{_TOKEN}>"


def split(text: str) -> str | list[Part]:
    """The text as it is, or its parts where it holds images.

    Raises `DefinitionError` where something was done to an image as if it were text.
    """
    if _TOKEN not in text:
        return text
    pieces: list[Part] = []
    for number, piece in enumerate(_MARK.split(text)):
        if _TOKEN in piece:
            raise DefinitionError("`image` is to be the last filter: {{ photo | image }}.")
        if number % 2:
            pieces.append(_read(piece))
        elif piece:
            pieces.append({"type": "text", "text": piece})
    return pieces


def _read(piece: str) -> Part:
    try:
        found: Part = json.loads(base64.b64decode(piece, validate=True))
    except ValueError:
        raise DefinitionError("`image` is to be the last filter: {{ photo | image }}.") from None
    return found


def part(value: Any) -> Part:
    """The part of a message for an image: a path, an `https://` address, a `data:` text, or a mapping with
    `bytes` or `path`, as datasets of images have them. Raises `DefinitionError`.
    """
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes | bytearray | memoryview):
        value = data_url(bytes(value))
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        kind = "nothing" if value is None or value == "" else type(value).__name__
        raise DefinitionError(f"An image is a path, an https:// address or a data: text, not {kind}.")
    text = os.fspath(value)
    if text.startswith("data:"):
        return _in_text(text)
    if "://" in text[:_LONGEST_URL]:
        return {"type": "image", "url": _address(text)}
    status = plain_file(text, what="image").stat()
    return dict(_in_file(text, str(Path.cwd()), status.st_mtime_ns, status.st_size))


def data_url(data: bytes) -> str:
    """The image as a `data:` text. Raises `DefinitionError` for bytes that are no image."""
    media_type, _, _ = _looked_at(data, "these bytes")
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def encoded(image: Part) -> str:
    """The content of an image part in base64, for the request that sends it.

    Raises `InvalidRequest` where the file is no longer what it was when the plan was made.
    """
    name = image["image"]
    source = _sources.get(name)
    if isinstance(source, str):
        return source[source.index(",") + 1 :]
    if source is None:
        raise InvalidRequest(f"the image {name} was not read in this process; make the plan again")
    try:
        data = read_bytes(source, what="image", limit_bytes=LARGEST_BYTES)
    except DefinitionError as error:
        raise InvalidRequest(str(error)) from None
    if _named(data) != name:
        raise InvalidRequest(f"the image {source.name!r} changed since the plan was made; make it again")
    return base64.b64encode(data).decode()


@lru_cache(maxsize=20_000)
def _in_file(path: str, folder: str, changed_ns: int, size: int) -> Part:
    """The part for a file; `folder`, `changed_ns` and `size` say that it is the file seen before."""
    data = read_bytes(path, what="image", limit_bytes=LARGEST_BYTES)
    found = _part(data, f"the file {path!r:.200}")
    _sources[found["image"]] = Path(folder) / Path(path).expanduser()
    return found


def _in_text(text: str) -> Part:
    if not _DATA.match(text):
        raise DefinitionError("An image as text begins with data:image/png;base64, (or jpeg, gif, webp).")
    if len(text) > LARGEST_BYTES * 4 // 3 + 100:
        raise DefinitionError(f"An image as text is larger than {LARGEST_BYTES / 1e6:.0f} MB.")
    try:
        data = base64.b64decode(text[text.index(",") + 1 :], validate=True)
    except (binascii.Error, ValueError):
        raise DefinitionError("An image as text is no base64 after the comma.") from None
    found = _part(data, "the data: text")
    _sources[found["image"]] = text
    return found


def _part(data: bytes, what: str) -> Part:
    media_type, width, height = _looked_at(data, what)
    return {
        "type": "image",
        "image": _named(data),
        "media_type": media_type,
        "width": width,
        "height": height,
        "bytes": len(data),
    }


def _looked_at(data: bytes, what: str) -> tuple[str, int, int]:
    if len(data) > LARGEST_BYTES:
        raise DefinitionError(
            f"An image of {len(data) / 1e6:,.0f} MB in {what} is larger than 20 MB; make it smaller."
        )
    found = measure(data)
    if found is None:
        raise DefinitionError(f"There is no image in {what}: PNG, JPEG, GIF and WebP are sent.")
    return found


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    wrong = not host or parts.scheme != "https" or "@" in parts.netloc or len(url) > _LONGEST_URL
    if wrong or not url.isascii() or not url.isprintable() or " " in url:
        raise DefinitionError(
            "The address of an image is https://host/…, without a user or password: the provider fetches it."
        )
    return url


def _named(data: bytes) -> str:
    return "i1:" + blake2b(data, digest_size=16).hexdigest()
