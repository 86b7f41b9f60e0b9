"""labkit.scoring.numbers: the one number in an answer, read without guessing."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.records import Generation, Sample
from labkit.scoring import numeric, score
from labkit.scoring.matching import NothingToCompare
from labkit.scoring.numbers import the_number

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GIVEN = dict.fromkeys(
    ("generation_id", "run_id", "experiment", "workspace", "prompt", "model", "provider", "sample_id"), "x"
) | {"prompt_version": 1, "repeat": 0, "status": "done", "request_id": "r1:0"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        ("The answer is 42.", "42"),
        ("```json\n42\n```", "42"),
        ("**$1,234.50**", "1234.50"),
        ("10,000,000", "10000000"),
        ("-7.5e3", "-7500"),
        ("\u22127", "-7"),
        ("\u20137", "-7"),
        ("\u20117", "-7"),
        ("\uff0d7", "-7"),
        ("6.02\u00d710\u00b2\u00b3", "6.02e23"),
        ("6.02 x 10^23", "6.02e23"),
        ("$1.5 \\times 10^{-3}$", "0.0015"),
        ("3\u00b710\u2078 m/s", "3e8"),
        ("-2*10**3", "-2000"),
        ("+.5", "0.5"),
        ("about 50%", "50"),
        ("x = 3, so 3", "3"),
        ("3.0 is 3", "3"),
        ("in GPT-4o's view: 7", "7"),
        ("12.5kg", "12.5"),
        ("12.5 KG", "12.5"),
        ("at 80km/h", "80"),
        ("30m2", "30"),
        ("$1.5M", "1500000"),
        ("\u20ac 2bn", "2000000000"),
        ("\u00a33.2 m", "3200000"),
        ("1.5 million people", "1500000"),
        ("about 300k", "300000"),
        ("5m long", "5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("1\u202f234", "1234"),
        ("1'234.50", "1234.5"),
        ("10,00,000", "1000000"),
        ("60 %", "60"),
        ("5.The end", "5"),
    ],
)
def test_numbers_as_people_write_them(text, number):
    """Prose, code fences, separators, signs and exponents are read."""
    assert the_number(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no idea",
        "Infinity",
        "-inf",
        "NaN",
        "3 or 4",
        "3-5",
        "3/4",
        '{"a": 1} {"a": 2}',
        "1.234,5",
        "1,23",
        "v1.2.3",
        "1e999",
        "1e999999",
        "2nd",
        "gpt-4o",
        "12.5x",
        "1..5",
        "-$-5",
        "1 234",
        "9" * 100_001,
    ],
)
def test_what_is_unclear_is_not_guessed(text):
    """No number, two numbers, infinity, other notations: nothing is read."""
    with pytest.raises(NothingToCompare):
        the_number(text)


def test_the_caller_may_say_which():
    """Of several numbers the first or the last can be asked for."""
    assert the_number("3 + 4 = 7", pick="first") == 3
    assert the_number("3 + 4 = 7", pick="last") == 7


@given(st.floats(-1e12, 1e12, allow_nan=False).map(lambda x: round(x, 6)))
def test_a_number_written_out_is_read_back(number):
    """Every number comes back, with thousands separators or without."""
    for text in (f"{number:f}", f"{number:,.6f}", f"It is {number:f}!"):
        assert float(the_number(text)) == pytest.approx(number, abs=1e-6)


@given(st.text(alphabet="0123456789.,+-eE ", max_size=200))
def test_reading_never_fails_in_another_way(text):
    """Any mess of digits and signs is a number or said to be none."""
    with contextlib.suppress(NothingToCompare):
        assert the_number(text).is_finite()


amounts = st.decimals(-(10**9), 10**9, places=2).map(lambda amount: f"{amount:,}")
spellings = st.sampled_from(
    ["{}", "{}kg", "{} kg", "{}%", "${}", "{}k", "{}M", "{} million", "{}km/h", "It is {}.", "{}x"]
)


@given(amounts, spellings)
def test_a_target_is_read_as_an_answer_is(amount, spelling):
    """However a number is written, a target is equal to its own text, or no number."""
    text = spelling.format(amount)
    generation = Generation(**(GIVEN | {"text": text}))
    (row,) = score(numeric(), generation=generation, sample=Sample(id="s1", fields={"target": text}), at=NOW)
    assert row.value == (1 if row.error is None else None)
    assert (row.error is None) == (not text.endswith("x"))


def _row(generation, sample, scorer, text, target):
    (row,) = score(scorer, generation=generation(text), sample=sample(target=target), at=NOW)
    return row


@pytest.mark.parametrize(
    ("text", "target", "tolerance", "relative", "value"),
    [
        ("10", 10, 0, 0, 1),
        ("10.0", "10", 0, 0, 1),
        ("0.3", 0.2, 0.1, 0, 1),
        ("0.31", 0.2, 0.1, 0, 0),
        ("95", 100, 0, 0.05, 1),
        ("-95", -100, 0, 0.05, 1),
        ("94", 100, 0, 0.05, 0),
        ("7", np.int64(7), 0, 0, 1),
        ("1,000", "1,000", 0, 0, 1),
        ("1234", "1,234", 0, 0, 1),
        ("12.5 kg", "12.5kg", 0, 0, 1),
        ("$1,500,000", "$1.5M", 0, 0, 1),
        ("1.5 million", 1_500_000, 0, 0, 1),
        ("60%", "60%", 0, 0, 1),
        ("1.5 M", 1_500_000, 0, 0, 1),
        ("1.5 M", 1.5, 0, 0, 1),
        ("300", "300 K", 0, 0, 1),
        ("\u20135", 5, 0, 0, 0),
        ("60%", 60, 0, 0, 1),
        ("60%", 0.6, 0, 0, 1),
        ("0.6", "60%", 0, 0, 1),
        ("60%", "0.6%", 0, 0, 0),
        ("62%", 0.6, 0.02, 0, 1),
        ("4", [3, "4"], 0, 0, 1),
        ("4", ["four", "4"], 0, 0, 1),
        ("5", [3, "4"], 0, 0, 0),
        ("4", np.array([3, 4]), 0, 0, 1),
    ],
)
def test_tolerances_are_decimal(generation, sample, text, target, tolerance, relative, value):
    """A number within the tolerance scores 1, without binary rounding at its edge."""
    scorer = numeric(tolerance, relative=relative)
    assert _row(generation, sample, scorer, text, target).value == value


def test_out_of_scale_is_not_scored(generation, sample):
    """A mark of 12 on a scale of 1 to 10 is no mark."""
    row = _row(generation, sample, numeric(low=1, high=10), "12", 5)
    assert row.value is None
    assert "outside the scale" in row.explanation
    assert _row(generation, sample, numeric(low=0, high=1), "60%", 0.6).value == 1


def test_unreadable_answers_count_as_wrong_only_when_told_so(generation, sample):
    """Not scored by default; with unreadable=0 they are 0, with the reason."""
    assert _row(generation, sample, numeric(), "no idea", 5).value is None
    row = _row(generation, sample, numeric(unreadable=0), "no idea", 5)
    assert row.value == 0
    assert "no number" in row.explanation


@pytest.mark.parametrize("target", ["ten", "inf", True, float("inf"), "3 or 4", ["ten", "inf"], "1,23"])
def test_a_target_that_is_no_number_is_an_error(generation, sample, target):
    """The fault is the dataset's, so it is an error and not an unscored answer."""
    row = _row(generation, sample, numeric(), "10", target)
    assert row.value is None
    assert "target" in row.error


def test_faults_of_the_definition_are_named_at_once():
    """Negative and infinite tolerances and an unknown pick are refused together."""
    with pytest.raises(DefinitionError) as caught:
        numeric(-1, relative=float("inf"), pick="best")
    assert len(caught.value.faults) == 3
