"""labkit.prompts.block_sets: which prompts are one prompt with and without some of its blocks."""

from __future__ import annotations

import labkit as lk
from labkit.prompts.block_sets import block_sets, of_prompts

A, B, C = (lk.Block(name, f"{name} text") for name in "abc")


def prompt(name, *blocks, text="Answer {{ n }}", **more):
    """A prompt with these blocks."""
    return lk.Prompt(name, text, blocks=blocks, **more)


def test_sets_of_one_prompt_are_found_whatever_their_names():
    """The one with all blocks gives the name; blocks that all of them have are not among those that vary."""
    (found,) = of_prompts([prompt("y", A, C), prompt("whole", A, B, C), prompt("x", C)])
    assert (found.prompt, found.names) == ("whole", ("a", "b"))
    assert found.cells == {"y": (True, False), "whole": (True, True), "x": (False, False)}


def test_prompts_of_other_words_stand_apart():
    """Text, system part and defaults are to be alike; what stands alone is in no set."""
    others = [
        prompt("t", A, text="Say {{ n }}"),
        prompt("s", A, system="Be brief."),
        prompt("d", A, text="Answer {{ n }}", defaults={"n": 1}),
    ]
    assert of_prompts([prompt("p", A, B), *others]) == []
    assert len(of_prompts([prompt("p", A, B), prompt("q", A), *others])) == 1


def test_another_order_or_another_text_is_another_prompt():
    """A block is known by its name and text, and stands where it stands."""
    assert of_prompts([prompt("p", A, B, C), prompt("q", B, A)]) == []
    assert of_prompts([prompt("p", A, B), prompt("q", lk.Block("a", "other"))]) == []


def test_a_mark_for_the_cache_changes_nothing():
    """It is the same block, marked or not."""
    marked = lk.Block("a", "a text", cache=True)
    assert len(of_prompts([prompt("p", marked, B), prompt("q", A)])) == 1


def test_two_prompts_of_the_same_words_have_sets_of_their_own():
    """With blocks of which neither has the other's, each with its part; the one without any is in both."""
    given = [("p", "t", [("a", "1"), ("b", "2")]), ("q", "t", [("c", "3")]), ("none", "t", [])]
    found = block_sets(given)
    assert [(one.prompt, one.names) for one in found] == [("p", ("a", "b")), ("q", ("c",))]
    assert all("none" in one.cells for one in found)


def test_what_is_alike_in_all_but_its_name_counts_once():
    """The first of them."""
    (found,) = block_sets([("p", "t", [("a", "1")]), ("q", "t", [("a", "1")]), ("r", "t", [])])
    assert list(found.cells) == ["p", "r"]
