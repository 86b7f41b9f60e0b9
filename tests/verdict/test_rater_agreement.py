"""labkit.verdict.rater_agreement: how raters agree, with whom, and who prefers a side."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

from labkit.verdict.preference import preference
from labkit.verdict.rater_agreement import PEOPLE, agreement_frame, agreement_notes
from tests.verdict.rated_pairs import COLUMNS, between, by_two, together, turned


def notes(ratings: pd.DataFrame, **judged: pd.DataFrame) -> list[str]:
    """What is said of agreement."""
    return agreement_notes(agreement_frame(ratings, judged, level=0.95), ratings)


def judge(ratings: pd.DataFrame, rater: str) -> pd.DataFrame:
    """What a judge would say that agrees with one rater."""
    found = ratings[ratings["user"] == rater][["sample_id", "left", "right", "preferred"]]
    return found.assign(user="kind", drawn="rule")


def test_raters_who_agree() -> None:
    """The word stands beside the interval, how many were alike, and over how many pairs."""
    assert notes(by_two(40, alike=0.8)) == ["raters agreed well (alpha 0.6 to 1.0; 92 % alike over 40 pairs)"]
    assert notes(by_two(40, alike=1.0)) == [
        "raters agreed well (alpha 0.91 to 1.00; 100 % alike over 40 pairs)"
    ]
    (line,) = notes(by_two(80, alike=0.5))
    assert line.startswith("raters agreed moderately (alpha 0.")


def test_agreement_is_of_contenders_and_not_of_sides() -> None:
    """Who saw the two on other sides and preferred the same answer agrees."""
    hers = between("a", "b", won=15, lost=10)
    his = hers.assign(user="bo", left=hers["right"], right=hers["left"])
    his["preferred"] = his["preferred"].map({"left": "right", "right": "left"})
    (line,) = notes(together(hers, his))
    assert line.endswith("100 % alike over 25 pairs)")


def test_raters_at_random_agree_by_chance() -> None:
    """Nothing is claimed where the interval reaches 0; on average over many alpha is 0."""
    (line,) = notes(by_two(40, alike=0.0))
    assert line.startswith("raters are not shown to agree more than by chance (alpha −0.")
    found = agreement_frame(by_two(2_000, alike=0.0), {}, level=0.95)
    assert abs(found["alpha"].item()) < 0.05


@pytest.mark.parametrize(
    ("shared", "few"),
    [(0, "no pair was rated by two raters"), (1, "1 pair was rated by two raters"),
     (19, "19 pairs were rated by two raters")],
)  # fmt: skip
def test_too_few_shared_pairs(shared: int, few: str) -> None:
    """Below 20 shared pairs no figure is said; one pair is one."""
    both = between("a", "b", won=20, lost=9)
    his = both.iloc[:shared].assign(user="bo")
    other = between("a", "c", won=1, user="bo")
    assert notes(together(both, his, other)) == [
        f"too little is known of how raters agree: {few}, and 20 are needed"
    ]


def test_all_alike_tells_nothing() -> None:
    """Where everything is the same, it is said that this tells nothing, and no alpha."""
    ratings = together(between("a", "b", won=30), between("a", "b", won=30, user="bo"))
    assert notes(ratings) == ["raters said one and the same of all 30 pairs: that tells nothing of agreement"]
    found = agreement_frame(ratings, {}, level=0.95)
    assert found["all_alike"].tolist() == [True]


def test_a_single_rater_agrees_with_nobody() -> None:
    """One rater, or none: nothing is said of raters."""
    assert notes(between("a", "b", won=20, lost=10)) == []
    assert notes(pd.DataFrame(columns=COLUMNS)) == []
    assert agreement_frame(pd.DataFrame(columns=COLUMNS), {}, level=0.95)["pairs"].tolist() == [0]


def test_a_judge_beside_people() -> None:
    """A judge's agreement with people stands beside that of people; what else it says does not count."""
    ratings = by_two(40, alike=0.8)
    bos = judge(ratings, "bo")
    more = judge(between("a", "c", won=30), "ada")
    found = agreement_frame(ratings, {"kind": together(bos, more)}, level=0.95)
    assert found["who"].tolist() == [PEOPLE, "kind"]
    assert found["pairs"].tolist() == [40, 40]
    assert (
        notes(ratings, kind=bos)[1]
        == "kind and people agreed well (alpha 0.6 to 1.0; 92 % alike over 40 pairs)"
    )
    assert notes(ratings[ratings["user"] == "ada"], kind=bos) == [notes(ratings, kind=bos)[1]]


def test_a_judge_cannot_say_neither() -> None:
    """A tie of the judge is what people call a tie or neither."""
    people = between("a", "b", won=10, lost=5, tied=10)
    says = judge(people, "ada")
    says["preferred"] = says["preferred"].replace("neither", "tie")
    assert notes(people, kind=says)[0].endswith("100 % alike over 25 pairs)")


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_rater_who_prefers_a_side_is_named(side: str) -> None:
    """Of 60 pairs 48 on one side: it is said of whom, and of nobody else."""
    other = "right" if side == "left" else "left"
    hers = between("a", "b", won=60)
    hers["preferred"] = [side if number % 5 else other for number in range(60)]
    his = between("a", "c", won=30, lost=28, user="bo")
    assert notes(together(hers, his))[1:] == [
        f"ada preferred the {side} side in 48 of 60 pairs: sides are drawn by chance, so that is likely a "
        "liking of the side"
    ]


def test_a_rater_without_a_liking_is_rarely_named() -> None:
    """Of 1,000 raters who choose by chance one in a hundred is named at most."""
    chance, rows = random.Random(0), []
    for rater in range(1_000):
        for number in range(rater % 30 + 1):
            rows.append(
                [f"s{number}", "a", "b", chance.choice(["left", "right"]), f"r{rater}", "rule", False]
            )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    named = [line for line in agreement_notes(pd.DataFrame(), frame) if "side" in line]
    assert len(named) <= 10


@pytest.mark.parametrize(
    ("count", "same", "line"),
    [(4, 4, "4 of 4 pairs seen again with sides exchanged were rated the same"),
     (1, 1, "1 of 1 pair seen again with sides exchanged was rated the same"),
     (1, 0, "0 of 1 pair seen again with sides exchanged was rated the same"),
     (6, 0, "0 of 6 pairs seen again with sides exchanged were rated the same")],
)  # fmt: skip
def test_self_agreement(count: int, same: int, line: str) -> None:
    """How a rater agrees with what he said of the same pair before, its sides exchanged."""
    assert notes(turned(between("a", "b", won=12, lost=10, tied=4), count, same=same)) == [line]


def test_what_was_taken_back_is_no_disagreement() -> None:
    """A pair seen again whose first rating was withdrawn says nothing."""
    ratings = turned(between("a", "b", won=12, lost=10), 3, same=3)
    assert notes(ratings.iloc[3:]) == []


def test_hostile_names_of_judges_and_raters_are_text() -> None:
    """A rater's and a judge's name is one line of text, escaped on a page."""
    ratings = by_two(40, alike=0.7).replace({"user": {"ada": "<b>\n\x1b[1m\u202e"}})
    ratings["preferred"] = np.where(ratings["user"] == "bo", ratings["preferred"], "left")
    says = judge(ratings, "bo")
    found = preference(ratings, contenders=["a", "b"], judged={"<i>\nj": says})
    assert "<b>⏎⟨1B⟩[1m⟨202E⟩ preferred the left side in 40 of 40 pairs" in str(found)
    assert "<i>⏎j and people " in str(found)
    assert "<b>" not in found._repr_html_()
    assert "<i>" not in found._repr_html_()
