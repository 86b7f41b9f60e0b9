"""labkit.scoring.matching: exact, contains and regex against a sample's column."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.scoring import contains, exact, regex, score

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def value(generation, sample):
    """The value a scorer gives to an answer against a target."""

    def found(scorer, text, **fields):
        (row,) = score(scorer, generation=generation(text), sample=sample(**fields), at=NOW)
        return row

    return found


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("praise", "praise", 1),
        (" praise\n", "praise", 1),
        ("Praise", "praise", 0),
        ("praise.", "praise", 0),
        ("", "praise", 0),
        ("3", 3, 1),
        ("3", 3.0, 1),
        ("3.5", 3.5, 1),
        ("True", True, 1),
        ("b", ["a", "b"], 1),
        ("c", ("a", "b"), 0),
        ("b", np.array(["a", "b"]), 1),
        ("1", np.int64(1), 1),
    ],
)
def test_exact(value, text, target, expected):
    """Exact compares text with the target, blanks around it aside; a list means any of these."""
    assert value(exact(), text, target=target).value == expected


def test_exact_on_another_column_and_without_case(value):
    """The column and the treatment of case are the caller's choice."""
    assert value(exact("label", ignore_case=True), "STRASSE", label="straße").value == 1
    assert value(exact("label", strip=False), " a", label="a").value == 0


@pytest.mark.parametrize("target", [None, float("nan"), []])
def test_no_target_is_not_scored(value, target):
    """A sample without a target gives None and says so, whatever the answer."""
    for scorer in (exact(), contains(), regex("a", target="target")):
        row = value(scorer, "a", target=target)
        assert (row.value, row.error) == (None, None)
        assert "sample s1" in row.explanation


def test_a_missing_column_is_an_error_that_names_the_columns(value):
    """A column that the dataset has not is an error, with the columns it has."""
    row = value(exact("lable"), "a", label="a")
    assert row.value is None
    assert "'lable'" in row.error
    assert "'label'" in row.error


def test_an_answer_without_text_is_not_scored(value):
    """A tool call without text is neither right nor wrong."""
    assert value(exact(), None, target="a").value is None


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("I say PRAISE!", "praise", 1),
        ("nothing", "praise", 0),
        ("x or y", ["y", "z"], 1),
        ("unknown", "no", 0),
        ("It is incorrect", "correct", 0),
        ("42", 4, 0),
        ("IN DER STRASSE!", "straße", 1),
        ("1,200 euros", "1,200", 1),
    ],
)
def test_contains(value, text, target, expected):
    """Contains looks for the target as whole words anywhere, without regard to case."""
    assert value(contains(), text, target=target).value == expected


def test_parts_of_words_are_a_switch_with_a_name_of_its_own(value):
    """With `parts` a word within another counts, and the score has another name, so that no two are mixed."""
    for text, target in (("unknown", "no"), ("It is incorrect", "Correct"), ("42", 4)):
        row = value(contains(parts=True), text, target=target)
        assert (row.scorer, row.value) == ("contains_parts", 1)
    assert contains(parts=True, name="within").name == "within"
    with pytest.raises(DefinitionError, match="parts of scorer 'contains_parts' is 'no'; use True or False"):
        contains(parts="no")


def test_an_empty_target_is_contained_in_nothing(value):
    """An empty target would be in every text; it is not scored."""
    assert value(contains(), "abc", target="  ").value is None


def test_regex_finds_a_pattern(value):
    """Without a target the pattern has to occur."""
    assert value(regex(r"^\d{4}$"), "2026").value == 1
    assert value(regex(r"^\d{4}$"), "26").value == 0


def test_regex_takes_its_group_as_the_answer(value):
    """With a target the first group must equal it."""
    scorer = regex(r"label: *(\w+)?", target="label", ignore_case=True)
    assert value(scorer, "so: LABEL: Praise", label="praise").value == 1
    assert value(scorer, "label: other", label="praise").value == 0
    assert value(scorer, "label:", label="praise").value == 0
    assert value(scorer, "none", label="praise").value == 0


def test_a_pattern_that_runs_away_is_stopped(value):
    """A pattern that would take years on hostile text ends with an error on that row."""
    row = value(regex(r"(a|aa)+$"), "a" * 60 + "b")
    assert row.value is None
    assert "longer than 1 s" in row.error


def test_very_long_answers_are_not_searched(value):
    """Beyond the documented length a pattern is not tried."""
    row = value(regex("a"), "a" * 100_001)
    assert (row.value, row.error) == (None, None)


@pytest.mark.parametrize("pattern", ["(", "[z-a]", None])
def test_a_pattern_that_is_none_is_refused_when_written(pattern):
    """A faulty pattern never gets as far as a run."""
    with pytest.raises(DefinitionError, match="pattern"):
        regex(pattern)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_a_text_equals_and_contains_itself(generation, sample, text):
    """Exact gives 1 to a text against itself; contains too, unless it is blank."""
    for scorer in (exact(), exact(ignore_case=True, strip=False)):
        (row,) = score(scorer, generation=generation(text), sample=sample(target=text), at=NOW)
        assert row.value == 1
    (row,) = score(contains(), generation=generation(text), sample=sample(target=text), at=NOW)
    assert row.value == (1 if text.casefold().strip() else None)
