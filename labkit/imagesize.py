"""What kind of image some bytes are, and how large: read from their head, without decoding a pixel.

PNG, GIF, WebP and JPEG, which are what providers take. It does not know where the bytes come from.
"""

from __future__ import annotations

import struct

_LARGEST_SIDE = 65_535
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the JPEG segments that tell the size."""
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length after them."""


def measure(data: bytes) -> tuple[str, int, int] | None:
    """Media type, width and height in pixels; None for what is no image of these kinds.

    >>> measure(b"GIF89a\\x02\\x00\\x03\\x00")
    ('image/gif', 2, 3)
    """
    try:
        media_type, width, height = _measured(data)
    except (struct.error, IndexError):
        return None
    fits = 0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE
    return (media_type, width, height) if media_type and fits else None


def _measured(data: bytes) -> tuple[str, int, int]:
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return "image/png", *struct.unpack(">II", data[16:24])
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif", *struct.unpack("<HH", data[6:10])
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp", *_webp(data)
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", *_jpeg(data)
    return "", 0, 0


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return 0, 0


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 if marker in _JPEG_BARE else 1 if marker == 0xFF else 2 + _length(data, at + 2)
    return 0, 0


def _length(data: bytes, at: int) -> int:
    (length,) = struct.unpack(">H", data[at : at + 2])
    return max(2, int(length))
