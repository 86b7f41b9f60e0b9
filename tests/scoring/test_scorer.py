"""labkit.scoring.scorer: a scorer never stops anything, and not scored is never 0."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.scoring import (
    Scorer,
    contains,
    exact,
    json_field,
    json_schema,
    length,
    numeric,
    refusal,
    regex,
    rouge_l,
    score,
    scorers,
    token_f1,
)
from labkit.stats.scale import UNKNOWN, Scale

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_plain_function_is_a_scorer_under_its_own_name(generation, sample):
    """Any function of a generation and a sample can be given."""

    def short(generation, sample):
        return len(generation.text) < 20

    (row,) = score(short, generation=generation("hello"), sample=sample(), at=NOW)
    assert (row.scorer, row.value, row.generation_id, row.scored_at) == ("short", 1.0, "g1", NOW)


@pytest.mark.parametrize(
    ("given_value", "value"),
    [
        (True, 1.0),
        (False, 0.0),
        (3, 3.0),
        (0.25, 0.25),
        (None, None),
        (np.float32(0.5), 0.5),
        (np.int64(2), 2.0),
        (np.bool_(True), 1.0),
        (np.array(0.75), 0.75),
        (Fraction(1, 4), 0.25),
        (Decimal("0.25"), 0.25),
        ({"value": 0.5}, 0.5),
        ({"value": None, "explanation": "empty"}, None),
    ],
)
def test_values_are_taken(generation, sample, given_value, value):
    """Numbers, truth values, numpy scalars, None and mappings become a value."""
    (row,) = score(Scorer("s", lambda g, s: given_value), generation=generation(), sample=sample(), at=NOW)
    assert row.value == value
    assert row.error is None


@pytest.mark.parametrize(
    "given_value",
    [
        math.nan,
        Decimal("NaN"),
        math.inf,
        -math.inf,
        10**400,
        np.float64("nan"),
        "0.5",
        b"1",
        [1],
        np.array([1, 2]),
        np.str_("x"),
        object(),
        1 + 2j,
        {"value": "high"},
        {"score": 1},
        {"value": 1, "why": "because"},
        {"value": 1, "explanation": 3},
        {"value": 1, "metadata": "x"},
        {},
    ],
)
def test_what_is_no_finite_number_is_an_error_of_its_row(generation, sample, given_value):
    """Anything else is not scored, and the row, which names its generation, says why."""
    (row,) = score(Scorer("s", lambda g, s: given_value), generation=generation(), sample=sample(), at=NOW)
    assert (row.value, row.generation_id, row.scorer) == (None, "g1", "s")
    assert row.error


def test_an_exception_leaves_the_other_scorers(generation, sample):
    """One scorer that raises costs only its own score."""

    def broken(generation, sample):
        return 1 / 0

    rows = score([broken, exact()], generation=generation("a"), sample=sample(target="a"), at=NOW)
    assert [row.value for row in rows] == [None, 1.0]
    assert rows[0].error == "ZeroDivisionError: division by zero"


def test_an_exception_that_cannot_be_shown_is_still_a_row(generation, sample):
    """Even an exception whose message raises becomes an error."""

    class Nasty(Exception):
        def __str__(self):
            raise RuntimeError

    def broken(generation, sample):
        raise Nasty

    (row,) = score(broken, generation=generation(), sample=sample(), at=NOW)
    assert "Nasty" in row.error


def test_text_taken_for_a_number_is_told_with_where_it_comes_from(generation, sample):
    """Each value of a CSV is text; other mistakes of types, and other errors, have no such hint."""

    def over(generation, sample):
        return sample["amount"] > 30

    def more(generation, sample):
        return [] + {}

    rows = score([over, more], generation=generation(), sample=sample(amount="45"), at=NOW)
    assert rows[0].error is not None
    assert rows[0].error.endswith("instances of 'str' and 'int' (columns of a CSV are text)")
    assert rows[1].error is not None
    assert "CSV" not in rows[1].error
    assert score(over, generation=generation(), sample=sample(amount=45), at=NOW)[0].value == 1.0


def test_an_interrupt_is_not_swallowed(generation, sample):
    """Ctrl-C in a scorer stops the scoring, as it should."""

    def slow(generation, sample):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(slow, generation=generation(), sample=sample(), at=NOW)


@pytest.mark.parametrize("status", ["failed", "partial", "stopped"])
def test_what_is_not_done_is_not_scored(generation, sample, status):
    """A failed generation has no score, and its scorer is not called."""

    def never(generation, sample):
        raise AssertionError

    (row,) = score(never, generation=generation(None, status=status), sample=sample(), at=NOW)
    assert (row.value, row.error) == (None, None)
    assert status in row.explanation


def test_explanation_and_metadata_are_kept(generation, sample):
    """What a scorer says beside its value stands in the row."""
    told = {"value": 1, "explanation": "because", "metadata": {"parts": [1, 2]}}
    (row,) = score(Scorer("s", lambda g, s: told), generation=generation(), sample=sample(), at=NOW)
    assert (row.explanation, row.metadata) == ("because", {"parts": [1, 2]})


def test_all_faults_of_a_definition_are_named_at_once():
    """Lambdas without a name, coroutines, duplicates and non-functions are one DefinitionError."""

    async def later(generation, sample):
        return 1

    with pytest.raises(DefinitionError) as caught:
        scorers([lambda g, s: 1, later, exact(), exact(), 5])
    assert len(caught.value.faults) == 4
    assert "coroutine" in str(caught.value)
    assert "'exact'" in str(caught.value)


def test_a_coroutine_from_a_plain_function_is_an_error(generation, sample):
    """A function that hands back a coroutine is told so, without a warning about it."""

    async def later():
        return 1

    (row,) = score(Scorer("s", lambda g, s: later()), generation=generation(), sample=sample(), at=NOW)
    assert "coroutine" in row.error


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.decimals()))
def test_scoring_never_raises_and_never_invents_a_zero(generation, sample, value):
    """Whatever a scorer gives, there is one row; its value is finite or None with an error."""
    (row,) = score(Scorer("s", lambda g, s: value), generation=generation(), sample=sample(), at=NOW)
    assert row.value is None or math.isfinite(row.value)
    assert (row.value is not None) or value is None or row.error
    if row.value == 0:
        assert float(value) == 0


def test_a_scorer_shows_its_name():
    """The repr is one line and stable."""
    assert repr(exact("label")) == "Scorer('exact')"
    assert exact("label").columns == ("label",)


def rows_of(scorer, generation, sample, value):
    """The score that a scorer of these declarations makes of `value`."""
    return score(scorer(lambda g, s: value), generation=generation(), sample=sample(), at=NOW)[0]


@pytest.mark.parametrize("value", [0, 6, 2.5, -1e-3])
def test_a_value_that_was_not_declared_is_an_error(generation, sample, value):
    """Ratings from 1 to 5 hold no 0, no 6 and no half: not scored, and the error says what was declared."""
    row = rows_of(lambda fn: Scorer("stars", fn, low=1, high=5, step=1), generation, sample, value)
    assert row.value is None
    assert "declared" in row.error
    assert (row.low, row.high, row.step) == (1, 5, 1)


def test_what_is_declared_stands_in_each_score(generation, sample):
    """Bounds and step come with the value; True and False declare themselves; a plain number does not."""
    rated = rows_of(lambda fn: Scorer("stars", fn, low=1, high=5, step=0.5), generation, sample, 4.5)
    assert (rated.value, rated.low, rated.high, rated.step) == (4.5, 1, 5, 0.5)
    for value in (True, np.bool_(False), {"value": True}):
        right = rows_of(lambda fn: Scorer("right", fn), generation, sample, value)
        assert (right.low, right.high, right.step) == (0, 1, 1)
    plain = rows_of(lambda fn: Scorer("words", fn), generation, sample, 1)
    assert (plain.low, plain.high, plain.step) == (None, None, None)


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({"low": 5, "high": 1}, "low=5 is not below high=1"),
        ({"low": 1}, "give both low= and high="),
        ({"low": 0, "high": 1, "step": 0.3}, "does not lead from"),
        ({"low": "a", "high": 1}, "low is 'a'"),
    ],
)
def test_bounds_that_are_none_are_refused(declared, fault):
    """A scale that cannot be is a DefinitionError that names the fault."""
    with pytest.raises(DefinitionError, match=fault):
        Scorer("s", lambda g, s: 1, **declared)


@pytest.mark.parametrize("gives", [bool, "bool", bool | None, "bool | None"])
def test_an_annotation_declares_true_or_false(gives):
    """Also as text, as files have it that defer annotations; what is declared otherwise goes before it."""

    def right(generation, sample):
        return True

    right.__annotations__["return"] = gives
    assert Scorer("right", right).scale == Scale(0, 1, 1)
    assert Scorer("right", right, low=-1, high=1).scale == Scale(-1, 1)
    right.__annotations__["return"] = float
    assert not Scorer("right", right).scale.bounded


def test_every_built_in_scorer_declares_what_it_gives():
    """Right or wrong has two values, a share lies from 0 to 1, a length is not declared."""
    two = (exact(), contains(), regex("a"), refusal(), json_field("a"), numeric(), json_schema({}))
    assert all(scorer.scale == Scale(0, 1, 1) for scorer in two)
    assert token_f1().scale == rouge_l().scale == Scale(0, 1)
    assert length().scale == UNKNOWN
    assert numeric(unreadable=-1).scale == Scale(-1, 1, 1)
    assert json_field("a", unreadable=0.5).scale == Scale(0, 1)
