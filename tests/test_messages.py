"""labkit.messages: one form for messages, whoever is asked; and blocks that mark what is to be cached."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.errors import DefinitionError
from labkit.messages import images_in, shown, text_of, unmarked

IMAGE = {"type": "image", "image": "i1:x", "media_type": "image/png", "width": 2, "height": 3, "bytes": 9}
TEXTS = st.builds(lambda text: {"type": "text", "text": text}, st.text(max_size=5))
MARKED = TEXTS.map(lambda part: {**part, "cache": True})
PARTS = st.lists(TEXTS | MARKED | st.just(IMAGE), min_size=1, max_size=6)


@given(PARTS)
def test_unmarking_keeps_text_and_images(parts: list[dict[str, Any]]) -> None:
    """Whatever the marks, text and images stay as they are, and doing it twice changes nothing."""
    before = [{"role": "user", "content": parts}]
    after = unmarked(before)
    assert text_of(after[0]["content"]) == text_of(parts)
    assert list(images_in(after)) == list(images_in(before))
    assert "cache" not in repr(after)
    assert unmarked(after) == after


@given(PARTS, PARTS)
def test_other_messages_stay_other(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """Only marks and the cutting of texts are overlooked: what reads differently is different."""
    first, second = (unmarked([{"role": "user", "content": parts}]) for parts in (one, other))
    if shown(one) != shown(other):
        assert first != second


def test_parts_of_a_dialect_go_through() -> None:
    """A part in a provider's own words is left as it is."""
    own = {"type": "text", "text": "B", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [own, {"type": "input_audio", "data": "x"}]}]
    assert unmarked(messages) == messages
    assert shown(messages[0]["content"]) == "B[input_audio]"


def test_people_see_where_an_image_stands() -> None:
    """For reading, an image is a note with its kind and size, or its address."""
    assert shown([{"type": "text", "text": "See "}, IMAGE]) == "See [image image/png, 2 × 3]"
    assert shown("plain") == "plain"


def test_a_mark_makes_a_new_version_and_no_new_answer(lab: lk.Lab, echo: Any) -> None:
    """Marking a block makes the prompt another version, kept with its mark; its answers stay known."""
    plain = lk.Prompt("p", "hi", blocks=[lk.Block("b", "text")])
    marked = plain.replace(blocks=[lk.Block("b", "text", cache=True)])
    assert plain.hash != marked.hash
    assert plain.blocks[0].hash == marked.blocks[0].hash
    model = echo(answers=lambda request: "a")
    lab.plan(prompts=[plain], models=[model], experiment="e").run()
    assert lab.plan(prompts=[marked], models=[model], experiment="e").frame()["known"].all()
    assert lab.prompts.save(marked).version == 2
    assert [lab.prompts[f"p@{version}"].blocks[0].cache for version in (1, 2)] == [False, True]


def test_more_marks_than_can_be_sent() -> None:
    """A fifth mark, or one that is neither on nor off, is refused by name."""
    with pytest.raises(DefinitionError, match="5 blocks with cache=True; 4 can be sent"):
        lk.Prompt("p", "hi", blocks=[lk.Block(f"b{number}", "x", cache=True) for number in range(5)])
    with pytest.raises(DefinitionError, match="not True or False"):
        lk.Block("b", "x", cache="yes")  # type: ignore[arg-type]
