"""labkit.keys.scrub: no piece of a key stays in a text that is kept (group S1)."""

from __future__ import annotations

import base64
import string
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.keys import Key, resembles_key, scrub

SECRET = "sk-proj-Zm9vYmFy+/canary==5f1d2c9b"
KEY = Key(SECRET, source="a test")
secrets = st.text(string.ascii_letters + string.digits + "-_.", min_size=12, max_size=60)


def _has_piece(text: str, secret: str) -> bool:
    return any(secret[i : i + 8] in text for i in range(len(secret) - 7))


def test_the_whole_key_is_hidden_once():
    """A key in a text becomes one mark, however long it is."""
    assert scrub(f"refused: {SECRET}, sorry", [KEY, None]) == "refused: [key], sorry"


def test_text_without_a_key_stays_as_it_is():
    """Ordinary text, also with words that begin like keys, is not touched."""
    text = "sk-learn and task-based ask-me-anything, hf_hub_download, 404 Not Found. pk-1"
    assert scrub(text, [KEY]) == text


def test_pieces_are_hidden():
    """S1: any 8 characters of the key in a row are hidden."""
    for i in range(len(SECRET) - 7):
        assert SECRET[i : i + 8] not in scrub(f"({SECRET[i : i + 8]})", [KEY])


@settings(deadline=None)
@given(secret=secrets, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_encoded_keys_are_hidden(secret, before, after):
    """S1: a key inside base64 (both alphabets, any offset) or URL-encoded leaves no 8 characters of it."""
    key = Key(secret, source="a test")
    whole = before + secret.encode() + after
    for encoded in (base64.b64encode(whole).decode(), base64.urlsafe_b64encode(whole).decode()):
        for chunk in scrub(encoded, [key]).split("[key]"):
            usable = chunk.replace("-", "+").replace("_", "/").rstrip("=")
            for shift in range(4):
                aligned = usable[shift:][: len(usable[shift:]) // 4 * 4]
                assert not _has_piece(base64.b64decode(aligned).decode("latin-1"), secret)
    assert not _has_piece(scrub(quote(f"key={secret}", safe=""), [key]), quote(secret, safe=""))


@settings(deadline=None)
@given(secret=secrets, texts=st.lists(st.text(max_size=30), max_size=4))
def test_no_piece_survives_wherever_it_stands(secret, texts):
    """S1: whatever stands around a key, no 8 characters of it are left."""
    kept = scrub(secret.join(texts) + secret[3:], [Key(secret, source="a test")])
    assert not _has_piece(kept, secret)


@pytest.mark.parametrize(
    "echo",
    [
        "Incorrect API key provided: sk-abcd****wxyz.",
        "sk-ant-api03-abcdefghijklmnop1234",
        "token hf_ABCDEFGHIJKLMNOPQRSTUVWX is bad",
        "gsk_abcdefgh12345678",
    ],
)
def test_foreign_keys_are_hidden_and_known(echo):
    """What looks like a key is hidden though it is none of ours: a server may echo somebody else's."""
    assert "[key]" in scrub(echo, [])
    assert resembles_key(echo)


def test_short_keys_do_not_eat_the_text():
    """A key of a few characters, as local servers have, hides itself but not half of a message."""
    assert scrub(
        "EMPTY is the key, x is not", [Key("EMPTY", source="a test"), Key("x", source="a test")]
    ) == ("[key] is the key, x is not")


def test_long_text_is_scrubbed_in_time():
    """A megabyte of answer is scrubbed without a walk for each piece."""
    assert scrub("a" * 1_000_000 + SECRET, [KEY]).endswith("[key]")
