"""labkit.scoring.overlap: normalised match, token F1, ROUGE-L."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.scoring import normalised, rouge_l, score, token_f1
from labkit.scoring.overlap import f1, longest_common, words

NOW = datetime(2026, 11, 23, tzinfo=UTC)
token_lists = st.lists(st.sampled_from("abcde"), max_size=30)


@pytest.fixture
def value(generation, sample):
    """The value a scorer gives to an answer against a target."""

    def found(scorer, text, target):
        (row,) = score(scorer, generation=generation(text), sample=sample(target=target), at=NOW)
        return row.value

    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat's hat!", ["the", "cats", "hat"]),
        ("a—b_c", ["a", "b", "c"]),
        ("ＦＵＬＬ width", ["full", "width"]),
        ("模型 gpt", ["模", "型", "gpt"]),
        ("cafe\u0301", ["café"]),
        ("...", []),
    ],
)
def test_words_are_normalised(text, expected):
    """Case, punctuation and ways of encoding do not make other words; unspaced scripts go by character."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("The Eiffel Tower.", "eiffel tower", 1),
        ("Eiffel", "eiffel tower", 0),
        ("A.", ["a", "b"], 1),
        ("A", "b", 0),
    ],
)
def test_normalised(value, text, target, expected):
    """The same words in the same order are a match."""
    assert value(normalised(), text, target) == expected


def test_token_f1_is_squads(value):
    """Two of three words shared with two of four: precision 2/3, recall 2/4."""
    assert value(token_f1(), "cat sat mat", "cat sat on rug") == pytest.approx(2 * 2 / 7)
    assert value(token_f1(), "nothing", "cat") == 0
    assert value(token_f1(), "the cat", ["dog", "a cat"]) == 1


def test_rouge_l_knows_order(value):
    """The longest common subsequence counts, not the bag of words."""
    assert value(rouge_l(), "police killed the gunman", "police kill the gunman") == pytest.approx(0.75)
    assert value(rouge_l(), "the gunman killed police", "police killed the gunman") == pytest.approx(0.5)


@pytest.mark.parametrize("scorer", [normalised(), token_f1(), rouge_l()])
def test_a_target_without_words_is_not_scored(value, scorer):
    """Nothing can be shared with nothing."""
    assert value(scorer, "word", "…") is None
    assert value(scorer, "word", None) is None
    assert value(scorer, "x" * 100_001, "x") is None


def _slowly(one, two):
    table = [[0] * (len(two) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one):
        for j, right in enumerate(two):
            longest = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if left == right else longest
    return table[-1][-1]


@given(token_lists, token_lists)
def test_the_fast_subsequence_is_the_textbook_one(one, two):
    """Bit-parallel and quadratic give the same length."""
    assert longest_common(one, two) == _slowly(one, two)


@given(token_lists, token_lists)
def test_overlap_is_symmetric_and_between_0_and_1(one, two):
    """F1 does not depend on which text is the answer; a text shares all with itself."""
    assert f1(one, two) == f1(two, one)
    assert 0 <= f1(one, two) <= 1
    assert f1(one, one) == (1 if one else 0)


def test_long_texts_are_scored_in_linear_memory(value):
    """Twenty thousand words against twenty thousand do not build a table."""
    text = "word other " * 9_000
    assert value(rouge_l(), text, text) == 1
