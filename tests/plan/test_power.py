"""labkit.plan.power: what a plan's samples can show, as a value and in words."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.plan.power import Power
from labkit.stats.scale import Scale


def told(**more: Any) -> Power:
    """One pair of models, 40 samples, a detectable difference of 18 points."""
    given: dict[str, Any] = {
        "scorer": "exact",
        "by": ("model",),
        "samples": 40,
        "pairs": 1,
        "effect": None,
        "chance": None,
        "power": 0.8,
        "detectable": 0.1734,
        "level": 0.95,
        "basis": "if two disagree on 30 % of samples",
        "seen": 0,
        "scale": Scale(0, 1),
    }
    return Power(**given | more)


def test_it_reads_as_one_sentence() -> None:
    """Samples, the difference rounded upwards, its chance, the pairs, the level and by what it goes."""
    assert str(told()) == (
        "exact: 40 samples decide a difference of 18 points with chance 0.8 "
        "(two models, 95 % sure; if two disagree on 30 % of samples)"
    )
    assert told().short == (
        "decides a difference of 18 points with chance 0.8 if two disagree on 30 % of samples"
    )


def test_what_was_asked_for_stands_beside_it() -> None:
    """The chance of the effect that was given; pairs of prompts on models are counted."""
    many = told(effect=0.05, chance=0.214, pairs=6, by=("prompt", "model"))
    assert ", one of 5 points with chance 0.21 (6 pairs of prompts and models, " in str(many)


@pytest.mark.parametrize(
    ("chance", "words"),
    [(0.0, "less than 0.01"), (0.0051, "0.01"), (0.9949, "0.99"), (0.9999, "more than 0.99")],
)
def test_no_chance_is_told_as_none_or_as_certainty(chance: float, words: str) -> None:
    """Two places, and what lies beyond them in words."""
    assert f"with chance {words} (" in str(told(effect=0.5, chance=chance))


@pytest.mark.parametrize(
    ("detectable", "scale", "words"),
    [
        (0.01, Scale(0, 1), "of 1 point with"),
        (0.1701, Scale(0, 1), "of 18 points with"),
        (0.0123, Scale(0, 1), "of 1.3 points with"),
        (0.3641, Scale(1, 5), "of 0.37 on a scale from 1 to 5 with"),
        (1234.0, Scale(), "of 1,300 in the score's own unit with"),
        (None, Scale(0, 1), "decide no difference with"),
    ],
)
def test_differences_have_two_digits_and_their_unit(
    detectable: float | None, scale: Scale, words: str
) -> None:
    """Rounded upwards, in points of a hundred where the score lies from 0 to 1; none where there is none."""
    assert words in str(told(detectable=detectable, scale=scale))


def test_names_do_no_harm_in_text_and_html() -> None:
    """A score's name is made visible and escaped."""
    bad = told(scorer="<b>\u202e")
    assert "⟨202E⟩" in repr(bad)
    assert "<b>" not in bad._repr_html_()
