"""An answer's text and the reasoning in a tag before it, however they are cut on their way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.answer_text import AnswerText


def parted(text: str, cuts: list[int] | None = None, tag: str | None = "think") -> tuple[str, str]:
    """Text and reasoning of what came in pieces cut at `cuts`; each piece told as text is in the text."""
    told = AnswerText(tag)
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts or [])})
    for start, end in pairwise(edges):
        told.take(text[start:end])
    return told.said(), told.reasoning()


CASES = [
    ("<think>hm</think>yes", "yes", "hm"),
    ("\n<think>\nhm\n</think>\n\nyes\n", "yes\n", "\nhm\n"),
    ("<think>a</think> <think>b</think> yes", "yes", "ab"),
    ("<think></think>yes", "yes", ""),
    ("<think>cut in the mid", "", "cut in the mid"),
    ("<think>cut in the end</thin", "", "cut in the end</thin"),
    ("hm, so</think>yes", "yes", "hm, so"),
    ("hm </think>", "", "hm "),
    ("yes", "yes", ""),
    ("  yes ", "  yes ", ""),
    ("<thi", "<thi", ""),
    (" ", " ", ""),
    ("<b>yes</b> a -> b", "<b>yes</b> a -> b", ""),
    ("Models write <think> and </think> around it.", "Models write <think> and </think> around it.", ""),
    ("<think>a</think>The tag </think> ends it", "The tag </think> ends it", "a"),
    ("<thinking>mine</thinking>yes", "<thinking>mine</thinking>yes", ""),
]


@pytest.mark.parametrize(("came", "text", "thought"), CASES)
def test_text_and_reasoning(came: str, text: str, thought: str) -> None:
    """Reasoning is what stands in a tag before the answer, or before the end of a tag nobody opened; one that
    is never ended leaves no answer; a tag further on is text."""
    assert parted(came) == (text, thought)
    assert parted(came, list(range(len(came)))) == (text, thought)


@given(st.sampled_from(CASES), st.lists(st.integers(0, 60), max_size=12))
def test_cuts_change_nothing(case: tuple[str, str, str], cuts: list[int]) -> None:
    """However an answer is cut on its way, its text is the same."""
    assert parted(case[0], cuts) == case[1:]


pieces = st.sampled_from(["<think>", "</think>", "<", ">", "a", " ", "\n", "think", "/"])


@given(st.lists(pieces, max_size=20).map("".join), st.lists(st.integers(0, 99), max_size=20))
def test_nothing_is_lost(came: str, cuts: list[int]) -> None:
    """Whatever comes, all of it but tags and blanks is text or reasoning, and cuts change neither."""
    text, thought = parted(came)
    assert parted(came, cuts) == (text, thought)
    assert parted(came, tag=None) == (came, "")
    bare = came.replace("<think>", "").replace("</think>", "").split()
    assert sum(map(len, bare)) <= sum(len("".join(one.split())) for one in (text, thought))


def test_another_word() -> None:
    """The word in the tag is the model's to say."""
    assert parted("<reasoning>a</reasoning>b", tag="reasoning") == ("b", "a")
