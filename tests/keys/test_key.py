"""labkit.keys.key: a key shows itself to nobody (groups B1 and S3)."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import traceback

import pytest

from labkit.errors import DefinitionError
from labkit.keys import Key

CANARY = "sk-canary-5f1d2c9b8a7e6f4d3c2b1a09"


@pytest.fixture
def key():
    return Key(CANARY, source="a test")


def _pieces(text: str) -> bool:
    return any(CANARY[i : i + 8] in text for i in range(len(CANARY) - 7))


def test_a_key_is_revealed_on_request(key):
    """`reveal` is the way to the text, and the only one that is needed."""
    assert key.reveal() == CANARY


def test_no_rendering_shows_any_piece_of_it(key, caplog):
    """S3: repr, str, format, HTML, pprint, logging and containers show where it came from, never a piece."""
    logging.getLogger("x").error("key %s %r", key, key)
    shown = [
        repr(key),
        str(key),
        f"{key} {key!r} {key!s} {key:>80}",
        key._repr_html_(),
        pprint.pformat({"key": [key]}),
        repr({"key": (key,)}),
        json.dumps({"key": key}, default=str),
        caplog.text,
    ]
    for text in shown:
        assert not _pieces(text)
    assert repr(key) == "<key from a test>"


def test_it_has_no_dict_and_cannot_be_changed(key):
    """S3: `vars` finds nothing, and attributes can be neither set nor removed."""
    with pytest.raises(TypeError):
        vars(key)
    for change in (lambda: setattr(key, "source", "x"), lambda: delattr(key, "_text")):
        with pytest.raises(AttributeError):
            change()
    with pytest.raises(AttributeError):
        key.other = 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(key, protocol):
    """S3: a key goes into no pickle, alone or inside something, in any protocol."""
    for thing in (key, {"a": [key]}):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing, protocol)


def test_copies_are_itself(key):
    """A copy of a key, shallow or deep, is the key: there is no second place that holds it."""
    assert copy.copy(key) is key
    assert copy.deepcopy({"a": key})["a"] is key


def test_equality_and_hash_are_by_text(key):
    """Two keys of one text are one key to a dict, wherever they came from."""
    again = Key(CANARY, source="elsewhere")
    assert key == again
    assert len({key, again}) == 1
    assert key != Key("sk-other-key", source="a test")
    assert key != CANARY


@pytest.mark.parametrize(
    "written",
    [f" {CANARY}", f"{CANARY}\n", f"'{CANARY}'", f'"{CANARY}"\r\n', f'" {CANARY} "', f"\t{CANARY}\n\n"],
)
def test_blanks_and_quotes_around_it_are_dropped(written):
    """B1: what a shell, an editor or a copy leaves around a key does not reach a header."""
    assert Key(written, source="a test").reveal() == CANARY


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("''", "is empty"),
        (f"{CANARY[:20]}\n{CANARY[20:]}", "blanks, line ends"),
        (f"Bearer {CANARY}", "without “Bearer”"),
        (f"“{CANARY}”", "not ASCII"),
        (f"{CANARY}\u200b", "not ASCII"),
        (f"{CANARY}\x00x", "blanks, line ends"),
        (f"{CANARY[:9]}'{CANARY[9:]}", "quotes"),
        (None, "is NoneType, not text"),
        (CANARY.encode(), "is bytes, not text"),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(written, why):
    """B1: an empty, broken or non-ASCII key is refused, and neither message nor traceback shows it."""
    with pytest.raises(DefinitionError, match=why) as caught:
        Key(written, source="a test")
    error = caught.value
    assert error.__cause__ is None
    # The first frame is this test's own, which holds the text on purpose.
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack[1:]
    assert not _pieces(str(error) + "".join(str(frame.locals) for frame in frames))
