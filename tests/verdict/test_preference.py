"""labkit.verdict.preference: what blind ratings of pairs allow to say, sentence by sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from labkit.errors import DefinitionError
from labkit.verdict.preference import FEW, preference
from tests.verdict.rated_pairs import COLUMNS, between, by_two, together, turned

HOLM = (
    "decided by Holm's correction over all pairs; shares are of one fit to all ratings, each range a 95 % "
    "interval for its pair alone"
)


def said(ratings: pd.DataFrame, contenders: str = "ab", **given: Any) -> list[str]:
    """What is printed, line by line."""
    return str(preference(ratings, contenders=list(contenders), **given)).split("\n")


def test_a_decided_pair() -> None:
    """Who was preferred, in how many of a hundred, by how many, and how few ratings would undo it."""
    assert said(between("a", "b", won=6, lost=45, tied=9)) == [
        "Nobody is shown to beat b.",
        "b was preferred over a in 72 to 90 of 100 blind comparisons (60 ratings by 1 person, 9 ties). 13 "
        "ratings the other way would undo this.",
    ]


def test_contenders_are_called_by_their_labels() -> None:
    """Sentences say labels where there are some, as everywhere; frames keep ids."""
    ratings = between("a", "b", won=6, lost=45)
    found = preference(ratings, contenders=["a", "b"], labels={"a": "Ada 1 (base)", "b": "Bo 2"})
    assert found.headline == "Nobody is shown to beat Bo 2."
    assert found.sentences[0].startswith("Bo 2 was preferred over Ada 1 in ")
    assert found.frame()["first"].tolist() == ["b"]


@pytest.mark.parametrize("level", [0, 1, 7, "x", None])
def test_a_level_that_is_none(level: Any) -> None:
    """It is told."""
    with pytest.raises(DefinitionError, match="level is "):
        said(between("a", "b", won=6, lost=45), level=level)


def test_one_rating_the_other_way() -> None:
    """What a single rating would undo says so; and it is so."""
    ratings = between("a", "b", won=20, lost=8)
    assert said(ratings)[1].endswith("(28 ratings by 1 person). One rating the other way would undo this.")
    ratings.loc[0, "preferred"] = "right"
    assert said(ratings)[1].startswith("a against b is undecided")


def test_an_undecided_pair() -> None:
    """No preference is claimed; the range is told, and one tie is one tie."""
    assert said(between("a", "b", won=12, lost=10, tied=1)) == [
        "Nobody is shown to be preferred over another.",
        "a against b is undecided: preferred in 34 to 74 of 100 blind comparisons (23 ratings by 1 person, "
        "1 tie).",
    ]


def test_a_limit_above_half_does_not_read_as_half() -> None:
    """Of a decided pair the range stays above 50 of 100, however near."""
    for won in range(16, 60):
        for lost in range(45):
            low = between("a", "b", won=won, lost=lost) if abs(won - lost * 1.6) < 3 else None
            if low is None:
                continue
            line = said(low)[1]
            if "was preferred over" in line:
                start = line.split(" in ")[1].split(" to ")[0]
                assert start == "just over 50" or float(start) > 50, line


def test_three_contenders() -> None:
    """Pairs that are decided stand first; that one of several is unbeaten is said without a rank."""
    ratings = together(
        between("a", "b", won=30, lost=4, tied=2),
        between("b", "c", won=14, lost=12),
        between("a", "c", won=28, lost=6),
    )
    lines = said(ratings, "abc")
    assert lines[0] == "Nobody is shown to beat a."
    assert [line.split(" in ")[0] for line in lines[1:3]] == [
        "a was preferred over c",
        "a was preferred over b",
    ]
    assert (
        lines[3] == "b against c is undecided: preferred in 36 to 66 of 100 blind comparisons (26 ratings "
        "by 1 person)."
    )
    assert lines[4:] == [f"({HOLM})"]


def test_several_unbeaten() -> None:
    """Over whom nobody is shown to be preferred is a list; four are named and the others counted."""
    ratings = between("a", "b", won=30, lost=4)
    assert said(ratings, "abc")[0] == "Nobody is shown to beat a or c."
    assert said(ratings, "abcdefgh")[0] == "Nobody is shown to beat a, c, d, e or 3 more."


def test_never_side_by_side() -> None:
    """What two did against a third is told as what would be; of what no chain joins nothing is told."""
    ratings = together(between("a", "b", won=30, lost=4), between("b", "c", won=25, lost=3))
    (line,) = [line for line in said(ratings, "abcd") if line.startswith("a would")]
    assert line.startswith("a would be preferred over c in 9")
    assert "(the two were never side by side). " in line
    assert "a and d were never compared, not even by way of a third." in said(ratings, "abcd")


def test_who_never_lost() -> None:
    """It is said, and no number is infinite: of shares, intervals, contenders."""
    found = preference(between("a", "b", won=14), contenders=["a", "b", "c"])
    assert "a never lost: how far it is ahead has no upper end" in found.notes
    assert found.contenders["never_lost"].tolist() == [True, False, False]
    for frame, columns in (
        (found.frame(), ["share", "low", "high"]),
        (found.contenders, ["share", "low", "high"]),
    ):
        assert np.isfinite(frame[columns].to_numpy()).all()
        assert ((frame[columns] >= 0) & (frame[columns] <= 1)).all().all()
    assert "never lost" not in str(preference(between("a", "b", won=14, tied=1), contenders=["a", "b"]))


@pytest.mark.parametrize("count", range(FEW))
def test_before_ten_ratings_nothing_is_said(count: int) -> None:
    """None, one or nine ratings of one outcome: no sentence, no decided pair, no never."""
    found = preference(between("a", "b", won=count), contenders=["a", "b"])
    many = f"{count} so far" if count else "none so far"
    assert str(found) == f"Nothing is said before 10 ratings: {many}."
    assert found.frame()["decided"].tolist() == [False]
    assert found.frame()["overturned_by"].isna().all()
    assert found.frame()["ratings"].tolist() == [count]


def test_skips_and_pairs_seen_twice_count_once() -> None:
    """A skipped pair is no rating; of a pair that one rater rated twice, turned or not, the first counts."""
    ratings = between("a", "b", won=12, lost=3)
    skipped = between("a", "b", won=20).assign(preferred="skip", user="bo")
    twice = ratings.assign(preferred="tie")
    both = together(turned(ratings, 9, same=2), skipped, twice)
    assert (
        preference(both, contenders=["a", "b"]).sentences
        == preference(ratings, contenders=["a", "b"]).sentences
    )


def test_many_ties_and_a_second_fit() -> None:
    """Where Davidson's fit does not decide a pair that is decided, it is said of how many."""
    from labkit.stats.preference import Preferences

    ratings = between("a", "b", won=16, lost=4, tied=60)
    assert "(80 ratings by 1 person, 60 ties)" in said(ratings)[1]
    assert not any("Davidson" in line for line in said(ratings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Preferences, "disputed", np.array([True]))
        assert said(ratings)[2] == "(a fit that knows ties (Davidson's) leaves 1 of 1 decided pair undecided)"


@pytest.mark.parametrize(
    ("equal", "peeked", "notes"),
    [
        (0, 0, []),
        (1, 1, ["1 pair of equal answers was never shown and counts nowhere",
                "1 of 22 ratings was given after a look at the standing"]),
        (1200, 22, ["1,200 pairs of equal answers were never shown and count nowhere",
                    "22 of 22 ratings were given after a look at the standing"]),
    ],
)  # fmt: skip
def test_what_stands_apart_is_told(equal: int, peeked: int, notes: list[str]) -> None:
    """Equal answers, and ratings by somebody who had seen the standing; one is one."""
    ratings = between("a", "b", won=12, lost=10)
    ratings["peeked"] = ratings.index < peeked
    for kind in (bool, object, "boolean"):
        assert said(ratings.astype({"peeked": kind}), equal=equal)[2:] == [f"({note})" for note in notes]


@pytest.mark.parametrize(
    "name",
    [
        " in against is undecided: was preferred over ",
        "<script>alert(1)</script>",
        "x\n\x1b[31m\u202ey",
        "ab" * 200,
    ],
)
def test_a_hostile_name_is_text(name: str) -> None:
    """A contender's name changes no sentence, breaks no line and no page."""
    for won, lost, middle in (
        (30, 5, " was preferred over b in 69 to 94 of"),
        (11, 12, " is undecided: preferred in "),
    ):
        found = preference(between(name, "b", won=won, lost=lost), contenders=[name, "b"])
        assert len(found.sentences) == 1
        assert middle in found.sentences[0]
        assert len(str(found).split("\n")) == 2
        assert not any(sign in str(found) + repr(found) for sign in "\x1b\u202e")
        assert len(found.sentences[0]) < 300
        page = found._repr_html_()
        assert "<script" not in page
        assert not any(sign in page for sign in "\x1b\u202e")


def test_no_rank_and_no_infinity_anywhere() -> None:
    """Whatever was rated, no word of a rank and no number that is none is printed."""
    chance = np.random.default_rng(0)
    for size in (2, 3, 5):
        names = [chr(97 + place) for place in range(size)]
        for count in (0, 1, 12, 60):
            frames = [
                between(*chance.choice(names, 2, replace=False), won=1, user=str(n % 2)) for n in range(count)
            ]
            ratings = together(*frames) if frames else pd.DataFrame(columns=COLUMNS)
            ratings["sample_id"] = [f"s{number}" for number in range(count)]
            found = preference(ratings, contenders=names)
            text = f"{found} {found!r}".lower()
            assert not [
                word
                for word in ("rank", "place", "1st", "first", "winner", "inf", "nan", "best")
                if word in text
            ]


def test_more_than_twelve_pairs_are_cut_and_told() -> None:
    """Twelve sentences are printed, the others counted; all are there."""
    names = "abcdefg"
    found = preference(between("a", "b", won=12, lost=3), contenders=list(names))
    assert len(found.sentences) == len(found.frame()) == 21
    assert "… and 9 more pairs: see .sentences and .frame()." in str(found).split("\n")


def test_two_people_are_people() -> None:
    """How many rated is said of each pair."""
    assert "(80 ratings by 2 people, " in said(by_two(40, alike=0.8))[1]
