"""labkit.keys.echo: a key that a server sends back is not heard, in any spelling, however it is split."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.keys import Key
from labkit.keys.echo import Echo, Unechoed

SECRET = "sk-proj-CANARY0123456789abcdefghijKLMN"
KEY = Key(SECRET, source="a test")
SPELLED = {
    "plain": SECRET,
    "the first half": SECRET[:24],
    "the last half": SECRET[-20:],
    "JSON": "".join(f"\\u{ord(one):04x}" for one in SECRET),
    "JSON's first letter": "\\u0073" + SECRET[1:],
    "JSON in JSON": "\\\\u0073\\\\u006b" + SECRET[2:],
    "address": "".join(f"%{ord(one):02X}" for one in SECRET),
    "quoted": quote(SECRET),
    "HTML": "".join(f"&#{ord(one)};" for one in SECRET),
    "HTML's x": "".join(f"&#x{ord(one):x};" for one in SECRET),
    "base64": base64.b64encode(b"Bearer " + SECRET.encode()).decode(),
    "hex": SECRET.encode().hex(),
    "without a width": "\u200b".join(SECRET),
    "without a width in JSON": "\\u200b".join(SECRET),
}


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def opened(self, headers: Mapping[str, str]) -> None: ...

    def event(self) -> None: ...

    def text(self, delta: str) -> None:
        self.pieces.append(delta)


def heard(pieces: list[str]) -> str:
    """What a listener behind the echo hears of these pieces."""
    listener = Heard()
    through = Unechoed(listener, Echo([KEY]))
    for piece in pieces:
        through.text(piece)
    through.rest()
    return "".join(listener.pieces)


@pytest.mark.parametrize("how", SPELLED)
def test_a_key_is_taken_out_in_any_spelling(how: str) -> None:
    """Plain, halved, escaped, encoded: nothing of it is left that would tell it."""
    for text in (f"The key is {SPELLED[how]}, yes.", SPELLED[how]):
        found = Echo([KEY]).cleaned(text) or ""
        assert "[key]" in found
        assert "CANARY" not in found
        assert "CANARY" not in json.dumps(found)
        assert heard([text]) == found


@pytest.mark.parametrize("how", [how for how in SPELLED if how != "the last half"])
@given(cuts=st.lists(st.integers(1, 6 * len(SECRET))) | st.just([*range(300)]))
def test_a_key_spelled_and_split_is_not_heard(how: str, cuts: list[int]) -> None:
    """Also where an escape itself is cut in two. What begins in mid-key is known where it comes at once."""
    whole = f"So: {SPELLED[how]} after"
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(whole)}), len(whole)]
    found = heard([whole[a:b] for a, b in itertools.pairwise(places)])
    assert found.startswith("So: ")
    assert found.endswith(" after")
    told = Echo([KEY]).cleaned(found) or ""
    assert "CANARY" not in found
    assert told == found


@given(st.text(st.sampled_from("\\\\u0073x%4&#;sk-pr\u200b é")), st.integers(1, 5))
def test_what_is_no_key_comes_through_whole(text: str, size: int) -> None:
    """Escapes and their beginnings wait for the next piece, and are lost nowhere."""
    assert heard([text[at : at + size] for at in range(0, len(text), size)]) == text


@given(st.lists(st.integers(1, len(SECRET) + 10)), st.text(max_size=5))
def test_a_key_split_over_events_is_not_heard(cuts: list[int], before: str) -> None:
    """However the answer is cut, no more than the first letters of the key come through."""
    whole = f"{before}{SECRET} after"
    places = [0, *sorted(set(cuts)), len(whole)]
    found = heard([whole[a:b] for a, b in itertools.pairwise(places)])
    assert found.startswith(before)
    assert found.endswith(" after")
    assert not any(SECRET[i : i + 8] in found for i in range(len(SECRET) - 7))


@given(st.lists(st.text(st.sampled_from("sk-proj CANARY"), max_size=6)))
def test_all_else_is_heard_as_it_is(pieces: list[str]) -> None:
    """What is no key comes through whole, also what begins like one."""
    assert heard(pieces) == "".join(pieces)


def test_what_waits_is_only_a_beginning() -> None:
    """Text that begins no key is passed on at once, event by event."""
    listener = Heard()
    through = Unechoed(listener, Echo([KEY]))
    for piece in ("Hello", " wor", "ld", " sk", "-x"):
        through.text(piece)
    assert listener.pieces == ["Hello", " wor", "ld", " sk", "-x"]


@pytest.mark.parametrize("word", ["ollama", "EMPTY", "token-abc12"])
def test_a_short_key_is_no_secret(word: str) -> None:
    """What stands for a key at a server that needs none is a word that answers hold by right."""
    assert Echo([Key(word, source="a test")]).cleaned(f"Use {word} here") == f"Use {word} here"


def test_what_only_looks_like_a_key_stays() -> None:
    """An answer about keys is the model's own."""
    text = "Put sk-proj-0000000000000000000000 there; 50%20 off, \\u0041, &#65;"
    assert Echo([KEY]).cleaned(text) == text
