"""labkit.images and labkit.imagesize: what is an image, what it is called, and where it stands in a text."""

from __future__ import annotations

import base64
import io
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit as lk
from labkit import images
from labkit.datasets import load
from labkit.errors import DefinitionError, InvalidRequest
from labkit.imagesize import measure
from labkit.messages import text_of, unmarked

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\x08\x02\x00\x00\x00"
GIF = b"GIF89a" + struct.pack("<HH", 2, 3) + b";"
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc4\x00\x03x\xff\xc2\x00\x11\x08"
    + struct.pack(">HH", 48, 64)
    + b"\x03"
)
LOSSY = b"RIFF\x00\x00\x00\x00WEBPVP8 " + b"\x00" * 10 + struct.pack("<HH", 5 | 0x4000, 6)
LOSSLESS = b"RIFF\x00\x00\x00\x00WEBPVP8L" + b"\x00" * 4 + b"\x2f" + struct.pack("<I", 4 | 5 << 14)
EXTENDED = b"RIFF\x00\x00\x00\x00WEBPVP8X" + b"\x00" * 8 + b"\x04\x00\x00" + b"\x05\x00\x00"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (PNG, ("image/png", 640, 480)),
        (GIF, ("image/gif", 2, 3)),
        (JPEG, ("image/jpeg", 64, 48)),
        (LOSSY, ("image/webp", 5, 6)),
        (LOSSLESS, ("image/webp", 5, 6)),
        (EXTENDED, ("image/webp", 5, 6)),
    ],
)
def test_kind_and_size_are_read_from_the_head(data: bytes, found: Any) -> None:
    """Each of the four kinds tells its type and size; cut anywhere in its head it is no image."""
    assert measure(data) == found
    for end in range(12):
        assert measure(data[:end]) is None or data.startswith(b"GIF")


@pytest.mark.parametrize(
    "data", [b"", b"<svg onload=alert(1)>", b"%PDF-1.7", b"BM" + b"\0" * 60, GIF[:6] + b"\0" * 6]
)
def test_other_things_are_no_images(data: bytes) -> None:
    """Scripts, documents, other formats and images without a size are refused."""
    assert measure(data) is None


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", PNG[:16], GIF[:6], JPEG[:6], LOSSY[:16]]))
def test_any_bytes_are_an_image_or_none(data: bytes, head: bytes) -> None:
    """No bytes make the reading fail or run on for ever."""
    found = measure(head + data)
    assert found is None or (found[1] > 0 and found[2] > 0)


def test_what_pillow_writes_is_read() -> None:
    """Files that Pillow writes have the type and size that Pillow says."""
    module = pytest.importorskip("PIL.Image")
    for kind, media_type in (("PNG", "png"), ("JPEG", "jpeg"), ("GIF", "gif"), ("WEBP", "webp")):
        file = io.BytesIO()
        module.new("RGB", (31, 17)).save(file, kind)
        assert measure(file.getvalue()) == (f"image/{media_type}", 31, 17)


def test_an_image_is_named_by_its_content(here: Path) -> None:
    """The same bytes are one image, as a file, under another name, as bytes and as text."""
    (here / "a.gif").write_bytes(GIF)
    (here / "b.png").write_bytes(GIF)
    text = f"data:image/png;base64,{base64.b64encode(GIF).decode()}"
    parts = [
        images.part(value) for value in ("a.gif", here / "b.png", GIF, bytearray(GIF), text, {"bytes": GIF})
    ]
    assert all(part == parts[0] for part in parts)
    assert parts[0]["media_type"] == "image/gif"
    assert images.part(PNG)["image"] != parts[0]["image"]
    assert base64.b64decode(images.encoded(parts[0])) == GIF


def test_a_file_that_was_edited_is_another_image(here: Path) -> None:
    """After an edit the same path gives another name: the plan asks it anew."""
    (here / "a.gif").write_bytes(GIF)
    before = images.part("a.gif")
    (here / "a.gif").write_bytes(GIF + b"more")
    os.utime("a.gif", ns=(1, 1))
    assert images.part("a.gif")["image"] != before["image"]


def test_an_image_nobody_read_is_refused() -> None:
    """A request kept elsewhere cannot be sent here before its image was read here."""
    with pytest.raises(InvalidRequest, match="make the plan again"):
        images.encoded({"type": "image", "image": "i1:unknown"})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "not nothing"),
        ("", "not nothing"),
        (5, "not int"),
        ({"bytes": None, "path": None}, "not nothing"),
        ("gone.png", "There is no image"),
        ("notes.txt", "no image in the file"),
        (".", "not a plain file"),
        ("/dev/zero", "not a plain file"),
        ("/proc/self/environ", "not a plain file"),
        ("a\0b.png", "NUL"),
        (b"text", "no image in these bytes"),
        ("data:text/html;base64,PGI+", "begins with"),
        ("data:image/png;base64,!!!", "no base64"),
        ("data:image/png;base64,aGVsbG8=", "no image in the data"),
        ("http://example.com/a.png", "https"),
        ("https://me:pw@example.com/a.png", "https"),
        ("https:///a.png", "https"),
        ("file:///etc/passwd", "https"),
        ("https://example.com/a b.png", "https"),
        ("https://[::1/a.png", "https"),
    ],
)
def test_what_is_no_image_is_refused(value: Any, why: str, here: Path) -> None:
    """S13: anything but an image file, a data: text of one or an https address is refused with its reason."""
    (here / "notes.txt").write_text("not an image")
    with pytest.raises(DefinitionError, match=why):
        images.part(value)


def test_large_images_are_refused(here: Path) -> None:
    """More than 20 MB is refused, as a file, as bytes and as text."""
    data = GIF + b"\0" * images.LARGEST_BYTES
    (here / "a.gif").write_bytes(data)
    for value in ("a.gif", data, f"data:image/gif;base64,{base64.b64encode(data).decode()}"):
        with pytest.raises(DefinitionError, match="20 MB"):
            images.part(value)


def test_images_stand_where_the_prompt_says(here: Path) -> None:
    """The message is the text in parts, with each image in its place, after the blocks."""
    (here / "a.gif").write_bytes(GIF)
    prompt = lk.Prompt("p", "Is {{ x | image }} like {{ y | image }}?", blocks=[lk.Block("b", "text")])
    (message,) = prompt.render({"x": "a.gif", "y": "https://example.com/b.png"})
    kinds = [part["type"] for part in unmarked([message])[0]["content"]]
    assert kinds == ["text", "image", "text", "image", "text"]
    assert text_of(message["content"]) == '<block name="b">\ntext\n</block>\n\nIs  like ?'
    assert prompt.variables == ("x", "y")


@pytest.mark.parametrize(
    "text",
    ["{{ x | image | truncate(20) }}", "{{ 'see ' ~ (x | image) }}", "{% set y = x | image %}{{ y[:20] }}"],
)
def test_an_image_is_no_text(text: str) -> None:
    """A filter that would change an image as if it were text is refused, so no half of one is sent."""
    with pytest.raises(DefinitionError, match="last filter"):
        lk.Prompt("p", text)


def test_an_image_changed_all_the_same_is_refused() -> None:
    """Where a template cuts an image in a way that cannot be seen beforehand, nothing of it is sent."""
    text = "{% filter truncate(60) %}{{ x | image }}{% endfilter %}"
    with pytest.raises(DefinitionError, match="last filter"):
        lk.Prompt("p", text).render({"x": "https://example.com/a.png"})


def test_an_image_in_the_system_part_is_refused(here: Path) -> None:
    """Providers take images in the user's turn only."""
    (here / "a.gif").write_bytes(GIF)
    with pytest.raises(DefinitionError, match="system part"):
        lk.Prompt("p", "hi", system="See {{ x | image }}").render({"x": "a.gif"})


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=80))
def test_no_text_passes_for_an_image(text: str) -> None:
    """S14: whatever a sample's text holds, it stays text beside an image."""
    (message,) = lk.Prompt("p", "{{ x | image }}{{ t }}!").render(
        {"x": "https://example.com/a.png", "t": text}
    )
    assert [part["type"] for part in message["content"]] == ["image", "text"]
    assert text_of(message["content"]) == text + "!"


def test_frames_may_hold_paths_and_bytes(here: Path) -> None:
    """A column of paths becomes their text, one of images' bytes becomes data: texts."""
    import pandas as pd

    frame = pd.DataFrame({"a": [here / "x.png", here / "y.png"], "b": [GIF, PNG]})
    samples = load(frame).samples
    assert samples[0].fields["a"] == str(here / "x.png")
    assert images.part(samples[1].fields["b"]) == images.part(PNG)
    with pytest.raises(DefinitionError, match=r"is bytes and no image.*row"):
        load([{"b": b"hello"}])
