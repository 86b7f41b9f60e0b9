"""Answers side by side."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.visible import shown
from labkit.widgets import answers


def frame(texts: dict[tuple[str, str], str], **given: Any) -> pd.DataFrame:
    """Generations of one prompt: (model, sample) → text."""
    rows = [
        {
            "prompt": "p", "model": model, "sample_id": sample, "repeat": 0, "status": "done", "text": text,
            "error_type": None, "error_message": None, "sample.input": "x", **given,
        }
        for (model, sample), text in texts.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


@given(st.text(max_size=80), st.text(max_size=80))
def test_marking_changes_no_character(text: str, base: str) -> None:
    """Without its marks, a marked answer is the answer, escaped."""
    found = answers.marked(text, base)
    assert unescape(re.sub("</?mark>", "", found)) == shown(text)


def test_the_same_has_no_marks() -> None:
    """Equal answers are not marked."""
    assert "<mark>" not in answers.marked("the same words", "the same words")


def test_only_what_differs_is_marked() -> None:
    """A word that the other lacks is marked, its neighbours are not."""
    assert answers.marked("what a good dog", "what a bad dog") == "what a <mark>good</mark> dog"


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("positive", "negative"),
        ("It is good", "It is bad"),
        ("positive", "I would call this message positive"),
        ("The message is friendly and thanks the shop", "It sounds like a complaint about a late parcel"),
    ],
)
def test_labels_and_what_differs_nearly_everywhere_is_not_marked(text: str, base: str) -> None:
    """Where one has fewer than four words, or they share less than half, no word is marked."""
    assert "<mark>" not in answers.marked(text, base)
    assert "<mark>" not in answers.marked(base, text)


def test_each_answer_has_its_score() -> None:
    """Right and wrong in a mark and a word where the scorer says so, else its number, or that it has none."""
    found = frame({("a", "s1"): "yes", ("b", "s1"): "no", ("c", "s1"): "maybe"})
    found["score.ok"] = [1.0, 0.0, float("nan")]
    found.attrs["scales"] = {"ok": (0.0, 1.0, 1.0)}
    page = answers.table(found)
    assert [page.count(said) for said in ("✓ right", "✗ wrong", "not scored")] == [1, 1, 1]
    found.attrs["scales"] = {"ok": (0.0, 1.0, None)}
    assert "right" not in answers.table(found)
    assert "<div>1</div>" in answers.table(found)
    found["score.stars"] = [4.25, 2.0, 1.0]
    assert "<div>stars 4.25</div>" in answers.table(found)


def test_columns_stand_as_planned() -> None:
    """Prompts and models come in the plan's order, whatever was answered first; unplanned ones come last."""
    found = frame({(model, "s"): "x" for model in ("c", "b", "new", "a")})
    found.attrs["plan"] = {"prompts": ["p"], "models": ["a", "b", "c"]}
    assert [model for _, model in answers.columns(found)] == ["a", "b", "c", "new"]


def test_two_runs_stand_beside_each_other() -> None:
    """Of two runs each prompt and model has its columns side by side; the later is marked by the earlier."""
    texts = {("a", "s"): "one two three four", ("b", "s"): "one two three five"}
    found = pd.concat([frame(texts).assign(run="A"), frame(texts).assign(run="B")], ignore_index=True)
    found.loc[3, "text"] = "one two three six"
    assert answers.columns(found) == [("p", "a", "A"), ("p", "a", "B"), ("p", "b", "A"), ("p", "b", "B")]
    assert re.findall("<mark>(.*?)</mark>", answers.table(found)) == ["six"]


def test_the_still_table_is_bounded_and_says_what_is_left() -> None:
    """Without a kernel all rows stand in one table below a size; how many are left is told."""
    few = frame({("a", f"s{n}"): "x" for n in range(25)})
    assert answers.still(few).count("<b>s") == 25
    many = answers.still(frame({("a", f"s{n}"): "long " * 250 for n in range(300)}))
    shown = many.count("<b>s")
    assert len(many) < 120_000
    assert f"{300 - shown} more: run.generations()" in many
    assert answers.still(frame({})) == ""


def test_hostile_answers_are_text(hostile: tuple[str, ...]) -> None:
    """Answers, models, samples and reasons are text in the table, marked or not."""
    texts = {(name, name): name for name in hostile}
    page = answers.table(frame(texts, error_type=hostile[0], error_message=hostile[1], status="failed"))
    page += answers.table(frame(texts, **{"sample.input": hostile[2]}))
    page += answers.table(frame({("m", "s"): hostile[0], ("n", "s"): hostile[1]}))
    tags = set(re.findall(r"<(\w+)", page))
    assert tags <= {"div", "table", "thead", "tbody", "tr", "th", "td", "b", "i", "mark", "span"}


def test_pages() -> None:
    """Ten samples a page, each sample on one page."""
    found = frame({("m", f"s{number:03}"): "x" for number in range(25)})
    assert answers.pages(found) == 3
    seen = re.findall(r"<b>(s\d+)", "".join(answers.table(found, page=page) for page in range(3)))
    assert seen == [f"s{number:03}" for number in range(25)]


def test_only_differing_samples() -> None:
    """Samples on which all agree can be left out."""
    found = frame({("a", "s1"): "yes", ("b", "s1"): "yes ", ("a", "s2"): "yes", ("b", "s2"): "no"})
    page = answers.table(found, only_different=True)
    assert "s2" in page
    assert "s1" not in page
    assert "no answers differ" in answers.table(found[found["sample_id"] == "s1"], only_different=True)


@pytest.mark.parametrize("against", [0, 1, 7])
def test_the_base_is_unmarked(against: int) -> None:
    """The answer compared to has no marks; a base that is not there marks nothing."""
    found = frame({("a", "s"): "one two three four", ("b", "s"): "one two three five"})
    assert answers.table(found, against=against).count("<mark>") == (1 if against < 2 else 0)


def test_nothing_yet() -> None:
    """Without answers it says so."""
    assert "no answers yet" in answers.table(frame({}))


def test_long_answers_take_bounded_time() -> None:
    """Two answers of a million words are compared by their beginnings."""
    page = answers.table(frame({("a", "s"): "x y " * 500_000, ("b", "s"): "y x " * 500_000}))
    assert len(page) < 20_000
