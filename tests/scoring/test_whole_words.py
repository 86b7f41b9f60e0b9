"""labkit.scoring.whole_words: whole words in any script, and every text contains itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labkit.scoring.whole_words import occurs

LETTERS = "abcxyzéßñαβγжщшאבגاבत्थिक가나한"
LATIN = st.text("abcdéñßαβжщ", min_size=1, max_size=6)
PUNCTUATION = st.sampled_from(
    [" ", "\n", ". ", ", ", "!", "?", ": ", "; ", " – ", "(", ")", '"', "“", "*", "…", "/"]
)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        # What newcomers saw: a word within another says the contrary.
        ("no", "unknown"),
        ("correct", "it is incorrect"),
        ("4", "42"),
        # Prefixes with a hyphen, and what English hangs behind an apostrophe.
        ("toxic", "non-toxic"),
        ("toxic", "non\u2011toxic"),
        ("can", "I can't"),
        ("can", "I can\u2019t"),
        ("won", "won't"),
        ("d", "I'd say B"),
        ("m", "I'm sure"),
        ("t", "can't"),
        # Numbers: digits, points, groups, signs.
        ("4", "3.4"),
        ("3", "3.14"),
        ("5", "it is .5"),
        ("200", "1,200"),
        ("1", "1,200"),
        ("200", "1'200"),
        ("1200", "1,200"),
        ("5", "-5"),
        ("5", "x = \u22125"),
        ("5", "\u20135 degrees"),
        ("19", "covid-19"),
        ("10", "10\u00b2"),
        ("4", "the 4th"),
        ("5", "v5"),
        ("$5", "$50"),
        ("$5", "$5.99"),
        # What belongs to a word without being a letter.
        ("c", "c++"),
        ("c", "c#"),
        ("a", "a+"),
        ("cafe", "cafe\u0301"),
        ("हिन्द", "हिन्दी"),
        ("ก", "กิน"),
        ("می", "می\u200cخواهم"),
        ("tive", "posi\u00adtive"),
        ("positive", "label_positive"),
        ("positive", "positive_label"),
        ("정확", "부정확"),
    ],
)
def test_a_part_of_a_word_is_no_whole_word(wanted: str, text: str) -> None:
    """It stands in the text, and something before or behind it is of the same word."""
    assert wanted in text or wanted == "1200"
    assert not occurs(wanted, text)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("no", "no"),
        ("no", "unknown? no."),
        ("no", "“no”"),
        ("no", "'no'"),
        ("german", "'german'"),
        ("positive", "_positive_"),
        ("positive", "__positive__"),
        ("positive", "**positive**"),
        ("positive", "<b>positive</b>"),
        ("positive", "-positive"),
        ("positive", "answer:positive"),
        ("yes", "no\u200byes"),
        ("france", "france's capital"),
        ("amour", "c'est l\u2019amour"),
        ("brien", "o'brien"),
        ("paris", "paris-based"),
        ("well-known", "a well-known man"),
        ("new york", "in new york."),
        ("4", "4."),
        ("4", "(4)"),
        ("4", "4, 5"),
        ("5", "$5"),
        ("5", "5%"),
        ("5", "3-5"),
        ("28", "2026-11-28"),
        ("14", "14:30"),
        ("1", "1+1"),
        ("-5", "it is -5"),
        ("1,200", "1,200 euros"),
        ("3.14", "is 3.14."),
        ("c++", "in c++, or c++11"),
        ("$5", "us$5"),
        ("(a)", "is (a)."),
        ("👍", "ok👍ok"),
        ("हिन्दी", "यह हिन्दी है"),
        # Scripts without blanks, and Korean with its particles.
        ("京都", "私は京都に住む"),
        ("การ", "ในการทำงาน"),
        ("iphone", "iphoneを買う"),
        ("4", "4月"),
        ("긍정", "답은 긍정입니다."),
        ("paris", "paris는"),
    ],
)
def test_a_whole_word_is_found(wanted: str, text: str) -> None:
    """Blanks, punctuation, emphasis and quotes end a word, and so does the text."""
    assert occurs(wanted, text)


@given(st.text(min_size=1))
def test_a_text_contains_itself(text: str) -> None:
    """Nothing stands before or behind it."""
    assert occurs(text, text)


@given(st.text(min_size=1, max_size=5), st.text(max_size=30))
def test_a_whole_word_is_a_part_too(wanted: str, text: str) -> None:
    """What occurs as whole words occurs."""
    assert not occurs(wanted, text) or wanted in text


@given(st.lists(LATIN, min_size=1, max_size=8), LATIN, PUNCTUATION)
def test_of_words_between_punctuation_exactly_those_are_found(
    words: list[str], other: str, mark: str
) -> None:
    """Each word is found, and any other is not, whatever it shares with them."""
    text = mark.join(words)
    assert all(occurs(word, text) for word in words)
    assert occurs(other, text) == (other in words)


@given(LATIN, LATIN, st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_grown_at_either_end_is_another_word(word: str, more: str, number: int, digits: int) -> None:
    """A letter or a digit more, before or behind, and it is another word or another number."""
    for one in (more + word, word + more, more + word + more):
        if one.count(word) == 1:
            assert not occurs(word, f"say {one}!")
    for one in (f"{digits}{number}", f"{number}{digits}", f"{digits}.{number}", f"{number},{digits}"):
        if one.count(str(number)) == 1:
            assert not occurs(str(number), f"it is {one}.")


@given(
    st.text("東京都大阪正解不イカのโลกไทย", min_size=1, max_size=3), st.text("東京都大阪正解不イカのโลกไทย")
)
def test_without_blanks_each_place_may_end_a_word(wanted: str, text: str) -> None:
    """In scripts without blanks between words what occurs is found."""
    assert occurs(wanted, text) == (wanted in text)


@given(
    st.text(LETTERS + "0123456789 .,-'_+#\u200c\u0301", max_size=20),
    st.text(LETTERS + "019", min_size=1, max_size=2),
)
def test_a_word_between_blanks_is_found_whatever_else_there_is(text: str, word: str) -> None:
    """Nothing said elsewhere hides it."""
    assume(not re.match(r"[\u0300-\u036f\u0900-\u0903\u093a-\u094f]", word))
    assert occurs(word, f"{text} {word} {text}")
